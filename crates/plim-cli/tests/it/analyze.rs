//! `plim analyze`.

use crate::env::TestEnv;
use crate::rootfs::files_layout;

#[test]
fn an_image_is_shown_in_tables() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.check("analyze", &env.plim(["analyze", "oci:in"]));
}

#[test]
fn json_has_the_numbers() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let report = env.plim(["analyze", "-o", "json", "oci:in"]).json();
    assert_eq!(report["command"], "analyze");
    assert_eq!(report["user"], "65532");
    assert_eq!(report["hidden_bytes"], 5000);
    assert_eq!(report["layers"].as_array().unwrap().len(), 2);
    assert_eq!(report["shells"].as_array().unwrap().len(), 0);
    // the report and its schema name the same fields
    let schema = env.plim(["debug", "schema", "analyze"]).json();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&report), keys(&schema["properties"]));
}

#[test]
fn a_report_goes_to_a_file_and_the_table_to_the_terminal() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let output = env.plim(["analyze", "-o", "json=report.json", "-o", "text", "oci:in"]).good();
    assert!(output.contains("largest files"));
    let report: serde_json::Value = serde_json::from_str(&env.read("report.json")).unwrap();
    assert_eq!(report["subject"], "oci:in");
}

#[test]
fn an_image_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    env.check("analyze_missing", &env.plim(["analyze", "shop:1"]).fails(2));
}

#[test]
fn a_name_that_is_no_name_is_an_error() {
    let env = TestEnv::new();
    env.check("analyze_bad_name", &env.plim(["analyze", "Shop:1"]).fails(2));
}

#[test]
fn the_rules_of_dive_decide_the_exit_code() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let failed = env.plim(["analyze", "--ci", "oci:in"]).fails(1);
    assert!(failed.stdout.contains("FAIL: lowestEfficiency"), "{}", failed.stdout);
    env.write(".dive-ci", "rules:\n  lowestEfficiency: disabled\n  highestUserWastedPercent: disabled\n");
    let passed = env.plim(["analyze", "--ci", "oci:in"]).good();
    assert!(passed.ends_with("Result:PASS [Total:3] [Passed:0] [Failed:0] [Warn:0] [Skipped:3]\n"), "{passed}");
    env.write(".dive-ci", "rules:\n  lowestEfficiency: much\n");
    assert!(env.plim(["analyze", "--ci", "oci:in"]).fails(2).stderr.contains("line 2"));
    env.plim(["analyze", "--ci", "--ci-config", "absent", "oci:in"]).fails(2);
}
