#!/usr/bin/env bash
# bench/optimize-time.sh [PROJECT]: where the time of a first `plim optimize` goes, downloads of Debian packages aside.
# Runs it once to fill the download cache, again with an empty store, and a third time with nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
project=$(realpath "${1:-examples/python-api}")
cargo build --release --quiet --bin plim
plim=$PWD/target/release/plim
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$project" "$work/project"
rm -rf "$work/project/.plim"
export PLIM_DATA=$work/data PLIM_CACHE=$work/cache
run() { # label
    local began=$(date +%s%N)
    "$plim" optimize -v --progress plain -o "json=$work/$1.json" "$work/project" 2>"$work/$1.log" >/dev/null
    echo "$(date +%s%N) $began" | awk -v l="$1" '{printf "%-10s %6.1f s\n", l, ($1 - $2) / 1e9}'
}
run download
# the packages stay, everything made of them goes: bases, layers, steps, indexes, pip's cache mount. It is moved out of the way,
# not removed: ext4 does not use the numbers of files again that were removed minutes ago, and looks for others at great length
mkdir "$work/old"
mv "$work/data" "$work/cache" "$work/old"
mkdir "$work/cache"
mv "$work/old/cache/debian" "$work/cache/debian"
rm -rf "$work/project/.plim"
run first
run second
echo
echo "the first run, step by step (seconds):"
jq -r '.timings.before[] | "before \(.seconds) \(.instruction)"' "$work/first.json" >"$work/steps"
jq -r '.timings.after[] | "after \(.seconds) \(.instruction)"' "$work/first.json" >>"$work/steps"
sort -k2,2 -rn "$work/steps" | awk '{printf "%8.2f  %-6s ", $2, $1; $1 = $2 = ""; print substr($0, 3, 90)}' | head -n 12
echo
awk '/pip install/ {pip += $2} {all += $2} END {printf "RUN pip: %.1f s of %.1f s in build steps (%.0f %%)\n", pip, all, 100 * pip / all}' "$work/steps"
grep -E '^ +(ok|✓) ' "$work/first.log" | sed 's/^/  /'
