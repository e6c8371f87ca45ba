//! Each rule's page is its test: the example must be found, and mended to the block that follows.

use plim_diag::{Fix, Subject};

use super::{RULES, dockerfile};

/// The fenced blocks of a page: information string and content.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_example_on_each_page_is_found_and_mended_as_the_page_says() {
    for rule in RULES {
        let blocks = blocks(rule.docs);
        let (_, example) = blocks.iter().find(|(info, _)| info == "dockerfile").expect("a page has an example");
        let found = dockerfile(&plim_dockerfile::parse(example), &Subject::file("Dockerfile"));
        let mine: Vec<_> = found.iter().filter(|finding| finding.rule == rule.id).collect();
        assert_eq!(mine.len(), 1, "{}: {found:#?}", rule.id);
        let fixed = blocks.iter().find(|(info, _)| info == "dockerfile fixed");
        let fixes: Vec<&Fix> = mine.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        assert_eq!(fixed.is_some(), !fixes.is_empty(), "{}", rule.id);
        if let Some((_, fixed)) = fixed {
            let mended = plim_diag::apply(example, &fixes).unwrap();
            assert_eq!(&mended, fixed, "{}", rule.id);
            let again = dockerfile(&plim_dockerfile::parse(&mended), &Subject::file("Dockerfile"));
            assert!(again.iter().all(|finding| finding.rule != rule.id), "{}: {again:#?}", rule.id);
        }
    }
}

#[test]
fn rule_ids_do_not_change_by_accident() {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let expected = [
        "syntax",
        "add-local",
        "apt-lists",
        "cache-order",
        "duplicate-stage",
        "empty-continuation",
        "exec-form",
        "from-as-casing",
        "instruction-casing",
        "maintainer",
        "pip-cache",
        "redundant-platform",
        "reserved-stage",
        "stage-name-casing",
    ];
    assert_eq!(ids, expected);
}

fn found(text: &str) -> Vec<&'static str> {
    dockerfile(&plim_dockerfile::parse(text), &Subject::file("Dockerfile")).iter().map(|finding| finding.rule).collect()
}

#[test]
fn build_stages_may_keep_package_lists() {
    let text = "FROM debian AS build\nRUN apt-get update\nFROM scratch\nCOPY --from=build /a /a\n";
    assert!(found(text).is_empty());
}

#[test]
fn a_shell_that_is_needed_has_no_fix() {
    let text = "FROM debian\nCMD exec prog --port $PORT\n";
    let findings = dockerfile(&plim_dockerfile::parse(text), &Subject::file("Dockerfile"));
    assert!(findings[0].rule == "exec-form" && findings[0].fix.is_none() && findings[0].help.is_some());
}

#[test]
fn a_background_job_is_not_appended_to() {
    let findings =
        dockerfile(&plim_dockerfile::parse("FROM debian\nRUN apt-get update; true &\n"), &Subject::file("D"));
    assert!(findings[0].rule == "apt-lists" && findings[0].fix.is_none());
}

#[test]
fn broken_files_report_their_syntax_only() {
    assert_eq!(found("FROM debian\nRUM x\nCMD a b\n"), ["syntax"]);
}

#[test]
fn the_directive_of_the_file_says_what_is_not_wanted() {
    assert_eq!(found("FROM scratch as a\ncopy x /\nUSER 1\n"), ["from-as-casing", "instruction-casing"]);
    assert_eq!(
        found("# check=skip=ConsistentInstructionCasing\nFROM scratch as a\ncopy x /\nUSER 1\n"),
        ["from-as-casing"]
    );
    assert!(found("# check=skip=all\nFROM scratch as a\ncopy x /\nUSER 1\n").is_empty());
}
