#!/usr/bin/env bash
# fuzz/seed.sh [CORPUS]: small inputs to begin with, out of what this machine has: package databases, programs, tars made here. Each target
# gets a folder below CORPUS (default: fuzz/corpus, which stays out of the repository). What is not on this machine is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
corpus=$(realpath -m "${1:-fuzz/corpus}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shopt -s nullglob globstar
seed() { # TARGET NAME: standard input as one input, 64 KiB at most
    mkdir -p "$corpus/$1"
    head -c 65536 >"$corpus/$1/$2"
    cat >/dev/null
}
# place NUMBER: standard input as a file at one of the places of `elf_and_packages`: number, length, content
place() {
    head -c 65535 >"$work/content"
    cat >/dev/null
    local size
    size=$(stat -c %s "$work/content")
    printf "\\x$(printf %02x "$1")\\x$(printf %02x $((size % 256)))\\x$(printf %02x $((size / 256)))"
    cat "$work/content"
}
first() { # COUNT FILE...: the paths of the first so many that are small
    local count=$1
    shift
    for file; do
        [ "$count" -gt 0 ] || return 0
        [ -f "$file" ] && [ "$(stat -Lc %s "$file")" -le 60000 ] || continue
        count=$((count - 1))
        printf '%s\n' "$file"
    done
}
each() { # TARGET: seeds the files named on standard input
    local number=0
    while read -r file; do
        number=$((number + 1))
        seed "$1" "$number-$(basename "$file")" <"$file"
    done
}

# tars of every format, with what layers have
mkdir -p "$work/tree/d/e" "$work/tree/var/lib/dpkg"
printf 'hello\n' >"$work/tree/d/file"
printf 'Package: a\nVersion: 1\nStatus: install ok installed\n' >"$work/tree/var/lib/dpkg/status"
touch "$work/tree/d/.wh.gone" "$work/tree/d/e/.wh..wh..opq"
ln -s d/file "$work/tree/link"
ln "$work/tree/d/file" "$work/tree/hard"
mkfifo "$work/tree/fifo"
touch "$work/tree/d/$(printf 'n%.0s' {1..180})"
for format in ustar gnu pax v7; do
    tar -C "$work/tree" --format "$format" -cf "$work/$format.tar" . 2>/dev/null || true
    seed tar_read "$format" <"$work/$format.tar"
    gzip -c "$work/$format.tar" | seed tar_read "$format.gz"
    # the lengths of the first two layers, in blocks
    { printf '\x40\x40'; cat "$work/$format.tar" "$work/$format.tar"; } | seed tar_stack "$format"
done
# kinds with paths of one to three names
printf '\x00\x00\x01\x02\x03\x05\x47\x00\x04\x01\x00\x09\xff\x00\x01\x02\x03\x05\x83\x00\x01\x02\x43\x05\x42\x00\x07\x00\x01\x00' | seed layer_stack mixed

# documents of images
for layout in "${FIX_OUT:-/var/tmp/plimsoll-fixtures}"/bases/**/index.json; do
    name=$(echo "${layout#*/bases/}" | tr / -)
    seed manifest_config "$name" <"$layout"
    find "$(dirname "$layout")/blobs" -type f -size -64k -print 2>/dev/null | head -n 3 | each manifest_config
done
number=0
for name in debian debian:trixie docker.io/library/node:20@sha256:"$(printf 'a%.0s' {1..64})" localhost:5000/a/b:c oci:dir:tag docker-archive:f.tar store:x; do
    number=$((number + 1))
    printf %s "$name" | seed reference "$number"
done

digest=sha256:$(printf 'a%.0s' {1..64})
printf '{"version":1,"layers":[{"blob":{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":7},"diffId":"%s","compression":"gzip:6"}],"steps":[{"key":"%s","layer":0,"inputs":["%s"]}],"owners":[{"key":"%s","uid":7,"gid":8}]}' \
    "$digest" "$digest" "$digest" "$digest" "$digest" | seed cache_table made

# a table with one frame
{ printf 'plimfrm2%s%s%-16s' "$digest" "$digest" gzip:5; printf 'c%.0s' {1..64}; printf '\x09\x00\x00\x00'; } | seed frames made
if command -v ssh-keygen >/dev/null; then
    for kind in ed25519 'ecdsa -b 384' 'rsa -b 2048'; do
        rm -f "$work/key"
        # shellcheck disable=SC2086 # a kind and its size
        ssh-keygen -q -t $kind -N '' -f "$work/key" -C seed
        size=$(stat -c %s "$work/key")
        # asks for the identities, then for something that is refused
        { printf "\\x$(printf %02x $((size % 256)))\\x$(printf %02x $((size / 256)))"; cat "$work/key"; printf '\x00\x00\x00\x01\x0b\x00\x00\x00\x01\x13'; } |
            seed ssh_agent "${kind%% *}"
    done
fi

# package databases
if [ -f /var/lib/dpkg/status ]; then
    head -n 400 /var/lib/dpkg/status | place 2 | seed elf_and_packages dpkg-status
    first 2 /var/lib/dpkg/info/*.list | while read -r file; do place 4 <"$file" | seed elf_and_packages "list-$(basename "$file")"; done
    first 2 /usr/share/doc/*/copyright | while read -r file; do place 6 <"$file" | seed elf_and_packages "copyright-$(echo "$file" | md5sum | head -c 8)"; done
fi
[ ! -f /etc/os-release ] || place 7 </etc/os-release | seed elf_and_packages os-release
first 3 /usr/lib/python3*/**/*.dist-info/METADATA "$HOME"/.pyenv/versions/*/lib/python3*/site-packages/*.dist-info/METADATA |
    while read -r file; do place 9 <"$file" | seed elf_and_packages "metadata-$(echo "$file" | md5sum | head -c 8)"; done
first 4 /usr/bin/{true,false,env,id,whoami} | while read -r file; do place 0 <"$file" | seed elf_and_packages "elf-$(basename "$file")"; done
first 20 /usr/{,local/}lib/node_modules/npm/node_modules/*/package.json "${FIX_OUT:-/var/tmp/plimsoll-fixtures}"/work/node-npm/node_modules/*/package.json | each npm_package
first 10 "$HOME"/.gem/**/*.gemspec /var/lib/gems/*/specifications/*.gemspec /usr/share/rubygems-integration/*/specifications/*.gemspec | each gem_specification
printf "# stub: rake 13.2.1 ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.2.1\"\n  s.licenses = [\"MIT\".freeze]\nend\n" | seed gem_specification made
printf 'C:Q1=\nP:musl\nV:1.2.5-r9\nA:x86_64\nI:622592\nL:MIT\no:musl\nD:so:x !y\np:so:z=1\nF:lib\nR:ld.so.1\na:0:0:755\nZ:Q1=\n\nP:b\nV:1\n' | seed apk_installed made
if command -v python3 >/dev/null; then
    python3 - "$work" <<'P'
import io, sys, zipfile
inner = io.BytesIO()
with zipfile.ZipFile(inner, "w") as jar:
    jar.writestr("META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\n")
    jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nImplementation-Title: a\r\nImplementation-Version: 1\r\n")
for name, method in [("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)]:
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}.war", "w", method) as war:
        war.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-SymbolicName: x.y\r\n")
        war.writestr("WEB-INF/lib/a-1.jar", inner.getvalue())
P
    for file in "$work"/*.war; do seed java_archive "$(basename "$file")" <"$file"; done
fi
if command -v rpm >/dev/null; then
    for kind in sqlite ndb; do
        mkdir -p "$work/rpm-$kind"
        rpm --dbpath "$work/rpm-$kind" --define "_db_backend $kind" --initdb 2>/dev/null || continue
        # the first byte of the input says which of them it is
        for file in "$work/rpm-$kind"/{rpmdb.sqlite,Packages.db}; do
            [ -f "$file" ] || continue
            [ "$kind" = sqlite ] && format='\x00' || format='\x01'
            { printf "$format"; cat "$file"; } | seed rpm_database "$kind"
        done
    done
fi
if command -v go >/dev/null && command -v objcopy >/dev/null; then
    objcopy -O binary --only-section=.go.buildinfo "$(command -v gofmt || echo "$(go env GOROOT)/bin/gofmt")" "$work/buildinfo" 2>/dev/null &&
        tail -c +15 "$work/buildinfo" | seed go_program gofmt
fi
printf '{"packages":[{"name":"a","version":"0.1.0","source":"local","dependencies":[1],"root":true},{"name":"b","version":"1.0.1","source":"crates.io","kind":"build"}]}' | seed rust_program made

# what is not text of packages
printf 'token = "ghp_%s"\n-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\npostgres://user:hunter2@host/db\n' \
    "$(printf 'aB3dE%.0s' {1..8})" "$(printf 'MIIEow%.0s' {1..20})" | seed secrets made
printf '%s\n' "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U" | seed secrets jwt
first 30 examples/*/Dockerfile* | each dockerfile_parse
first 30 examples/*/Dockerfile* | each evidence
for folder in "$corpus"/*/; do printf '%-20s %d inputs\n' "$(basename "$folder")" "$(ls "$folder" | wc -l)"; done
