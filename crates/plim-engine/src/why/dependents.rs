//! Which packages say that they need a package.

use std::collections::{HashMap, VecDeque};

use plim_index::{Inventory, Package, PackageKind};

use super::SHOWN;

/// How many packages a way to the top leads past before it is given up.
const MAX_SEEN: usize = 5000;

/// Returns the names of the packages that depend on a package.
pub(super) fn direct(inventory: &Inventory, number: usize) -> Vec<String> {
    let names = of(inventory, number).filter_map(|other| inventory.packages.get(other));
    names.map(|package| package.name.clone()).take(SHOWN).collect()
}

/// Returns the shortest way from a package that nothing depends on, down to this one, by name. Empty when nothing depends
/// on this one, or when all that do depend on each other.
pub(super) fn chain(inventory: &Inventory, number: usize) -> Vec<String> {
    let mut below: HashMap<usize, Option<usize>> = HashMap::from([(number, None)]);
    let mut queue = VecDeque::from([number]);
    while let Some(at) = queue.pop_front() {
        let mut is_top = true;
        for other in of(inventory, at) {
            is_top = false;
            if below.len() < MAX_SEEN && !below.contains_key(&other) {
                below.insert(other, Some(at));
                queue.push_back(other);
            }
        }
        if is_top && at != number {
            let way = std::iter::successors(Some(at), |at| below.get(at).copied().flatten());
            return way.filter_map(|at| Some(inventory.packages.get(at)?.name.clone())).collect();
        }
    }
    Vec::new()
}

/// Returns the packages whose dependencies name a package or something that it provides.
fn of(inventory: &Inventory, number: usize) -> impl Iterator<Item = usize> {
    let package = inventory.packages.get(number);
    let provided = package.into_iter().flat_map(|package| &package.provides);
    let provided: Vec<&str> = provided.filter_map(|clause| clause.split([' ', '(', '=']).next()).collect();
    inventory.packages.iter().enumerate().filter_map(move |(other, candidate)| {
        let package = package?;
        let asks = other != number
            && candidate.kind == package.kind
            && candidate.depends.iter().any(|clause| names(clause, package, &provided));
        asks.then_some(other)
    })
}

/// Says whether a clause names a package: alternatives apart by `|`, versions and markers behind the name.
fn names(clause: &str, package: &Package, provided: &[&str]) -> bool {
    // what an extra of the package would need is not asked for
    if package.kind == PackageKind::Python && clause.contains("extra ==") {
        return false;
    }
    clause.split('|').any(|choice| {
        let name = choice.trim().split([' ', '(', ':', '[', ';', '<', '>', '=', '~', '!']).next().unwrap_or_default();
        match package.kind {
            PackageKind::Python => name.replace(['_', '.'], "-").eq_ignore_ascii_case(&package.normalized_name),
            _ => name == package.name || provided.contains(&name),
        }
    })
}
