/* probe calls | files | escape: what a command inside a sandbox can do. Linked statically; prints one fact a line.
 *
 * calls   each forbidden system call by its name and what the kernel answered, through all tables that the machine has. The
 *         arguments are such that root outside of a sandbox gets another answer than EPERM, and nothing happens.
 * files   the file descriptors that are open beyond the standard streams.
 * escape  the ways out of a root directory that need no forbidden call: prints what of the host was seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
    const char *name;
    long number, a, b, c, d, e;
};

#define BAD (-1L)
static const struct call CALLS[] = {
    {"unshare(NEWUSER)", SYS_unshare, CLONE_NEWUSER},
    {"unshare(NEWNS)", SYS_unshare, CLONE_NEWNS},
    {"unshare(NEWPID)", SYS_unshare, CLONE_NEWPID},
    {"clone(NEWUSER)", SYS_clone, CLONE_NEWUSER | SIGCHLD},
    {"clone(NEWNS)", SYS_clone, CLONE_NEWNS | SIGCHLD},
    {"clone3", 435, 0, 0},
    {"setns", SYS_setns, BAD, 0},
    {"mount", SYS_mount, 0, 0, 0, 0, 0},
    {"umount2", SYS_umount2, 0, 0},
    {"pivot_root", SYS_pivot_root, 0, 0},
    {"open_tree", 428, BAD, 0, 0},
    {"move_mount", 429, BAD, 0, BAD, 0, 0},
    {"fsopen", 430, 0, 0},
    {"fsconfig", 431, BAD, 0, 0, 0, 0},
    {"fsmount", 432, BAD, 0, 0},
    {"fspick", 433, BAD, 0, 0},
    {"mount_setattr", 442, BAD, 0, 0, 0, 0},
    {"io_uring_setup", 425, 0, 0},
    {"pidfd_getfd", 438, BAD, 0, 0},
    {"quotactl_fd", 443, BAD, 0, 0, 0},
    {"keyctl", SYS_keyctl, 0, BAD, 0},
    {"add_key", SYS_add_key, 0, 0, 0, 0, 0},
    {"request_key", SYS_request_key, 0, 0, 0, 0},
    {"bpf", SYS_bpf, BAD, 0, 0},
    {"perf_event_open", SYS_perf_event_open, 0, 0, 0, BAD, 0},
    {"kexec_load", SYS_kexec_load, 0, 0, 0, BAD},
    {"kexec_file_load", SYS_kexec_file_load, BAD, BAD, 0, 0, 0},
    {"init_module", SYS_init_module, 0, 0, 0},
    {"finit_module", SYS_finit_module, BAD, 0, 0},
    {"delete_module", SYS_delete_module, 0, 0},
    {"open_by_handle_at", SYS_open_by_handle_at, BAD, 0, 0},
    {"userfaultfd", SYS_userfaultfd, BAD},
    {"fanotify_init", SYS_fanotify_init, BAD, 0},
    {"swapon", SYS_swapon, 0, 0},
    {"swapoff", SYS_swapoff, 0},
    {"reboot", SYS_reboot, 0, 0, 0, 0},
    {"sethostname", SYS_sethostname, 0, BAD},
    {"setdomainname", SYS_setdomainname, 0, BAD},
    {"settimeofday", SYS_settimeofday, 1, 0},
    {"clock_settime", SYS_clock_settime, 0, 0},
    {"acct", SYS_acct, 1},
    {"quotactl", SYS_quotactl, BAD, 0, 0, 0},
    {"syslog", SYS_syslog, BAD, 0, 0},
    {"move_pages", SYS_move_pages, 0, 1, 0, 0, 0},
    {"migrate_pages", SYS_migrate_pages, 0, BAD, 0, 0},
    {"mbind", SYS_mbind, 1, 0, 0, 0, 0},
    {"kcmp", SYS_kcmp, 0, 0, BAD, 0, 0},
    {"personality(READ_IMPLIES_EXEC)", SYS_personality, 0x0400000},
    {"socket(VSOCK)", SYS_socket, 40, SOCK_STREAM, 0},
#ifdef __x86_64__
    {"iopl", SYS_iopl, 9},
    {"ioperm", SYS_ioperm, BAD, BAD, 1},
    /* the table of 32-bit addresses on the same machine, reached by a bit in the number */
    {"x32 mount", 0x40000000 | SYS_mount, 0, 0, 0, 0, 0},
    {"x32 unshare(NEWUSER)", 0x40000000 | SYS_unshare, CLONE_NEWUSER},
#endif
};

#ifdef __x86_64__
static const struct call CALLS_I386[] = {
    {"i386 mount", 21, 0, 0, 0, 0, 0},
    {"i386 unshare(NEWUSER)", 310, CLONE_NEWUSER},
    {"i386 clone(NEWUSER)", 120, CLONE_NEWUSER | SIGCHLD},
    {"i386 keyctl", 288, 0, BAD, 0},
    {"i386 bpf", 357, BAD, 0, 0},
    {"i386 perf_event_open", 336, 0, 0, 0, BAD, 0},
    {"i386 open_by_handle_at", 342, BAD, 0, 0},
    {"i386 fsopen", 430, 0, 0},
    {"i386 io_uring_setup", 425, 0, 0},
    {"i386 clone3", 435, 0, 0},
};
static long call_i386(const struct call *c) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(c->number), "b"(c->a), "c"(c->b), "d"(c->c), "S"(c->d), "D"(c->e)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
#endif

/* Makes the call in a child, as some of them would change it. */
static void try_call(const struct call *c, int i386) {
    int ends[2], answer = 0;
    if (pipe(ends) != 0) exit(3);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        long result;
        pid_t own = getpid();
#ifdef __x86_64__
        if (i386) {
            result = call_i386(c);
            answer = result < 0 && result > -4096 ? (int)-result : 0;
        } else
#endif
        {
            (void)i386;
            result = syscall(c->number, c->a, c->b, c->c, c->d, c->e);
            answer = result == -1 ? errno : 0;
        }
        if (getpid() != own || (c->number == SYS_clone && result == 0)) _exit(0); /* what a clone made */
        if (write(ends[1], &answer, sizeof answer) < 0) _exit(3);
        _exit(0);
    }
    close(ends[1]);
    if (read(ends[0], &answer, sizeof answer) != sizeof answer) {
        printf("%s: died\n", c->name);
    } else {
        printf("%s: %s\n", c->name, answer ? strerrorname_np(answer) : "done");
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
}

static int calls(void) {
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) try_call(&CALLS[i], 0);
#ifdef __x86_64__
    for (size_t i = 0; i < sizeof CALLS_I386 / sizeof *CALLS_I386; i++) try_call(&CALLS_I386[i], 1);
#endif
    return 0;
}

static int files(void) {
    for (int fd = 0; fd < 65536; fd++) {
        char name[64], target[4096];
        if (fcntl(fd, F_GETFD) == -1) continue;
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        if (strncmp(target, "pipe:", 5) == 0) strcpy(target, "pipe");
        printf("%d %s\n", fd, target);
    }
    return 0;
}

static void look_for(const char *marker, const char *how) {
    char below[8192];
    /* both as it is named on the host and without the leading slash, from wherever this process now is */
    if (access(marker, F_OK) == 0) printf("%s: found %s\n", how, marker);
    snprintf(below, sizeof below, ".%s", marker);
    if (access(below, F_OK) == 0) printf("%s: found %s\n", how, below);
}

static int escape(int count, char **markers) {
    for (int m = 0; m < count; m++) {
        const char *marker = markers[m];
        char path[8192];
        look_for(marker, "plain");
        static const char *const ROOTS[] = {"/proc/1/root", "/proc/1/cwd", "/proc/self/root", "/proc/self/cwd", "/proc/self/cwd/../../../..",
                                            "/proc/self/fd/0/../..", "/proc/1/root/../..", "/dev/fd/0/../../.."};
        for (size_t i = 0; i < sizeof ROOTS / sizeof *ROOTS; i++) {
            snprintf(path, sizeof path, "%s%s", ROOTS[i], marker);
            if (access(path, F_OK) == 0) printf("%s: found\n", path);
        }
        for (int pid = 1; pid < 200; pid++) {
            static const char *const KINDS[] = {"root", "cwd"};
            for (int kind = 0; kind < 2; kind++) {
                snprintf(path, sizeof path, "/proc/%d/%s/../../../..%s", pid, KINDS[kind], marker);
                if (access(path, F_OK) == 0) printf("%s: found\n", path);
            }
            for (int fd = 0; fd < 64; fd++) {
                snprintf(path, sizeof path, "/proc/%d/fd/%d%s", pid, fd, marker);
                if (access(path, F_OK) == 0) printf("%s: found\n", path);
                snprintf(path, sizeof path, "/proc/%d/fd/%d/../../../../../..%s", pid, fd, marker);
                if (access(path, F_OK) == 0) printf("%s: found\n", path);
            }
        }
    }
    /* a root below a directory that is held open: what `..` does not stop at */
    int held = open("/", O_RDONLY | O_DIRECTORY);
    mkdir("/escape-room", 0700);
    if (held >= 0 && chroot("/escape-room") == 0 && fchdir(held) == 0) {
        for (int up = 0; up < 64; up++)
            if (chdir("..") != 0) break;
        for (int m = 0; m < count; m++) look_for(markers[m], "chroot twice");
        if (chroot(".") == 0)
            for (int m = 0; m < count; m++) look_for(markers[m], "chroot twice, then again");
        rmdir("escape-room");
    } else {
        printf("chroot: %s\n", strerror(errno));
    }
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "calls") == 0) return calls();
    if (strcmp(what, "files") == 0) return files();
    if (strcmp(what, "escape") == 0) return escape(argc - 2, argv + 2);
    fprintf(stderr, "probe calls | files | escape MARKER...\n");
    return 2;
}
