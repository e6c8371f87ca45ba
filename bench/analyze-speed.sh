#!/usr/bin/env bash
# bench/analyze-speed.sh [PLIM]: how fast `plim analyze` reads an image for the first and the second time, beside trivy, syft and dive,
# each on the same image in the same run. Prints wall time, CPU time and memory, and the ratios against the targets; fails when one is missed.
#
#   NODE   OCI layout of a large Node.js image (default: node:20 of the fixtures in ../shared)
#   RUST   OCI layout of a large Rust image with sources and build output, for memory (default: that of the fixtures)
#   PEERS  folders with trivy, syft and dive, separated by colons, before PATH. A peer that is not there is left out, and said so
#   RUNS   how often each is run; the best counts (default 3)
#
# What is compared is work, so let nothing else run beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
plim=$(realpath "${1:-target/release/plim}")
fixtures=${FIX_OUT:-/var/tmp/plimsoll-fixtures}
node=${NODE:-$fixtures/bases/library/node/20}
rust=${RUST:-$fixtures/images/rust-before}
runs=${RUNS:-3}
PATH=${PEERS:+$PEERS:}$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0

[ -x "$plim" ] || { echo "skipped: $plim is not there: cargo build --release --bin plim" >&2; exit 0; }
[ -e "$node/index.json" ] || { echo "skipped: no image at $node: set NODE to an OCI layout" >&2; exit 0; }
have() { command -v "$1" >/dev/null || { echo "skipped: $1 is not installed" >&2; return 1; }; }

# measure NAME PREPARE COMMAND...: the best of the runs by wall time, into $work/NAME: wall seconds, CPU seconds, MB
measure() {
    local name=$1 prepare=$2
    shift 2
    for _ in $(seq "$runs"); do
        $prepare
        /usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" >"$work/out" 2>"$work/err" || {
            echo "failed: $*" >&2
            tail -n 5 "$work/err" >&2
            exit 1
        }
        awk 'END {printf "%.3f %.3f %.0f\n", $1, $2 + $3, $4 * 1024 / 1e6}' "$work/time"
    done | sort -n | head -n 1 >"$work/$name"
    [ -s "$work/$name" ] || exit 1
    printf '%-44s %8.2f %8.2f %8.0f\n' "$name" $(cat "$work/$name")
}
forget() { rm -rf "$work/plim" "$work/trivy"; }
keep() { :; }
export PLIM_DATA=$work/plim/data PLIM_CACHE=$work/plim/cache

# wall COLUMN: a column of a measurement
column() { awk -v c="$2" '{print $c}' "$work/$1"; }
# target WHAT OURS THEIRS LIMIT: prints the ratio and whether it is kept
target() {
    awk -v w="$1" -v a="$2" -v b="$3" -v l="$4" 'BEGIN {
        r = a / b; printf "%-64s %8.3f  target %.2f  %s\n", w, r, l, r <= l ? "kept" : "MISSED"; exit r > l}' || missed=$((missed + 1))
}

cat "$node"/blobs/sha256/* >/dev/null
printf '%-44s %8s %8s %8s\n' "" 'wall s' 'CPU s' 'MB'
measure 'plim analyze, first time' forget "$plim" analyze -o "json=$work/report.json" "oci:$node"
measure 'plim analyze, second time' keep "$plim" analyze -o "json=$work/report.json" "oci:$node"
if have skopeo; then
    skopeo copy -q "oci:$node" "docker-archive:$work/node.tar:x:y"
    measure 'plim analyze, docker-archive' forget "$plim" analyze "docker-archive:$work/node.tar"
fi
if [ -e "$rust/index.json" ]; then
    cat "$rust"/blobs/sha256/* >/dev/null
    measure 'plim analyze, Rust' forget "$plim" analyze "oci:$rust"
else
    echo "skipped: no image at $rust: set RUST to an OCI layout" >&2
fi
if have trivy; then
    trivy=(trivy image --quiet --cache-dir "$work/trivy" --input "$node" --scanners secret --skip-db-update --offline-scan)
    measure 'trivy, packages and secrets' forget "${trivy[@]}" --list-all-pkgs --format json
fi
if have syft; then
    measure 'syft' keep env SYFT_CHECK_FOR_APP_UPDATE=false syft -q "oci-dir:$node" -o spdx-json
fi
if have dive && [ -e "$work/node.tar" ]; then
    # its rules fail on this image, which is no failure here
    measure 'dive --ci, docker-archive' keep sh -c 'dive --ci "$1" || [ $? -eq 1 ]' - "docker-archive://$work/node.tar"
fi

echo
first='plim analyze, first time'
if [ -e "$work/trivy, packages and secrets" ]; then
    target 'CPU of a first read / trivy' "$(column "$first" 2)" "$(column 'trivy, packages and secrets' 2)" 0.5
    target 'wall time of a first read / trivy' "$(column "$first" 1)" "$(column 'trivy, packages and secrets' 1)" 0.5
fi
[ ! -e "$work/syft" ] || target 'CPU of a first read / syft' "$(column "$first" 2)" "$(column syft 2)" 0.35
if [ -e "$work/dive --ci, docker-archive" ]; then
    archive=$(column 'plim analyze, docker-archive' 1)
    target 'wall time of a docker-archive / dive' "$archive" "$(column 'dive --ci, docker-archive' 1)" 1.5
fi
target 'seconds of a second read / 0.06' "$(column 'plim analyze, second time' 1)" 0.06 1
target 'MB of a first read / 150' "$(column "$first" 3)" 150 1
[ ! -e "$work/plim analyze, Rust" ] || target 'MB of a first read of the Rust image / 150' "$(column 'plim analyze, Rust' 3)" 150 1
[ "$missed" -eq 0 ]
