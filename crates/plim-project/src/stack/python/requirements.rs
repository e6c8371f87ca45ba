//! Requirement files as pip reads them: "Requirements File Format" in pip's reference guide.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::names;
use crate::error::DetectError;
use crate::folder::{Folder, resolve};

/// How many files one list may be spread over, and how deep they may include each other.
const MAX_FILES: usize = 64;

/// One line of a requirements file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A package by name.
    Package(Package),
    /// A file, folder or editable install of the project itself.
    Local(String),
    /// `-r FILE`.
    Include(String),
    /// `-c FILE`.
    Constraint(String),
    /// An option such as `--index-url`.
    Option(String),
}

/// A package by name: PEP 508.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    /// Normalised.
    pub(super) name: String,
    pub(super) extras: Vec<String>,
    /// `==` with a full version.
    pub(super) pinned: bool,
    /// At least one `--hash`.
    pub(super) hashed: bool,
    /// From a URL or version control.
    pub(super) url: Option<String>,
}

impl Package {
    /// Reads a PEP 508 requirement, with pip's options behind it; nothing when it begins with no name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((scheme, _)) = text.split_once("://")
            && !scheme.contains([' ', '@', '['])
        {
            // a bare URL: the name may be in `#egg=`
            let name = text.split_once("#egg=").map_or("", |(_, rest)| rest.split(['&', '[']).next().unwrap_or(rest));
            let name = if name.is_empty() { last_segment(text) } else { name };
            let url = Some(text.to_owned());
            return Some(Self { name: names::normalize(name), extras: Vec::new(), pinned: false, hashed: false, url });
        }
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let mut rest = rest.trim_start();
        let mut extras = Vec::new();
        if let Some((inside, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            extras = inside.split(',').map(|extra| extra.trim().to_owned()).filter(|extra| !extra.is_empty()).collect();
            rest = behind.trim_start();
        }
        let requirement = rest.split(" --").next().unwrap_or(rest);
        let version = requirement.split(';').next().unwrap_or(requirement).trim();
        let url = version.strip_prefix('@').map(|url| url.trim().to_owned());
        let pinned = version.starts_with("==") && !version.contains(['*', ',']);
        let hashed = rest.contains("--hash=") || rest.contains("--hash ");
        Some(Self { name: names::normalize(name), extras, pinned, hashed, url })
    }

    /// Whether it comes from version control, which needs git in the build.
    pub(super) fn needs_git(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.starts_with("git+"))
    }
}

fn last_segment(url: &str) -> &str {
    let path = url.split(['#', '?']).next().unwrap_or(url);
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(['-', '@', '.']).next().unwrap_or(file)
}

/// Reads the text of a requirements file: lines with their numbers.
pub(super) fn parse(text: &str) -> Vec<(usize, Entry)> {
    logical_lines(text).into_iter().filter_map(|(line, text)| Some((line, parse_line(&text)?))).collect()
}

fn parse_line(text: &str) -> Option<Entry> {
    for (flags, make) in [
        (["-r", "--requirement"], Entry::Include as fn(String) -> Entry),
        (["-c", "--constraint"], Entry::Constraint),
        (["-e", "--editable"], Entry::Local),
    ] {
        for flag in flags {
            if let Some(rest) = text.strip_prefix(flag)
                && (rest.starts_with([' ', '=']) || flag.len() == 2)
            {
                let value = rest.trim_start_matches([' ', '=']).trim().to_owned();
                return Some(match make(value) {
                    // an editable install from version control is a package like any other
                    Entry::Local(url) if url.contains("://") => Entry::Package(Package::parse(&url)?),
                    entry => entry,
                });
            }
        }
    }
    if text.starts_with('-') {
        return Some(Entry::Option(text.to_owned()));
    }
    if text.starts_with('.') || text.starts_with('/') || text.starts_with("file:") {
        return Some(Entry::Local(text.to_owned()));
    }
    Package::parse(text).map(Entry::Package)
}

/// Joins continued lines and removes comments. The number is that of the first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut current: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let (number, mut joined) = current.take().unwrap_or((index + 1, String::new()));
        // a comment begins at the start of a line or behind a blank
        let line = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) };
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
            current = Some((number, joined));
            continue;
        }
        joined.push_str(line);
        lines.push((number, joined));
    }
    lines.extend(current);
    lines
        .into_iter()
        .map(|(number, line)| (number, line.trim().to_owned()))
        .filter(|(_, line)| !line.is_empty())
        .collect()
}

/// A requirements file with everything that it includes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RequirementList {
    /// The files, the given one first, constraints among them.
    pub(super) files: Vec<Utf8PathBuf>,
    /// The packages with the file and line that name them.
    pub(super) packages: Vec<(Utf8PathBuf, usize, Package)>,
    /// Installs of local folders.
    pub(super) locals: Vec<(Utf8PathBuf, usize, String)>,
    /// Whether some file has a constraint file.
    pub(super) constrained: bool,
}

impl RequirementList {
    /// Reads a file and what it includes. An include that leaves the project or is missing is an error: the build would
    /// fail at it too.
    pub(super) fn read(folder: &Folder, file: &Utf8Path) -> Result<Self, DetectError> {
        let mut list = Self::default();
        let mut seen = BTreeSet::new();
        let mut pending = vec![(file.to_owned(), false)];
        while let Some((path, constraint)) = pending.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            if seen.len() > MAX_FILES {
                return Err(broken(&path, 1, format!("more than {MAX_FILES} requirement files include each other")));
            }
            let text = folder.manifest(&path)?;
            list.files.push(path.clone());
            for (line, entry) in parse(&text) {
                match entry {
                    Entry::Package(package) if !constraint => list.packages.push((path.clone(), line, package)),
                    Entry::Local(local) if !constraint => list.locals.push((path.clone(), line, local)),
                    Entry::Include(written) | Entry::Constraint(written) if written.contains("://") => {}
                    Entry::Include(ref written) | Entry::Constraint(ref written) => {
                        let is_constraint = constraint || matches!(entry, Entry::Constraint(_));
                        list.constrained |= is_constraint;
                        let target = resolve(&path, written)
                            .ok_or_else(|| broken(&path, line, format!("{written} is outside of the project")))?;
                        if !folder.has(&target) {
                            return Err(broken(&path, line, format!("{written} does not exist")));
                        }
                        pending.push((target, is_constraint));
                    }
                    _ => {}
                }
            }
        }
        Ok(list)
    }

    /// Whether pip will check every archive against a hash: one hash turns the check on for all.
    pub(super) fn hashed(&self) -> bool {
        !self.packages.is_empty() && self.packages.iter().all(|(_, _, package)| package.hashed)
    }

    /// The developers' tools in the list.
    pub(super) fn dev_tools(&self) -> Vec<&str> {
        self.packages
            .iter()
            .map(|(_, _, package)| package.name.as_str())
            .filter(|name| names::is_dev_tool(name))
            .collect()
    }

    /// Whether the file may stand behind pip's `-c`, which refuses extras, URLs and local folders.
    pub(super) fn is_valid_constraint(&self) -> bool {
        self.locals.is_empty()
            && !self.hashed()
            && self.packages.iter().all(|(_, _, package)| package.extras.is_empty() && package.url.is_none())
    }
}

fn broken(path: &Utf8Path, line: usize, message: String) -> DetectError {
    DetectError::Manifest { path: path.to_owned(), line, message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_as_pip_reads_them() {
        let text = "\
# comment
uvicorn[standard]>=0.30 ; python_version > '3.8'  # server
numpy==2.1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
-r base.txt
--requirement=more.txt
-c constraints.txt
-e .
--index-url https://example.org/simple
shop @ git+https://example.org/shop.git@v1
./vendor/lib.whl
";
        let entries: Vec<Entry> = parse(text).into_iter().map(|(_, entry)| entry).collect();
        let Entry::Package(uvicorn) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((uvicorn.name.as_str(), uvicorn.extras.as_slice()), ("uvicorn", ["standard".to_owned()].as_slice()));
        assert!(!uvicorn.pinned && !uvicorn.hashed);
        let Entry::Package(numpy) = &entries[1] else { panic!("{entries:?}") };
        assert!(numpy.pinned && numpy.hashed);
        assert_eq!(entries[2], Entry::Include("base.txt".to_owned()));
        assert_eq!(entries[3], Entry::Include("more.txt".to_owned()));
        assert_eq!(entries[4], Entry::Constraint("constraints.txt".to_owned()));
        assert_eq!(entries[5], Entry::Local(".".to_owned()));
        assert!(matches!(entries[6], Entry::Option(_)));
        assert!(matches!(&entries[7], Entry::Package(package) if package.needs_git() && package.name == "shop"));
        assert_eq!(entries[8], Entry::Local("./vendor/lib.whl".to_owned()));
    }

    #[test]
    fn the_number_is_that_of_the_first_line() {
        let lines: Vec<usize> = parse("\na==1 \\\n --hash=x\nb\n").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 4]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[ -~\n\\\\]{0,60}") {
            parse(&text);
        }
    }
}
