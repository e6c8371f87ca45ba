//! dpkg's database as it is between unpacking and configuring, and the programs that bring it to the end.
//!
//! The files of all packages are in place before the first script runs, which dpkg itself never has. That is sound for
//! a new system: scripts may rely on more than they need, never on less.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bstr::ByteSlice;

use super::{Attributes, ConfigureStep, Level, Unpacked, Writer};
use crate::DebianError;
use crate::deb822;
use crate::plan::Package;

const STATUS: &str = "var/lib/dpkg/status";
const FILE_TRIGGERS: &str = "var/lib/dpkg/triggers/File";

/// A configuration of fontconfig that knows no fonts. Its caches belong into no layer, so they need not be made: after
/// making one, fc-cache sleeps for two seconds. What lies in this directory goes when the level is finished. Without a
/// directory for fonts and one for caches, fontconfig takes it for none and falls back on what it was compiled with.
const NO_FONTS: &str = "run/plim-no-fonts.conf";
const NO_FONTS_CONTENT: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>/run/plim-no-fonts</dir><cachedir>/run/plim-no-fonts</cachedir></fontconfig>
"#;

/// Returns the paths of a `conffiles` file, relative to the root.
pub(super) fn conffiles(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter_map(|line| line.strip_prefix('/')).map(str::to_owned).collect()
}

/// Writes the database for a level: its packages as unpacked, those of lower levels as they are.
pub(super) fn write_database(level: &Level, unpacked: &[Unpacked], writer: &Writer<'_>) -> Result<(), DebianError> {
    let read = |path: &str| {
        let bytes = writer.root.read(path).map_err(DebianError::io("read", &writer.dir.join(path)))?;
        Ok::<_, DebianError>(bytes.map(|bytes| bytes.to_str_lossy().into_owned()))
    };
    let lower_status = read(STATUS)?;
    let is_first = lower_status.is_none();
    let mut status = lower_status.unwrap_or_default();
    if !status.is_empty() && !status.ends_with("\n\n") {
        status.push('\n');
    }
    for (package, unpacked) in level.packages.iter().zip(unpacked) {
        status.push_str(&status_entry(unpacked));
        let stem = info_stem(package);
        for (name, file) in unpacked.control.iter().filter(|(name, _)| *name != "control") {
            let attributes = Attributes { mode: file.mode & 0o755 | 0o644, uid: 0, gid: 0, mtime: writer.epoch };
            writer.file(&format!("var/lib/dpkg/info/{stem}.{name}"), attributes, &file.content)?;
        }
        writer.text(&format!("var/lib/dpkg/info/{stem}.list"), &list(unpacked))?;
    }
    writer.text(STATUS, &status)?;
    writer.text(NO_FONTS, NO_FONTS_CONTENT)?;
    if is_first {
        writer.text("var/lib/dpkg/info/format", "1\n")?;
        for path in ["var/lib/dpkg/available", "var/lib/dpkg/diversions", "var/lib/dpkg/statoverride"] {
            writer.text(path, "")?;
        }
        for path in ["var/lib/dpkg/updates", "var/lib/dpkg/parts", "var/lib/dpkg/alternatives"] {
            writer.directory_if_new(path)?;
        }
    }
    write_triggers(level, unpacked, writer, read(FILE_TRIGGERS)?.unwrap_or_default(), &read)
}

/// Records who is interested in which trigger, and which triggers the new files set off in packages that are
/// configured already (dpkg's doc/triggers.txt, "Internals").
fn write_triggers(
    level: &Level,
    unpacked: &[Unpacked],
    writer: &Writer<'_>,
    mut files: String,
    read: &dyn Fn(&str) -> Result<Option<String>, DebianError>,
) -> Result<(), DebianError> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut activated: BTreeSet<String> = BTreeSet::new();
    for (package, unpacked) in level.packages.iter().zip(unpacked) {
        let Some(triggers) = unpacked.control.get("triggers") else { continue };
        for line in triggers.content.to_str_lossy().lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let wait = if directive.ends_with("-noawait") { "/noawait" } else { "" };
            match directive.split('-').next() {
                Some("interest") if trigger.starts_with('/') => {
                    let _ = writeln!(files, "{trigger} {}{wait}", info_stem(package));
                }
                Some("interest") => {
                    named.entry(trigger.to_owned()).or_default().push(format!("{}{wait}", info_stem(package)));
                }
                Some("activate") => {
                    activated.insert(trigger.to_owned());
                }
                _ => {}
            }
        }
    }
    let watched: BTreeSet<&str> = files.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for path in unpacked.iter().flat_map(|package| &package.kept) {
        for trigger in &watched {
            let below = trigger.strip_prefix('/').and_then(|trigger| path.strip_prefix(trigger.as_bytes()));
            if below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) {
                activated.insert((*trigger).to_owned());
            }
        }
    }
    writer.text(FILE_TRIGGERS, &files)?;
    for (trigger, interested) in named {
        // a trigger's name becomes a file name
        if trigger.contains('/') || trigger.starts_with('.') {
            continue;
        }
        let path = format!("var/lib/dpkg/triggers/{trigger}");
        let mut text = read(&path)?.unwrap_or_default();
        for package in interested {
            let _ = writeln!(text, "{package}");
        }
        writer.text(&path, &text)?;
    }
    let mut pending = String::new();
    for trigger in activated {
        let _ = writeln!(pending, "{trigger} -");
    }
    writer.text("var/lib/dpkg/triggers/Unincorp", &pending)
}

/// Returns the stem of a package's file names in the database.
fn info_stem(package: &Package) -> String {
    if package.multi_arch_same { format!("{}:{}", package.name, package.architecture) } else { package.name.clone() }
}

/// Returns a package's paragraph of the status file. The digests of configuration files are given here, since dpkg
/// takes those that it finds in place for what the package shipped.
fn status_entry(unpacked: &Unpacked) -> String {
    let control = unpacked.control.get("control").map(|file| file.content.to_str_lossy()).unwrap_or_default();
    let mut entry = String::new();
    for (name, value) in deb822::paragraphs(&control).next().into_iter().flat_map(deb822::Paragraph::fields) {
        let _ = writeln!(entry, "{name}: {value}");
        if name == "Package" {
            entry.push_str("Status: install ok unpacked\n");
        }
    }
    if !unpacked.conffiles.is_empty() {
        entry.push_str("Conffiles:\n");
        for (path, digest) in &unpacked.conffiles {
            let _ = writeln!(entry, " /{path} {digest}");
        }
    }
    entry.push('\n');
    entry
}

/// Returns the list of a package's paths as dpkg keeps it.
fn list(unpacked: &Unpacked) -> String {
    let mut text = String::from("/.\n");
    for path in unpacked.list.iter().filter(|path| !path.is_empty()) {
        let _ = writeln!(text, "/{path}");
    }
    text
}

/// Returns the programs that configure the level's packages.
pub(super) fn steps(level: &Level, env: &[String]) -> Vec<ConfigureStep> {
    let stems: Vec<String> = level.packages.iter().map(info_stem).collect();
    let env = [env, &[format!("FONTCONFIG_FILE=/{NO_FONTS}")]].concat();
    let step = |title: &str, args: Vec<String>| ConfigureStep {
        title: title.to_owned(),
        args,
        env: env.clone(),
        required: true,
    };
    let mut preinst =
        vec!["/bin/sh".to_owned(), "-eu".to_owned(), "-c".to_owned(), PREINST.to_owned(), level.arch.clone()];
    preinst.extend(stems);
    let configure = ["/usr/bin/dpkg", "--force-unsafe-io", "--force-confold", "--configure", "-a"];
    vec![
        step("preparing packages", preinst),
        step("configuring packages", configure.iter().map(|&arg| arg.to_owned()).collect()),
    ]
}

/// Runs the `preinst` scripts of the packages named in the arguments, in the environment that dpkg gives them
/// (dpkg(1), "Internal environment").
const PREINST: &str = r#"
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg
export DPKG_MAINTSCRIPT_ARCH="$0" DPKG_RUNNING_VERSION="$(dpkg-query --version | sed -n '1s/.* \([0-9][0-9.]*\) .*/\1/p')"
for package in "$@"; do
    script=/var/lib/dpkg/info/$package.preinst
    if [ -x "$script" ]; then
        DPKG_MAINTSCRIPT_PACKAGE=${package%%:*} "$script" install
    fi
done
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::ControlFile;

    fn unpacked(control: &str) -> Unpacked {
        Unpacked {
            list: vec!["".into(), "etc".into(), "etc/a".into()],
            kept: vec!["etc/a".into()],
            conffiles: vec![("etc/a".to_owned(), "0".repeat(32))],
            certificates: Vec::new(),
            control: [("control".to_owned(), ControlFile { mode: 0o644, content: control.into() })].into(),
        }
    }

    #[test]
    fn status_entries_are_unpacked_and_know_their_configuration_files() {
        insta::assert_snapshot!(status_entry(&unpacked("Package: a\nVersion: 1\nDescription: short\n long\n .\n more\n")), @"
        Package: a
        Status: install ok unpacked
        Version: 1
        Description: short
         long
         .
         more
        Conffiles:
         /etc/a 00000000000000000000000000000000
        ");
    }

    #[test]
    fn what_only_the_programs_need_is_gone_in_the_end() {
        assert!(super::super::clean::EMPTIED.iter().any(|dir| NO_FONTS.starts_with(&format!("{dir}/"))));
    }

    #[test]
    fn fontconfig_has_directories_to_look_into_and_finds_nothing() {
        let place = NO_FONTS.trim_end_matches(".conf");
        for element in ["dir", "cachedir"] {
            assert!(NO_FONTS_CONTENT.contains(&format!("<{element}>/{place}</{element}>")), "{element}");
        }
    }

    #[test]
    fn lists_begin_with_the_root() {
        assert_eq!(list(&unpacked("")), "/.\n/etc\n/etc/a\n");
    }

    #[test]
    fn flagged_configuration_files_are_none_to_keep() {
        assert_eq!(conffiles("/etc/a\nremove-on-upgrade /etc/old\n\n/etc/b \n"), ["etc/a", "etc/b"]);
    }
}
