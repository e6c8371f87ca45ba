//! The names that tools go by.

use super::Group;
use crate::waste::table::Rule;

/// Names of packages of the system; one that ends in `*` stands for all that begin so.
pub(super) const PACKAGES: &[(Group, &[&str])] = &[
    (
        Group::Compilers,
        &[
            "gcc",
            "gcc-*",
            "g++",
            "g++-*",
            "gcc-c++",
            "cpp",
            "cpp-*",
            "clang",
            "clang-*",
            "clang1*",
            "llvm",
            "llvm-*",
            "binutils",
            "binutils-*",
            "make",
            "cmake",
            "cmake-*",
            "ninja-build",
            "ninja",
            "samurai",
            "meson",
            "autoconf",
            "automake",
            "libtool",
            "m4",
            "bison",
            "flex",
            "build-essential",
            "build-base",
            "dpkg-dev",
            "patch",
            "gdb",
            "gdb-*",
            "strace",
            "ltrace",
            "valgrind",
            "pkg-config",
            "pkgconf",
            "pkgconf-*",
            "fakeroot",
            "abuild",
            "rpm-build",
            "gfortran",
            "gfortran-*",
            "nasm",
            "yasm",
            "swig",
            "libcc1-0",
            "libasan*",
            "liblsan*",
            "libtsan*",
            "libubsan*",
            "libhwasan*",
            "libisl*",
            "libmpc3",
            "annobin",
            "gettext",
            "debhelper",
        ],
    ),
    (
        Group::VersionControl,
        &[
            "git",
            "git-man",
            "git-core",
            "git-core-doc",
            "git-perl",
            "perl-Git",
            "mercurial",
            "mercurial-common",
            "subversion",
            "libsvn*",
            "bzr",
            "git-lfs",
        ],
    ),
    (
        Group::SystemManagers,
        &[
            "apt",
            "apt-utils",
            "libapt-pkg*",
            "aptitude",
            "aptitude-common",
            "dpkg",
            "apk-tools",
            "libapk",
            "libapk2",
            "dnf",
            "dnf5",
            "dnf-data",
            "python3-dnf",
            "microdnf",
            "yum",
            "rpm",
            "rpm-libs",
            "python3-rpm",
            "libdnf",
            "libdnf5",
            "librepo",
            "libsolv",
            "tdnf",
            "tdnf-*",
            "zypper",
            "libzypp",
        ],
    ),
    (
        Group::PythonInstallers,
        &[
            "python3-pip",
            "python3-pip-whl",
            "python3-setuptools-whl",
            "py3-pip",
            "py3-pip-pyc",
            "python3-wheel",
            "python3-virtualenv",
            "pipx",
            "poetry",
            "pipenv",
            "uv",
        ],
    ),
    (Group::NodeInstallers, &["npm", "yarn", "yarnpkg", "pnpm"]),
    (Group::Rust, &["rustc", "cargo", "cargo-*", "rust", "rust-*", "rustup", "libstd-rust-*"]),
    (Group::Go, &["golang", "golang-*", "go"]),
    (Group::Java, &["maven", "maven-*", "libmaven*", "gradle", "libgradle*", "ant"]),
    (Group::Ruby, &["bundler", "ruby-bundler", "ruby-rdoc", "rake"]),
];

/// Names of packages that only look like tools: what programs load that the compiler has made.
pub(super) const RUNTIME: [&str; 3] = ["gcc-libs", "llvm-libs", "go-md2man"];

/// Python distributions that install others.
pub(super) const PYTHON: [&str; 9] =
    ["pip", "wheel", "pipenv", "poetry", "poetry-core", "uv", "virtualenv", "pip-tools", "setuptools"];

/// Directories of tools that no package manager put there.
pub(super) const RULES: &[Rule] = &[
    Rule {
        what: "rust",
        hint: "",
        at: &["/usr/local/rustup/", "/usr/local/cargo/bin/", ".rustup/", ".cargo/bin/"],
        except: &[],
    },
    Rule { what: "go", hint: "", at: &["/usr/local/go/"], except: &[] },
    Rule {
        what: "node",
        hint: "",
        at: &[
            "lib/node_modules/npm/",
            "lib/node_modules/corepack/",
            "lib/node_modules/yarn/",
            "lib/node_modules/pnpm/",
            ".cache/node/corepack/",
        ],
        except: &[],
    },
    Rule {
        what: "java",
        hint: "",
        at: &["/usr/share/maven/", "/opt/maven/", "/opt/gradle/", "/usr/share/gradle/"],
        except: &[],
    },
];

/// The groups of [`RULES`].
pub(super) const RULE_GROUPS: [Group; 4] = [Group::Rust, Group::Go, Group::NodeInstallers, Group::Java];

/// Programs by name, where no package owns them.
pub(super) const PROGRAMS: &[(Group, &[&str])] = &[
    (Group::Compilers, &["gcc", "g++", "cc1", "cc1plus", "clang", "make", "cmake", "ninja", "ld", "as"]),
    (Group::VersionControl, &["git", "hg", "svn"]),
    (Group::PythonInstallers, &["uv", "uvx", "pip", "pip3", "poetry", "pipenv"]),
    (Group::Rust, &["cargo", "rustc"]),
];
