#!/usr/bin/env bash
# bench/build-speed.sh [APP|synthetic]...: `plim build` beside BuildKit and buildah on the sample applications, in one run.
#
#   cold    every step again (--no-cache) with empty cache mounts, bases there and unpacked
#   no-op   nothing changed (median of 5)
#   edit    a line appended to one source file (median of 3)
#   export  a build with nothing changed that writes the image as an OCI archive
#
# `synthetic` measures what no sample shows: a context of 10,000 files, 20 MB behind an edit, a layer of 1 GB, the price of a RUN.
#
# Needs ../shared (or $SHARED) with the fixtures' bases made (make-bases.sh, prep-apps.sh), buildkitd and buildctl on PATH or in
# $PEERS (peers/from-source.sh), and Debian's buildah. What is absent is left out of the table, and said. Only what it started is ended.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=$(realpath "${SHARED:-../shared}")
export FIX_OUT=${FIX_OUT:-/var/tmp/plimsoll-fixtures}
# shellcheck source=/dev/null
. "$shared/fixtures/env.sh"
unset SOURCE_DATE_EPOCH
export PATH=${PEERS:+$PEERS:}$PATH
cargo build --release --quiet --locked --bin plim
plim=$PWD/target/release/plim
work=$(mktemp -d)
# where prep-apps.sh lays the applications out
prepared=$FIX_OUT/work
started_registry=
finish() {
    [ ! -e "$work/bk/bk.pid" ] || { daemon CONT; kill "$(cat "$work/bk/bk.pid")"; } 2>/dev/null || true
    [ -z "$started_registry" ] || "$shared/fixtures/registry.sh" stop
    sleep 0.5
    rm -rf "$work"
}
trap finish EXIT
curl -sf "http://$REG/v2/" >/dev/null || { "$shared/fixtures/registry.sh" start; started_registry=1; }

export PLIM_DATA=$work/data PLIM_CACHE=$work/cache
cat >"$work/plim.toml" <<C
[[registry]]
name = "docker.io"
mirrors = ["http://$REG"]
[[registry]]
name = "gcr.io"
mirrors = ["http://$REG"]
C
tools=(plim)
if command -v buildkitd >/dev/null && command -v buildctl >/dev/null; then
    PLIM_BK=$work/bk "$shared/peers/buildkitd.sh" start && tools+=(buildkit)
else
    echo "no buildkitd: its columns are left out (PEERS=DIR names where it is)"
fi
if command -v buildah >/dev/null; then tools+=(buildah); else echo "no buildah: its columns are left out"; fi

# BuildKit cannot give a step the host's certificate authorities: it gets bases that have them
bases_for_buildkit() { # Dockerfile
    local ref name
    mkdir -p "$work/ca"
    cp /etc/ssl/certs/ca-certificates.crt "$work/ca/host-ca.crt"
    for ref in $(awk 'toupper($1) == "FROM" {print $2}' "$1" | sort -u); do
        case $ref in
        gcr.io/*) name=${ref#gcr.io/} ;;
        *) name=library/$ref ;;
        esac
        [ ! -e "$work/ca/$(echo "$name" | tr / _)" ] || continue
        touch "$work/ca/$(echo "$name" | tr / _)"
        local f=/etc/ssl/certs/host-ca.crt
        printf 'FROM %s\nCOPY host-ca.crt %s\nENV SSL_CERT_FILE=%s PIP_CERT=%s NODE_EXTRA_CA_CERTS=%s CARGO_HTTP_CAINFO=%s\n' \
            "$REG/$name" $f $f $f $f $f >"$work/ca/Dockerfile"
        "$plim" build -q -t "$REG/ca/$name" --push "$work/ca" >/dev/null
    done
}

# runs a program and notes the most memory that it had itself, in KB: what `time` tells is that of the largest of its children, too
watched() { # command...
    local pid
    "$@" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        # it may be over by now
        awk '/^VmHWM/ {print $2}' "/proc/$pid/status" >"$work/hwm" 2>/dev/null && [ -s "$work/hwm" ] && cp "$work/hwm" "$work/rss"
        sleep 0.1
    done
    wait $pid
}
# build TOOL CONTEXT DOCKERFILE [no-cache|export]
build() {
    local tool=$1 context=$2 file=$3 mode=${4:-}
    case $tool in
    plim)
        local args=(--config "$work/plim.toml" build -q -f "$context/$file" -t "bench/$(basename "$context")" "$context")
        [ "$mode" != no-cache ] || args+=(--no-cache)
        [ "$mode" != export ] || args+=(-o "type=oci,dest=$work/plim.tar")
        if [ "$mode" = no-cache ]; then watched "$plim" "${args[@]}"; else "$plim" "${args[@]}"; fi ;;
    buildkit)
        sed '/^# syntax=/d' "$context/$file" >"$work/bk.Dockerfile"
        cp "$context/$file.dockerignore" "$work/bk.Dockerfile.dockerignore" 2>/dev/null || rm -f "$work/bk.Dockerfile.dockerignore"
        local args=(--addr "unix://$work/bk/bk.sock" build --frontend dockerfile.v0 --local "context=$context" --local "dockerfile=$work"
            --opt filename=bk.Dockerfile --opt force-network-mode=host --allow network.host)
        [ "$mode" != no-cache ] || args+=(--no-cache)
        if [ "$mode" = export ]; then args+=(--output "type=oci,dest=$work/bk.tar"); else args+=(--output "type=image,name=bench"); fi
        buildctl "${args[@]}" ;;
    buildah)
        local args=(buildah bud --layers --network=host --pull=false -f "$context/$file" -t "bench/$(basename "$context")")
        [ ! -e "$context/$file.dockerignore" ] || args+=(--ignorefile "$context/$file.dockerignore")
        [ "$mode" != no-cache ] || args+=(--no-cache)
        "${args[@]}" "$context"
        [ "$mode" != export ] || { rm -rf "$work/ba"; buildah push -q "bench/$(basename "$context")" "oci:$work/ba:latest"; } ;;
    esac >"$work/log" 2>&1 || { echo "FAILED: $*"; tail -n 15 "$work/log"; return 1; } >&2
}

# empties what the tool keeps for RUN --mount=type=cache
forget_mounts() { # tool
    case $1 in
    plim) rm -rf "$PLIM_CACHE/mounts" ;;
    buildkit) buildctl --addr "unix://$work/bk/bk.sock" prune --filter type==exec.cachemount ;;
    buildah) rm -rf "${TMPDIR:-/var/tmp}"/buildah-cache* ;;
    esac >/dev/null 2>&1
}
seconds() { # command...
    local began ended
    began=$(date +%s%N)
    "$@" || return
    ended=$(date +%s%N)
    awk "BEGIN {printf \"%.3f\n\", ($ended - $began) / 1e9}"
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
row() { # label, then a file of "tool seconds"
    awk -v label="$1" '{s[$1] = $2} END {
        printf "%-26s", label
        printf "%10.3f", s["plim"]
        split("buildkit buildah", t, " ")
        for (i = 1; i <= 2; i++) if (t[i] in s) printf "%10.3f %6.2f", s[t[i]], s["plim"] / s[t[i]]; else printf "%10s %6s", "-", "-"
        printf "\n"
    }' "$2"
}
# what BuildKit's daemon does behind a build's back is not to slow down the others: it stands still while they are measured
daemon() { # signal
    [ ! -e "$work/bk/bk.pid" ] || kill "-$1" "$(cat "$work/bk/bk.pid")"
}
# measure LABEL CONTEXT DOCKERFILE MODE TIMES [before each: command]
measure() {
    local label=$1 context=$2 file=$3 mode=$4 times=$5 before=${6:-true} tool i
    : >"$work/row"
    for tool in "${tools[@]}"; do
        daemon "$([ "$tool" = buildkit ] && echo CONT || echo STOP)"
        for ((i = 0; i < times; i++)); do
            eval "$before"
            seconds build "$tool" "$context" "$file" "$mode"
        done | median | sed "s/^/$tool /" >>"$work/row"
        [ "$tool" != plim ] || [ "$mode" != no-cache ] || cp "$work/rss" "$work/rss.plim"
    done
    daemon CONT
    row "$label" "$work/row"
}

declare -A SRC=([node]=src/index.ts [python]=src/app/main.py [go]=cmd/server/main.go [java]=src/shop/Main.java [rust]=src/main.rs)
sample() { # app variant
    local app=$1 variant=$2 context=$work/ctx/$1-$2 file=Dockerfile.$2 comment='//' tool ref
    [ "$app" != python ] || comment='#'
    mkdir -p "$work/ctx"
    cp -a "$prepared/ctx/$app" "$context"
    [[ " ${tools[*]} " != *" buildkit "* ]] || bases_for_buildkit "$context/$file"
    if [[ " ${tools[*]} " == *" buildah "* ]]; then
        for ref in $(awk 'toupper($1) == "FROM" {print $2}' "$context/$file" | sort -u); do buildah pull -q "$ref" >/dev/null; done
    fi
    for tool in "${tools[@]}"; do build "$tool" "$context" "$file"; done
    # shellcheck disable=SC2016 # measure expands it
    measure "$app $variant cold" "$context" "$file" no-cache 1 'forget_mounts $tool'
    awk '{printf "%-26s%10.0f MB\n", "  peak memory of plim", $1 / 1024}' "$work/rss.plim"
    for tool in "${tools[@]}"; do build "$tool" "$context" "$file"; done
    measure "$app $variant no-op" "$context" "$file" "" 5
    measure "$app $variant edit" "$context" "$file" "" 3 "echo '$comment edit '\$(date +%N) >>'$context/${SRC[$app]}'"
    for tool in "${tools[@]}"; do build "$tool" "$context" "$file"; done
    measure "$app $variant export" "$context" "$file" export 1
    rm -rf "$context"
}

synthetic() {
    local c=$work/ctx/files i
    mkdir -p "$c/src"
    printf 'FROM scratch\nCOPY . /src\n' >"$c/Dockerfile"
    for ((i = 0; i < 100; i++)); do mkdir "$c/src/$i"; done
    for ((i = 0; i < 10000; i++)); do echo "file $i" >"$c/src/$((i % 100))/$i.txt"; done
    for tool in "${tools[@]}"; do build "$tool" "$c" Dockerfile; done
    measure "10,000 files no-op" "$c" Dockerfile "" 5
    measure "10,000 files, one edited" "$c" Dockerfile "" 3 "date +%N >'$c/src/7/7.txt'"
    rm -rf "$c"

    c=$work/ctx/twenty
    mkdir -p "$c"
    printf 'FROM scratch\nCOPY . /app\n' >"$c/Dockerfile"
    for ((i = 0; i < 200; i++)); do head -c 75000 /dev/urandom | base64 -w 0 >"$c/$i.js"; done
    for tool in "${tools[@]}"; do build "$tool" "$c" Dockerfile; done
    measure "20 MB COPY, one edited" "$c" Dockerfile "" 5 "date +%N >>'$c/7.js'"
    rm -rf "$c"

    c=$work/ctx/thousand
    mkdir -p "$c"
    printf 'FROM scratch\nCOPY . /\n' >"$c/Dockerfile"
    # what images are made of, until it is 1 GB; head ends tar. It begins with what no earlier run had: buildah's cache outlives this one
    { date +%s%N && tar -C /usr -cf - lib/x86_64-linux-gnu bin share 2>/dev/null; } | head -c 1000000000 >"$c/1" || true
    # nobody pays for what is still on its way to the disk, nor for a file that is so young that it may change unseen
    measure "1 GB, gzip, to an archive" "$c" Dockerfile export 1 "sync; sleep 3"
    rm -f "$work"/*.tar
    # the digest goes to the same output as the seconds
    { seconds "$plim" build -q --no-cache --compression zstd -f "$c/Dockerfile" "$c" &&
        seconds sh -c "zstd -q -3 -T2 -c '$c/1' >'$work/zst'"; } 2>"$work/log" >"$work/z" || { cat "$work/log" >&2; return 1; }
    sed -n '/^[0-9.]*$/p' "$work/z" | paste -sd' ' | awk '{printf "%-26s%10.3f    zstd -3 -T2 %.3f, ratio %.2f\n", "1 GB, zstd", $1, $2, $1 / $2}'
    rm -rf "$c"

    c=$work/ctx/runs
    mkdir -p "$c"
    { echo "FROM debian:trixie-slim"; for ((i = 0; i < 40; i++)); do echo 'RUN ["true"]'; done; } >"$c/Dockerfile"
    { echo "FROM debian:trixie-slim"; for ((i = 0; i < 10; i++)); do echo 'RUN ["true"]'; done; } >"$c/Dockerfile.ten"
    [[ " ${tools[*]} " != *" buildkit "* ]] || bases_for_buildkit "$c/Dockerfile"
    for tool in "${tools[@]}"; do build "$tool" "$c" Dockerfile; done
    : >"$work/row"
    for tool in "${tools[@]}"; do
        local forty ten
        forty=$(for i in 1 2 3; do seconds build "$tool" "$c" Dockerfile no-cache; done | median)
        ten=$(for i in 1 2 3; do seconds build "$tool" "$c" Dockerfile.ten no-cache; done | median)
        awk "BEGIN {print \"$tool\", ($forty - $ten) / 30}" >>"$work/row"
    done
    row "one RUN of true" "$work/row"
}

printf '%-26s%10s%10s %6s%10s %6s\n' "seconds" plim buildkit ratio buildah ratio
[ $# -gt 0 ] || set -- go node python java rust synthetic
for what; do
    case $what in
    synthetic) synthetic ;;
    node | rust) sample "$what" after; sample "$what" before ;;
    go | python | java) sample "$what" after ;;
    *) echo "unknown: $what" >&2; exit 2 ;;
    esac
done
