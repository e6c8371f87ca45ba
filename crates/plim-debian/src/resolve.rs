//! Choosing packages: a deterministic search that explains itself when there is no answer.
//!
//! Relations with one answer are followed first, in the order in which they were met; those with several wait until
//! none of the first kind is left, because by then most are met anyway. Of several answers the first alternative
//! counts, then the newest version; a dead end returns to the last choice. A release of Debian has few conflicts, so
//! this finds apt's answer for nearly every wish, without the surprises of a general solver.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use crate::index::{Id, Universe};
use crate::relation::{self, Relation};

/// Dead ends after which the search gives up.
const PATIENCE: usize = 10_000;

/// Why no set of packages meets the wishes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unmet {
    /// The packages that led here, the wished one first, each as `name version`.
    pub chain: Vec<String>,
    /// The relation that cannot be met.
    pub relation: String,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for package in &self.chain {
            write!(f, "{package} needs ")?;
        }
        write!(f, "{}, {}", self.relation, self.reason)
    }
}

/// Which packages a set is made of.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w, 'a> {
    /// Packages that are there already, at these versions.
    pub installed: &'w [Id],
    /// Names, each perhaps with a version: `python3.13`, `hello (= 2.10-5)`.
    pub names: &'w [&'a str],
    /// Whether `Recommends` of the named packages are taken along where they can be.
    pub recommends: bool,
}

/// Returns the newest version of each named package, and as texts the relations that this set leaves open.
pub fn exact<'a>(universe: &Universe<'a>, wish: Wish<'_, 'a>) -> Result<(Vec<Id>, Vec<String>), Unmet> {
    let mut state = State::new(universe, wish.installed);
    let mut added = Vec::new();
    for name in wish.names {
        for row in relation::parse(name) {
            if state.is_met(&row) {
                continue;
            }
            let id = row
                .iter()
                .flat_map(|one| {
                    universe.versions(one.name).iter().filter(|id| one.accepts(universe.entry(**id).version()))
                })
                .next();
            let Some(&id) = id else { return Err(unknown(&row)) };
            state.choose(id, None);
            added.push(id);
        }
    }
    let mut open = Vec::new();
    for &id in &added {
        let entry = universe.entry(id);
        for row in entry.depends() {
            if !state.is_met(&row) {
                open.push(format!("{} leaves out {}", entry.name(), show(&row)));
            }
        }
    }
    Ok((added, open))
}

/// Returns the packages to add so that the named ones are there and all relations hold, in the order in which they
/// were chosen.
pub fn closure<'a>(universe: &Universe<'a>, wish: Wish<'_, 'a>) -> Result<Vec<Id>, Unmet> {
    let mut state = State::new(universe, wish.installed);
    for &name in wish.names {
        state.pending.extend(relation::parse(name).map(|row| Pending { row, parent: None }));
    }
    let mut search = Search { decisions: Vec::new(), first: None, dead_ends: 0 };
    let mut state = search.run(state)?;
    if wish.recommends {
        let named: Vec<Id> = state.added.clone();
        for id in named.into_iter().filter(|id| wish.names.contains(&universe.entry(*id).name())) {
            for row in universe.entry(id).recommends() {
                let mut attempt = state.clone();
                attempt.pending.push_back(Pending { row, parent: Some(id) });
                // what cannot be had is not taken: that is what sets a recommendation apart
                if let Ok(better) = (Search { decisions: Vec::new(), first: None, dead_ends: 0 }).run(attempt) {
                    state = better;
                }
            }
        }
    }
    Ok(state.added)
}

/// Puts packages into the order in which dpkg would unpack them: whatever a package depends on comes before it, as far
/// as there is no circle; otherwise by name.
pub fn order(universe: &Universe<'_>, ids: &[Id]) -> Vec<Id> {
    let mut sorted = ids.to_vec();
    sorted.sort_by_key(|id| universe.entry(*id).name());
    let by_name: HashMap<&str, Id> = sorted.iter().map(|id| (universe.entry(*id).name(), *id)).collect();
    let mut done: HashSet<Id> = HashSet::new();
    let mut result = Vec::with_capacity(sorted.len());
    // depth first with a stack of our own: dependency chains may be deep
    for &start in &sorted {
        let mut stack = vec![(start, false)];
        while let Some((id, ready)) = stack.pop() {
            if ready {
                result.push(id);
                continue;
            }
            if !done.insert(id) {
                continue;
            }
            stack.push((id, true));
            let mut needs: Vec<Id> = universe
                .entry(id)
                .depends()
                .flatten()
                .filter_map(|relation| by_name.get(relation.name).copied())
                .filter(|need| !done.contains(need))
                .collect();
            needs.reverse();
            stack.extend(needs.into_iter().map(|need| (need, false)));
        }
    }
    result
}

/// Returns the relations of the chosen packages that do not hold, as texts; none for every answer of [`closure`].
pub fn broken(universe: &Universe<'_>, ids: &[Id]) -> Vec<String> {
    let mut state = State::new(universe, &[]);
    for &id in ids {
        state.choose(id, None);
    }
    let mut found = Vec::new();
    for &id in ids {
        let entry = universe.entry(id);
        for row in entry.depends() {
            if !state.is_met(&row) {
                found.push(format!("{} needs {}", entry.name(), show(&row)));
            }
        }
        if let Some(enemy) = state.enemy(id) {
            found.push(format!("{} conflicts with {}", entry.name(), universe.entry(enemy).name()));
        }
    }
    found
}

type Row<'a> = Vec<Relation<'a>>;

/// A relation that is still to be met, and who asked for it (`None`: the user).
#[derive(Debug, Clone)]
struct Pending<'a> {
    row: Row<'a>,
    parent: Option<Id>,
}

#[derive(Clone)]
struct State<'u, 'a> {
    universe: &'u Universe<'a>,
    chosen: HashMap<&'a str, Id>,
    provided: HashMap<&'a str, Vec<(Id, Option<&'a str>)>>,
    /// What the chosen packages forbid, by name.
    forbidden: HashMap<&'a str, Vec<(Id, Relation<'a>)>>,
    /// Why a package was chosen: who asked.
    parents: HashMap<Id, Option<Id>>,
    pending: VecDeque<Pending<'a>>,
    choices: VecDeque<Pending<'a>>,
    added: Vec<Id>,
}

impl<'u, 'a> State<'u, 'a> {
    fn new(universe: &'u Universe<'a>, installed: &[Id]) -> Self {
        let mut state = Self {
            universe,
            chosen: HashMap::new(),
            provided: HashMap::new(),
            forbidden: HashMap::new(),
            parents: HashMap::new(),
            pending: VecDeque::new(),
            choices: VecDeque::new(),
            added: Vec::new(),
        };
        for &id in installed {
            state.choose(id, None);
        }
        state
    }

    fn choose(&mut self, id: Id, parent: Option<Id>) {
        let entry = self.universe.entry(id);
        self.chosen.insert(entry.name(), id);
        self.parents.insert(id, parent);
        for (name, version) in entry.provides() {
            self.provided.entry(name).or_default().push((id, version));
        }
        for relation in entry.conflicts() {
            self.forbidden.entry(relation.name).or_default().push((id, relation));
        }
    }

    fn is_met(&self, row: &[Relation<'_>]) -> bool {
        row.iter().any(|relation| {
            self.chosen.get(relation.name).is_some_and(|id| relation.accepts(self.universe.entry(*id).version()))
                || self
                    .provided
                    .get(relation.name)
                    .is_some_and(|who| who.iter().any(|(_, version)| relation.accepts_provided(*version)))
        })
    }

    /// Returns a chosen package that cannot be together with this one.
    fn enemy(&self, id: Id) -> Option<Id> {
        let entry = self.universe.entry(id);
        let forbids = |name: &str, check: &dyn Fn(&Relation<'_>) -> bool| {
            self.forbidden.get(name).and_then(|rows| {
                rows.iter().find(|(by, relation)| self.differs(*by, id) && check(relation)).map(|(by, _)| *by)
            })
        };
        if let Some(by) = forbids(entry.name(), &|relation| relation.accepts(entry.version())) {
            return Some(by);
        }
        for (name, version) in entry.provides() {
            if let Some(by) = forbids(name, &|relation| relation.accepts_provided(version)) {
                return Some(by);
            }
        }
        for relation in entry.conflicts() {
            if let Some(&other) = self.chosen.get(relation.name)
                && self.differs(other, id)
                && relation.accepts(self.universe.entry(other).version())
            {
                return Some(other);
            }
            if let Some((other, _)) = self.provided.get(relation.name).and_then(|who| {
                who.iter().find(|(other, version)| self.differs(*other, id) && relation.accepts_provided(*version))
            }) {
                return Some(*other);
            }
        }
        None
    }

    /// A package may conflict with a name that it provides itself: that means all others (Policy 7.6.2).
    fn differs(&self, a: Id, b: Id) -> bool {
        self.universe.entry(a).name() != self.universe.entry(b).name()
    }

    /// Returns the packages that meet a relation and can be added, best first; or why there is none.
    fn candidates(&self, row: &[Relation<'a>]) -> Result<Vec<Id>, String> {
        let mut found = Vec::new();
        let mut reason = None;
        for relation in row {
            let real = self.universe.versions(relation.name).iter().copied();
            let real = real.filter(|id| relation.accepts(self.universe.entry(*id).version()));
            let virtuals = self.universe.providers(relation.name).iter();
            let virtuals = virtuals.filter(|(_, version)| relation.accepts_provided(*version)).map(|(id, _)| *id);
            for id in real.chain(virtuals) {
                let entry = self.universe.entry(id);
                if let Some(&other) = self.chosen.get(entry.name())
                    && other != id
                {
                    let version = self.universe.entry(other).version();
                    reason.get_or_insert_with(|| format!("but {} {version} is chosen already", entry.name()));
                } else if let Some(enemy) = self.enemy(id) {
                    reason.get_or_insert_with(|| format!("but {} conflicts with {}", self.show(id), self.show(enemy)));
                } else if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        Err(reason.unwrap_or_else(|| {
            let versions: Vec<&str> = row
                .iter()
                .flat_map(|relation| self.universe.versions(relation.name))
                .map(|id| self.universe.entry(*id).version())
                .collect();
            if versions.is_empty() {
                "which no package is or provides".to_owned()
            } else {
                format!("but the archive has {}", versions.join(", "))
            }
        }))
    }

    fn show(&self, id: Id) -> String {
        let entry = self.universe.entry(id);
        format!("{} {}", entry.name(), entry.version())
    }

    fn chain(&self, mut at: Option<Id>) -> Vec<String> {
        let mut chain = Vec::new();
        while let Some(id) = at {
            chain.push(self.show(id));
            at = self.parents.get(&id).copied().flatten();
            if chain.len() > 64 {
                break;
            }
        }
        chain.reverse();
        chain
    }

    /// Adds a package and what it needs.
    fn add(&mut self, id: Id, parent: Option<Id>) {
        self.choose(id, parent);
        self.added.push(id);
        let rows = self.universe.entry(id).depends().map(|row| Pending { row, parent: Some(id) });
        self.pending.extend(rows);
    }
}

/// A choice that can be taken back: the state before it and the answers not tried yet.
struct Decision<'u, 'a> {
    before: State<'u, 'a>,
    parent: Option<Id>,
    untried: VecDeque<Id>,
}

struct Search<'u, 'a> {
    decisions: Vec<Decision<'u, 'a>>,
    first: Option<Unmet>,
    dead_ends: usize,
}

impl<'u, 'a> Search<'u, 'a> {
    fn run(&mut self, mut state: State<'u, 'a>) -> Result<State<'u, 'a>, Unmet> {
        loop {
            let (pending, deferred) = match state.pending.pop_front() {
                Some(pending) => (pending, false),
                None => match state.choices.pop_front() {
                    Some(pending) => (pending, true),
                    None => return Ok(state),
                },
            };
            let row = &pending.row;
            if state.is_met(row) {
                continue;
            }
            match state.candidates(row) {
                Ok(candidates) => {
                    let name = |id: &Id| state.universe.entry(*id).name();
                    let one_name = candidates.iter().all(|id| name(id) == name(&candidates[0]));
                    if !deferred && !one_name {
                        state.choices.push_back(pending);
                        continue;
                    }
                    let first = candidates[0];
                    if candidates.len() > 1 {
                        self.decisions.push(Decision {
                            before: state.clone(),
                            parent: pending.parent,
                            untried: candidates[1..].iter().copied().collect(),
                        });
                    }
                    state.add(first, pending.parent);
                }
                Err(reason) => {
                    let unmet = Unmet { chain: state.chain(pending.parent), relation: show(row), reason };
                    state = self.back(unmet)?;
                }
            }
        }
    }

    /// Takes the last choice back and tries its next answer. The first dead end is the one that is told: later ones are
    /// consequences of ever less likely choices.
    fn back(&mut self, unmet: Unmet) -> Result<State<'u, 'a>, Unmet> {
        let first = self.first.get_or_insert(unmet).clone();
        self.dead_ends += 1;
        if self.dead_ends > PATIENCE {
            return Err(first);
        }
        while let Some(decision) = self.decisions.last_mut() {
            if let Some(next) = decision.untried.pop_front() {
                let mut state = decision.before.clone();
                let parent = decision.parent;
                state.add(next, parent);
                return Ok(state);
            }
            self.decisions.pop();
        }
        Err(first)
    }
}

fn show(row: &[Relation<'_>]) -> String {
    row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

fn unknown(row: &[Relation<'_>]) -> Unmet {
    Unmet { chain: Vec::new(), relation: show(row), reason: "which no package is".to_owned() }
}

#[cfg(test)]
mod tests;
