#!/usr/bin/env bash
# bench/lint-generated.sh [DOCKERFILE...]: hadolint and `plim lint` over generated Dockerfiles: those given, else all that the
# tests keep as snapshots, which are those of the examples, of the sample applications and of many kinds of projects. Fails on what
# docs/optimize.md does not name as an exception. hadolint comes with ../shared/peers/install.sh PREFIX hadolint (PREFIX/bin on
# PATH); PLIM is the program (target/release/plim, built where it is not set).
set -euo pipefail
repo=$(realpath "$(dirname "$0")/..")
command -v hadolint >/dev/null || { echo 'hadolint is not on PATH: see the head of this script' >&2; exit 2; }
[ -n "${PLIM:-}" ] || (cd "$repo" && cargo build --release --quiet --bin plim)
plim=$(realpath "${PLIM:-$repo/target/release/plim}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# versions of Debian packages (DL3008), and of the tools that read lock files (DL3013)
exceptions=(--ignore DL3008 --ignore DL3013)
if [ $# -eq 0 ]; then
    for snapshot in "$repo"/crates/plim-project/tests/it/snapshots/*.snap; do
        # what stands after the second --- is the snapshot; whole files begin with the syntax line
        file=$work/$(basename "$snapshot" .snap)
        awk 'heads == 2; /^---$/ && heads < 2 { heads++ }' "$snapshot" >"$file"
        [[ $(head -n 1 "$file") == '# syntax='* ]] || rm "$file"
    done
    set -- "$work"/*
fi
hadolint --no-color "${exceptions[@]}" "$@" || { echo 'hadolint has something to say' >&2; exit 1; }
for file; do
    "$plim" -q lint -o short "$file" || { echo "plim lint has something to say of $file" >&2; exit 1; }
done
echo "$# generated Dockerfiles: nothing to say beyond the exceptions; with them hadolint says"
hadolint --no-color --no-fail "$@" | grep -oE '(DL|SC)[0-9]+' | sort | uniq -c
