use super::Sample;

fn refusal(sample: &Sample) -> (String, String) {
    let error = sample.detect().unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

#[test]
fn migrations_before_the_start_are_not_dropped_in_silence() {
    let sample = Sample::with(&[
        ("package.json", r#"{"scripts": {"start": "prisma migrate deploy && node server.js"}}"#),
        ("server.js", ""),
    ]);
    assert_eq!(
        refusal(&sample),
        (
            "the start command `prisma migrate deploy && node server.js` (package.json:1) needs a shell: it uses `&`".to_owned(),
            "the image starts the program directly; say how with `--start 'node server.js'`, or with `[project] start = …` in plim.toml; or put the commands into a script of the project that CMD runs, which is kept with its shell".to_owned()
        )
    );
}

#[test]
fn a_site_without_a_server_is_no_image() {
    let sample = Sample::with(&[(
        "package.json",
        r#"{"scripts": {"start": "vite", "build": "vite build"}, "devDependencies": {"vite": "6"}}"#,
    )]);
    let (message, hint) = refusal(&sample);
    assert_eq!(
        message,
        "package.json: `vite` (line 1) makes or shows static files: there is no server to put into an image"
    );
    assert!(hint.contains("--start"), "{hint}");
}

#[test]
fn a_web_server_for_static_files_is_no_program_of_the_project() {
    let sample = Sample::with(&[("package.json", r#"{"scripts": {"build": "vite build"}}"#)])
        .dockerfile("FROM nginx\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n");
    assert!(refusal(&sample).0.contains("`nginx` (line 2) makes or shows static files"));
}

#[test]
fn what_nobody_makes_cannot_be_started() {
    let sample = Sample::with(&[("package.json", r#"{"scripts": {"start": "node dist/index.js"}}"#)]);
    assert_eq!(
        refusal(&sample).0,
        "package.json: the start command runs `dist/index.js` (line 1), which is not in the project, and nothing says how it is made"
    );
}

#[test]
fn nothing_to_start() {
    let sample = Sample::with(&[("package.json", "{}")]);
    assert!(refusal(&sample).0.starts_with("package.json: nothing says how to start the program"));
    let sample = Sample::with(&[("package.json", r#"{"scripts": {"start": "./run.sh"}}"#), ("run.sh", "#!/bin/sh\n")]);
    assert!(refusal(&sample).0.contains("runs `./run.sh`"));
}

#[test]
fn bun_and_workspaces_are_refused_with_a_way_out() {
    let sample = Sample::with(&[("package.json", r#"{"main": "a.js"}"#), ("a.js", ""), ("bun.lock", "")]);
    assert_eq!(refusal(&sample).0, "bun.lock: projects that Bun installs cannot be rewritten");
    let sample = Sample::with(&[
        ("package.json", r#"{"workspaces": ["packages/*"]}"#),
        ("packages/api/package.json", r#"{"scripts": {"start": "node ."}}"#),
        ("packages/lib/package.json", "{}"),
    ]);
    assert_eq!(
        refusal(&sample),
        (
            "package.json: workspaces of several packages cannot be rewritten yet (found packages/api, packages/lib)"
                .to_owned(),
            "a package that needs none of the others can be chosen: `--project packages/api`".to_owned()
        )
    );
}

#[test]
fn a_broken_manifest_says_where() {
    let sample = Sample::with(&[("package.json", "{\n  \"name\": \n}")]);
    assert!(refusal(&sample).0.starts_with("package.json:3:"));
}
