//! `plim lint`.

use crate::env::TestEnv;

const SHELL_FORM: &str = "FROM debian:trixie\nADD app.conf /etc/app.conf\nCMD python -m shop\n";
const CLEAN: &str = "FROM debian:trixie\nCOPY app.conf /etc/app.conf\nCMD [\"python\", \"-m\", \"shop\"]\n";

fn env(dockerfile: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("Dockerfile", dockerfile);
    env
}

#[test]
fn findings_are_frames_and_exit_1() {
    let env = env(SHELL_FORM);
    env.check("lint_text", &env.plim(["lint"]).fails(1));
}

#[test]
fn a_clean_file_is_exit_0() {
    let env = env(CLEAN);
    env.check("lint_clean", &env.plim(["lint", "Dockerfile"]));
}

#[test]
fn short_is_one_line_a_finding() {
    let env = env(SHELL_FORM);
    env.check("lint_short", &env.plim(["lint", "-o", "short", "."]).fails(1));
}

#[test]
fn syntax_errors_are_findings_with_frames() {
    let env = env("FROM debian:trixie\nRUM echo hello\nCOPY\n");
    env.check("lint_syntax", &env.plim(["lint"]).fails(1));
}

#[test]
fn a_locale_without_unicode_gets_ascii() {
    let env = env(SHELL_FORM);
    let mut command = env.command(["lint"]);
    command.env("LANG", "C");
    let output = crate::env::Output::of(command).fails(1);
    assert!(output.stdout.is_ascii() && output.stderr.is_ascii(), "{output}");
}

#[test]
fn json_resolves_lines_and_columns() {
    let env = env(SHELL_FORM);
    let output = env.plim(["lint", "-o", "json"]).fails(1);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["command"], "lint");
    let rules: Vec<_> = report["diagnostics"].as_array().unwrap().iter().map(|found| found["rule"].clone()).collect();
    assert_eq!(rules, ["add-local", "exec-form"]);
    assert!(output.stdout.contains("\"line\": 3"), "{output}");
}

#[test]
fn sarif_has_rules_and_results() {
    let env = env(SHELL_FORM);
    env.plim(["lint", "-o", "sarif=out.sarif", "-o", "text"]).fails(1);
    let report: serde_json::Value = serde_json::from_str(&env.read("out.sarif")).unwrap();
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "plim");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
}

#[test]
fn fix_writes_the_file_and_leaves_nothing_to_say() {
    let env = env(SHELL_FORM);
    env.check("lint_fix", &env.plim(["lint", "--fix"]));
    assert_eq!(env.read("Dockerfile"), CLEAN);
}

#[test]
fn unsafe_fixes_are_applied_when_asked_for_only() {
    let source = "FROM debian:trixie\nENTRYPOINT [\"/init\"]\nCMD serve --fast\n";
    let env = env(source);
    env.plim(["lint", "--fix"]).fails(1);
    assert_eq!(env.read("Dockerfile"), source);
    env.plim(["lint", "--fix", "--unsafe-fixes"]).good();
    assert_eq!(env.read("Dockerfile"), "FROM debian:trixie\nENTRYPOINT [\"/init\"]\nCMD [\"serve\", \"--fast\"]\n");
}

#[test]
fn diff_changes_nothing() {
    let env = env(SHELL_FORM);
    env.check("lint_diff", &env.plim(["lint", "--diff"]).fails(1));
    assert_eq!(env.read("Dockerfile"), SHELL_FORM);
}

#[test]
fn a_diff_that_is_empty_is_exit_0() {
    let env = env(CLEAN);
    assert_eq!(env.plim(["lint", "--diff"]).good(), "");
}

#[test]
fn standard_input_is_a_dockerfile() {
    let env = TestEnv::new();
    env.check("lint_stdin", &env.plim_with_input(["lint", "-"], SHELL_FORM).fails(1));
}

#[test]
fn a_missing_file_is_an_error_and_exit_2() {
    let env = TestEnv::new();
    env.check("lint_missing", &env.plim(["lint", "no/Dockerfile"]).fails(2));
}

#[test]
fn a_file_of_other_bytes_is_an_error_and_exit_2() {
    let env = TestEnv::new();
    env.write("Dockerfile", b"FROM scratch\n# \xff\n");
    env.check("lint_not_utf8", &env.plim(["lint"]).fails(2));
}

#[test]
fn windows_line_ends_survive_a_fix() {
    let env = env(&SHELL_FORM.replace('\n', "\r\n"));
    env.plim(["lint", "--fix"]).good();
    assert_eq!(env.read("Dockerfile"), CLEAN.replace('\n', "\r\n"));
}

#[test]
fn quiet_prints_the_findings_alone() {
    let env = env(SHELL_FORM);
    let output = env.plim(["lint", "-q", "-o", "short"]).fails(1);
    assert_eq!(output.stdout.lines().count(), 2);
    assert_eq!(output.stderr, "");
}
