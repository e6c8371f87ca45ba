#!/usr/bin/env bash
# bench/optimize-time.sh [PROJECT]: where the time of a first `plim optimize` goes, downloads of Debian packages aside.
# Runs it once to fill the download cache, again with an empty store, and a third time with nothing changed. A fourth run has the bases at
# hand and nothing else: a project that is new to a machine where plim was used before, as others find images that they pulled earlier.
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
    { TIMEFORMAT='%U %S' && time "$plim" optimize -v --progress plain -o "json=$work/$1.json" "$work/project" 2>"$work/$1.log" >/dev/null; } 2>"$work/$1.cpu"
    echo "$(date +%s%N) $began $(cat "$work/$1.cpu")" |
        awk -v l="$1" '{printf "%-10s %6.1f s, of the processors %.1f s in programs and %.1f s in the system\n", l, ($1 - $2) / 1e9, $3, $4}' | tee "$work/$1.time"
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
# the tasks of a run, a line each: seconds, title. A task is told by its number; its first line is its title
tasks() { # label
    awk '$1 ~ /^#[0-9]+$/ {
        rest = substr($0, length($1) + 2)
        if (!($1 in title)) title[$1] = rest
        else if (rest ~ /^DONE /) { split(rest, word, /[ s]/); print word[2], title[$1] }
    }' "$work/$1.log"
}
# seconds of pip in the build of the old image
pip_of() { jq '[.timings.before[] | select(.instruction | test("pip install")) | .seconds] | add // 0' "$work/$1.json"; } # label
# seconds of pip in the measured rebuild, which comes last
pip_again() { tasks "$1" | awk '/RUN pip install/ {t = $1} END {print t + 0}'; } # label
tasks first >"$work/tasks"
# seconds of the tasks with such a title, all together
seconds() { awk -v title="$1" '{t = $1; $1 = ""; sub(/^ /, "")} $0 ~ title {all += t} END {printf "%.1f", all}' "$work/tasks"; }
echo 'the old image, one after the other (the new one is built beside it):'
before=$(seconds '^build before') pip=$(pip_of first)
chain=$(seconds '^base (debian|buildpack-deps(-curl|-scm)?|python)$')
again=$(pip_again first)
awk -v before="$before" -v pip="$pip" -v chain="$chain" -v prove="$(seconds '^prove')" -v again="$again" \
    -v all="$(awk '{print $2}' "$work/first.time")" 'BEGIN {
    row = "%8.1f  %4.0f %%  %s\n"
    printf row, chain, 100 * chain / all, "bases (debian, buildpack-deps, python)"
    printf row, pip, 100 * pip / all, "RUN pip install"
    printf row, before - chain - pip, 100 * (before - chain - pip) / all, "the rest of the build: indexes of Debian, layers"
    printf row, prove, 100 * prove / all, "proof"
    printf row, again, 100 * again / all, "RUN pip install, again in the measured rebuild"
    printf row, all - before - prove - again, 100 * (all - before - prove - again) / all, "waiting for the new image, the rest of the rebuild, the report"
    printf "pip takes %.1f s of %.1f s (%.0f %%)\n", pip + again, all, 100 * (pip + again) / all
}'
echo
echo 'with the bases at hand:'
# whatever the first run made: the tallest of each chain brings the others
mkdir "$work/made"
mv "$work/data" "$work/cache" "$work/made"
mkdir "$work/cache"
cp -r "$work/made/cache/debian" "$work/cache/debian"
rm -rf "$work/project/.plim"
awk '{t = $1; $1 = ""; sub(/^ /, "")} /^base [a-z0-9-]+$/ {print $2}' "$work/tasks" | sort -u | while read -r base; do
    "$plim" -q base build "$base" >"$work/base.log" 2>&1 || { cat "$work/base.log" >&2; exit 1; }
done
run at-hand
awk -v pip="$(pip_of at-hand)" -v again="$(pip_again at-hand)" \
    -v all="$(awk '{print $2}' "$work/at-hand.time")" \
    'BEGIN {printf "pip takes %.1f s of %.1f s (%.0f %%)\n", pip + again, all, 100 * (pip + again) / all}'
echo
echo 'what took longest:'
sort -rn "$work/tasks" | head -n 25 | awk '{printf "%8.1f  %s\n", $1, substr($0, length($1) + 2, 100)}'
