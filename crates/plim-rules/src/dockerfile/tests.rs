//! Each rule's page is its test: the example must be found, and mended to the block that follows.

use plim_diag::{Diagnostic, Fix, Subject};
use plim_dockerfile::Dockerfile;
use plim_dockerfile::ignore::Patterns;

use super::RULES;

fn dockerfile(file: &Dockerfile, subject: &Subject) -> Vec<Diagnostic> {
    super::dockerfile(file, subject, None)
}

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
        let ignore =
            blocks.iter().find(|(info, _)| info == "dockerignore").map(|(_, text)| Patterns::parse(text).unwrap());
        let found = super::dockerfile(&plim_dockerfile::parse(example), &Subject::file("Dockerfile"), ignore.as_ref());
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
        "constant-platform",
        "copy-ignored",
        "definition-description",
        "duplicate-stage",
        "empty-continuation",
        "exec-form",
        "expose-casing",
        "expose-mapping",
        "from-as-casing",
        "instruction-casing",
        "invalid-base-default",
        "legacy-key-value",
        "maintainer",
        "pip-cache",
        "redundant-platform",
        "relative-workdir",
        "repeated-instruction",
        "reserved-stage",
        "secret-variable",
        "stage-name-casing",
        "undefined-base-argument",
        "undefined-variable",
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

#[test]
fn variables_that_something_sets_are_no_findings() {
    for text in [
        "FROM scratch\nARG A\nENV B=$A C=${D:-x}\nCOPY $B /$C\n",
        "FROM scratch AS a\nENV DIR=/x\nFROM a\nWORKDIR $DIR/y\n",
        // the image may set it
        "FROM node:24\nWORKDIR $NODE_HOME\n",
        "FROM scratch\nENV PATH=/x:$PATH\n",
        "ARG B=debian\nFROM --platform=$BUILDPLATFORM $B:trixie-$TARGETARCH\nFROM ${X:-debian}\n",
        "ARG A=1 B=$A\nFROM debian:$B\n",
    ] {
        assert!(found(text).is_empty(), "{text}: {:?}", found(text));
    }
    assert_eq!(found("FROM scratch\nWORKDIR /$NOWHERE\n"), ["undefined-variable"]);
    assert_eq!(found("FROM debian:$TAG\n"), ["undefined-base-argument"]);
    assert_eq!(found("FROM debian AS a\nARG TAG=1\nFROM debian:$TAG\n"), ["undefined-base-argument"]);
}

#[test]
fn a_relative_folder_counts_from_the_last_absolute_one() {
    for text in [
        "FROM debian\nWORKDIR /a\nWORKDIR b\n",
        "FROM debian AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n",
        "FROM scratch\nWORKDIR b\n",
        "FROM debian\nWORKDIR $HOME/b\n",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
    assert_eq!(found("FROM debian AS a\nFROM a\nWORKDIR b\n"), ["relative-workdir"]);
}

#[test]
fn stages_may_each_have_a_command() {
    assert!(found("FROM debian AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\n").is_empty());
    assert_eq!(
        found("FROM debian\nHEALTHCHECK CMD a\nCMD [\"a\"]\nHEALTHCHECK NONE\nCMD [\"b\"]\n"),
        ["repeated-instruction", "repeated-instruction"]
    );
}

#[test]
fn what_is_let_in_again_is_not_ignored() {
    let found = |ignore: &str, text: &str| {
        let ignore = Patterns::parse(ignore).unwrap();
        super::dockerfile(&plim_dockerfile::parse(text), &Subject::file("Dockerfile"), Some(&ignore)).len()
    };
    assert_eq!(found("build", "FROM scratch\nCOPY ./build/a /\n"), 1);
    assert_eq!(found("build\n!build/a", "FROM scratch\nCOPY build/a build /\n"), 0);
    assert_eq!(found("*", "FROM scratch\nCOPY . /\nCOPY *.txt /\nCOPY --from=x build /\n"), 0);
}
