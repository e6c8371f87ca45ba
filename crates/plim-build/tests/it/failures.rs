//! What a build says when it cannot go on.

use plim_build::{BuildError, ErrorKind};
use plim_dockerfile::ignore::Patterns;

use crate::Test;
use crate::workbench::Workbench;

pub(crate) const TESTS: &[Test] = &[
    ("all_mistakes_of_a_dockerfile_are_named_at_once", all_mistakes_of_a_dockerfile_are_named_at_once),
    ("a_missing_source_names_path_and_place", a_missing_source_names_path_and_place),
    ("an_ignored_source_names_the_pattern", an_ignored_source_names_the_pattern),
    ("an_unknown_target_lists_the_stages", an_unknown_target_lists_the_stages),
    ("an_unknown_base_is_no_fault_of_the_dockerfile", an_unknown_base_is_no_fault_of_the_dockerfile),
    ("a_misspelt_stage_is_recognised", a_misspelt_stage_is_recognised),
    ("stages_that_are_not_needed_do_not_fail", stages_that_are_not_needed_do_not_fail),
    ("a_required_argument_is_asked_for", a_required_argument_is_asked_for),
    ("what_cannot_be_offered_is_refused", what_cannot_be_offered_is_refused),
    ("an_unknown_owner_is_an_error", an_unknown_owner_is_an_error),
];

/// Returns an error with its causes and its hint, as people see it.
fn shown(error: &BuildError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    match error.hint() {
        Some(hint) => format!("{text}\n{hint}"),
        None => text,
    }
}

fn all_mistakes_of_a_dockerfile_are_named_at_once() {
    let error = Workbench::new().fail("FROM scratch\nCOPPY a b\nEXPOSE\n");
    let BuildError::Dockerfile { errors, .. } = &error else { panic!("{error:?}") };
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(error.kind(), ErrorKind::Subject);
}

fn a_missing_source_names_path_and_place() {
    let bench = Workbench::new();
    bench.file("server.js", "");
    let error = bench.fail("FROM scratch\nCOPY sever.js /\n");
    assert_eq!(error.kind(), ErrorKind::Subject);
    assert_eq!(error.line(), Some(2));
    let text = shown(&error);
    assert!(text.contains("sever.js is not in the build context"), "{text}");
    assert!(text.contains("server.js"), "{text}");
}

fn an_ignored_source_names_the_pattern() {
    let bench = Workbench::new();
    bench.file("dist/app.js", "");
    let mut request = bench.request("FROM scratch\nCOPY dist/app.js /\n");
    request.ignore = Some(Patterns::parse("dist\n").unwrap());
    let text = shown(&bench.run(&request).unwrap_err());
    assert!(text.contains("dist/app.js") && text.contains("ignore"), "{text}");
}

fn an_unknown_target_lists_the_stages() {
    let bench = Workbench::new();
    let mut request = bench.request("FROM scratch AS build\nFROM scratch AS release\n");
    request.target = Some("relaese".to_owned());
    let error = bench.run(&request).unwrap_err();
    assert_eq!(shown(&error), "the Dockerfile has no stage `relaese`\ndid you mean `release`?");
    request.target = Some("test".to_owned());
    assert!(shown(&bench.run(&request).unwrap_err()).ends_with("the stages are build, release"));
}

fn an_unknown_base_is_no_fault_of_the_dockerfile() {
    let error = Workbench::new().fail("FROM nowhere:1\n");
    assert_eq!(error.kind(), ErrorKind::Tool);
    assert!(matches!(&error, BuildError::Base { name, line: 1, .. } if name == "nowhere:1"), "{error:?}");
}

fn a_misspelt_stage_is_recognised() {
    let text = shown(&Workbench::new().fail("FROM scratch AS builder\nFROM scratch\nCOPY --from=bilder /x /\n"));
    assert!(text.contains("line 3") && text.contains("did you mean the stage `builder`?"), "{text}");
}

fn stages_that_are_not_needed_do_not_fail() {
    let bench = Workbench::new();
    let built = bench.build("FROM nowhere AS test\nCOPY missing /\nFROM scratch\nWORKDIR /x\n");
    assert_eq!(built.steps.len(), 1);
    let later = "FROM scratch AS test\nCOPY --from=last /x /y\nFROM scratch AS last\nWORKDIR /x\n";
    assert_eq!(bench.build(later).steps.len(), 1);
    let error = bench.fail(&later.replace("/x\n", "/x\nCOPY --from=test /y /z\n"));
    assert_eq!(error.line(), Some(2), "now it is needed: {error}");
}

fn a_required_argument_is_asked_for() {
    let error = Workbench::new().fail("FROM scratch\nARG VERSION\nLABEL v=\"${VERSION:?which one}\"\n");
    let text = shown(&error);
    assert!(text.contains("which one"), "{text}");
    assert_eq!((error.kind(), error.line()), (ErrorKind::Subject, Some(3)));
}

fn what_cannot_be_offered_is_refused() {
    let bench = Workbench::new();
    for (line, word) in [
        ("RUN --security=insecure true", "insecure"),
        ("COPY https://example.org/x /", "ADD"),
        ("ADD a https://example.org/x.git /", "repository"),
        ("RUN --mount=type=secret,id=token,required=true true", "token"),
        ("STOPSIGNAL SIGNOT", "SIGNOT"),
    ] {
        let error = bench.fail(&format!("FROM base\n{line}\n"));
        let text = shown(&error);
        assert!(text.contains(word), "{line}: {text}");
        assert_eq!(error.kind(), ErrorKind::Subject, "{line}");
    }
}

fn an_unknown_owner_is_an_error() {
    let bench = Workbench::new();
    bench.file("a", "");
    let text = shown(&bench.fail("FROM base\nCOPY --chown=nobody-here a /\n"));
    assert!(text.contains("nobody-here"), "{text}");
    let built = bench.build("FROM base\nCOPY --chown=app a /\n");
    let (head, _) = &bench.layer(&built.image, 1)[0];
    assert_eq!((head.uid, head.gid), (7, 8));
}
