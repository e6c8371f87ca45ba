//! What the sources say: ports and paths, found by looking at lines. Nothing is run, and what is not plain is not found.

use camino::{Utf8Path, Utf8PathBuf};

use crate::folder::Folder;

/// The most that is read of all sources together.
const MAX_TOTAL: usize = 32 << 20;

/// Files that hold code.
const CODE: &[&str] = &["js", "ts", "mjs", "cjs", "mts", "cts", "jsx", "tsx"];

/// The sources of a project.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    files: Vec<(Utf8PathBuf, String)>,
}

impl Sources {
    /// Reads the sources that are not tests and not made by tools.
    pub(super) fn scan(folder: &Folder) -> Self {
        let mut files = Vec::new();
        let mut total = 0;
        for path in folder.files().filter(|path| is_code(path) && !is_aside(path)) {
            if total > MAX_TOTAL {
                break;
            }
            if let Some(text) = folder.text(path) {
                total += text.len();
                files.push((path.to_owned(), text));
            }
        }
        Self { files }
    }

    /// Returns `FILE:LINE` of the first line that satisfies a condition; comments are passed over.
    pub(super) fn find(&self, mut wanted: impl FnMut(&str) -> bool) -> Option<String> {
        self.lines().find(|(_, _, line)| wanted(line)).map(|(path, number, _)| format!("{path}:{number}"))
    }

    /// All lines that are no comments: file, number, text.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&Utf8Path, usize, &str)> {
        self.files.iter().flat_map(|(path, text)| {
            let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
            let code =
                lines.filter(|(_, line)| !line.starts_with("//") && !line.starts_with('*') && !line.starts_with("/*"));
            code.map(move |(number, line)| (path.as_path(), number, line))
        })
    }

    /// The paths of the sources.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Utf8Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }
}

/// Whether a file holds code.
pub(super) fn is_code(path: &Utf8Path) -> bool {
    path.extension().is_some_and(|extension| CODE.contains(&extension))
}

/// Whether a file is TypeScript, which node does not run as it is.
pub(super) fn is_typescript(path: &Utf8Path) -> bool {
    matches!(path.extension(), Some("ts" | "tsx" | "mts" | "cts")) && !path.as_str().ends_with(".d.ts")
}

/// Whether a file is a test, or belongs to a tool.
fn is_aside(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let parts = [
        "test",
        "tests",
        "__tests__",
        "__mocks__",
        "e2e",
        "docs",
        "examples",
        "dist",
        "build",
        "coverage",
        ".next",
        ".output",
        ".yarn",
        ".nuxt",
        "cypress",
        "scripts",
        ".plim",
    ];
    name.contains(".test.") || name.contains(".spec.") || path.components().any(|part| parts.contains(&part.as_str()))
}

/// Returns the number in `process.env.PORT || 8080`, `port: 3000`, `const PORT = "3000"`, `PORT: z.coerce.number().default(80)`.
pub(super) fn port_in(line: &str) -> Option<u16> {
    const BETWEEN: &[&str] =
        &["number", "parseint", "string", "coerce", "default", "process", "env", "int", "z", "as", "any", "joi", "num"];
    let lower = line.to_ascii_lowercase();
    lower.match_indices("port").find_map(|(at, word)| {
        // not in the middle of a word such as "import"
        if lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = &lower[at + word.len()..];
        let (between, number) = rest.split_at(rest.find(|c: char| c.is_ascii_digit())?);
        let plain = between.chars().all(|c| c.is_ascii_alphabetic() || " =,:\"'()?|.`[]".contains(c));
        let mut words = between.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        if !plain || between.is_empty() || !words.all(|word| BETWEEN.contains(&word)) {
            return None;
        }
        digits(number)
    })
}

/// Returns the number in `app.listen(8080`.
pub(super) fn listen_in(line: &str) -> Option<u16> {
    let rest = line.split_once(".listen(")?.1.trim_start().trim_start_matches(['"', '\'']);
    digits(rest)
}

fn digits(text: &str) -> Option<u16> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // a name such as 3000ms is no port
    let clean = !text[end..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '.');
    text[..end].parse().ok().filter(|port| clean && *port >= 80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_are_numbers_behind_the_word() {
        for (line, port) in [
            ("const port = Number(process.env.PORT ?? 8080);", 8080),
            ("app.listen(process.env.PORT || 3000, () => {", 3000),
            ("const PORT = parseInt(process.env.PORT || '4000', 10)", 4000),
            ("await fastify.listen({ port: 3001, host: '0.0.0.0' })", 3001),
            ("PORT: z.coerce.number().default(5000),", 5000),
            ("port: process.env.PORT || 1337,", 1337),
        ] {
            assert_eq!(port_in(line), Some(port), "{line}");
        }
        for line in ["import x from '1234'", "port = 99999999", "const transport = 1000", "report(5000)", "port5432"] {
            assert_eq!(port_in(line), None, "{line}");
        }
        assert_eq!(listen_in("server.listen(9000, '0.0.0.0')"), Some(9000));
        assert_eq!(listen_in("server.listen(port)"), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,40}") {
            let _ = (port_in(&line), listen_in(&line));
        }
    }
}
