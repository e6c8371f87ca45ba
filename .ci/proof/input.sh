# Part of .ci/sealed: contexts and base images that are made to get out, or to have the files of the host taken in.
# shellcheck shell=bash disable=SC2154

contexts() {
    local context=$work/out/context line word
    rm -rf "$context"
    python3 "$here/proof/hostile.py" context "$context" "$outside" "token-of-$id"
    chmod -R a+rX "$context" 2>/dev/null || true
    # three hundred levels, deeper than a path may be long: refused, by the place
    if build "$context" <<<$'FROM scratch\nCOPY . /x'; then wrong 'a path longer than the system allows was copied'; fi
    holds 'the error names no part of the deep path' grep -q dddddddddd "$work/log"
    echo 'ddd*' >"$context/.dockerignore"
    # everything else is taken as what it is, links as links, and nothing is read that is no file. Only the system's root can make devices
    [ "$mode" != user ] || rm -f "$context/zero" "$context/disk"
    built "$context" <<<$'FROM scratch\nCOPY . /x' || true
    holds 'a context takes in a file of the host' sh -c "! grep -rqF content-of-$id '$work/out/files' --exclude-dir=none 2>/dev/null"
    (cd "$work/out/files/x" && find . -type l -printf '%p %l\n' | sort) >"$work/found"
    (cd "$context" && find . -maxdepth 1 -type l -printf '%p %l\n' | sort) >"$work/wanted"
    same 'links of the context' "$work/wanted" "$work/found"
    (cd "$work/out/files/x" && find . -type f -size +0 -exec cat {} + | tr -cd '\n' | wc -c) >/dev/null
    find "$work/out/files/x" -maxdepth 1 -type f -name '*' -exec grep -lF "token-of-$id" {} + | tr -cd '\n' | wc -c >"$work/found"
    find "$context" -maxdepth 1 -type f -exec grep -lF "token-of-$id" {} + | tr -cd '\n' | wc -c >"$work/wanted"
    same 'files with strange names' "$work/wanted" "$work/found"
    # single things of it, by each way that takes a path
    for line in 'COPY to-file /x' 'COPY up-to-file /x' 'COPY to-outside /x' 'COPY to-outside/file /x' 'COPY to-outside/* /x/' 'COPY up/outside /x' 'COPY up /x' \
        'COPY loop /x' 'COPY --parents to-outside/file /x/' 'COPY --link to-outside/ /x' 'COPY ../outside/file /x' 'COPY /../../outside/file /x' \
        "COPY $outside/file /x" "ADD to-file /x" 'ADD --unpack=true to-file /x/' "ADD file://$outside/file /x" 'COPY --from=.. file /x' \
        'FROM to-file' "FROM oci:$outside" 'RUN --mount=target=/in cat /in/to-file /in/up-to-file /in/to-outside/file' \
        'RUN --mount=source=to-outside,target=/in cat /in/file' 'RUN --mount=source=up,target=/in cat /in/outside/file' 'COPY fifo /x' 'COPY socket /x'; do
        word=${line%% *}
        { [ "$word" = FROM ] || echo 'FROM sealed/base:1'; echo "$line"; } | build "$context" || [ $? -le 2 ] || wrong "$line ends with more than 2"
        holds "$line shows a file of the host" sh -c "! grep -qF content-of-$id '$work/log'"
        holds "$line takes in a file of the host" sh -c "! grep -rqF content-of-$id '$work/out/files' 2>/dev/null"
    done
    # a device is no stream of bytes
    if [ "$mode" != user ]; then
        built "$context" <<<$'FROM scratch\nCOPY zero disk /x/' || true
        holds 'a device was read' [ "$(find "$work/out/files" -type f -size +0 | wc -l)" = 0 ]
    fi
    # what the image does with a hard link does not reach the other name
    built "$context" <<<$'FROM sealed/base:1\nCOPY hard /x\nRUN echo more >>/x; chmod 777 /x; chown 9:9 /x' || true
    # the same things as an archive on standard input
    tar -C "$context" --exclude='./ddd*' -cf "$work/out/context.tar" . 2>/dev/null
    printf 'FROM scratch\nCOPY . /x\n' >"$work/out/Dockerfile"
    tar -C "$work/out" -rf "$work/out/context.tar" Dockerfile
    tar -P -rf "$work/out/context.tar" --transform "s#.*#../../../../../../../../../../$outside/plim-got-out-tar#" "$outside/hard"
    tar -P -rf "$work/out/context.tar" --transform "s#.*#to-outside/plim-got-out-tar2#" "$outside/hard"
    rm -rf "$work/out/files"
    run_plim -q build --no-cache -o "$work/out/files" - <"$work/out/context.tar" >"$work/log" 2>&1 || [ $? -le 2 ] || wrong 'a hostile archive as context'
    holds 'an archive takes in a file of the host' sh -c "! grep -rqF content-of-$id '$work/out/files' '$work/log' 2>/dev/null"
    ln -sfn "$outside/file" "$work/out/Dockerfile"
    tar -C "$work/out" -cf "$work/out/context.tar" Dockerfile
    ! run_plim -q build - <"$work/out/context.tar" >"$work/log" 2>&1 || wrong 'a Dockerfile outside of an archive was read'
    holds 'a Dockerfile in an archive leads to a file of the host' sh -c "! grep -qF content-of-$id '$work/log'"
    rm -f "$work/out/Dockerfile"
    archives_in_add
    a_link_that_changes
    a_repository_with_settings
    a_folder_for_output
    rm -rf "$context" "$work/out/context.tar"
}

# ADD unpacks archives of the context
archives_in_add() {
    local context=$work/out/add
    rm -rf "$context"
    mkdir -p "$context"
    python3 "$here/proof/hostile.py" tars "$context" "$outside"
    local tar
    for tar in "$context"/*.tar; do
        printf 'FROM sealed/base:1\nADD %s /x/\nADD %s /way/\nRUN cat /x/way/file /x/mine 2>/dev/null; true\n' "$(basename "$tar")" "$(basename "$tar")" |
            build "$context" || [ $? -le 2 ] || wrong "ADD of $(basename "$tar") ends with more than 2: $(head -n 3 "$work/log")"
        holds "ADD of $(basename "$tar") takes in a file of the host" sh -c "! grep -rqF content-of-$id '$work/out/files' '$work/log' 2>/dev/null"
    done
    rm -rf "$context"
}

# a directory of the context that becomes a link to the host and back while it is read
a_link_that_changes() {
    local context=$work/out/changing round
    rm -rf "$context"
    mkdir -p "$context/real"
    echo inside >"$context/real/file"
    ln -s "$outside" "$context/link"
    cp -r "$context/real" "$context/now"
    chmod -R a+rwX "$context"
    python3 - "$context" <<'P' &
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
end = time.monotonic() + 30
while time.monotonic() < end:
    # RENAME_EXCHANGE: there is no moment without a directory
    if libc.renameat2(-100, b"now", -100, b"link", 2) != 0:
        break
P
    flipper=$!
    for round in $(seq 12); do
        build "$context" <<<$'FROM scratch\nCOPY now/ /a/\nCOPY now/file /b\nCOPY . /c/' || [ $? -le 2 ] || wrong 'a context that changes: more than 2'
        holds "a link that changes takes in a file of the host (round $round)" sh -c "! grep -rqF content-of-$id '$work/out/files' 2>/dev/null"
    done
    kill "$flipper" 2>/dev/null || true
    wait "$flipper" 2>/dev/null || true
    flipper=
    rm -rf "$context"
}

# settings of a repository can name programs that git runs; plim asks git when the last commit was made
a_repository_with_settings() {
    local context=$work/out/repository key commit
    command -v git >/dev/null || { say 'no git: repositories as contexts are left out'; return 0; }
    rm -rf "$context"
    mkdir -p "$context"
    printf '#!/bin/sh\n: >%s/plim-got-out-git\n' "$outside" >"$context/program"
    chmod 755 "$context/program"
    echo x >"$context/file"
    (
        cd "$context"
        export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.org GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.org
        git init -q . && git add -A && git commit -qm x
        commit=$(git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\n \n xx\n -----END PGP SIGNATURE-----' | git hash-object -t commit -w --stdin)
        git update-ref HEAD "$commit"
        for key in gpg.program core.fsmonitor core.pager core.sshCommand core.editor diff.external core.alternateRefsCommand; do git config $key "$context/program"; done
        git config log.showSignature true
        printf '#!/bin/sh\nexec %s/program\n' "$context" | tee .git/hooks/post-checkout >.git/hooks/post-index-change
        chmod 755 .git/hooks/*
    )
    [ "$mode" != user ] || chown -R plim-e2e "$context"
    built "$context" <<<$'FROM scratch\nCOPY file /x' || true
    holds 'settings of a repository run a program' absent "$outside/plim-got-out-git"
    rm -f "$outside/plim-got-out-git"
    # whose repository it is does not show in the image: its time is that of the commit
    [ "$mode" = user ] || chown -R 12345 "$context"
    run_plim -qq build --no-cache -t sealed/time:1 -f - "$context" >/dev/null 2>"$work/log" <<<$'FROM scratch\nCOPY file /x' || true
    date -u -d "@$(git -c safe.directory='*' -C "$context" cat-file commit HEAD | sed -n 's/^committer .*> \([0-9]*\) .*/\1/p')" +%Y-%m-%dT%H:%M:%SZ >"$work/wanted"
    run_plim -q inspect --image-config sealed/time:1 | jq -r .created >"$work/found"
    same 'the time of an image of somebody else'"'"'s repository' "$work/wanted" "$work/found"
    rm -rf "$context"
}

# the folder that gets the files of an image may have links in it, of before or of the image
a_folder_for_output() {
    local dest=$work/out/dest
    rm -rf "$dest"
    mkdir -p "$dest"
    ln -s "$outside" "$dest/way"
    ln -s "$outside/file" "$dest/mine"
    ln -s "$outside" "$dest/etc"
    chmod -R a+rwX "$dest"
    [ "$mode" != user ] || chown -hR plim-e2e "$dest"
    printf 'FROM sealed/base:1\nRUN mkdir /way && echo escaped >/way/file && echo escaped >/way/plim-got-out-output && echo escaped >/mine && ln -s %s /new && chmod 777 /way /mine\n' "$outside" |
        build empty -o "$dest" || wrong "output into a folder with links: $(head -n 3 "$work/log")"
    holds 'a link in the folder is still one' [ ! -L "$dest/way" ]
    echo escaped >"$work/wanted"
    same 'a file in the place of a link' "$work/wanted" "$dest/way/file"
    rm -rf "$dest"
}

layers() {
    local dir=$work/lists.d name place kind kinds=oci code
    rm -rf "$dir"
    python3 "$here/proof/hostile.py" layers "$dir" "$outside"
    chmod -R a+rX "$dir"
    [ "$mode" != root ] || kinds='oci docker'
    local refused=0 taken=0
    while read -r name; do
        for kind in $kinds; do
            code=0
            run_plim -qq copy "$kind-archive:$dir/$name.$kind.tar" "store:hostile/$name:$kind" >"$work/log" 2>&1 || code=$?
            [ $code -le 2 ] || wrong "copy of $name ends with $code: $(head -n 3 "$work/log")"
            ! grep -q panicked "$work/log" || wrong "copy of $name: $(head -n 3 "$work/log")"
            [ $code = 0 ] || { refused=$((refused + 1)); continue; }
            code=0
            build root-fs <<D || code=$?
FROM hostile/$name:$kind
COPY bin/busybox /bin/busybox
COPY bin/busybox /way/plim-got-out-copy
RUN ["/bin/busybox", "sh", "-c", "for x in /way /mine /a /d /self; do echo escaped >\$x/plim-got-out-run; echo escaped >\$x; /bin/busybox rm -f \$x/file; /bin/busybox chmod 777 \$x; done 2>/dev/null; /bin/busybox head -c 10 /dev/disk /mem >/read; /bin/busybox cat /etc/passwd /way/file /mine 2>/dev/null; true"]
D
            case $code in
            0) taken=$((taken + 1)) ;;
            1 | 2) refused=$((refused + 1)); grep -q '^error: ' "$work/log" || wrong "$name: no error in: $(head -n 3 "$work/log")" ;;
            *) wrong "a build on $name ends with $code: $(head -n 5 "$work/log")" ;;
            esac
            checks=$((checks + 1))
            ! grep -rqF "content-of-$id" "$work/out/files" "$work/log" 2>/dev/null || wrong "a build on $name takes in a file of the host"
            [ "$kind" = oci ] && [ "$mode" = root ] || continue
            code=0
            run_plim -q analyze "hostile/$name:$kind" >"$work/log" 2>&1 || code=$?
            [ $code -le 2 ] && ! grep -q panicked "$work/log" || wrong "analyze of $name ends with $code: $(head -n 5 "$work/log")"
        done
    done <"$dir/cases"
    holds 'no hostile layer was taken or none refused: nothing was tried' [ $refused -ge 5 ] && holds 'no hostile layer was taken' [ $taken -ge 20 ]
    say "$mode: of the hostile images $taken were built upon, $refused refused"
    while read -r place; do
        code=0
        run_plim -qq copy "$place" store:hostile/archive:1 >"$work/log" 2>&1 || code=$?
        checks=$((checks + 1))
        [ $code = 2 ] || wrong "$place: ends with $code: $(head -n 3 "$work/log")"
        ! grep -qF "content-of-$id" "$work/log" || wrong "$place: the error shows a file of the host"
    done <"$dir/archives"
    rm -rf "$dir"
}
