//! What the folders of an image are for.

/// Where a path of the author's image belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Realm {
    /// The working directory or what is in it.
    Program,
    /// A folder around the working directory.
    Around,
    /// Folders that only a build uses.
    Scratch,
    /// Settings of package managers, users and shells, which the new image does not have.
    OldImage,
    /// Files of the system: programs, libraries, settings.
    System,
    /// All others: data.
    Data,
}

/// Settings of package managers, users and shells.
const OLD: &[&str] = &[
    "/etc/apt",
    "/etc/yum.repos.d",
    "/etc/yum.conf",
    "/etc/dnf",
    "/etc/apk",
    "/etc/dpkg",
    "/etc/pip.conf",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/gitconfig",
    "/etc/npmrc",
    "/etc/locale.gen",
    "/etc/default/locale",
    "/etc/locale.conf",
    "/etc/skel",
    "/etc/ssh",
    "/etc/cron.d",
    "/etc/crontab",
    "/usr/share/keyrings",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/cache",
    "/usr/sbin/policy-rc.d",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/environment",
    "/usr/share/man",
    "/usr/share/doc",
    "/var/log/apt",
    "/etc/pacman.d",
    "/etc/rpm",
    "/etc/pki/rpm-gpg",
];

/// Folders that only a build uses.
const SCRATCH: &[&str] = &[
    "/tmp",
    "/var/tmp",
    "/root",
    "/usr/src",
    "/usr/local/cargo",
    "/usr/local/rustup",
    "/usr/local/src",
    "/build",
    "/install",
    "/wheels",
    "/deps",
    "/src",
    "/dev",
    "/proc",
];

/// Folders of the system.
const SYSTEM: &[&str] = &["/bin", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/usr"];

/// Returns where a path belongs.
pub(super) fn realm(path: &str, workdir: &str) -> Realm {
    let path = path.trim_end_matches('/');
    let workdir = workdir.trim_end_matches('/');
    // everything is below the root, which is no folder of the program's own
    if !workdir.is_empty() && inside(path, workdir) {
        return Realm::Program;
    }
    if path.is_empty() || inside(workdir, path) {
        return Realm::Around;
    }
    let within = |folders: &[&str]| folders.iter().any(|folder| inside(path, folder));
    if within(OLD) {
        Realm::OldImage
    } else if within(SCRATCH) {
        Realm::Scratch
    } else if within(SYSTEM) {
        Realm::System
    } else if path.strip_prefix("/home/").is_some_and(|rest| !rest.contains('/')) || path == "/home" {
        Realm::OldImage
    } else {
        Realm::Data
    }
}

/// Whether a path is a folder or in it.
pub(super) fn inside(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a folder belongs to many: it cannot be copied as a whole.
pub(super) fn is_shared(path: &str) -> bool {
    const SHARED: &[&str] = &[
        "",
        "/bin",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt",
        "/sbin",
        "/srv",
        "/usr",
        "/usr/bin",
        "/usr/include",
        "/usr/lib",
        "/usr/libexec",
        "/usr/local",
        "/usr/local/bin",
        "/usr/local/include",
        "/usr/local/lib",
        "/usr/local/sbin",
        "/usr/local/share",
        "/usr/sbin",
        "/usr/share",
        "/usr/share/fonts",
        "/var",
        "/var/lib",
        "/var/log",
        "/var/run",
        "/run",
        "/etc/ssl",
        "/etc/ssl/certs",
        "/mnt",
        "/media",
    ];
    SHARED.contains(&path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_their_meaning() {
        for (path, expected) in [
            ("/srv/app/data", Realm::Program),
            ("/srv", Realm::Around),
            ("/", Realm::Around),
            ("/tmp/x", Realm::Scratch),
            ("/etc/apt/sources.list", Realm::OldImage),
            ("/etc/x.conf", Realm::System),
            ("/usr/local/bin/x", Realm::System),
            ("/home/app", Realm::OldImage),
            ("/home/app/.cache", Realm::Data),
            ("/data", Realm::Data),
            ("/var/lib/x", Realm::Data),
            ("/srv/application", Realm::Data),
        ] {
            assert_eq!(realm(path, "/srv/app"), expected, "{path}");
        }
    }
}
