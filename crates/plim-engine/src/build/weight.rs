//! What a large build context consists of, and the lines of `.dockerignore` that would make it smaller.
//!
//! plim itself sends no context anywhere, but reads what COPY takes of it; other builders send all of it.

mod commands;
mod needs;
mod walk;

use camino::Utf8Path;
use plim_diag::plain;
use plim_dockerfile::Dockerfile;
use plim_dockerfile::ignore::Patterns;
use plim_oci::Events;

use commands::Commands;
use needs::Needs;
use walk::{MOST_SEEN, Walk};

/// A smaller context is not worth a word, in bytes.
const LARGE: u64 = 50_000_000;
/// What is smaller is not worth a line of an ignore file, in bytes.
const WORTH_A_LINE: u64 = 1_000_000;
/// The most entries named.
const NAMED: usize = 5;
/// The longest name shown, in characters.
const LONGEST_NAME: usize = 60;

/// What packages of Node.js are installed into.
const NODE_MODULES: &str = "node_modules";

/// Directories that tools make anew, what has to be in the commands of RUN for them to be (one of these words, any if there
/// is none), and what must not be in it.
const MADE_AGAIN: &[(&str, &[&str], &[&str])] = &[
    // that a package manager is there does not mean that it installs: see `Commands::install_node_modules`
    (NODE_MODULES, &["npm", "yarn", "pnpm", "bun"], &[]),
    (".next", &["build"], &[]),
    ("target", &["cargo", "mvn"], &[]),
    (".venv", &["pip", "uv", "poetry", "pipenv"], &[]),
    ("venv", &["pip", "uv", "poetry", "pipenv"], &[]),
    (".gradle", &["gradle", "gradlew"], &[]),
    // Python's build backends and Go take versions from there
    (".git", &[], &["git", "pip", "python", "setuptools", "hatch", "poetry", "uv", "go"]),
    (".hg", &[], &["hg"]),
    (".svn", &[], &["svn"]),
    ("__pycache__", &[], &[]),
    (".mypy_cache", &[], &[]),
    (".pytest_cache", &[], &[]),
    (".ruff_cache", &[], &[]),
    (".tox", &[], &[]),
    (".nox", &[], &[]),
    (".terraform", &[], &["terraform"]),
    (".idea", &[], &[]),
    (".vscode", &[], &[]),
];

/// Says what a context consists of, when it is large. What cannot be read counts as nothing: this is a remark, for which
/// nobody waits who wants the end.
pub(super) fn remark(
    root: &Utf8Path,
    ignore: Option<&Patterns>,
    dockerfile: &[u8],
    events: &dyn Events,
) -> Option<String> {
    let file = plim_dockerfile::parse(&String::from_utf8_lossy(dockerfile));
    let needs = Needs::of(&file);
    if !needs.any() {
        return None;
    }
    let names: Vec<&str> = MADE_AGAIN.iter().map(|(name, ..)| *name).collect();
    let walk = Walk::new(root.as_std_path(), ignore, &names, MOST_SEEN, &|| events.cancelled())?;
    (walk.bytes > LARGE).then(|| text(&walk, &suggestions(&walk, &needs, &file)))
}

/// The lines that help, the most helpful first: what no instruction takes, and what one takes with everything else although
/// a tool makes it anew.
fn suggestions(walk: &Walk, needs: &Needs, file: &Dockerfile) -> Vec<(String, u64)> {
    let commands = Commands::of(file);
    let has = |wanted: &[&str]| wanted.iter().any(|word| commands.name(word));
    let mut lines: Vec<(String, u64)> = Vec::new();
    if !needs.everything {
        let unused = walk.entries.iter().filter(|entry| !needs.names(&entry.path) && is_plain(&entry.path));
        lines.extend(unused.map(|entry| (entry.path.clone(), entry.bytes)));
    }
    for (name, needed, forbidden) in MADE_AGAIN.iter().filter(|_| needs.everything) {
        let Some(found) = walk.made_again.get(*name) else { continue };
        let made = *name != NODE_MODULES || commands.install_node_modules();
        let fits = made && (needed.is_empty() || has(needed)) && !has(forbidden);
        if fits && !found.paths.iter().any(|path| needs.names(path)) {
            let deep = found.paths.iter().any(|path| path.contains('/'));
            lines.push((if deep { format!("**/{name}") } else { (*name).to_owned() }, found.bytes));
        }
    }
    lines.retain(|(_, bytes)| *bytes >= WORTH_A_LINE);
    lines.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    lines.truncate(NAMED);
    lines
}

/// A name that is no pattern, and that a line of an ignore file can hold.
fn is_plain(path: &str) -> bool {
    !path.starts_with(['!', '#'])
        && !path.contains(['*', '?', '[', '\\'])
        && path.trim() == path
        && plain::one_line(path) == path
}

fn text(walk: &Walk, suggestions: &[(String, u64)]) -> String {
    let mut out = format!("the build context has {} in {} files", size(walk.bytes), walk.files);
    if walk.cut {
        out.push_str(" and more");
    }
    for entry in walk.entries.iter().take(NAMED) {
        let slash = if entry.is_dir { "/" } else { "" };
        out.push_str(&format!("\n  {:>8}  {}{slash}", size(entry.bytes), short(&entry.path)));
    }
    if !suggestions.is_empty() {
        out.push_str("\nno step needs what these lines of .dockerignore leave out:");
        for (line, bytes) in suggestions {
            out.push_str(&format!("\n  {:>8}  {}", size(*bytes), short(line)));
        }
    }
    out
}

fn short(path: &str) -> String {
    let path = plain::one_line(path);
    match path.char_indices().rev().nth(LONGEST_NAME) {
        Some((at, _)) => format!("…{}", &path[at..]),
        None => path.into_owned(),
    }
}

/// Bytes in decimal units.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A context with files of these sizes, which take no room on the disk.
    fn context(files: &[(&str, u64)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, size) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap().set_len(*size).unwrap();
        }
        dir
    }

    fn remark_on(dir: &tempfile::TempDir, dockerfile: &str, ignore: &str) -> Option<String> {
        let ignore = Patterns::parse(ignore).unwrap();
        remark(Utf8Path::from_path(dir.path()).unwrap(), Some(&ignore), dockerfile.as_bytes(), &plim_oci::Silent)
    }

    fn shop() -> tempfile::TempDir {
        context(&[
            ("node_modules/a/index.js", 60_000_000),
            ("web/node_modules/b/index.js", 20_000_000),
            (".git/objects/pack/one", 30_000_000),
            ("data/dump.sql", 9_000_000),
            ("src/main.js", 2_000_000),
        ])
    }

    #[test]
    fn a_large_context_is_taken_apart() {
        let text = remark_on(&shop(), "FROM node\nCOPY . .\nRUN npm ci\n", "").unwrap();
        insta::assert_snapshot!(text, @r"
        the build context has 121 MB in 5 files
             60 MB  node_modules/
             30 MB  .git/
             20 MB  web/
              9 MB  data/
              2 MB  src/
        no step needs what these lines of .dockerignore leave out:
             80 MB  **/node_modules
             30 MB  .git
        ");
    }

    #[test]
    fn what_a_step_needs_is_not_suggested() {
        let lines = |dockerfile: &str| {
            let text = remark_on(&shop(), dockerfile, "").unwrap();
            let (_, lines) = text.split_once("leave out:").unwrap_or_default();
            lines.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect::<Vec<_>>()
        };
        // nobody makes node_modules anew, and a step asks git
        assert_eq!(lines("FROM node\nCOPY . .\nRUN git describe >/version\n"), [] as [&str; 0]);
        // it is copied by name
        assert_eq!(lines("FROM node\nCOPY . .\nCOPY web/node_modules /n\nRUN npm ci\n"), [".git"]);
        assert_eq!(
            lines("FROM node\nCOPY . .\nRUN --mount=type=bind,source=.git,target=/g npm ci\n"),
            ["**/node_modules"]
        );
        // what the container does when it starts, or a tool that is there, makes nothing anew
        assert_eq!(lines("FROM node\nCOPY . .\nCMD [\"npm\", \"ci\"]\n"), [".git"]);
        assert_eq!(lines("FROM node\nCOPY . .\nRUN npm run build\nCMD npm start\n"), [".git"]);
        assert_eq!(lines("FROM node\nCOPY . .\nONBUILD RUN npm ci\n"), ["**/node_modules", ".git"]);
        // versions come from there
        assert_eq!(lines("FROM python\nCOPY . .\nRUN python3.13 -m build\n"), [] as [&str; 0]);
        assert_eq!(lines("FROM golang\nCOPY . .\nRUN go build ./...\n"), [] as [&str; 0]);
        // only what is named is taken
        assert_eq!(lines("FROM node\nCOPY src data/*.sql /app/\nRUN npm ci\n"), ["node_modules", ".git", "web"]);
        assert_eq!(lines("FROM node\nCOPY src /app/\n"), ["node_modules", ".git", "web", "data"]);
        // a variable may be anything below its folder
        assert_eq!(lines("FROM node\nARG D\nCOPY data/$D /app/\n"), ["node_modules", ".git", "web", "src"]);
        assert_eq!(lines("FROM node\nARG D\nCOPY $D /app/\n"), [".git"]);
    }

    #[test]
    fn what_is_ignored_does_not_count_and_a_small_context_is_no_matter() {
        assert_eq!(remark_on(&shop(), "FROM node\nCOPY . .\n", "**/node_modules\n.git"), None);
        let text = remark_on(&shop(), "FROM node\nCOPY . .\n", ".git").unwrap();
        assert!(text.starts_with("the build context has 91 MB in 4 files") && !text.contains(".git/"), "{text}");
        let text = remark_on(&shop(), "FROM node\nCOPY . .\n", "node_modules\n!node_modules/a").unwrap();
        assert!(text.contains("60 MB  node_modules/"), "{text}");
    }

    #[test]
    fn a_context_that_nothing_is_taken_from_is_not_looked_at() {
        assert_eq!(remark_on(&shop(), "FROM node AS a\nFROM node\nCOPY --from=a /x /\nRUN npm ci\n", ""), None);
    }

    #[test]
    fn hostile_names_do_no_harm() {
        let dir = context(&[("\u{1b}[2J", 70_000_000), ("!x", 60_000_000), ("src/a", 1)]);
        std::os::unix::fs::symlink("/", dir.path().join("root")).unwrap();
        let text = remark_on(&dir, "FROM node\nCOPY src /\n", "").unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains("leave out"), "{text}");
    }
}
