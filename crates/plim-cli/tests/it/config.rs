//! `plim.toml`.

use crate::env::TestEnv;

#[test]
fn an_unknown_key_shows_its_line() {
    let env = TestEnv::new();
    env.write("plim.toml", "[project]\nport = 8080\nstrat = \"python -m shop\"\n");
    env.check("config_unknown_key", &env.plim(["images"]).fails(2));
}

#[test]
fn broken_toml_shows_its_line() {
    let env = TestEnv::new();
    env.write("plim.toml", "[project\nport = 8080\n");
    env.check("config_broken", &env.plim(["images"]).fails(2));
}

#[test]
fn a_named_file_wins_over_the_nearest() {
    let env = TestEnv::new();
    env.write("plim.toml", "nonsense = 1\n");
    env.write("other.toml", "[build]\nnetwork = \"none\"\n");
    env.plim(["images", "--config", "other.toml"]).good();
}

#[test]
fn a_named_file_must_be_there() {
    let env = TestEnv::new();
    env.check("config_missing", &env.plim(["images", "--config", "no.toml"]).fails(2));
}

#[test]
fn a_network_that_does_not_exist_is_named() {
    let env = TestEnv::new();
    env.write("plim.toml", "[build]\nnetwork = \"bridge\"\n");
    env.write("Dockerfile", "FROM scratch\nCOPY plim.toml /\n");
    let mut command = env.command(["build", "."]);
    command.env("PLIM_OFFLINE", "false");
    env.check("config_network", &crate::env::Output::of(command).fails(2));
}
