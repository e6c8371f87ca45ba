//! `plim build` without RUN: works for everybody, without a network and without privileges worth the name.

use crate::env::{Output, TestEnv};

/// A context with two files and a Dockerfile that copies them.
fn project() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "Dockerfile",
        "FROM scratch\nCOPY a.txt b.txt /files/\nENV NAME=value\nLABEL org.example.a=b\nCMD [\"/files/a.txt\"]\n",
    );
    env.write("a.txt", "a\n");
    env.write("b.txt", "b\n");
    env
}

#[test]
fn an_image_of_copied_files_is_built() {
    let env = project();
    env.check("build", &env.plim(["build", "-t", "shop:1", "."]));
    let report = env.plim(["analyze", "-o", "json", "shop:1"]).json();
    assert_eq!(report["files"], 2);
}

#[test]
fn standard_output_is_the_digest_alone() {
    let env = project();
    let digest = env.plim(["build", "--iidfile", "digest", "."]).good();
    assert_eq!(digest.trim_end(), env.read("digest"));
    assert_eq!(digest.trim_end().len(), "sha256:".len() + 64);
}

#[test]
fn two_stores_get_one_digest() {
    let (one, two) = (project(), project());
    // neither the time of the files nor that of the build shows
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(two.work().join("a.txt")).unwrap().set_modified(past).unwrap();
    assert_eq!(one.plim(["build", "."]).good(), two.plim(["build", "."]).good());
}

#[test]
fn a_second_build_is_cached() {
    let env = project();
    let first = env.plim(["build", "."]).good();
    let second = env.plim(["build", "."]);
    assert!(second.stderr.contains("1 of 1 steps cached"), "{second}");
    assert_eq!(second.good(), first);
    let third = env.plim(["build", "--no-cache", "."]);
    assert!(third.stderr.contains("0 of 1 steps cached"), "{third}");
    assert_eq!(third.good(), first);
}

#[test]
fn verbose_says_why_a_step_was_done_again() {
    let env = project();
    env.plim(["build", "."]).good();
    env.write("a.txt", "changed\n");
    let output = env.plim(["build", "-v", "."]);
    let step = output.stderr.lines().find(|line| line.contains("2: COPY a.txt b.txt /files/"));
    assert!(step.is_some_and(|line| line.ends_with("a.txt b.txt changed: a.txt")), "{output}");
}

#[test]
fn the_dockerfile_may_come_from_standard_input() {
    let env = project();
    let output = env.plim_with_input(["build", "-f", "-", "."], "FROM scratch\nCOPY b.txt /\n");
    output.good();
    let output = env.plim_with_input(["build", "-f", "-", "."], "FROM scratch\nCOPPY b.txt /\n");
    env.check("build_stdin_malformed", &output.fails(1));
}

#[test]
fn a_malformed_dockerfile_is_shown_with_frames() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nCOPPY a /\nCOPY --form=x a /\n");
    env.check("build_malformed", &env.plim(["build", "."]).fails(1));
}

#[test]
fn an_unknown_base_image_gets_a_way_out() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM example.org/team/base:1\n");
    env.check("build_unknown_base", &env.plim(["build", "."]).fails(2));
}

#[test]
fn a_well_known_base_image_is_offered_as_recipe() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM python:3.13-slim\n");
    env.check("build_well_known_base", &env.plim(["build", "."]).fails(2));
}

#[test]
fn a_misspelt_target_gets_a_suggestion() {
    let env = TestEnv::new();
    env.write(
        "Dockerfile",
        "FROM scratch AS builder\nCOPY Dockerfile /\nFROM scratch AS final\nCOPY --from=builder /Dockerfile /\n",
    );
    env.check("build_target", &env.plim(["build", "--target", "bulider", "."]).fails(1));
    env.plim(["build", "--target", "builder", "."]).good();
}

#[test]
fn a_missing_source_is_named_with_its_line() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\n\nCOPY requirments.txt /app/\n");
    env.write("requirements.txt", "");
    env.check("build_missing_source", &env.plim(["build", "."]).fails(1));
}

#[test]
fn a_source_outside_the_context_is_not_found() {
    let env = TestEnv::new();
    env.write("context/Dockerfile", "FROM scratch\nCOPY ../secret.txt /\nCOPY link /\n");
    env.write("secret.txt", "hidden outside");
    std::os::unix::fs::symlink("../secret.txt", env.work().join("context/link")).unwrap();
    env.plim(["build", "context"]).fails(1);
}

#[test]
fn ignored_files_stay_out() {
    let env = project();
    env.write(".dockerignore", "*.txt\n!b.txt\n");
    env.write("Dockerfile", "FROM scratch\nCOPY . /all/\n");
    env.plim(["build", "-t", "shop:1", "."]).good();
    let report = env.plim(["analyze", "-o", "json", "shop:1"]).json();
    let files: Vec<_> = report["largest"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    assert!(files.contains(&"/all/b.txt".into()) && !files.contains(&"/all/a.txt".into()), "{files:?}");
}

#[test]
fn arguments_and_labels_reach_the_image() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nARG WHO=nobody\nLABEL who=$WHO\nCOPY Dockerfile /$WHO\n");
    let mut command = env.command([
        "build",
        "--build-arg",
        "WHO",
        "--label",
        "more=yes",
        "--output",
        "type=oci,tar=false,dest=out",
        ".",
    ]);
    command.env("WHO", "somebody");
    Output::of(command).good();
    let text: String = crate::env::files_below(&env.work().join("out/blobs"))
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    for wanted in ["\"who\":\"somebody\"", "\"more\":\"yes\""] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
}

#[test]
fn outputs_can_be_read_again() {
    let env = project();
    let outputs = ["type=oci,dest=oci.tar", "type=docker,dest=docker.tar", "type=oci,tar=false,dest=layout"];
    let mut args = vec!["build", "-t", "shop:1", "."];
    args.extend(outputs.iter().flat_map(|output| ["--output", output]));
    env.plim(args).good();
    for place in ["oci-archive:oci.tar", "docker-archive:docker.tar", "oci:layout"] {
        assert_eq!(env.plim(["analyze", "-o", "json", place]).json()["files"], 2, "{place}");
    }
}

#[test]
fn compression_is_chosen() {
    let env = project();
    for kind in ["none", "zstd", "gzip:9"] {
        env.plim(["build", "--compression", kind, "-t", "shop:1", "."]).good();
        assert_eq!(env.plim(["analyze", "-o", "json", "shop:1"]).json()["files"], 2, "{kind}");
    }
    env.check("build_compression", &env.plim(["build", "--compression", "gzip:99", "."]).fails(2));
}

#[test]
fn a_context_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    env.check("build_no_context", &env.plim(["build", "nowhere"]).fails(2));
}

#[test]
fn a_folder_without_dockerfile_is_an_error() {
    let env = TestEnv::new();
    env.check("build_no_dockerfile", &env.plim(["build", "."]).fails(2));
}

#[test]
fn a_bad_pair_is_named() {
    let env = project();
    env.check("build_bad_label", &env.plim(["build", "--label", "oops", "."]).fails(2));
}

#[test]
fn findings_stop_a_build_only_where_the_file_or_an_argument_says_so() {
    let env = TestEnv::new();
    env.write("Dockerfile", "# check=error=true\nFROM scratch as a\nCOPY x /\n");
    env.write("x", "1\n");
    env.check("build_check_error", &env.plim(["build", "."]).fails(1));
    env.plim(["build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing;error=true", "."]).good();
    env.write("Dockerfile", "FROM scratch as a\nCOPY x /\n");
    env.plim(["build", "."]).good();
    env.plim(["build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true", "."]).fails(1);
    env.write("Dockerfile", "# check=skip=FromAsCasing;eror=true\nFROM scratch as a\nCOPY x /\n");
    env.check("build_check_option", &env.plim(["build", "."]).fails(1));
    // rules that BuildKit does not have stop nothing
    env.write("Dockerfile", "# check=error=true\nFROM scratch\nADD x /\n");
    env.plim(["build", "."]).good();
}

#[test]
fn a_build_ends_with_the_number_of_findings() {
    let env = project();
    env.write(
        "Dockerfile",
        "FROM scratch as web\nCOPY a.txt /\nENV MODE fast\nARG API_TOKEN\nEXPOSE 80:8080\nCMD run it\nUSER 1\n",
    );
    env.check("build_findings", &env.plim(["build", "."]));
    let quiet = env.plim(["build", "-q", "."]);
    assert_eq!(quiet.stderr, "", "{quiet}");
}

#[test]
fn a_large_context_is_taken_apart_when_there_was_something_to_do() {
    let env = project();
    std::fs::create_dir(env.work().join("data")).unwrap();
    std::fs::File::create(env.work().join("data/dump")).unwrap().set_len(60_000_000).unwrap();
    let output = env.plim(["build", "."]);
    assert!(output.stderr.contains("the build context has 60 MB in 4 files"), "{output}");
    assert!(output.stderr.contains("leave out:\n     60 MB  data\n"), "{output}");
    let again = env.plim(["build", "."]);
    assert!(!again.stderr.contains("build context"), "{again}");
}

#[test]
fn check_looks_and_builds_nothing() {
    let env = project();
    let clean = env.plim(["build", "--check", "-t", "shop:1", "."]);
    clean.good();
    assert!(env.plim(["images", "-q"]).good().contains("no images"));
    env.write("Dockerfile", "FROM scratch as a\nCOPY a.txt /\n");
    let found = env.plim(["build", "--check", "."]).fails(1);
    assert!(found.stdout.contains("from-as-casing"), "{found}");
}
