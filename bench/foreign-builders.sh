#!/usr/bin/env bash
# bench/foreign-builders.sh [EXAMPLE...]: the generated Dockerfiles of the examples, linted by hadolint and built by others than
# plim: buildah, Docker's BuildKit and a current BuildKit, as far as they are there. The images must have the configuration and
# the files of plim's, and answer as it does. Needs root, and the peers:
#   ../shared/peers/install.sh PREFIX debian hadolint             buildah, skopeo, umoci, jq; hadolint: PREFIX/bin on PATH
#   ../shared/peers/dockerd.sh start [DIR]                        Docker; DIR as PLIM_DOCKER
#   ../shared/peers/from-source.sh buildkit GITDIR PREFIX         BuildKit: PREFIX/bin/go on PATH; this script starts buildkitd
# PLIM is the program (target/release/plim, built where it is not set), PLIM_FOREIGN_STATE a folder that keeps bases between runs.
# Base images under public names are those that plim.toml of the example names, made by plim; build stages get this host's CA bundle.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
[ $# -gt 0 ] || set -- python-api node-api rust-api
[ -n "${PLIM:-}" ] || cargo build --release --quiet --bin plim
plim=$(realpath "${PLIM:-target/release/plim}")
docker_dir=$(realpath -m "${PLIM_DOCKER:-/var/tmp/plimsoll-docker}")
for tool in skopeo umoci jq curl; do command -v "$tool" >/dev/null || { echo "$tool is missing: see the head of $0" >&2; exit 2; }; done
work=$(mktemp -d)
state=${PLIM_FOREIGN_STATE:-$work/state}
buildkitd=
stop() {
    [ -z "$buildkitd" ] || kill "$buildkitd" 2>/dev/null || true
    # what a builder that failed left mounted
    awk -v dir="$work/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
mkdir -p "$state"
export PLIM_DATA=$state/data PLIM_CACHE=$state/cache
bad=0
say() { printf '   %s\n' "$*"; }
wrong() { printf 'WRONG: %s\n' "$*" >&2; bad=$((bad + 1)); }

# ---------------------------------------------------------------- builders
builders=()
if command -v buildah >/dev/null; then
    builders+=(buildah)
    cat >"$work/storage.conf" <<C
[storage]
driver = "overlay"
graphroot = "$work/containers"
runroot = "$work/containers-run"
C
    cat >"$work/containers.conf" <<C
[containers]
netns = "host"
default_sysctls = []
[engine]
cgroup_manager = "cgroupfs"
$(! command -v runc >/dev/null || echo 'runtime = "runc"')
C
    export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
else
    say 'buildah is not here: skipped'
fi
if [ -S "$docker_dir/d.sock" ]; then
    builders+=(docker)
    docker=("env" "DOCKER_HOST=unix://$docker_dir/d.sock" "DOCKER_BUILDKIT=1" "$docker_dir/usr/bin/docker")
else
    say "Docker does not run on $docker_dir/d.sock: skipped"
fi
if command -v buildkitd >/dev/null; then
    builders+=(buildkit)
    mkdir -p "$work/bk"
    printf 'root = "%s/bk/root"\ninsecure-entitlements = ["network.host"]\n[worker.oci]\nnetworkMode = "host"\n[worker.containerd]\nenabled = false\n' "$work" >"$work/bk/bk.toml"
    buildkitd --config "$work/bk/bk.toml" --addr "unix://$work/bk/bk.sock" >"$work/bk/log" 2>&1 &
    buildkitd=$!
    for _ in $(seq 40); do buildctl --addr "unix://$work/bk/bk.sock" debug workers >/dev/null 2>&1 && break; sleep 0.25; done
else
    say 'buildkitd is not here: skipped'
fi
[ ${#builders[@]} -gt 0 ] || { echo 'no builder is here' >&2; exit 2; }

# ---------------------------------------------------------------- bases
# the names of FROM that are no stages, in their order
bases() { awk 'toupper($1) == "FROM" { if (!($2 in stages) && !($2 in seen)) print $2; seen[$2] = 1; if (toupper($3) == "AS") stages[$4] = 1 }' "$1"; }
# layout DIR of a base; for a build stage with this host's CA bundle, which neither buildah nor BuildKit lends to a step
base() { # name example stage|image
    local dir=$work/bases/$3/${1//[\/:]/_}
    if [ ! -e "$dir/index.json" ]; then
        mkdir -p "$dir" "$work/ca"
        cp /etc/ssl/certs/ca-certificates.crt "$work/ca/host-ca.crt"
        {
            echo "FROM $1"
            [ "$3" = image ] || printf 'COPY host-ca.crt /etc/ssl/certs/host-ca.crt\nENV %s\n' \
                "SSL_CERT_FILE=/etc/ssl/certs/host-ca.crt PIP_CERT=/etc/ssl/certs/host-ca.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/host-ca.crt CARGO_HTTP_CAINFO=/etc/ssl/certs/host-ca.crt"
        } >"$work/ca/Dockerfile"
        "$plim" -qq --config "$repo/examples/$2/plim.toml" build --bases plim --output "type=oci,tar=false,dest=$dir" "$work/ca" >/dev/null
    fi
    echo "$dir"
}

# ---------------------------------------------------------------- builds: an OCI layout for the files, a configuration
build_buildah() { # context out base=layout...
    local context=$1 out=$2 pair
    shift 2
    for pair; do skopeo copy -q "oci:${pair#*=}" "containers-storage:${pair%%=*}"; done
    # Docker's format, because OCI's has no HEALTHCHECK
    buildah bud -q --format docker --layers --network=host --pull-never --identity-label=false -f "$context/Dockerfile" -t localhost/foreign:1 "$context" >/dev/null &&
        skopeo inspect --config --raw containers-storage:localhost/foreign:1 >"$out.config" &&
        skopeo copy -q containers-storage:localhost/foreign:1 "oci:$out:latest"
}
build_docker() {
    local context=$1 out=$2 pair
    shift 2
    for pair; do
        skopeo copy -q "oci:${pair#*=}" "docker-archive:$work/base.tar:${pair%%=*}"
        "${docker[@]}" load -q -i "$work/base.tar" >/dev/null
        rm "$work/base.tar"
    done
    # its front end of `# syntax=` is on Docker Hub, so the one that is built in has to do
    sed '/^# syntax=/d' "$context/Dockerfile" >"$work/Dockerfile.docker"
    cp "$context/.dockerignore" "$work/Dockerfile.docker.dockerignore"
    "${docker[@]}" build -q --network=host -f "$work/Dockerfile.docker" -t foreign:1 "$context" >/dev/null &&
        "${docker[@]}" save -o "$work/image.tar" foreign:1 &&
        skopeo inspect --config --raw "docker-archive:$work/image.tar" >"$out.config" &&
        skopeo copy -q "docker-archive:$work/image.tar" "oci:$out:latest" && rm "$work/image.tar"
}
build_buildkit() {
    local context=$1 out=$2 pair n=0 args=()
    shift 2
    for pair; do
        # the front end asks for names as people write them
        local name=${pair%%=*} digest
        name=${name#docker.io/} name=${name#library/}
        digest=$(jq -r '.manifests[0].digest' "${pair#*=}/index.json")
        args+=(--oci-layout "base$n=${pair#*=}" --opt "context:$name=oci-layout://base$n@$digest")
        n=$((n + 1))
    done
    mkdir -p "$work/bk/file"
    sed '/^# syntax=/d' "$context/Dockerfile" >"$work/bk/file/Dockerfile"
    cp "$context/.dockerignore" "$work/bk/file/Dockerfile.dockerignore"
    buildctl --addr "unix://$work/bk/bk.sock" build --frontend dockerfile.v0 --local "context=$context" --local "dockerfile=$work/bk/file" \
        --opt force-network-mode=host --allow network.host "${args[@]}" --output "type=oci,dest=$work/image.tar" >"$work/bk/build.log" 2>&1 || { tail -n 20 "$work/bk/build.log" >&2; return 1; }
    skopeo inspect --config --raw "oci-archive:$work/image.tar" >"$out.config"
    skopeo copy -q "oci-archive:$work/image.tar" "oci:$out:latest" && rm "$work/image.tar"
}

# ---------------------------------------------------------------- comparison
config() { jq -S '.config | {User, ExposedPorts, Env: (.Env | sort), Entrypoint, Cmd, WorkingDir, StopSignal, Volumes, Labels, Healthcheck} | with_entries(select(.value != null and .value != {} and .value != []))' "$1"; }
# path, kind, mode, owner, target; the digest of files apart
files() { # layout
    rm -rf "$work/unpacked"
    umoci --log=error unpack --image "$1:latest" "$work/unpacked"
    (cd "$work/unpacked/rootfs" && find . -mindepth 1 -printf '%P %y %m %U:%G %l\n' | LC_ALL=C sort >"$1.files" &&
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >"$1.contents")
    rm -rf "$work/unpacked"
}
# the answers of an image at some paths
answers() { # layout port paths...
    local layout=$1 port=$2 path pid
    shift 2
    "$plim" -qq run --read-only "oci:$layout" >"$work/run.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
    for path; do
        printf '%s ' "$path"
        curl -s -o "$work/body" -w '%{http_code} %{content_type} ' "http://127.0.0.1:$port$path" || true
        cat "$work/body"
        echo
    done
    kill -TERM "$pid"
    wait "$pid" || true
    rm -f "$work/body"
}

for example; do
    echo "== $example"
    context=$work/$example
    cp -a "examples/$example" "$context"
    rm -rf "$context/.plim"
    "$plim" -q optimize --no-before --write -o "json=$work/report.json" "$context" >/dev/null
    layout=$context/.plim/image
    mapfile -t names < <(bases "$context/Dockerfile")
    pairs=()
    for name in "${names[@]}"; do
        use=stage
        [ "$name" != "${names[-1]}" ] || use=image
        pairs+=("$name=$(base "$name" "$example" $use)")
    done
    say "bases: ${names[*]}"
    mine=$work/out/$example/plim
    mkdir -p "$mine"
    cp -a "$layout/." "$mine"
    skopeo inspect --config --raw "oci:$mine:latest" >"$mine.config"
    config "$mine.config" >"$mine.json"
    files "$mine"
    port=$(jq -r .proof.port "$work/report.json")
    mapfile -t paths < <(jq -r '.proof.probes[].path' "$work/report.json")
    paths+=(/nothing-is-here)
    answers "$mine" "$port" "${paths[@]}" >"$mine.answers"
    grep -q ' 200 ' "$mine.answers" || wrong "$example: plim's own image does not answer: $(cat "$mine.answers" "$work/run.log")"
    for builder in "${builders[@]}"; do
        out=$work/out/$example/$builder
        began=$SECONDS
        if ! "build_$builder" "$context" "$out" "${pairs[@]}" 2>"$work/log"; then
            wrong "$example: $builder does not build it: $(tail -n 15 "$work/log")"
            continue
        fi
        took=$((SECONDS - began))
        config "$out.config" >"$out.json"
        files "$out"
        answers "$out" "$port" "${paths[@]}" >"$out.answers"
        diff "$mine.json" "$out.json" >"$work/diff" || wrong "$example: $builder: another configuration: $(cat "$work/diff")"
        # buildah 1.28 makes the folder of WORKDIR root's, the others the user's; docs/optimize.md says so
        workdir=$(jq -r '.WorkingDir // "" | ltrimstr("/")' "$mine.json") owner="$(jq -r .User "$mine.json")"
        [ "$builder" != buildah ] || sed -i "s#^\($workdir d [0-7]*\) 0:0 #\1 $owner:$owner #" "$out.files"
        diff "$mine.files" "$out.files" >"$work/diff" || wrong "$example: $builder: other files: $(wc -l <"$work/diff") lines: $(head -n 20 "$work/diff")"
        diff "$mine.answers" "$out.answers" >"$work/diff" || wrong "$example: $builder: other answers: $(cat "$work/diff")"
        diff "$mine.contents" "$out.contents" >"$work/diff" || true
        differ=$(grep -c '^>' "$work/diff" || true)
        say "$builder: $took s, $(wc -l <"$out.files") paths, $differ with other bytes$([ "$differ" = 0 ] || printf ': %s' "$(sed -n 's/^> [0-9a-f]*  //p' "$work/diff" | head -n 5 | tr '\n' ' ')")"
    done
done
[ "$bad" = 0 ] && say 'all builders make the image that plim makes' || { printf '%d things wrong\n' "$bad" >&2; exit 1; }
