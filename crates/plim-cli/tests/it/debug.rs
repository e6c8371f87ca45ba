//! `plim debug`: what other tests and generators stand on.

use crate::env::TestEnv;

#[test]
fn a_syntax_tree_is_printed() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch AS base\nENV A=1 B=\"two words\"\n");
    env.check("debug_parse_dump", &env.plim(["debug", "parse-dump", "Dockerfile"]));
}

#[test]
fn schemas_describe_every_field() {
    let env = TestEnv::new();
    for report in ["optimize", "analyze"] {
        let schema = env.plim(["debug", "schema", report]).json();
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{report}: {name}");
        }
    }
}
