# Part of .ci/broken: too little room, none to write to, and too many at once.
# shellcheck shell=bash disable=SC2154

# fails CODE TITLE WHERE: the build must have ended so, and its error must name the place and say why
says() { # title, code, pattern of the reason, place
    [ "$2" = 2 ] || wrong "$1: it ends with $2: $(tail -n 6 "$work/log")"
    ! grep -q panicked "$work/log" || wrong "$1: $(head -n 4 "$work/log")"
    grep -q '^error: ' "$work/log" || wrong "$1: no error: $(tail -n 6 "$work/log")"
    grep -qiE "$3" "$work/log" || wrong "$1: the error does not say that ($3): $(tail -n 6 "$work/log")"
    grep -qF "$4" "$work/log" || wrong "$1: the error does not name $4: $(tail -n 6 "$work/log")"
}

full_disks() {
    local what size small=$work/small code digest isolation failed=0
    mkdir -p "$small"
    forget
    rm -rf "$work/out"
    for what in data cache out chroot; do
        for size in 1 3 8 20 40; do
            forget
            rm -rf "$work/out"
            mkdir -p "$work/out"
            mount -t tmpfs -o "size=${size}m,mode=755" plim-small "$small"
            isolation=auto data=$work/data cache=$work/cache out=$work/out
            case $what in
            data) data=$small ;;
            cache) cache=$small ;;
            out) out=$small ;;
            chroot) data=$small isolation=chroot ;;
            esac
            mapfile -t all < <(outputs "$out")
            code=0
            PLIM_DATA=$data PLIM_CACHE=$cache build --isolation "$isolation" "${all[@]}" >"$work/digest" 2>"$work/log" || code=$?
            if [ "$code" = 0 ]; then
                # there was room enough
                [ "$(cat "$work/digest")" = "$wanted" ] || wrong "$size MB for $what: $(cat "$work/digest")"
            else
                failed=$((failed + 1))
                # a command that finds no room may fail without a word of why
                [ "$code" = 1 ] && grep -q 'the command failed with exit code' "$work/log" && ! grep -qi 'no space left' "$work/log" || says "$size MB for $what" "$code" 'disk is full|no space left' "$small"
            fi
            # half an output has not got its name
            [ ! -e "$out/image.tar" ] || [ "$code" = 0 ] || grep -qF "./image.tar 644 $(sha256sum <"$out/image.tar" | cut -d' ' -f1)" "$work/contents" ||
                wrong "$size MB for $what: half an image.tar is left"
            mount -o remount,size=500m "$small"
            code=0
            PLIM_DATA=$data PLIM_CACHE=$cache build --isolation "$isolation" "${all[@]}" >"$work/digest" 2>"$work/log" || code=$?
            [ "$code" = 0 ] || wrong "$size MB for $what, then more: it ends with $code: $(tail -n 4 "$work/log")"
            digest=$(cat "$work/digest")
            [ "$digest" = "$wanted" ] || wrong "$size MB for $what, then more: $digest"
            contents "$out" | cmp -s - "$work/contents" || wrong "$size MB for $what, then more: the outputs differ: $(contents "$out" | diff - "$work/contents" | head -n 4)"
            umount "$small"
        done
    done
    mapfile -t all < <(outputs "$work/out")
    [ "$failed" -ge 12 ] || wrong "only $failed of the builds had too little room: nothing was tried"
    say "full disks: $failed builds failed as they should, $bad things wrong"
}

read_only() {
    local what code small=$work/small data cache out
    forget
    for what in data cache out; do
        forget
        rm -rf "$work/out"
        mkdir -p "$work/out"
        mount -t tmpfs -o size=500m,mode=755 plim-small "$small"
        data=$work/data cache=$work/cache out=$work/out
        declare "$what=$small"
        mount -o remount,ro "$small"
        mapfile -t all < <(outputs "$out")
        code=0
        PLIM_DATA=$data PLIM_CACHE=$cache build "${all[@]}" >"$work/digest" 2>"$work/log" || code=$?
        says "$what is read-only" "$code" 'read-only' "$small"
        mount -o remount,rw "$small"
        [ "$(PLIM_DATA=$data PLIM_CACHE=$cache build "${all[@]}" 2>"$work/log")" = "$wanted" ] || wrong "$what, writable again: $(tail -n 4 "$work/log")"
        # what was built is there, but nothing can be written: the answer or a reason, never something else
        if [ "$what" != out ]; then
            mount -o remount,ro "$small"
            code=0
            PLIM_DATA=$data PLIM_CACHE=$cache build >"$work/digest" 2>"$work/log" || code=$?
            if [ "$code" = 0 ]; then
                [ "$(cat "$work/digest")" = "$wanted" ] || wrong "$what, read-only after a build: $(cat "$work/digest")"
            else
                says "$what is read-only after a build" "$code" 'read-only' "$small"
            fi
        fi
        umount "$small"
    done
    mapfile -t all < <(outputs "$work/out")
}

# many builds at once: the same and others, on an empty store, on one where everything is old, with `plim prune` beside them
crowds() {
    local kind i pids stop code file pruned
    for kind in 'two the same' 'two others' 'four the same' 'four others' 'four, without a cache' 'four, chroot' 'four, all old' 'four, capped'; do
        case $kind in *old | *capped) ;; *) forget ;; esac
        pids=() files=(Dockerfile other.Dockerfile third.Dockerfile Dockerfile) args=()
        case $kind in
        two*) files=("${files[@]:0:2}") ;;
        *'all old')
            # what was not used for hours is what a prune takes
            find "$PLIM_DATA" "$PLIM_CACHE" -depth -exec touch -h -d '5 hours ago' {} + 2>/dev/null || true ;;
        *capped) args=(--cap-gb 0) && find "$PLIM_DATA" "$PLIM_CACHE" -depth -exec touch -h -d '5 hours ago' {} + 2>/dev/null || true ;;
        *cache) args=(--no-cache) ;;
        *chroot) args=(--isolation chroot) ;;
        esac
        case $kind in *same) for i in "${!files[@]}"; do files[i]=Dockerfile; done ;; esac
        rm -f "$work/stop"
        pruned=0
        (
            until [ -e "$work/stop" ]; do
                "$plim" -qq prune >/dev/null 2>>"$work/prune.log" || echo "prune ended with $?" >>"$work/prune.failed"
                "$plim" -qq prune --older-than 1h >/dev/null 2>>"$work/prune.log" || echo "prune ended with $?" >>"$work/prune.failed"
                echo >>"$work/pruned"
                sleep 0.02
            done
        ) &
        stop=$!
        for i in "${!files[@]}"; do
            build "${args[@]}" -f "$context/${files[i]}" -o "type=oci,dest=$work/crowd-$i.tar" -t "crowd:$i" >"$work/crowd-$i.digest" 2>"$work/crowd-$i.log" &
            pids+=($!)
        done
        for i in "${!files[@]}"; do
            code=0
            wait "${pids[i]}" || code=$?
            [ "$code" = 0 ] || wrong "$kind: build $i ends with $code: $(tail -n 4 "$work/crowd-$i.log")"
            case ${files[i]} in
            other*) file=$other ;;
            third*) file=$third ;;
            *) file=$wanted ;;
            esac
            [ "$code" != 0 ] || [ "$(cat "$work/crowd-$i.digest")" = "$file" ] || wrong "$kind: build $i makes $(cat "$work/crowd-$i.digest")"
            # what went out is whole: every blob has its digest
            [ "$code" != 0 ] || python3 - "$work/crowd-$i.tar" <<'P' || wrong "$kind: the archive of build $i is damaged"
import hashlib, sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    blobs = [entry for entry in tar if entry.name.startswith("blobs/sha256/") and entry.isfile()]
    assert len(blobs) >= 5, len(blobs)
    for entry in blobs:
        found = hashlib.sha256(tar.extractfile(entry).read()).hexdigest()
        assert found == entry.name.rsplit("/", 1)[1], entry.name
P
        done
        touch "$work/stop"
        wait "$stop" || true
        pruned=$(wc -l <"$work/pruned")
        rm -f "$work/pruned"
        [ ! -e "$work/prune.failed" ] || { wrong "$kind: $(sort "$work/prune.failed" | uniq -c | head -n 2): $(tail -n 4 "$work/prune.log")"; rm -f "$work/prune.failed"; }
        # the store holds what it names
        for i in "${!files[@]}"; do
            "$plim" -qq save "crowd:$i" "$work/saved.tar" >/dev/null 2>"$work/log" || wrong "$kind: crowd:$i cannot be saved: $(tail -n 3 "$work/log")"
        done
        say "$kind: $pruned prunes beside them"
    done
    begun >"$work/begun"
    grep -v "$SMALL" "$work/begun" >"$work/large" || true
    [ ! -s "$work/large" ] || wrong "crowds leave $(head -n 3 "$work/large" | tr '\n' ' ')"
}
