//! The help texts, which are most of what users read of plim.

use crate::env::{Output, TestEnv};

/// The help of a command as a user sees it who has set no variable.
fn help(env: &TestEnv, command: &[&str]) -> Output {
    let mut command = env.command(command.iter().copied().chain(["--help"]));
    for variable in ["PLIM_DATA", "PLIM_CACHE", "PLIM_CA_BUNDLE", "PLIM_OFFLINE"] {
        command.env_remove(variable);
    }
    Output::of(command)
}

#[test]
fn help_of_the_program() {
    let env = TestEnv::new();
    env.check("help", &help(&env, &[]));
}

#[test]
fn help_of_every_command() {
    let env = TestEnv::new();
    let commands: [&[&str]; 20] = [
        &["optimize"],
        &["build"],
        &["lint"],
        &["analyze"],
        &["diff"],
        &["why"],
        &["run"],
        &["images"],
        &["inspect"],
        &["pull"],
        &["push"],
        &["copy"],
        &["save"],
        &["load"],
        &["tag"],
        &["rm"],
        &["prune"],
        &["base"],
        &["base", "build"],
        &["base", "list"],
    ];
    for command in commands {
        env.check(&format!("help_{}", command.join("_")), &help(&env, command));
    }
}

#[test]
fn the_snapshots_cover_every_command() {
    let env = TestEnv::new();
    let help = env.plim(["--help"]).good();
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = "optimize build lint analyze diff why run images inspect pull push copy save load tag rm prune base";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn version_is_one_line() {
    let env = TestEnv::new();
    env.check("version", &env.plim(["--version"]));
}

#[test]
fn a_misspelt_command_gets_a_suggestion() {
    let env = TestEnv::new();
    env.check("misspelt_command", &env.plim(["biuld", "."]));
}

#[test]
fn help_has_no_colours_in_a_pipe() {
    let env = TestEnv::new();
    for args in [&["--help"][..], &["build", "--help"], &["optimize", "--help"]] {
        assert!(!env.plim(args).good().contains('\x1b'), "{args:?}");
    }
}
