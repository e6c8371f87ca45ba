//! Compilers, packages of headers, version control, package managers: what builds an image and does not run in it.
//!
//! Files of packages are told by the package, all others by where they lie.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bstr::{BStr, ByteSlice};
use plim_oci::EntryKind;

use self::names::{PACKAGES, PROGRAMS, PYTHON, RULE_GROUPS, RULES, RUNTIME};
use super::table::Table;
use super::{Named, Sheet, Waste, WasteKind};
use crate::inventory::{Inventory, Package, PackageKind};
use crate::paths;

mod names;

/// How many packages are named in a row's words.
const NAMED: usize = 3;

/// What a tool is for: a row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Compilers,
    Headers,
    VersionControl,
    SystemManagers,
    PythonInstallers,
    NodeInstallers,
    Rust,
    Go,
    Java,
    Ruby,
}

impl Group {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Compilers => (
                "compilers and build systems",
                "compile in a stage of its own and COPY --from the results, or remove them in the RUN that installs them",
            ),
            Self::Headers => (
                "packages of headers and static libraries",
                "install them in the build stage; at run time the library's own package is enough",
            ),
            Self::VersionControl => ("version control programs", "fetch sources in a stage of its own"),
            Self::SystemManagers => (
                "package managers of the system",
                "a base without one (distroless, `plim base`) has no use for them and nothing to update",
            ),
            Self::PythonInstallers => (
                "installers of Python packages",
                "install in a build stage and copy the environment: `python -m venv --without-pip`, `pip install --target`",
            ),
            Self::NodeInstallers => (
                "installers of Node.js packages",
                "start `node` itself instead of `npm start`, and copy node_modules from a build stage",
            ),
            Self::Rust => ("Rust's compiler and Cargo", "compile in a stage of its own and copy the program alone"),
            Self::Go => ("Go's compiler and library", "compile in a stage of its own and copy the program alone"),
            Self::Java => ("Maven and Gradle", "build in a stage of its own and copy the archive alone"),
            Self::Ruby => ("documentation tools and installers of Ruby", "install gems in a build stage"),
        }
    }
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(RULES));

/// Returns a row for each group and layer.
pub(super) fn rows(sheet: &mut Sheet<'_>) -> Vec<Waste> {
    let inventory = sheet.inventory;
    let owned = packages(inventory);
    let mut groups: BTreeMap<(Group, usize), Vec<Named<'_>>> = BTreeMap::new();
    for (path, node) in inventory.nodes.iter().filter(|(_, node)| node.head.kind == EntryKind::File) {
        let Some(origin) = node.origin else { continue };
        let by_owner = node.owner.and_then(|owner| owned.get(owner).copied().flatten());
        let group = by_owner.or_else(|| by_place(inventory, path.as_bstr(), node));
        if let Some(group) = group {
            groups.entry((group, origin.layer)).or_default().push((path, node));
        }
    }
    let mut names: BTreeMap<(Group, usize), Vec<(u64, &str)>> = BTreeMap::new();
    for (key, members) in &groups {
        let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, node) in members {
            if let Some(package) = node.owner.and_then(|owner| inventory.packages.get(owner)) {
                *bytes.entry(&package.name).or_default() += node.head.size;
            }
        }
        let mut largest: Vec<(u64, &str)> = bytes.into_iter().map(|(name, bytes)| (bytes, name)).collect();
        largest.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        names.insert(*key, largest);
    }
    let rows = groups.into_iter().filter_map(|((group, layer), members)| {
        let (what, hint) = group.words();
        let what = format!("{what}{}", in_brackets(names.get(&(group, layer)).map_or(&[], Vec::as_slice)));
        sheet.row(WasteKind::BuildTool, what, hint.to_owned(), &members)
    });
    rows.collect()
}

/// ` (git, git-man and 2 more)`.
fn in_brackets(names: &[(u64, &str)]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(|(_, name)| *name).collect();
    match names.len() {
        0 => String::new(),
        all if all <= NAMED => format!(" ({})", shown.join(", ")),
        all => format!(" ({} and {} more)", shown.join(", "), all - NAMED),
    }
}

/// Tells the group of each package, by its number.
fn packages(inventory: &Inventory) -> Vec<Option<Group>> {
    let tool =
        |package: &Package| package.kind == PackageKind::Python && PYTHON.contains(&package.normalized_name.as_str());
    // what an application needs is no installer to it, as setuptools for pkg_resources
    let mut needed = BTreeSet::new();
    for package in inventory.packages.iter().filter(|package| package.kind == PackageKind::Python && !tool(package)) {
        // requirements of extras are not what is needed
        let clauses = package.depends.iter().filter(|clause| !clause.contains("extra =="));
        needed.extend(clauses.map(|clause| requirement(clause)));
    }
    let group = |package: &Package| {
        if package.kind.is_system() {
            return system(package);
        }
        (tool(package) && !needed.contains(&package.normalized_name)).then_some(Group::PythonInstallers)
    };
    inventory.packages.iter().map(group).collect()
}

/// The normalised name that a Python requirement begins with (PEP 508, PEP 503).
fn requirement(clause: &str) -> String {
    let name = clause.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next().unwrap_or_default();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Tells the group of a package of the system by its name and section.
fn system(package: &Package) -> Option<Group> {
    let name = package.name.as_str();
    let base = name.starts_with("gcc-") && name.ends_with("-base");
    if base || RUNTIME.contains(&name) {
        return None;
    }
    let is = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    };
    let listed = PACKAGES.iter().find(|(_, patterns)| patterns.iter().any(is)).map(|(group, _)| *group);
    let section = package.section.as_deref().and_then(|section| section.rsplit('/').next());
    let headers = ["-dev", "-devel", "-headers", "-dev-bin", "-static"].iter().any(|end| name.ends_with(end))
        || name.starts_with("linux-headers")
        || section == Some("libdevel");
    match (headers, listed) {
        // `gcc-14-dev` would be one
        (true, _) => Some(Group::Headers),
        (false, None) if section == Some("vcs") => Some(Group::VersionControl),
        (false, listed) => listed,
    }
}

/// Tells the group of a file that no package of a tool owns.
fn by_place(inventory: &Inventory, path: &BStr, node: &crate::Node) -> Option<Group> {
    if let Some(rule) = TABLE.find(path) {
        return RULE_GROUPS.get(rule).copied();
    }
    // `opt/yarn-v1.22.22`, as the images of Node.js have it
    if path.starts_with(b"opt/yarn-v") {
        return Some(Group::NodeInstallers);
    }
    if path.contains_str("/ensurepip/") && path.contains_str("lib/python3") {
        return Some(Group::PythonInstallers);
    }
    let (dir, name) = paths::split(path);
    let programs = dir == "bin" || dir.ends_with(b"/bin");
    if !programs || node.owner.is_some() || node.head.mode & 0o111 == 0 || inventory.script(node).is_some() {
        return None;
    }
    PROGRAMS.iter().find(|(_, names)| names.iter().any(|known| name == *known)).map(|(group, _)| *group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(name: &str, section: &str) -> Package {
        let mut package = Package::new(PackageKind::Deb, name, "1", 0, "var/lib/dpkg/status".into());
        package.section = Some(section.to_owned());
        package
    }

    #[test]
    fn packages_are_tools_by_name_or_section() {
        let group = |name: &str, section: &str| system(&deb(name, section));
        assert_eq!(group("gcc-14", "devel"), Some(Group::Compilers));
        assert_eq!(group("gcc-14-base", "libs"), None);
        assert_eq!(group("libgcc-s1", "libs"), None);
        assert_eq!(group("libgcc-14-dev", "libdevel"), Some(Group::Headers));
        assert_eq!(group("libc6-dev", "libdevel"), Some(Group::Headers));
        assert_eq!(group("libc-dev-bin", "libdevel"), Some(Group::Headers));
        assert_eq!(group("libssl3t64", "libs"), None);
        assert_eq!(group("git", "vcs"), Some(Group::VersionControl));
        assert_eq!(group("libapt-pkg7.0", "libs"), Some(Group::SystemManagers));
        assert_eq!(group("python3-pip", "python"), Some(Group::PythonInstallers));
        assert_eq!(group("perl-base", "perl"), None);
        assert_eq!(group("libgomp1", "libs"), None);
    }

    #[test]
    fn requirements_are_compared_by_their_normalised_names() {
        assert_eq!(requirement("Setuptools>=68; python_version > '3'"), "setuptools");
        assert_eq!(requirement("zope.interface (>=5)"), "zope-interface");
        assert_eq!(requirement("pip_tools[x]"), "pip-tools");
    }

    #[test]
    fn words_name_the_largest_packages() {
        assert_eq!(in_brackets(&[(3, "a"), (2, "b")]), " (a, b)");
        assert_eq!(in_brackets(&[(4, "a"), (3, "b"), (2, "c"), (1, "d")]), " (a, b, c and 1 more)");
        assert_eq!(in_brackets(&[]), "");
    }
}
