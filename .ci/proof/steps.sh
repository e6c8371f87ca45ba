# Part of .ci/sealed: what a RUN step is and is not able to do. Compared with what BuildKit's steps have.
# shellcheck shell=bash disable=SC2154,SC2317

# names that would set the title of a terminal, clear it or hide what follows: an error shows them, and is clean (build sees to that)
a_terminal_is_told_nothing() {
    local line
    for line in $'RUN : \e]0;x\a; false' $'RUN echo "\e]0;x\a" "\e[2J"; false' $'COPY \e]0;x\a /' \
        $'RUN : "]0;x \xc2\x9b2J"; false' $'COPY --from=\e]0;x\a a /' $'WORKDIR\e]0;x\a /'; do
        ! build empty < <(printf 'FROM sealed/base:1\n%s\n' "$line") || wrong "this does not fail: $(cat -v <<<"$line")"
        holds 'plim says this in no colour, so nothing was looked for' grep -q $'\e\[[0-9;]*merror' "$work/colored"
        holds "no error for $(cat -v <<<"$line")" grep -q '^error' "$work/log"
        holds "the error does not show $(cat -v <<<"$line")" grep -qF ']0;x' "$work/log"
    done
}

the_status_of_a_step() {
    built empty <<'D' || return 0
FROM sealed/base:1
RUN if [ -e /proc/self/status ]; then grep -E '^(Cap|NoNewPrivs|Seccomp:|SigBlk|SigIgn|Umask)' /proc/self/status >/status-root; fi; umask >/umask-root
USER 1000:1000
RUN if [ -e /proc/self/status ]; then grep -E '^(Cap|NoNewPrivs|Seccomp:|SigBlk|SigIgn|Umask)' /proc/self/status >/tmp/status-app; fi; id >/tmp/id-app
D
    echo 'uid=1000(app) gid=1000(app) groups=1000(app)' >"$work/wanted"
    same 'who USER 1000 is' "$work/wanted" "$work/out/files/tmp/id-app"
    echo 0022 >"$work/wanted"
    same 'the umask' "$work/wanted" "$work/out/files/umask-root"
    if [ "$mode" = chroot ]; then
        # there is no /proc to read this from
        holds 'the status is readable without /proc' absent "$work/out/files/status-root"
        return 0
    fi
    local user prm
    for user in root app; do
        prm=00000000a80425fb
        [ $user = root ] || prm=0000000000000000
        printf '%s:\t%s\n' Umask 0022 SigBlk 0000000000000000 SigIgn 0000000000000000 CapInh 0000000000000000 CapPrm $prm CapEff $prm \
            CapBnd 00000000a80425fb CapAmb 0000000000000000 NoNewPrivs 0 Seccomp 2 >"$work/wanted"
        cat "$work/out/files/status-$user" "$work/out/files/tmp/status-$user" >"$work/found" 2>/dev/null || true
        same "/proc/self/status of $user" "$work/wanted" "$work/found"
    done
}

the_calls_of_a_step() {
    built empty <<'D' || return 0
FROM sealed/base:1
RUN probe calls >/calls
USER 1000
RUN probe calls >/tmp/calls
D
    # every call is refused, as forbidden or, where programs can do without it, as unknown
    local list
    for list in calls tmp/calls; do
        holds "$list is short" [ "$(wc -l <"$work/out/files/$list")" = "$(wc -l <"$work/calls.outside")" ]
        grep -vE ': (EPERM|ENOSYS)$' "$work/out/files/$list" >"$work/found" || true
        same "calls that the filter lets through ($list)" "$work/nothing" "$work/found"
    done
    # programs that make threads must find the older call
    holds 'clone3 is not unknown' grep -qx 'clone3: ENOSYS' "$work/out/files/calls"
}

the_files_of_a_step() {
    local marks="${markers[*]}"
    # files of the caller that a step must not inherit
    exec 17<"$outside/file" 18<"$outside" 19>>"$outside/../given-away"
    built empty --network none <<D || { exec 17<&- 18<&- 19>&-; return 0; }
FROM sealed/base:1
RUN probe files | cat >/files && probe escape $marks >/escape; mount >/mounts 2>/dev/null; cat /proc/self/mountinfo >/mountinfo 2>/dev/null; \\
    for path in acpi asound kcore keys latency_stats timer_list timer_stats sched_debug scsi; do \\
      [ -d /proc/\$path ] && [ -n "\$(ls -A /proc/\$path)" ] && echo "/proc/\$path is not empty"; \\
      [ -f /proc/\$path ] && [ -n "\$(head -c 10 /proc/\$path)" ] && echo "/proc/\$path can be read"; \\
    done >>/masked; for path in firmware devices/virtual/powercap; do [ -n "\$(ls -A /sys/\$path 2>/dev/null)" ] && echo "/sys/\$path is not empty"; done >>/masked; \\
    for path in /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run /sys/fs/cgroup/x /proc/fs/x /proc/bus/x; do \\
      (echo 1 >\$path) 2>/dev/null && echo "\$path can be written"; done >/written; \\
    for node in disk=b:254:0 sda=b:8:0 mem=c:1:1 port=c:1:4 kmsg=c:1:11 fuse=c:10:229 kvm=c:10:232 tun=c:10:200; do \\
      numbers=\${node#*=}; kind=\${numbers%%:*}; numbers=\${numbers#*:}; \\
      mknod /node-\${node%%=*} \$kind \${numbers%:*} \${numbers#*:} 2>/dev/null || continue; \\
      head -c 1 /node-\${node%%=*} >/dev/null 2>&1 && echo "\$node can be read"; (: >>/node-\${node%%=*}) 2>/dev/null && echo "\$node can be written"; \\
      rm -f /node-\${node%%=*}; done >/devices; ls -A /dev >/dev-list; \\
    ls -A / >/root-list; hostname >/hostname; ls -A /sys/class/net >/net 2>/dev/null; true
D
    exec 17<&- 18<&- 19>&-
    local files=$work/out/files
    if [ "$mode" = chroot ]; then
        # it says so itself: root can leave a chroot. That this finds the markers shows that the same finds nothing elsewhere for a reason
        holds 'the probe finds no way out of a chroot, so it proves nothing elsewhere' grep -q "chroot twice, then again: found /root/$id/file" "$files/escape"
        printf '%s \n' 0 1 2 >"$work/wanted"
        same 'files that a step inherits' "$work/wanted" "$files/files"
        return 0
    fi
    printf '%s\n' '0 /dev/null' '1 pipe' '2 pipe' >"$work/wanted"
    same 'files that a step inherits' "$work/wanted" "$files/files"
    same 'markers of the host that a step reaches' "$work/nothing" "$files/escape"
    same 'masked files' "$work/nothing" "$files/masked"
    same 'files that cannot be written' "$work/nothing" "$files/written"
    same 'devices of the host' "$work/nothing" "$files/devices"
    printf '%s\n' fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero | sort >"$work/wanted"
    # a link to what is masked, where the kernel has it
    grep -vx core "$files/dev-list" | sort >"$work/found"
    same '/dev' "$work/wanted" "$work/found"
    echo lo >"$work/wanted"
    same 'interfaces with --network none' "$work/wanted" "$files/net"
    echo plimsoll >"$work/wanted"
    same 'the host name' "$work/wanted" "$files/hostname"
    # the mount table: where it is mounted, the file system's kind, nothing of a path of the host
    grep -vE '^[0-9]+ [0-9]+ [0-9]+:[0-9]+ (/|/(null|zero|full|random|urandom|tty|bus|fs|irq|sys|sysrq-trigger|[0-9]+|\.\./.*)) ' "$files/mountinfo" |
        grep -v ' - cgroup' >"$work/found" || true
    same 'mounts that show a directory of the host' "$work/nothing" "$work/found"
    grep -F -e "$work" -e "$PLIM_DATA" -e "$id" -e /root -e /home -e /var "$files/mountinfo" "$files/mounts" >"$work/found" || true
    same 'paths of the host in the mount table' "$work/nothing" "$work/found"
    holds '/ is no overlay' grep -qE '^[^ ]+ [^ ]+ [^ ]+ / / .*nodev.* - overlay ' "$files/mountinfo"
    holds '/sys can be written' grep -qE '^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /sys ro' "$files/mountinfo"
}

the_processes_of_a_step() {
    local name
    name=27182$((RANDOM + 10000))
    built empty <<D || return 0
FROM sealed/base:1
RUN (setsid sleep ${name}1 &) ; (trap '' HUP; exec sleep ${name}2) & (trap '' HUP TERM INT; (sleep ${name}3 & ) & ) ; setsid sh -c 'setsid sh -c "sleep ${name}4 & sleep ${name}5" &' ; \\
    n=0; while [ \$n -lt 50 ]; do ps -o args 2>/dev/null | grep -o "^sleep ${name}[1-5]\$" | sort -u | wc -l >/started; [ "\$(cat /started)" = 5 ] && break; n=\$((n+1)); sleep 0.1; done
RUN kill -0 $sleeper 2>/dev/null && echo "signals reach the host" >>/seen; ls -d /proc/$sleeper 2>/dev/null >>/seen; \\
    for p in /proc/[0-9]*; do tr '\0' ' ' <\$p/cmdline 2>/dev/null; echo; done | grep -E 'plim|3141592|sshd|systemd' | grep -v grep >>/seen; true
D
    # ps works where there is /proc
    if [ "$mode" != chroot ]; then
        echo 5 >"$work/wanted"
        same 'background processes that were started' "$work/wanted" "$work/out/files/started"
        grep -v -e "kill -0 $sleeper" "$work/out/files/seen" >"$work/found" 2>/dev/null || true
        same 'what a step sees of other processes' "$work/nothing" "$work/found"
    fi
    holds 'a process outlived its step' sh -c "! pgrep -f '[s]leep $name'"
    # the same for a step that fails
    ! build empty <<D || wrong 'a failing step succeeded'
FROM sealed/base:1
RUN (setsid sleep ${name}6 &) ; exit 3
D
    holds 'a process outlived its failed step' sh -c "! pgrep -f '[s]leep $name'"
}

# links in caches, contexts and stages that lead out, met by mounts
mounts_lead_nowhere() {
    local context=$work/out/links
    rm -rf "$context"
    mkdir -p "$context/dir"
    ln -s "$outside" "$context/way"
    ln -s "$outside/file" "$context/file"
    ln -s ../../../../../../../.. "$context/dir/up"
    chmod -R a+rX "$context"
    built "$context" <<D || return 0
FROM sealed/base:1 AS links
RUN ln -s $outside /way && ln -s $outside/file /to-file
FROM sealed/base:1
RUN --mount=type=cache,target=/cache,id=$id ln -s $outside /cache/way && ln -s $outside/file /cache/file && ln -s / /cache/root
RUN --mount=target=/in cat /in/way/file /in/file /in/dir/up$outside/file >>/read 2>/dev/null; true
RUN --mount=from=links,target=/in cat /in/way/file /in/to-file >>/read 2>/dev/null; true
RUN --mount=type=cache,target=/cache,id=$id cat /cache/way/file /cache/file /cache/root$outside/file >>/read 2>/dev/null; \\
    echo escaped >/cache/way/plim-got-out-cache 2>/dev/null; true
D
    same 'what links in mounts lead to' "$work/nothing" "$work/out/files/read"
    # mounts whose targets lie behind a link of a cache: made in the step's own root, if at all
    local line
    for line in "--mount=type=cache,target=/cache,id=$id --mount=target=/cache/way/deep true" \
        "--mount=type=cache,target=/cache,id=$id --mount=type=tmpfs,target=/cache/way true" \
        "--mount=type=cache,target=/cache,id=$id --mount=type=secret,id=none,target=/cache/file true" \
        "--mount=type=bind,source=way,target=/in cat /in/file" "--mount=type=bind,source=way/file,target=/in cat /in" \
        "--mount=type=bind,source=dir/up,target=/in cat /in$outside/file" "--mount=type=bind,source=../outside,target=/in cat /in/file" \
        "--mount=type=bind,from=links,source=/way,target=/in cat /in/file" \
        "--mount=type=cache,from=links,source=/way,target=/in,id=x-$id cat /in/file" "--mount=type=cache,target=/in,id=../../../$id true" \
        "--mount=type=tmpfs,target=/../../.. true" "--mount=target=/proc/self/root true" "--mount=target=/proc true"; do
        printf 'FROM sealed/base:1 AS links\nRUN ln -s %s /way\nFROM sealed/base:1\nRUN %s\n' "$outside" "$line" | build "$context" || [ $? -le 2 ] ||
            wrong "a build with $line ends with more than 2"
        holds "$line reads a file of the host" sh -c "! grep -qF content-of-$id '$work/log'"
        holds "$line shows a file of the host" sh -c "! grep -rqF content-of-$id '$work/out/files' 2>/dev/null"
    done
    # a step that puts a link in the place of the cache's own directory, where it can
    build "$context" <<D || true
FROM sealed/base:1
RUN --mount=type=cache,target=/cache,id=swap-$id rm -rf /cache 2>/dev/null; mv /cache /gone 2>/dev/null; ln -sfn $outside /cache 2>/dev/null; true
D
    build "$context" <<D || true
FROM sealed/base:1
RUN --mount=type=cache,target=/cache,id=swap-$id cat /cache/file >/read 2>/dev/null; echo escaped >/cache/plim-got-out-swap; rm -f /cache/hard; true
D
    holds 'a cache became a link to the host' sh -c "! grep -rqF content-of-$id '$work/out/files' 2>/dev/null"
    # destinations behind links of the image
    built "$context" <<D || return 0
FROM sealed/base:1
RUN ln -s $outside /way && ln -s ../../../../../..$outside /up && ln -s $outside/file /to-file
COPY dir /way/plim-got-out-copy
COPY dir/ /up/
ADD --chown=7:7 --chmod=777 dir /way/
WORKDIR /way/plim-got-out-workdir
COPY dir /to-file
RUN cat /way/file /up/file /to-file/file 2>/dev/null >/read; true
D
    holds 'a destination leads to the host' sh -c "! grep -rqF content-of-$id '$work/out/files' 2>/dev/null"
}
