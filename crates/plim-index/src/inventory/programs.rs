//! Programs that matter for safety: shells and package managers.

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryKind;

use super::Inventory;
use super::lookup::is_executable;
use crate::paths;

/// Names of programs that run commands given as text. busybox and toybox bring a shell with them.
const SHELLS: [&str; 15] = [
    "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "oksh", "rbash", "sh", "tcsh", "toybox",
    "zsh",
];

/// Names of programs that install software.
const PACKAGE_MANAGERS: [&str; 34] = [
    "apk",
    "apt",
    "apt-get",
    "aptitude",
    "bundle",
    "bundler",
    "composer",
    "conda",
    "corepack",
    "dnf",
    "dnf5",
    "dpkg",
    "easy_install",
    "gem",
    "mamba",
    "micromamba",
    "microdnf",
    "npm",
    "npx",
    "opkg",
    "pacman",
    "pip",
    "pip3",
    "pipenv",
    "pipx",
    "pnpm",
    "poetry",
    "rpm",
    "tdnf",
    "uv",
    "yarn",
    "yarnpkg",
    "yum",
    "zypper",
];

impl Inventory {
    /// Returns the paths at which a shell can be run, links among them: they exist and are executable.
    pub fn shells(&self) -> Vec<BString> {
        self.programs(|name| SHELLS.iter().any(|shell| *name == *shell))
    }

    /// Returns the first of the [`shells`](Self::shells).
    pub fn has_shell(&self) -> Option<BString> {
        self.shells().into_iter().next()
    }

    /// Returns the paths at which a package manager can be run, links among them: they exist and are executable.
    pub fn package_managers(&self) -> Vec<BString> {
        self.programs(|name| {
            // pip has a name for each Python, `pip3.13`
            let pip =
                name.strip_prefix(b"pip").is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'));
            pip || PACKAGE_MANAGERS.iter().any(|manager| *name == *manager)
        })
    }

    /// Returns the paths of executable files, and of links to such, whose name is wanted.
    fn programs(&self, wanted: impl Fn(&BStr) -> bool) -> Vec<BString> {
        let named = self.nodes.iter().filter(|(path, _)| wanted(paths::name(path.as_bstr())));
        // executable files there are hooks, called after the program that they serve: etc/cron.daily/dpkg
        let named = named.filter(|(path, _)| !path.starts_with(b"etc/"));
        let runs = named.filter(|(path, node)| match node.head.kind {
            EntryKind::File => is_executable(node),
            EntryKind::Symlink => self.lookup(path).is_some_and(is_executable),
            _ => false,
        });
        runs.map(|(path, _)| path.clone()).collect()
    }
}
