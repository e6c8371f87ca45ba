# Part of .ci/sealed: what becomes of secrets.
# shellcheck shell=bash disable=SC2154

# a build, and a step, that look for the secret of another one while that one has it
secrets_stay_in_their_step() {
    local secret first rounds=0
    secret=${id}-between-$RANDOM
    echo "$secret" >"$work/out/secret"
    chmod 644 "$work/out/secret"
    # the first build holds its secret until the second has looked; they meet in a cache (in a chroot, steps with the same cache wait
    # for each other, so there it holds it for a while)
    printf 'FROM sealed/base:1\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=SECRET --mount=type=cache,target=/meet,id=%s%s touch /meet/here; n=0; while [ ! -e /meet/seen ] && [ $n -lt %d ]; do sleep 0.1; n=$((n+1)); done; test -n "$SECRET"\n' \
        "$id" "$([ "$mode" = chroot ] && echo "-own")" "$([ "$mode" = chroot ] && echo 15 || echo 300)" >"$work/out/first.Dockerfile"
    run_plim -qq build --no-cache --secret "id=s,src=$work/out/secret" -f "$work/out/first.Dockerfile" empty >"$work/out/first.log" 2>&1 &
    first=$!
    if [ "$mode" = chroot ]; then
        sleep 0.7
    fi
    # the pattern does not find itself on the command line
    local pattern="${secret%?}[${secret: -1}]"
    built empty <<D || true
FROM sealed/base:1
RUN --mount=type=cache,target=/meet,id=$id n=0; while [ ! -e /meet/here ] && [ \$n -lt $([ "$mode" = chroot ] && echo 1 || echo 200) ]; do sleep 0.1; n=\$((n+1)); done; \\
    ls -A /meet >/met; find / /run /dev/shm /dev/mqueue /meet -xdev -type f -exec grep -lE '$pattern' {} + >/found 2>/dev/null; \\
    for p in /proc/[0-9]*; do for f in environ cmdline; do grep -qE '$pattern' \$p/\$f 2>/dev/null && echo \$p/\$f >>/found; done; done; touch /meet/seen; true
D
    wait "$first" || wrong "the build with the secret: $(head -n 8 "$work/out/first.log")"
    if [ "$mode" != chroot ]; then
        holds 'the two builds did not meet, so nothing was looked at' grep -qx here "$work/out/files/met"
    fi
    same 'the secret of another build' "$work/nothing" "$work/out/files/found"
    # other steps of the same build, one of which runs as another user
    built empty --secret "id=s,src=$work/out/secret" <<D || true
FROM sealed/base:1
RUN --mount=type=secret,id=s,uid=1000,mode=0400 --mount=type=secret,id=s,env=SECRET grep -cE '$pattern' /run/secrets/s >/has; cp /run/secrets/s /dev/shm/kept; \\
    cp /run/secrets/s /tmp/../dev/kept 2>/dev/null; (setsid sh -c 'sleep 300; echo \$SECRET' &); true
RUN find / /run /dev/shm -xdev -type f -exec grep -lE '$pattern' {} + >/found 2>/dev/null; cat /proc/[0-9]*/environ 2>/dev/null | grep -E '$pattern' >>/found; \\
    ls -A /run >/run-list; true
USER 1000
RUN cat /run/secrets/s /dev/shm/kept >/tmp/read 2>/dev/null; true
D
    echo 1 >"$work/wanted"
    same 'the step that has the secret' "$work/wanted" "$work/out/files/has"
    if [ "$mode" != chroot ]; then
        same 'the secret in a later step' "$work/nothing" "$work/out/files/found"
    fi
    same 'the secret in a later step of another user' "$work/nothing" "$work/out/files/tmp/read"
    same 'what a secret leaves under /run' "$work/nothing" "$work/out/files/run-list"
    ! grep -rqF "$secret" "$work/out/files" || wrong "the secret is in the image: $(grep -rlF "$secret" "$work/out/files" | head -n 3)"
    rm -f "$work/out/secret"
}

# every file that plim writes, opened and searched for the secret in each of its forms
secrets_are_in_no_file() {
    local one two first_line form file hits=0 looked=0 dest=$work/out/written
    one=${id}-file-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    first_line=${id}-first-$RANDOM$RANDOM
    two=${id}-env-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    rm -rf "$dest" "$work/out/files"
    mkdir -p "$dest"
    chmod 777 "$dest"
    printf '%s\n%s\n' "$first_line" "$one" >"$work/out/secret"
    cat >"$work/out/Dockerfile" <<'D'
FROM sealed/base:1 AS one
RUN --mount=type=secret,id=f --mount=type=cache,target=/cache cat /run/secrets/f && tail -n 1 /run/secrets/f | wc -c >/length && echo x >/cache/x
FROM one
RUN --mount=type=secret,id=f --mount=type=secret,id=e,env=TOKEN echo "the token is $TOKEN" && echo "$TOKEN" >&2 && [ -n "$TOKEN" ] && printf %s "$TOKEN" | head -c 20 && \
    for i in 1 2 3; do printf %s "$TOKEN"; done; cat /run/secrets/f >&2
D
    cp "$work/out/Dockerfile" "$work/out/failing.Dockerfile"
    # shellcheck disable=SC2016 # the step expands it
    echo 'RUN --mount=type=secret,id=f --mount=type=secret,id=e,env=TOKEN echo "at the end: $TOKEN"; cat /run/secrets/f; echo "$TOKEN" >&2; sh -c "exit 9" "$TOKEN"' >>"$work/out/failing.Dockerfile"
    TOKEN=$two PLIM_LOG=trace run_plim -vv build --no-cache --explain --secret "id=f,src=$work/out/secret" --secret id=e,env=TOKEN -t sealed/secret:1 \
        --metadata-file "$dest/metadata.json" --iidfile "$dest/iid" -o "type=oci,dest=$dest/oci.tar" -o "type=oci,tar=false,dest=$dest/oci" \
        -o "type=docker,dest=$dest/docker.tar" -o "type=tar,dest=$dest/files.tar" -o "type=local,dest=$dest/files" \
        --cache-to "type=local,dest=$dest/cache,mode=max" --cache-mounts-to "type=local,dest=$dest/mounts" \
        -f "$work/out/Dockerfile" empty >"$dest/log" 2>&1 || wrong "the build with secrets: $(tail -n 8 "$dest/log")"
    TOKEN=$two PLIM_LOG=trace run_plim -vv build --no-cache --secret "id=f,src=$work/out/secret" --secret id=e,env=TOKEN \
        -f "$work/out/failing.Dockerfile" empty >"$dest/failing.log" 2>&1 && wrong 'the failing build succeeded'
    run_plim inspect sealed/secret:1 >"$dest/inspect" 2>&1 && run_plim inspect --image-config sealed/secret:1 >"$dest/config" 2>&1
    # 33 is the length of the last line: the step had the secret, and the log shows that it spoke
    echo $((${#one} + 1)) >"$work/wanted"
    same 'the length of the secret in the step' "$work/wanted" "$dest/files/length"
    holds 'the log does not have the output of the step' grep -q 'the token is' "$dest/log"
    holds 'the log does not have the output of the failing step' grep -q 'at the end: ' "$dest/failing.log"
    holds 'nothing is hidden in the log' sh -c "! grep -qF '$two' '$dest/log'"
    # as it is, in the order of base64, and as a list of bytes
    printf '%s\n' "$one" "$two" "$first_line" "$(printf %s "$one" | base64 -w 0 | cut -c1-60)" "$(printf %s "$two" | base64 -w 0 | cut -c1-60)" \
        "$(printf %s "$two" | od -An -v -tx1 | tr -d ' \n')" >"$work/lists"
    while IFS= read -r -d '' file; do
        looked=$((looked + 1))
        for form in cat 'gzip -dcq' 'zstd -dcq'; do
            if $form "$file" 2>/dev/null | LC_ALL=C grep -qaF -f "$work/lists"; then
                wrong "a secret is in $file: $($form "$file" 2>/dev/null | LC_ALL=C grep -aoF -f "$work/lists" | sort | uniq -c | head -n 3)"
                hits=$((hits + 1))
                break
            fi
        done
        # names, too
    done < <(find "$PLIM_DATA" "$PLIM_CACHE" "$dest" -type f -print0)
    holds 'no file was looked at' [ "$looked" -ge 20 ]
    checks=$((checks + 1))
    find "$PLIM_DATA" "$PLIM_CACHE" "$dest" 2>/dev/null | LC_ALL=C grep -aF -f "$work/lists" >"$work/found" || true
    same 'secrets in names of files' "$work/nothing" "$work/found"
    rm -rf "$dest" "$work/out/secret"
}
