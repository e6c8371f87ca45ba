# Part of .ci/kill and .ci/broken: looking at what a killed plim leaves. Wants $work, $PLIM_DATA, $PLIM_CACHE and $TMPDIR.
# shellcheck shell=bash disable=SC2154,SC2034
bad=0
# what is written under a temporary name and renamed at once
SMALL='/\.tmp[^/]*$'
say() { printf '   %s\n' "$*"; }
wrong() { printf 'WRONG: %s\n' "$*" >&2; bad=$((bad + 1)); }
now() { date +%s%N; }
# the lines of this machine's mount table that are ours: other programs may mount meanwhile
mounts() { grep -F "$work" /proc/self/mountinfo || true; }
# what is begun under a temporary name in plim's directories and those named
begun() { # directory...
    mkdir -p "$PLIM_DATA" "$PLIM_CACHE"
    find "$PLIM_DATA" "$PLIM_CACHE" "$TMPDIR" "$@" -mindepth 1 \
        \( -path '*/snapshots*/*/*' -o -path '*/mounts/*.[0-9]*/*' \) -prune -o \
        \( -name 'tmp-*' -o -name '.tmp*' -o -name '*.part' -o -path '*/.plim/tmp/*' -o -path "$TMPDIR/*" \) -print
}
# seconds MILLISECONDS: as the keeper takes them
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }
