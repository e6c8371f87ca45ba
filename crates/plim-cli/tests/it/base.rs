//! `plim base`.

use crate::env::TestEnv;

#[test]
fn the_recipes_are_listed() {
    let env = TestEnv::new();
    let output = env.plim(["base", "list"]);
    assert!(output.stdout.starts_with("FROM …\n"), "{output}");
    assert!(output.stdout.contains("debian-slim"), "{output}");
    let report = env.plim(["base", "list", "-o", "json"]).json();
    assert_eq!(report["recipes"].as_array().unwrap().len(), output.stdout.lines().count() - 1);
}

#[test]
fn a_misspelt_recipe_gets_a_suggestion() {
    let env = TestEnv::new();
    env.check("base_misspelt", &env.plim(["base", "build", "pyton3"]).fails(2));
}

#[test]
fn a_suite_that_a_recipe_has_not_is_named() {
    let env = TestEnv::new();
    env.check("base_wrong_suite", &env.plim(["base", "build", "static:buster"]).fails(2));
}
