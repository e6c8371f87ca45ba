//! What saved most: the old image's bytes by what they are, less what the new image keeps of the same kind.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use plim_index::{Inventory, Node, Package, PackageKind};
use schemars::JsonSchema;
use serde::Serialize;

/// Savings below this are not worth a row, in bytes.
const WORTH_A_ROW: u64 = 10_000;

/// One row: bytes that are gone, what they were, which measure removed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Saving {
    /// Uncompressed bytes of files.
    pub bytes: u64,
    /// What they were.
    pub what: String,
    /// The measure that removed them.
    pub step: String,
}

/// What a file of the old image is, seen from the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Category {
    BuildTools,
    SystemPackages,
    Trimmed,
    LanguagePackages,
    LanguageKept,
    Caches,
    Hidden,
    Project,
    Bytecode,
    Other,
}

/// Compares the images and returns the rows, largest first. `workdir` is where the old image keeps the project.
pub(super) fn savings(before: &Inventory, after: &Inventory, workdir: &str) -> Vec<Saving> {
    let kept: BTreeSet<(PackageKind, &str)> =
        after.packages.iter().map(|package| (package.kind, package.normalized_name.as_str())).collect();
    let workdir = workdir.trim_matches('/');
    let mut old = sums(before, &kept, workdir);
    old.insert(Category::Hidden, before.hidden.iter().map(|hidden| hidden.bytes).sum());
    let mut new = sums(after, &kept, workdir);
    new.insert(Category::Hidden, after.hidden.iter().map(|hidden| hidden.bytes).sum());
    let mut rows: Vec<Saving> = old
        .into_iter()
        .filter_map(|(category, bytes)| {
            let bytes = bytes.saturating_sub(new.get(&category).copied().unwrap_or(0));
            (bytes >= WORTH_A_ROW).then(|| describe(category, bytes, before, &kept))
        })
        .collect();
    rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.what.cmp(&b.what)));
    rows
}

fn sums(inventory: &Inventory, kept: &BTreeSet<(PackageKind, &str)>, workdir: &str) -> BTreeMap<Category, u64> {
    let mut sums = BTreeMap::new();
    for (path, node) in inventory.files() {
        *sums.entry(category(inventory, path, node, kept, workdir)).or_default() += node.head.size;
    }
    sums
}

fn category(
    inventory: &Inventory,
    path: &BString,
    node: &Node,
    kept: &BTreeSet<(PackageKind, &str)>,
    workdir: &str,
) -> Category {
    if let Some(package) = node.owner.and_then(|owner| inventory.packages.get(owner)) {
        let stays = kept.contains(&(package.kind, package.normalized_name.as_str()));
        return match (package.kind.is_system(), stays) {
            (true, true) => Category::Trimmed,
            (true, false) if is_build_tool(package) => Category::BuildTools,
            (true, false) => Category::SystemPackages,
            (false, true) => Category::LanguageKept,
            (false, false) => Category::LanguagePackages,
        };
    }
    let below = |dir: &str| path.strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
    let caches = ["root/.cache", "root/.npm", "var/cache", "var/lib/apt/lists", "var/log", "tmp"];
    if caches.iter().any(|dir| below(dir)) {
        Category::Caches
    } else if path.ends_with(b".pyc") {
        Category::Bytecode
    } else if !workdir.is_empty() && below(workdir) {
        Category::Project
    } else {
        Category::Other
    }
}

/// Compilers, headers, version control: what Debian's sections say is for development.
fn is_build_tool(package: &Package) -> bool {
    let section = package.section.as_deref().unwrap_or("");
    matches!(section.rsplit('/').next(), Some("devel" | "libdevel" | "vcs" | "interpreters"))
        || package.name.ends_with("-dev")
}

fn describe(category: Category, bytes: u64, before: &Inventory, kept: &BTreeSet<(PackageKind, &str)>) -> Saving {
    let gone = |wanted: &dyn Fn(&Package) -> bool| -> String { largest(before, kept, wanted) };
    let (what, step) = match category {
        Category::BuildTools => (
            format!(
                "compilers, headers and other build tools{}",
                gone(&|package| package.kind.is_system() && is_build_tool(package))
            ),
            "multi-stage build",
        ),
        Category::SystemPackages => (
            format!(
                "{} packages that nothing needs{}",
                if before.packages.iter().any(|package| package.kind == PackageKind::Deb) {
                    "Debian"
                } else {
                    "system"
                },
                gone(&|package| package.kind.is_system() && !is_build_tool(package))
            ),
            "minimal base",
        ),
        Category::Trimmed => {
            ("documentation, locales and unused parts of packages that stay".to_owned(), "minimal base")
        }
        Category::LanguagePackages => (
            format!("development dependencies and installers{}", gone(&|package| !package.kind.is_system())),
            "runtime dependencies only",
        ),
        Category::LanguageKept => ("files of dependencies that are not installed twice".to_owned(), "one installation"),
        Category::Caches => ("caches, package lists and logs".to_owned(), "cache mounts"),
        Category::Hidden => ("files that later layers replaced or deleted".to_owned(), "multi-stage build"),
        Category::Project => ("project files that do not run: history, tests, local files".to_owned(), ".dockerignore"),
        Category::Bytecode => ("bytecode of what is gone".to_owned(), "multi-stage build"),
        Category::Other => ("files that belong to no package".to_owned(), "minimal base"),
    };
    Saving { bytes, what, step: step.to_owned() }
}

/// The names of the largest packages that are gone: ` (gcc-14, libicu-dev, …)`.
fn largest(before: &Inventory, kept: &BTreeSet<(PackageKind, &str)>, wanted: &dyn Fn(&Package) -> bool) -> String {
    let mut count = 0;
    let mut names = Vec::new();
    for size in before.size_by_owner() {
        let Some(package) = size.package.and_then(|owner| before.packages.get(owner)) else { continue };
        if wanted(package) && !kept.contains(&(package.kind, package.normalized_name.as_str())) {
            count += 1;
            if names.len() < 3 {
                names.push(package.name.clone());
            }
        }
    }
    match count {
        0 => String::new(),
        1..=3 => format!(": {}", names.join(", ")),
        more => format!(": {} and {} more", names.join(", "), more - 3),
    }
}
