# Part of .ci/broken: builds that are killed.
# shellcheck shell=bash disable=SC2154

kinds=(nothing steps source chroot outputs cached zstd)
declare -A lasts flags=([nothing]='' [steps]='' [source]='' [chroot]=--isolation=chroot [outputs]='' [cached]="--cache-from=type=local,src=$work/kept-cache" [zstd]=--compression=zstd)

# what is there when a build begins
prepare() { # kind
    rm -rf "$work/out"
    mkdir "$work/out"
    case $1 in
    nothing | cached | zstd) forget ;;
    steps) rm -rf "$PLIM_CACHE/build" ;;
    chroot) rm -rf "$PLIM_CACHE/build" "$PLIM_DATA/snapshots-chroot" ;;
    source) echo "changed in round $round" >"$context/src/7.txt" ;;
    outputs) restore; build "${all[@]}" >/dev/null 2>&1 ;;
    esac
}
restore() { echo 'file 7' >"$context/src/7.txt"; }

kills() {
    local kind round killed=0 small=0 how left next kept began moment group listed digest
    cp -a "$work/out/cache" "$work/kept-cache"
    round=0
    for kind in "${kinds[@]}"; do
        prepare "$kind"
        began=$(now)
        # shellcheck disable=SC2086
        build "${all[@]}" ${flags[$kind]} >"$work/digest" 2>"$work/log" || wrong "undisturbed, $kind: $(tail -n 3 "$work/log")"
        lasts[$kind]=$((($(now) - began) / 1000000))
        case $kind in
        source) restore ;;
        zstd) zstd=$(cat "$work/digest") ;;
        *) [ "$(cat "$work/digest")" = "$wanted" ] || wrong "undisturbed, $kind: $(cat "$work/digest")" ;;
        esac
    done
    forget
    for round in $(seq "$rounds"); do
        kind=${kinds[$(((round - 1) % ${#kinds[@]}))]}
        moment=$((lasts[$kind] * (RANDOM % 1000) / 1000 + 1))
        group=$((RANDOM % 2))
        # a build that has ended by then is tried again with an earlier moment: machines are not equally fast at all times
        for _ in 1 2 3; do
            prepare "$kind"
            mounts >"$work/mounts"
            rm -f "$work/kept"
            # shellcheck disable=SC2086
            KEEPER_GROUP=${group#0} python3 "$here/proof/keeper.py" "$(seconds $moment)" 30 \
                "$plim" -q build --build-context "base=oci-layout://$work/base" "${all[@]}" ${flags[$kind]} "$context" >"$work/kept" 2>"$work/log" &
            keeper=$!
            until [ -s "$work/kept" ] || ! kill -0 "$keeper" 2>/dev/null; do sleep 0.002; done
            how=$(head -n 1 "$work/kept")
            [ "$how" = 'ended 0' ] || break
            wait "$keeper" || true
            moment=$((moment / 2 + 1))
        done
        # in every second round the next build does not wait for the processes of the killed one to end
        kept='at once'
        if [ $((round % 2)) = 0 ]; then
            wait "$keeper" || true
            kept='then'
        fi
        case $how in
        killed) killed=$((killed + 1)) ;;
        'ended 0') ;;
        *) wrong "round $round: it $how before it was killed: $(tail -n 5 "$work/log")" ;;
        esac
        # what has its own name is whole
        if [ -e "$work/out/image.tar" ] && [ "$kind" != source ] && [ "$kind" != zstd ]; then
            grep -qF "./image.tar 644 $(sha256sum <"$work/out/image.tar" | cut -d' ' -f1)" "$work/contents" ||
                wrong "round $round: half an image.tar is left"
        fi
        if [ -e "$work/out/iid" ] && [ "$kind" != source ] && [ "$kind" != zstd ]; then
            [ "$(cat "$work/out/iid")" = "$wanted" ] || wrong "round $round: iid is $(cat "$work/out/iid")"
        fi
        [ ! -e "$work/out/metadata.json" ] || jq -e . "$work/out/metadata.json" >/dev/null || wrong "round $round: half a metadata.json is left"
        left=$(begun "$work/out" | wc -l)
        restore
        next=0
        # shellcheck disable=SC2086
        build "${all[@]}" ${flags[$kind]} >"$work/digest" 2>"$work/log" || next=$?
        digest=$(cat "$work/digest")
        wait "$keeper" || true
        keeper=
        ! grep -q '^alive' "$work/kept" || wrong "round $round: $(grep '^alive' "$work/kept")"
        mounts | cmp -s - "$work/mounts" || wrong "round $round: mounts are left: $(mounts | head -n 3)"
        [ "$next" = 0 ] || wrong "round $round ($kind): the next build ends with $next: $(tail -n 5 "$work/log")"
        if [ "$kind" = zstd ]; then
            [ "$digest" = "$zstd" ] || wrong "round $round: the next build, with zstd, makes $digest"
        else
            [ "$digest" = "$wanted" ] || wrong "round $round ($kind): the next build makes $digest"
            listed=$(contents "$work/out" | diff - "$work/contents") || wrong "round $round ($kind): the outputs differ: $(head -n 4 <<<"$listed")"
        fi
        # small files go when they are an hour old, all else goes with the next build
        begun "$work/out" >"$work/begun"
        grep -v "$SMALL" "$work/begun" >"$work/large" || true
        [ ! -s "$work/large" ] || wrong "round $round ($kind): begun and left after the next build: $(head -n 3 "$work/large" | tr '\n' ' ')"
        xargs -r -d '\n' touch -d '2 hours ago' <"$work/begun"
        small=$((small + $(wc -l <"$work/begun")))
        # the cache that it wrote answers for every step, elsewhere
        if [ $((round % 10)) = 0 ] && [ "$kind" != zstd ]; then
            digest=$(PLIM_DATA=$work/elsewhere/data PLIM_CACHE=$work/elsewhere/cache build --explain --cache-from "type=local,src=$work/out/cache" 2>"$work/log") ||
                wrong "round $round: with the cache: $(tail -n 3 "$work/log")"
            [ "$digest" = "$wanted" ] || wrong "round $round: with the cache: $digest"
            ! grep -q '^miss' "$work/log" || wrong "round $round: the cache does not answer: $(grep -m 2 '^miss' "$work/log")"
            rm -rf "$work/elsewhere"
        fi
        printf '   %3d  %-8s %-7s at %5d of %5d ms%s, %2d things begun; the next build %s: %s\n' "$round" "$kind" "$how" "$moment" "${lasts[$kind]}" \
            "$([ "$group" = 0 ] || echo ', with its group')" "$left" "$kept" "$(cut -c1-19 "$work/digest")"
    done
    # builds that ended before their moment show nothing of killed ones
    [ $((killed * 2)) -ge "$rounds" ] || wrong "only $killed of $rounds builds were killed before their end: too little was tried"
    build "${all[@]}" >/dev/null 2>"$work/log" || wrong "the last build: $(tail -n 5 "$work/log")"
    begun "$work/out" >"$work/begun"
    [ ! -s "$work/begun" ] || wrong "left after all: $(head -n 3 "$work/begun" | tr '\n' ' ')"
    say "$rounds rounds, $killed killed before their end, $small small files begun, $bad things wrong"
}
