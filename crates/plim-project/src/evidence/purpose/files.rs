//! Files, directories, downloads, and what leaves nothing.

use super::{Purpose, operands};
use crate::evidence::RunCommand;

/// Returns what a command about files is for.
pub(super) fn of(command: &RunCommand, name: &str, arguments: &[&str]) -> Option<Purpose> {
    let writes = !command.writes.is_empty();
    Some(match name {
        "chown" | "chmod" | "chgrp" | "setcap" | "setfacl" | "chattr" | "fix-permissions" | "chcon" | "restorecon" => {
            Purpose::Permissions
        }
        "mkdir" => Purpose::MakeDirs,
        "install" if arguments.iter().any(|word| word.starts_with("-d") || *word == "--directory") => Purpose::MakeDirs,
        "rm" | "rmdir" | "unlink" | "shred" | "history" => Purpose::Cleanup,
        "find" if arguments.contains(&"-delete") => Purpose::Cleanup,
        "find" => match arguments.iter().position(|word| *word == "-exec" || *word == "-execdir") {
            Some(at) => match arguments.get(at + 1) {
                Some(&("rm" | "rmdir")) => Purpose::Cleanup,
                Some(&("chmod" | "chown")) => Purpose::Permissions,
                _ => Purpose::Files,
            },
            None => Purpose::Harmless,
        },
        "cp" | "mv" | "ln" | "touch" | "install" | "tee" | "tar" | "unzip" | "gunzip" | "bunzip2" | "unxz" | "xz"
        | "gzip" | "bzip2" | "zip" | "7z" | "7za" | "bsdtar" | "cpio" | "rsync" | "dd" | "truncate" | "patch"
        | "ar" | "unzstd" | "zstd" | "split" | "rename" | "link" | "crudini" | "envsubst" | "dos2unix" | "unix2dos"
        | "ed" | "ex" | "sponge" | "mktemp" | "iconv" | "convert" | "jar" | "dockerize" | "unrar" | "tarball"
        | "mkfs.ext4" | "strip" | "upx" | "patchelf" | "chrpath" => Purpose::Files,
        "sed" | "perl" | "awk" | "gawk" | "ruby" if in_place(arguments) => Purpose::Files,
        "echo" | "printf" | "cat" | "sed" | "awk" | "gawk" | "grep" | "egrep" | "fgrep" | "cut" | "tr" | "sort"
        | "uniq" | "head" | "tail" | "base64" | "jq" | "yq" | "date" | "env" | "seq" | "xxd" | "rev" | "wc"
        | "diff" | "paste" | "expr" | "gpgv" | "uname" | "id" | "nproc" | "basename" | "dirname" | "printenv"
        | "pwd" | "ls" | "yes" | "comm" | "join" | "fold" | "hexdump" | "od" | "strings" | "column" | "nl" | "tac"
        | "numfmt" | "dpkg-architecture" | ":" | "true" => {
            if writes {
                Purpose::Files
            } else {
                Purpose::Harmless
            }
        }
        "curl" | "wget" | "aria2c" | "fetch" | "ftp" | "svn" | "hg" | "scp" | "sftp" | "aws" | "gsutil" | "gcloud"
        | "az" | "axel" | "lftp" | "gdown" | "huggingface-cli" | "hf" | "kaggle" | "subversion" | "bzr" | "cvs"
        | "repo" => Purpose::Download,
        "git" => match operands(arguments, &["-C", "-c", "--git-dir", "--work-tree"]).first() {
            Some(
                &("clone" | "pull" | "fetch" | "submodule" | "checkout" | "lfs" | "init" | "reset" | "remote"
                | "apply" | "merge" | "cherry-pick" | "am" | "switch" | "clean" | "restore" | "sparse-checkout"
                | "archive" | "stash" | "rebase" | "add" | "commit" | "tag" | "branch"),
            ) => Purpose::Download,
            Some(&"config") => Purpose::Configuration,
            _ => Purpose::Harmless,
        },
        // a script from the network, or the text of the command before
        "sh" | "bash" | "ash" | "dash" | "zsh" if command.piped && reads_input(arguments) => Purpose::Download,
        "set" | "false" | "cd" | "export" | "unset" | "readonly" | "local" | "declare" | "typeset" | "sleep"
        | "wait" | "exit" | "return" | "break" | "continue" | "shift" | "trap" | "alias" | "pushd" | "popd"
        | "whoami" | "which" | "type" | "command" | "hash" | "stat" | "file" | "du" | "df" | "ps" | "tree" | "kill"
        | "pkill" | "killall" | "readlink" | "realpath" | "shopt" | "read" | "exec" | "let" | "getent" | "ldd"
        | "arch" | "lsb_release" | "tty" | "uptime" | "free" | "top" | "sync" | "clear" | "getconf" | "lscpu"
        | "lsblk" | "info" | "man" | "more" | "less" | "groups" | "users" | "who" | "w" | "nslookup" | "host"
        | "dig" | "ping" | "netstat" | "ss" | "nc" | "ncat" | "lsof" | "cal" | "factor" | "ifconfig" | "route"
        | "expand" | "unalias" | "mapfile" | "builtin" | "wait-for-it" | "logger" | "disown" | "fg" | "bg" | "jobs"
        | "times" | "shuf" | "tput" => Purpose::Harmless,
        "test"
        | "["
        | "[["
        | "sha256sum"
        | "sha512sum"
        | "sha1sum"
        | "md5sum"
        | "shasum"
        | "b2sum"
        | "cksum"
        | "cosign"
        | "pytest"
        | "tox"
        | "nox"
        | "flake8"
        | "pylint"
        | "mypy"
        | "black"
        | "isort"
        | "ruff"
        | "bandit"
        | "coverage"
        | "eslint"
        | "jest"
        | "mocha"
        | "phpunit"
        | "rspec"
        | "rubocop"
        | "shellcheck"
        | "golangci-lint"
        | "golint"
        | "ctest"
        | "readelf"
        | "objdump"
        | "nm"
        | "safety"
        | "pip-audit"
        | "trivy"
        | "hadolint"
        | "standard"
        | "prettier"
        | "minisign"
        | "signify"
        | "goss"
        | "container-structure-test"
        | "valgrind"
        | "gdb"
        | "strace"
        | "prove"
        | "bats"
        | "codecov"
        | "vulture"
        | "karma" => Purpose::Check,
        _ => return None,
    })
}

fn in_place(arguments: &[&str]) -> bool {
    arguments.iter().any(|word| {
        word.strip_prefix('-').is_some_and(|letters| {
            letters.starts_with("-in-place")
                || (!letters.starts_with('-')
                    && letters.split(['.', '\'']).next().is_some_and(|l| l.contains('i') && l.len() < 6))
        })
    })
}

/// Whether a shell reads its script from the pipe: no file is named, or `-s` says so.
fn reads_input(arguments: &[&str]) -> bool {
    arguments.contains(&"-s") || operands(arguments, &["-o"]).iter().all(|word| *word == "-" || *word == "/dev/stdin")
}
