//! `plim analyze`.

use plim_testkit::{ImageBuilder, LayerBuilder};

use crate::env::TestEnv;
use crate::rootfs::{files_layout, write_layout};

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

#[test]
fn one_run_writes_a_page_and_a_summary() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let outputs = ["analyze", "-o", "html=report.html", "-o", "markdown=summary.md", "-o", "text=report.txt", "oci:in"];
    let output = env.plim(outputs);
    assert_eq!(output.stdout, "", "all three went to files");
    output.good();
    let page = env.read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("RUN rm /etc/gone"));
    assert!(env.read("summary.md").starts_with("## `oci:in`\n"));
    assert!(!env.read("report.txt").contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    assert!(env.plim(["analyze", "--color", "always", "oci:in"]).good().contains("\u{1b}[1m"));
    assert!(!env.plim(["analyze", "oci:in"]).good().contains('\u{1b}'));
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let mut command = env.command(["analyze", "--depth", "2", "--rows", "1", "oci:in"]);
    command.env("LANG", "C");
    let text = crate::env::Output::of(command).good();
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("... 1 more, --rows 0 shows all"), "{text}");
}

#[test]
fn verdicts_are_in_the_summary_too() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let output = env.plim(["analyze", "--ci", "-o", "markdown", "oci:in"]).fails(1);
    assert!(output.stdout.contains("| **fail** | `lowestEfficiency` |"), "{}", output.stdout);
}

#[test]
fn the_assumptions_of_the_cost_are_flags() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let flags = ["--pull-rate", "800Mbit/s", "--pods", "3", "--builds-per-day", "7", "--reused-layers", "1"];
    let report = env.plim(["analyze", "-o", "json"].into_iter().chain(flags).chain(["oci:in"])).json();
    let assumed = &report["cost"]["assumptions"];
    assert_eq!(assumed["pull_bytes_per_second"], 100_000_000);
    assert_eq!(assumed["unpack_bytes_per_second"], 200_000_000);
    assert_eq!([&assumed["pods"], &assumed["builds_per_day"], &assumed["reused_layers"]], [3, 7, 1]);
    env.check("analyze_bad_rate", &env.plim(["analyze", "--pull-rate", "fast", "oci:in"]).fails(2));
}

#[test]
fn a_format_that_there_is_not_is_an_error_before_the_image_is_read() {
    let env = TestEnv::new();
    env.check("analyze_sarif", &env.plim(["analyze", "-o", "sarif", "oci:absent"]).fails(2));
}

#[test]
fn the_second_time_the_same_bytes_are_written_in_every_format() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let options: [&[&str]; 6] = [
        &[],
        &["--rows", "0"],
        &["--rows", "1", "--depth", "9"],
        &["--depth", "2"],
        &["--pods", "7", "--pull-rate", "1MB/s", "--reused-layers", "2"],
        &["--ci"],
    ];
    let run = |options: &[&str]| {
        let formats = ["-o", "text", "-o", "json=r.json", "-o", "markdown=r.md", "-o", "html=r.html"];
        let output = env.plim(["analyze"].iter().chain(&formats).chain(options).chain(&["oci:in"]).copied());
        // dive's rules do not like this image
        assert_eq!(output.code(), i32::from(options.contains(&"--ci")), "{output}");
        (output.stdout, ["r.json", "r.md", "r.html"].map(|file| env.read(file)))
    };
    let first: Vec<_> = options.iter().map(|options| run(options)).collect();
    // what the first run kept answered for all others: each anew without it
    for (options, first) in options.iter().zip(first) {
        std::fs::remove_dir_all(env.path("cache/analysis")).unwrap();
        let fresh = run(options);
        assert_eq!(fresh, first, "{options:?}");
        assert_eq!(run(options), fresh, "{options:?}");
    }
}

#[test]
fn chunked_layers_are_called_so_and_stay_so_when_they_are_copied() {
    let env = TestEnv::new();
    let layer = || LayerBuilder::new().file("app/data", vec![7; 90_000]).created_by("COPY data /app/");
    let image = |layer| ImageBuilder::new().layer(LayerBuilder::new().file("etc/x", "1")).layer(layer);
    write_layout(&env, "plain", &image(layer()));
    write_layout(&env, "chunked", &image(layer().chunked()));
    let forms = |place: &str| -> Vec<String> {
        let analysed = env.plim(["analyze", "-o", "json", place]).json();
        let inspected = env.plim(["inspect", place]).json();
        let of = |report: &serde_json::Value| -> Vec<String> {
            let layers = report["layers"].as_array().unwrap();
            layers.iter().map(|layer| layer["compression"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(of(&analysed), of(&inspected));
        of(&analysed)
    };
    assert_eq!(forms("oci:plain"), ["gzip", "gzip"]);
    assert_eq!(forms("oci:chunked"), ["gzip", "zstd:chunked"]);
    let text = env.plim(["analyze", "oci:chunked"]).good();
    assert!(text.contains("  zstd:chunked  COPY data /app/"), "{text}");

    env.plim(["copy", "oci:chunked", "oci:copy"]).good();
    let layer = env.plim(["inspect", "oci:copy"]).json()["layers"][1].clone();
    assert_eq!(layer["compression"], "zstd:chunked");
    let annotations = layer["annotations"].as_object().unwrap();
    assert!(annotations.contains_key("io.github.containers.zstd-chunked.manifest-position"), "{annotations:?}");
    let diff = env.plim(["diff", "-o", "json", "oci:plain", "oci:copy"]).json();
    assert_eq!((&diff["layers"]["shared"], &diff["layers"]["new"]), (&2.into(), &serde_json::json!([])));
}
