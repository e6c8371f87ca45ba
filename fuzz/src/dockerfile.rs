//! Dockerfiles, ignore files, shell words, compose files.

use plim_diag::render::{self, TextOptions};
use plim_diag::{Applicability, Subject};
use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::shell_split;
use plim_dockerfile::stages::StageGraph;
use plim_dockerfile::words::{Env, Lexer};

/// Any text parses, prints itself again byte for byte, and can be judged; safe fixes leave a file that parses as well.
pub fn parse(data: &[u8]) {
    crate::text(data, |text| {
        let file = plim_dockerfile::parse(text);
        assert_eq!(file.to_string(), text, "printing is the inverse of parsing");
        for instruction in &file.instructions {
            assert!(text.get(instruction.span.start..instruction.span.end).is_some(), "spans lie on characters");
            let _ = instruction.rest();
        }
        let graph = StageGraph::new(&file, &[], &[]);
        let _ = graph.order();
        let _ = plim_dockerfile::dump::dump(&file);

        let findings = plim_rules::dockerfile(&file, &Subject::file("Dockerfile"), None);
        let mut out = Vec::new();
        render::text(&findings, &("Dockerfile", text), plim_rules::RULES, &TextOptions::default(), &mut out)
            .expect("memory takes everything");
        let fixes: Vec<_> = findings
            .iter()
            .filter_map(|finding| finding.fix.as_ref())
            .filter(|fix| fix.applicability == Applicability::Safe)
            .collect();
        let fixed = plim_diag::apply(text, &plim_diag::compatible(&fixes)).expect("compatible fixes can be applied");
        if file.errors.is_empty() {
            assert!(plim_dockerfile::parse(&fixed).errors.is_empty(), "a safe fix breaks nothing:\n{fixed}");
        }
    });
}

/// The first line is a path, the rest an ignore file: what parses can be asked anything.
pub fn ignore(data: &[u8]) {
    crate::two_texts(data, |path, patterns| {
        let Ok(patterns) = Patterns::parse(patterns) else { return };
        let excluded = patterns.excludes(path);
        let _ = patterns.matches(path);
        let _ = patterns.matches_or_parent_matches(path);
        if let Some((dir, _)) = path.rsplit_once('/')
            && !dir.is_empty()
            && patterns.excludes(dir)
            && !patterns.may_reinclude_below(dir)
        {
            assert!(excluded, "nothing below `{dir}` comes back, but `{path}` does");
        }
    });
}

/// An environment in which every third name is set.
struct Some3;

impl Env for Some3 {
    fn get(&self, name: &str) -> Option<String> {
        name.len().is_multiple_of(3).then(|| format!("a {name} *"))
    }
}

/// Words expand or are refused, whatever the lexer's settings; scripts are split.
pub fn words(data: &[u8]) {
    crate::text(data, |text| {
        for escape in ['\\', '`'] {
            for settings in 0..16_u8 {
                let lexer = Lexer {
                    escape,
                    raw_quotes: settings & 1 != 0,
                    raw_escapes: settings & 2 != 0,
                    skip_quotes: settings & 4 != 0,
                    skip_unset: settings & 8 != 0,
                };
                let _ = lexer.process_word(text, &Some3);
            }
            let _ = Lexer::new(escape).variables(text);
        }
        for command in shell_split::split(text) {
            for word in &command.words {
                assert!(text.get(word.range.clone()).is_some(), "ranges lie on characters");
            }
            let _ = shell_split::script_of(&command);
        }
    });
}

/// Compose files are read within bounds or refused, and contexts of their services stay in the project.
pub fn compose(data: &[u8]) {
    crate::text(data, plim_project::fuzz_compose);
}
