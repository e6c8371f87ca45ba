//! Package managers of distributions, users, settings of the system.

use super::{Purpose, operands};
use crate::evidence::distribution::{self, Family};

/// The packages that a command installs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Installed {
    /// Names in Debian.
    pub(in super::super) debian: Vec<String>,
    /// Names of another distribution without a known counterpart in Debian.
    pub(in super::super) foreign: Vec<String>,
}

/// Returns what a command of the system is for.
pub(super) fn of(name: &str, arguments: &[&str]) -> Option<Purpose> {
    let first = |with_value: &[&str]| operands(arguments, with_value).first().copied();
    Some(match name {
        "apt-get" | "apt" | "aptitude" => match first(APT_VALUES) {
            Some("install") => Purpose::SystemPackages,
            _ => Purpose::PackageIndex,
        },
        "dpkg" if has(arguments, &["-i", "--install"]) => Purpose::SystemPackages,
        "apk" => match first(APK_VALUES) {
            Some("add") => Purpose::SystemPackages,
            _ => Purpose::PackageIndex,
        },
        "yum" | "dnf" | "microdnf" | "tdnf" | "dnf5" => match first(RPM_VALUES) {
            Some("install" | "localinstall" | "groupinstall" | "group" | "reinstall" | "module") => {
                Purpose::SystemPackages
            }
            _ => Purpose::PackageIndex,
        },
        "zypper" => match first(RPM_VALUES) {
            Some("install" | "in") => Purpose::SystemPackages,
            _ => Purpose::PackageIndex,
        },
        "rpm"
            if arguments
                .iter()
                .any(|word| word.starts_with("-i") || word.starts_with("-U") || *word == "--install") =>
        {
            Purpose::SystemPackages
        }
        "pacman" if operands(arguments, &[]).is_empty() => Purpose::PackageIndex,
        "pacman" | "gdebi" | "gdebi-gtk" | "emerge" | "xbps-install" | "brew" | "snap" | "nix-env" | "opkg"
        | "install_packages" | "clean-install" | "add-pkg" | "swupd" => Purpose::SystemPackages,
        "rpm"
        | "dpkg"
        | "apt-key"
        | "apt-mark"
        | "apt-cache"
        | "apt-config"
        | "add-apt-repository"
        | "dpkg-query"
        | "dpkg-divert"
        | "dpkg-architecture"
        | "yum-config-manager"
        | "rpmkeys"
        | "debconf-set-selections"
        | "subscription-manager"
        | "repoquery"
        | "pacman-key"
        | "pacman-db-upgrade"
        | "reflector"
        | "eselect"
        | "yum-builddep"
        | "package-cleanup"
        | "apt-file"
        | "auto-apt"
        | "apt-add-repository"
        | "deborphan"
        | "del-pkg"
        | "mk-build-deps"
        | "apt-fast"
        | "netselect-apt"
        | "update-repo"
        | "dpkg-deb"
        | "scanelf"
        | "layman" => Purpose::PackageIndex,
        "useradd" | "adduser" | "groupadd" | "addgroup" | "usermod" | "groupmod" | "userdel" | "deluser"
        | "groupdel" | "delgroup" | "passwd" | "chpasswd" | "chsh" | "gpasswd" | "su" | "runuser" | "newusers"
        | "chfn" | "visudo" | "vipw" | "sudo" => Purpose::Users,
        "locale-gen"
        | "localedef"
        | "update-locale"
        | "locale"
        | "dpkg-reconfigure"
        | "update-ca-certificates"
        | "update-ca-trust"
        | "trust"
        | "ldconfig"
        | "update-alternatives"
        | "alternatives"
        | "a2enmod"
        | "a2dismod"
        | "a2ensite"
        | "a2dissite"
        | "a2enconf"
        | "a2disconf"
        | "phpenmod"
        | "phpdismod"
        | "crontab"
        | "systemctl"
        | "service"
        | "rc-update"
        | "rc-service"
        | "update-rc.d"
        | "chkconfig"
        | "invoke-rc.d"
        | "initctl"
        | "authconfig"
        | "timedatectl"
        | "hwclock"
        | "sysctl"
        | "ulimit"
        | "umask"
        | "stty"
        | "setsebool"
        | "fc-cache"
        | "mkfontdir"
        | "mkfontscale"
        | "update-mime-database"
        | "gtk-update-icon-cache"
        | "update-java-alternatives"
        | "ssh-keygen"
        | "ssh-keyscan"
        | "ssh-add"
        | "ssh-agent"
        | "gpg"
        | "gpg2"
        | "gpgconf"
        | "gpg-agent"
        | "dirmngr"
        | "keytool"
        | "openssl"
        | "mysql_install_db"
        | "mysqld"
        | "mysqld_safe"
        | "mysql"
        | "mysqladmin"
        | "psql"
        | "createdb"
        | "createuser"
        | "initdb"
        | "pg_createcluster"
        | "pg_dropcluster"
        | "pg_ctl"
        | "pg_ctlcluster"
        | "redis-cli"
        | "mongo"
        | "mongod"
        | "sqlite3"
        | "setup-timezone"
        | "mkhomedir_helper"
        | "augtool"
        | "hostname"
        | "hostnamectl"
        | "mknod"
        | "mkfifo"
        | "mount"
        | "umount"
        | "ip"
        | "iptables"
        | "modprobe"
        | "update-desktop-database"
        | "dbus-uuidgen"
        | "postmap"
        | "newaliases"
        | "postconf"
        | "htpasswd"
        | "supervisorctl"
        | "nginx"
        | "apachectl"
        | "httpd"
        | "apache2ctl"
        | "setup-x86_64.exe"
        | "vncpasswd"
        | "dbus-launch"
        | "update-initramfs"
        | "update-crypto-policies"
        | "loadkeys"
        | "tzselect"
        | "debuerreotype-fixup" => Purpose::Configuration,
        _ => return None,
    })
}

const APT_VALUES: &[&str] = &["-o", "-t", "-c", "--target-release", "--option", "--default-release"];
const APK_VALUES: &[&str] = &[
    "-t",
    "--virtual",
    "-X",
    "--repository",
    "--repositories-file",
    "-p",
    "--root",
    "--keys-dir",
    "--cache-dir",
    "--arch",
];
const RPM_VALUES: &[&str] = &["-c", "--config", "-x", "--exclude", "--repo", "-t", "-C", "-r", "-n", "-p"];

fn has(arguments: &[&str], options: &[&str]) -> bool {
    arguments.iter().any(|word| options.contains(word))
}

/// Returns the packages that a command installs by name. Files and patterns are left out.
pub(in super::super) fn installed(words: &[&str]) -> Installed {
    let Some((program, arguments)) = words.split_first() else { return Installed::default() };
    let (family, with_value) = match super::name_of(program) {
        "apt-get" | "apt" | "aptitude" | "install_packages" | "clean-install" | "apt-fast" => {
            (Family::Debian, APT_VALUES)
        }
        "apk" => (Family::Alpine, APK_VALUES),
        "yum" | "dnf" | "microdnf" | "tdnf" | "dnf5" | "zypper" => (Family::Rpm, RPM_VALUES),
        _ => return Installed::default(),
    };
    let mut names = operands(arguments, with_value);
    if !matches!(super::name_of(program), "install_packages" | "clean-install") {
        names.retain(|name| !matches!(*name, "install" | "add" | "in" | "localinstall" | "reinstall"));
    }
    let mut found = Installed::default();
    for name in names {
        // versions, releases, architectures
        let name = name.split(['=', '<', '>', '~', '@', ':']).next().unwrap_or(name);
        let name = if family == Family::Debian { name.split('/').next().unwrap_or(name) } else { name };
        // a file, not a name
        if [".rpm", ".deb", ".apk"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            continue;
        }
        match distribution::debian_name(family, name) {
            distribution::Counterpart::Known(debian) => {
                found.debian.extend(debian.iter().map(|name| (*name).to_owned()));
            }
            distribution::Counterpart::Same => found.debian.push(name.to_owned()),
            distribution::Counterpart::Unknown => found.foreign.push(name.to_owned()),
        }
    }
    found
}
