//! Workspaces: several packages under one manifest.

use camino::{Utf8Path, Utf8PathBuf};

use super::manifest::Manifest;
use crate::error::DetectError;
use crate::folder::Folder;

/// Refuses a project that is one package of several which are installed together.
pub(super) fn check(folder: &Folder, manifest: &Manifest) -> Result<(), DetectError> {
    let members = members(folder, manifest);
    if !members.is_empty() {
        let alone: Vec<&str> =
            members.iter().filter(|member| stands_alone(folder, member)).map(|member| member.as_str()).collect();
        let hint = match alone.first() {
            Some(first) => format!("a package that needs none of the others can be chosen: `--project {first}`"),
            None => "write the Dockerfile by hand; `plim lint` and `plim build` help".to_owned(),
        };
        return Err(DetectError::Unsuited {
            path: manifest.path.clone(),
            message: format!("workspaces of several packages cannot be rewritten yet (found {})", join(&members)),
            hint,
        });
    }
    let dependencies = manifest.dependencies.iter().chain(&manifest.dev_dependencies);
    match dependencies.into_iter().find(|(_, range)| range.starts_with("workspace:")) {
        Some((name, _)) => Err(DetectError::Unsuited {
            path: manifest.path.clone(),
            message: format!("{name} is another package of the workspace that this one is part of"),
            hint: "write the Dockerfile by hand; `plim lint` and `plim build` help".to_owned(),
        }),
        None => Ok(()),
    }
}

/// The folders of the members.
fn members(folder: &Folder, manifest: &Manifest) -> Vec<Utf8PathBuf> {
    let mut patterns = manifest.workspaces.clone();
    if let Some(text) = folder.text("pnpm-workspace.yaml") {
        patterns.extend(listed(&text));
    }
    let (without, with): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.starts_with('!'));
    let is_member = |dir: &Utf8Path| {
        with.iter().any(|pattern| matches(pattern, dir)) && !without.iter().any(|pattern| matches(&pattern[1..], dir))
    };
    folder
        .files()
        .filter(|path| path.file_name() == Some("package.json"))
        .filter_map(Utf8Path::parent)
        .filter(|dir| !dir.as_str().is_empty() && is_member(dir))
        .map(Utf8Path::to_owned)
        .collect()
}

/// The list `packages:` of a `pnpm-workspace.yaml`.
fn listed(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("packages:")).skip(1);
    let items =
        lines.map(str::trim).take_while(|line| line.starts_with('-') || line.starts_with('#') || line.is_empty());
    items.filter_map(|line| Some(line.strip_prefix('-')?.trim().trim_matches(['\'', '"']).to_owned())).collect()
}

/// Whether a pattern such as `packages/*` or `apps/**` matches a folder.
fn matches(pattern: &str, dir: &Utf8Path) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let names: Vec<&str> = dir.as_str().split('/').collect();
    let parts: Vec<&str> = pattern.split('/').collect();
    names_match(&parts, &names)
}

fn names_match(parts: &[&str], names: &[&str]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=names.len()).any(|skip| names_match(rest, &names[skip..])),
        (Some((part, rest)), Some((name, below))) => {
            let fits = part.split_once('*').map_or(part == name, |(start, end)| {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            });
            fits && names_match(rest, below)
        }
        _ => false,
    }
}

/// Whether a member can be started and needs no other.
fn stands_alone(folder: &Folder, member: &Utf8Path) -> bool {
    Manifest::read(folder, member).is_ok_and(|manifest| {
        let mut all = manifest.dependencies.iter().chain(&manifest.dev_dependencies);
        manifest.scripts.contains_key("start") && !all.any(|(_, range)| range.starts_with("workspace:") || range == "*")
    })
}

fn join(members: &[Utf8PathBuf]) -> String {
    members.iter().map(|member| member.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_workspaces_are_matched_by_name() {
        for (pattern, dir, fits) in [
            ("packages/*", "packages/api", true),
            ("packages/*", "packages/api/sub", false),
            ("apps/**", "apps/web/admin", true),
            ("./server", "server", true),
            ("packages/lib-*", "packages/lib-a", true),
            ("packages/lib-*", "packages/api", false),
        ] {
            assert_eq!(matches(pattern, Utf8Path::new(dir)), fits, "{pattern} {dir}");
        }
    }

    #[test]
    fn the_list_of_pnpm_is_read() {
        assert_eq!(
            listed("packages:\n  - 'apps/*'\n  # no\n  - packages/*\ncatalog:\n  - x\n"),
            ["apps/*", "packages/*"]
        );
    }
}
