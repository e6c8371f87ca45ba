//! Which Debian package a program comes from.

/// Returns the Debian package that brings a program, for programs that scripts and builds call. Nothing for what a shell
/// does itself and for what no package of Debian has.
pub fn debian_package_of(program: &str) -> Option<&'static str> {
    let name = program.rsplit('/').next().unwrap_or(program);
    Some(match name {
        "sh" | "dash" => "dash",
        "bash" => "bash",
        "arch" | "b2sum" | "base32" | "base64" | "basename" | "cat" | "chgrp" | "chmod" | "chown" | "chroot"
        | "cksum" | "comm" | "cp" | "csplit" | "cut" | "date" | "dd" | "df" | "dirname" | "du" | "env" | "expand"
        | "expr" | "factor" | "fmt" | "fold" | "groups" | "head" | "id" | "install" | "join" | "link" | "ln"
        | "logname" | "ls" | "md5sum" | "mkdir" | "mkfifo" | "mknod" | "mktemp" | "mv" | "nice" | "nl" | "nohup"
        | "nproc" | "numfmt" | "od" | "paste" | "printenv" | "readlink" | "realpath" | "rm" | "rmdir" | "seq"
        | "sha1sum" | "sha256sum" | "sha512sum" | "shred" | "shuf" | "sleep" | "sort" | "split" | "stat" | "stdbuf"
        | "stty" | "sum" | "sync" | "tac" | "tail" | "tee" | "timeout" | "touch" | "tr" | "truncate" | "tty"
        | "uname" | "uniq" | "unlink" | "users" | "wc" | "who" | "whoami" | "yes" => "coreutils",
        "sed" => "sed",
        "grep" | "egrep" | "fgrep" => "grep",
        "awk" | "mawk" => "mawk",
        "gawk" => "gawk",
        "find" | "xargs" => "findutils",
        "diff" | "cmp" => "diffutils",
        "which" | "run-parts" => "debianutils",
        "tar" => "tar",
        "gzip" | "gunzip" | "zcat" => "gzip",
        "bzip2" | "bunzip2" => "bzip2",
        "xz" | "unxz" | "xzcat" => "xz-utils",
        "zstd" | "unzstd" => "zstd",
        "unzip" => "unzip",
        "zip" => "zip",
        "7z" | "7za" => "p7zip-full",
        "curl" => "curl",
        "wget" => "wget",
        "git" => "git",
        "hg" => "mercurial",
        "svn" => "subversion",
        "ssh" | "ssh-keygen" | "ssh-keyscan" | "scp" | "sftp" => "openssh-client",
        "rsync" => "rsync",
        "nc" | "netcat" => "netcat-openbsd",
        "ncat" => "ncat",
        "nslookup" | "dig" | "host" => "bind9-dnsutils",
        "ping" => "iputils-ping",
        "ip" | "ss" => "iproute2",
        "hostname" => "hostname",
        "psql" | "pg_isready" | "pg_dump" | "pg_restore" | "createdb" => "postgresql-client",
        "mysql" | "mysqladmin" | "mysqldump" | "mariadb" => "default-mysql-client",
        "redis-cli" => "redis-tools",
        "sqlite3" => "sqlite3",
        "ps" | "pgrep" | "pkill" | "top" | "free" | "kill" | "uptime" | "watch" => "procps",
        "envsubst" => "gettext-base",
        "msgfmt" | "xgettext" | "msgmerge" => "gettext",
        "tini" => "tini",
        "dumb-init" => "dumb-init",
        "catatonit" => "catatonit",
        "gosu" | "su-exec" => "gosu",
        "su" | "mount" | "umount" | "flock" | "setpriv" | "getopt" | "logger" => "util-linux",
        "useradd" | "usermod" | "groupadd" | "groupmod" | "passwd" => "passwd",
        "adduser" | "addgroup" => "adduser",
        "getent" | "ldd" | "ldconfig" | "getconf" | "locale" => "libc-bin",
        "jq" => "jq",
        "openssl" => "openssl",
        "update-ca-certificates" => "ca-certificates",
        "file" => "file",
        "patch" => "patch",
        "make" | "gmake" => "make",
        "cmake" => "cmake",
        "ninja" => "ninja-build",
        "meson" => "meson",
        "gcc" | "cc" => "gcc",
        "g++" | "c++" => "g++",
        "clang" | "clang++" => "clang",
        "pkg-config" => "pkgconf",
        "autoconf" | "autoreconf" => "autoconf",
        "automake" | "aclocal" => "automake",
        "protoc" => "protobuf-compiler",
        "node" | "nodejs" => "nodejs",
        "npm" | "npx" => "npm",
        "go" => "golang-go",
        "cargo" => "cargo",
        "ruby" => "ruby",
        "gem" => "ruby-rubygems",
        "bundle" => "bundler",
        "php" => "php-cli",
        "composer" => "composer",
        "java" => "default-jre-headless",
        "javac" => "default-jdk-headless",
        "mvn" => "maven",
        "gpg" => "gnupg",
        "perl" => "perl",
        "nginx" => "nginx",
        "supervisord" | "supervisorctl" => "supervisor",
        "cron" | "crontab" => "cron",
        "setcap" => "libcap2-bin",
        "patchelf" => "patchelf",
        "ffmpeg" => "ffmpeg",
        "convert" => "imagemagick",
        "dot" => "graphviz",
        "socat" => "socat",
        "less" => "less",
        "xxd" => "xxd",
        _ => return None,
    })
}

/// Whether a package is in every slim image of Debian.
pub(crate) fn is_in_slim(package: &str) -> bool {
    const SLIM: &[&str] = &[
        "bash",
        "ca-certificates",
        "coreutils",
        "dash",
        "debianutils",
        "diffutils",
        "findutils",
        "grep",
        "gzip",
        "hostname",
        "libc-bin",
        "mawk",
        "passwd",
        "sed",
        "tar",
        "tzdata",
        "util-linux",
    ];
    SLIM.contains(&package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_packages_and_builtins_have_none() {
        assert_eq!(debian_package_of("/bin/sh"), Some("dash"));
        assert_eq!(debian_package_of("su-exec"), Some("gosu"));
        assert_eq!(debian_package_of("pg_isready"), Some("postgresql-client"));
        for builtin in ["[", "test", "echo", "printf", "cd", "exec", "read", "true"] {
            assert_eq!(debian_package_of(builtin), None, "{builtin}");
        }
    }
}
