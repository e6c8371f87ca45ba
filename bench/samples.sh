#!/usr/bin/env bash
# bench/samples.sh [digest|APP]...: the sample applications of ../shared, both Dockerfiles each, built and run everywhere; and one image with
# the same digest however it is built.
#
#   build   as root, as an ordinary user (ranges of /etc/subuid) and with --isolation chroot, bases from a mirror of docker.io and gcr.io
#   run     each of the three in `plim run`, root's also in Docker and Podman: GET /healthz answers 200
#   push    to a registry, from where Docker pulls it: that image, by its digest
#   digest  a Dockerfile whose steps are deterministic: twice, as root and as a user, with namespaces and a chroot, on one core and
#           two. Of the samples, whose compilers and package managers note times, the layers that are the same are counted
#
# Needs root and ../shared (or $SHARED) with the fixtures' bases made (make-bases.sh, prep-apps.sh). Docker ($DOCKER is the folder of
# peers/dockerd.sh, which is started) and Podman, where they are. What is absent is left out, and said. $PLIM is plim's release build.
# A port of this machine, 8080, has to be free: that of the applications. Ends with 1 where something failed, or nothing was there to do.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=$(realpath "${SHARED:-../shared}")
export FIX_OUT=${FIX_OUT:-/var/tmp/plimsoll-fixtures}
# shellcheck source=/dev/null
. "$shared/fixtures/env.sh"
unset SOURCE_DATE_EPOCH
[ -n "${PLIM:-}" ] || { cargo build --release --quiet --locked --bin plim && PLIM=$PWD/target/release/plim; }
docker_dir=${DOCKER:-/var/tmp/plimsoll-docker}
work=$(mktemp -d)
# where prep-apps.sh lays the applications out
prepared=$FIX_OUT/work
chmod 755 "$work"
install -m 755 "$PLIM" "$work/plim"
started_registry='' docker='' podman='' running='' bad=0
finish() {
    [ -z "$running" ] || kill "$running" 2>/dev/null || true
    if [ -n "$docker" ]; then
        docker ps -aq --filter name=plim-sample | xargs -r docker rm -f >/dev/null 2>&1 || true
        "$shared/peers/dockerd.sh" stop "$docker_dir" || true
    fi
    [ -z "$started_registry" ] || "$shared/fixtures/registry.sh" stop
    sleep 0.5
    rm -rf "$work"
}
trap finish EXIT
wrong() { printf 'WRONG: %s\n' "$*" >&2; bad=$((bad + 1)); }
curl -sf "http://$REG/v2/" >/dev/null || { "$shared/fixtures/registry.sh" start; started_registry=1; }
if "$shared/peers/dockerd.sh" start "$docker_dir" >"$work/log" 2>&1; then
    docker=1
    export DOCKER_HOST=unix://$docker_dir/d.sock PATH=$docker_dir/usr/bin:$PATH
else
    echo "no Docker: its columns are left out ($(tail -n 1 "$work/log"))"
fi
if command -v podman >/dev/null; then podman=1; else echo 'no Podman: its column is left out'; fi
cat >"$work/plim.toml" <<C
[[registry]]
name = "docker.io"
mirrors = ["http://$REG"]
[[registry]]
name = "gcr.io"
mirrors = ["http://$REG"]
C
id -u plim-e2e >/dev/null 2>&1 || useradd --create-home plim-e2e
grep -q '^plim-e2e:' /etc/subuid || usermod --add-subuids 300000-365535 --add-subgids 300000-365535 plim-e2e
# what the fixtures mount into each step of buildah: node-gyp takes the headers that the image has, instead of fetching some
mkdir -p "$work/npm"
# plim gives steps the certificate authorities; where the file names them, too, npm 10 ends without a word ("Exit handler never called")
grep -v '^cafile=' "$shared/fixtures/conf/npmrc" >"$work/npm/npmrc"

# --- the three ways ------------------------------------------------------------------------------------------------------
# plim_as root|user|chroot ARG...
plim_as() {
    local who=$1 as=()
    shift
    mkdir -p "$work/$who"
    if [ "$who" = user ]; then
        chown plim-e2e: "$work/user"
        as=(setpriv --reuid plim-e2e --regid plim-e2e --init-groups env -u XDG_DATA_HOME -u XDG_CACHE_HOME HOME=/home/plim-e2e)
    fi
    [ "$who" != chroot ] || as=(env PLIM_ISOLATION=chroot)
    # in the background it takes the place of the shell, so that a signal reaches it
    ${background:+exec} env PLIM_DATA="$work/$who/data" PLIM_CACHE="$work/$who/cache" "${as[@]}" "$work/plim" --config "$work/plim.toml" "$@"
}
# the port is that of a network of its own, where another program of this machine cannot be in the way
answers() { # who, image
    local who=$1 image=$2 code=1 rest=()
    export -f plim_as
    export work
    if [ "$who" = chroot ]; then
        wait_for_port || return 1
        background=1 plim_as chroot -qq run "$image" >"$work/run.log" 2>&1 &
    else
        # a user gets into a network of root's making; that is plim's to use as it is
        unshare -n bash -c "ip link set lo up; background=1; plim_as $who -qq run --read-only $image >'$work/run.log' 2>&1 & inner=\$!; $(declare -f healthy); healthy; code=\$?; kill \$inner; wait \$inner 2>/dev/null; exit \$code"
        return
    fi
    running=$!
    healthy && code=0
    kill "$running" 2>/dev/null || true
    wait "$running" 2>/dev/null || true
    running=
    return $code
}
healthy() {
    local tries
    for tries in $(seq 150); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 http://127.0.0.1:8080/healthz)" = 200 ] && return 0
        sleep 0.2
    done
    return 1
}
wait_for_port() {
    local tries
    for tries in $(seq 100); do
        curl -s --max-time 1 -o /dev/null http://127.0.0.1:8080/ || return 0
        sleep 0.3
    done
    echo 'port 8080 is taken' >&2
    return 1
}
in_docker() { # image that is loaded or pulled
    wait_for_port || return 1
    docker rm -f plim-sample >/dev/null 2>&1 || true
    docker run -d --name plim-sample --network=host --read-only "$1" >"$work/run.log" 2>&1 || return 1
    local code=0
    healthy || { code=1; docker logs plim-sample >"$work/run.log" 2>&1; }
    docker rm -f plim-sample >/dev/null
    return $code
}
# of the store, and nothing runs where that fails: plim and Docker would get the image of an earlier time from the mirror
loaded_in_docker() { # image of root's store
    plim_as root -qq save "store:$1" "$work/docker.tar" && docker load -q -i "$work/docker.tar" && in_docker "$1"
}
# what is pulled is what was built, not what an earlier push left under the name. Some ways of storing images keep no digest
pulled_by_docker() { # image, digest
    local digests
    docker pull -q "$1" || return 1
    digests=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1") || return 1
    [ -z "$digests" ] || grep -qxF "${1%:*}@$2" <<<"$digests" || { echo "$2 was built, Docker pulled $digests" >&2; return 1; }
}
in_podman() {
    wait_for_port || return 1
    pod run -d --name plim-sample --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network=host --read-only "$1" >"$work/run.log" 2>&1 || return 1
    local code=0
    healthy || { code=1; pod logs plim-sample >"$work/run.log" 2>&1; }
    pod rm -f plim-sample >/dev/null 2>&1
    return $code
}
loaded_in_podman() { # image of root's store
    local loaded
    plim_as root -qq save "store:$1" "$work/docker.tar" || return 1
    loaded=$(pod load -q -i "$work/docker.tar" | sed -n 's/^Loaded image[^:]*: //p')
    [ -n "$loaded" ] && in_podman "$loaded"
}
# storage of its own, and nothing of the fixtures' settings for buildah; where crun is the default and refuses the machine's cgroups, runc may not
runc=$(command -v runc || true)
pod() {
    env -u CONTAINERS_CONF -u CONTAINERS_STORAGE_CONF -u CONTAINERS_REGISTRIES_CONF podman --root "$work/podman" --runroot "$work/podman-run" \
        --cgroup-manager=cgroupfs ${runc:+--runtime=runc} "$@"
}
tell() { # command...: yes, or NO and why
    if "$@" >/dev/null 2>"$work/tell"; then printf 'yes'; else
        printf 'NO'
        { echo "FAILED: $*"; tail -n 4 "$work/tell" "$work/run.log" 2>/dev/null || true; } >>"$work/failures"
    fi
}
layers_of() { # who, image
    plim_as "$1" -q inspect --image-config "$2" | jq -r '.rootfs.diff_ids[]'
}

sample() { # app, variant
    local app=$1 variant=$2 context=$work/ctx/$1 who seconds began results=() name=proof/$1-$2:1 digests=() same more=() base pull
    if [ ! -d "$context" ]; then
        mkdir -p "$work/ctx"
        cp -a "$prepared/ctx/$app" "$context"
        chmod -R a+rX "$context"
    fi
    for who in root user chroot; do
        if [ "$app" = node ]; then
            for base in node:20 node:20-slim; do
                printf 'FROM %s\nCOPY npmrc /usr/local/etc/npmrc\n' "$base" | plim_as $who -qq build -f - -t "proof/$base" "$work/npm" >/dev/null
                more+=(--build-context "$base=store:proof/$base")
            done
        fi
        began=$(date +%s%N)
        if plim_as $who -qq build --no-cache -t "$name" "${more[@]}" -f "$context/Dockerfile.$variant" "$context" >"$work/digest" 2>"$work/log"; then
            seconds=$(awk "BEGIN {printf \"%.1f\", ($(date +%s%N) - $began) / 1e9}")
            digests+=("$(cat "$work/digest")")
            results+=("$seconds" "$(tell answers $who "$name")")
        else
            results+=(FAILED -)
            digests+=(none)
            { echo "FAILED: $app $variant as $who"; tail -n 8 "$work/log"; } >>"$work/failures"
        fi
        [ $who = chroot ] || more=()
    done
    if [ -n "$docker" ]; then
        results+=("$(tell loaded_in_docker "$name")")
        docker rmi -f "$name" >/dev/null 2>&1 || true
        # everything is answered by the build of before, and goes out; Docker gets it by its own hand
        if plim_as root -qq build -t "$REG/$name" --push "${more[@]}" -f "$context/Dockerfile.$variant" "$context" >/dev/null 2>"$work/log"; then
            pull=$(tell pulled_by_docker "$REG/$name" "${digests[0]}")
            results+=("$pull" "$(if [ "$pull" = yes ]; then tell in_docker "$REG/$name"; else echo -; fi)")
        else
            # the registry may have the image of an earlier time, so that nothing is pulled
            { echo "FAILED: the push of $name"; tail -n 3 "$work/log"; } >>"$work/failures"
            results+=(NO NO)
        fi
        docker rmi -f "$REG/$name" >/dev/null 2>&1 || true
    else
        results+=(- - -)
    fi
    if [ -n "$podman" ]; then
        results+=("$(tell loaded_in_podman "$name")")
        pod rmi -af >/dev/null 2>&1 || true
    else
        results+=(-)
    fi
    # how many layers are the same with root, the user and the chroot
    for who in root user chroot; do layers_of $who "$name" >"$work/layers.$who" 2>/dev/null || : >"$work/layers.$who"; done
    same=$(paste "$work/layers.root" "$work/layers.user" "$work/layers.chroot" | awk '$1 == $2 && $2 == $3 {n++} END {print n + 0}')
    rm -f "$work/docker.tar"
    printf '%-7s %-7s' "$app" "$variant"
    printf ' %7s %4s' "${results[@]:0:6}"
    printf ' %7s %5s %5s %7s' "${results[@]:6:4}"
    printf '  %s of %s%s\n' "$same" "$(wc -l <"$work/layers.root")" "$([ "${digests[0]}" = "${digests[1]}" ] && [ "${digests[0]}" = "${digests[2]}" ] && echo ', one digest')"
    printf '%s\n' "${results[@]}" | grep -qE '^(NO|FAILED)$' && bad=$((bad + 1))
    rm -rf "$work/log"
    return 0
}

# one digest, however it is built
strict() {
    local context=$work/strict first='' digest what i
    mkdir -p "$context/many"
    for i in $(seq 300); do echo "content $i" >"$context/many/$i"; done
    head -c 4000000 /dev/zero | openssl enc -aes-128-ctr -nosalt -K 00000000000000000000000000000001 -iv 00000000000000000000000000000000 >"$context/big" 2>/dev/null
    cat >"$context/Dockerfile" <<'D'
FROM debian:trixie-slim AS one
WORKDIR /job
COPY --chown=1000:2000 --chmod=640 many/ many/
RUN --mount=type=cache,target=/cache cat many/* | sha256sum >/sum && useradd --system --no-log-init app && rm -rf /usr/share/doc /var/log/* && ln /sum /sum-again && \
    mkfifo /fifo && chown app: /fifo && touch -d '1999-01-01' /old
FROM debian:trixie-slim AS two
COPY big /big
RUN sha256sum /big >/sum && mkdir -p /a/b && echo x >/a/b/c && chmod 4755 /a/b/c
FROM debian:trixie-slim
COPY --from=one /sum /sum-again /old /one/
COPY --from=two --link /a /a
RUN --mount=from=two,target=/in cp -a /in/big /big && echo "PATH is $PATH" >/path && rm /etc/motd && mkdir /etc/motd
ADD --chown=5 many/1 many/2 /added/
USER 1000
RUN id >/tmp/id
D
    chmod -R a+rX "$context"
    build() { # title, who, command before it, flags
        local title=$1 who=$2 before=$3
        shift 3
        # shellcheck disable=SC2086
        digest=$(export -f plim_as; export work; $before bash -c 'plim_as "$@"' _ "$who" -qq build --no-cache "$@" "$context" 2>"$work/log") ||
            { wrong "$title: $(tail -n 4 "$work/log")"; return 0; }
        [ -n "$first" ] || first=$digest
        printf '   %-34s %s%s\n' "$title" "$(cut -c1-19 <<<"$digest")" "$([ "$digest" = "$first" ] || echo '  ANOTHER')"
        [ "$digest" = "$first" ] || bad=$((bad + 1))
    }
    build 'root' root ''
    build 'root, again' root ''
    build 'root, one core' root 'taskset -c 0'
    build 'root, two cores' root 'taskset -c 0,1'
    rm -rf "$work/root/data/snapshots" "$work/root/cache/build"
    build 'root, nothing unpacked' root ''
    build 'a user' user ''
    build 'a user, one core' user 'taskset -c 0'
    build 'chroot' chroot ''
    build 'chroot, one core' chroot 'taskset -c 0'
    first=
    for what in 'two cores:taskset -c 0,1' 'one core:taskset -c 0'; do build "zstd, ${what%%:*}" root "${what#*:}" --compression zstd; done
    first=
    for what in 'two cores:taskset -c 0,1' 'one core:taskset -c 0'; do build "gzip:9, ${what%%:*}" root "${what#*:}" --compression gzip:9; done
}

mkdir -p "$work/empty"
cd "$work"
[ $# -gt 0 ] || set -- digest go python java node rust
apps=() tried=0
for what; do [ "$what" = digest ] || apps+=("$what"); done
if [ ${#apps[@]} -lt $# ]; then
    echo 'one digest, however it is built'
    strict
    tried=1
    [ ${#apps[@]} -gt 0 ] || exit $((bad > 0))
fi
printf '\n%-15s %12s %12s %12s %7s %11s %7s\n' '' root user chroot docker 'push, pull' podman
printf '%-15s %7s %4s %7s %4s %7s %4s %7s %5s %5s %7s  %s\n' '' s runs s runs s runs runs pull runs runs 'same layers'
for app in "${apps[@]}"; do
    [ -d "$prepared/ctx/$app" ] || { echo "$app: not prepared (prep-apps.sh), left out"; continue; }
    for variant in before after; do sample "$app" $variant; done
    tried=1
    rm -rf "$work/ctx/$app"
done
[ ! -s "$work/failures" ] || { echo; cat "$work/failures"; }
[ $tried = 1 ] || { echo 'nothing was there to do' >&2; exit 1; }
[ "$bad" = 0 ]
