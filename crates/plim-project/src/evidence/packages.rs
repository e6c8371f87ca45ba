//! Packages of the distribution that RUN steps install.

use super::purpose::{Purpose, installed};
use super::{Declared, RunCommand, Told};

/// A Debian package that a RUN step installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPackage {
    /// Its name in Debian, without version.
    pub name: String,
    /// Whether it is of use in a build only: compilers, headers, fetchers.
    pub for_build: bool,
    /// The line of the RUN.
    pub line: usize,
}

/// Notes the packages that a command installs. Those of stages that only give files are for the build.
pub(super) fn hear(command: &RunCommand, declared: &mut Declared) {
    if command.purpose() != Purpose::SystemPackages {
        return;
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let found = installed(&words);
    for name in found.debian {
        let for_build = !command.in_image || is_build_package(&name);
        declared.packages.push(SystemPackage { name, for_build, line: command.line });
    }
    for name in found.foreign.into_iter().filter(|name| command.in_image && !is_build_package(name)) {
        declared.foreign_packages.push(Told { value: name, line: command.line });
    }
}

/// Packages that build other things, fetch other things or help a person at a prompt.
pub(super) fn is_build_package(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "build-essential",
        "gcc",
        "g++",
        "clang",
        "llvm",
        "gfortran",
        "make",
        "cmake",
        "ninja-build",
        "autoconf",
        "automake",
        "libtool",
        "pkg-config",
        "pkgconf",
        "swig",
        "patchelf",
        "cargo",
        "rustc",
        "git",
        "curl",
        "wget",
        "gnupg",
        "gnupg2",
        "dirmngr",
        "apt-transport-https",
        "apt-utils",
        "lsb-release",
        "software-properties-common",
        "unzip",
        "zip",
        "xz-utils",
        "vim",
        "vim-tiny",
        "nano",
        "less",
        "htop",
        "procps",
        "iputils-ping",
        "net-tools",
        "telnet",
        "dnsutils",
        "netcat-openbsd",
        "netcat-traditional",
        "openssh-client",
        "sudo",
        "tree",
        "jq",
        "python3",
        "python3-pip",
        "python3-venv",
        "python3-setuptools",
        "python3-wheel",
        "python-is-python3",
        // these are in every base that plim chooses
        "ca-certificates",
        "tzdata",
        "libgcc-s1",
        "libstdc++6",
        "openssl",
        "bash",
        "coreutils",
        "passwd",
        "gosu",
        "tini",
        "dumb-init",
        "linux-libc-dev",
        "file",
        "patch",
        "bzip2",
        "gzip",
        "tar",
        "rsync",
        "locales",
        "protobuf-compiler",
        "nodejs",
        "npm",
        "yarn",
        "golang-go",
    ];
    NAMES.contains(&name)
        || name.ends_with("-dev")
        || name.ends_with("-devel")
        || name.starts_with("gcc-")
        || name.starts_with("g++-")
}
