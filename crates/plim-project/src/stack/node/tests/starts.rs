use super::Sample;

/// The start command of a project whose script `start` is this.
fn script(start: &str) -> String {
    sample(start).start()
}

fn sample(start: &str) -> Sample {
    let manifest = serde_json::json!({
        "main": "lib/app.js",
        "scripts": { "start": start, "serve": "node server.js --fast", "build": "tsc" },
        "dependencies": { "tsx": "4", "next": "15", "serve": "14" },
        "devDependencies": { "ts-node": "10", "nodemon": "3" },
    });
    Sample::with(&[
        ("package.json", &manifest.to_string()),
        ("server.js", ""),
        ("bin/www", "#!/usr/bin/env node\n"),
        ("lib/app.js", ""),
        ("src/index.ts", ""),
        ("tsconfig.json", r#"{"compilerOptions": {"outDir": "dist"}}"#),
    ])
}

#[test]
fn scripts_are_unwound_to_node() {
    for (text, start) in [
        ("node server.js", "node server.js"),
        ("node .", "node lib/app.js"),
        ("node --enable-source-maps ./dist/index.js --port 80", "node --enable-source-maps dist/index.js --port 80"),
        ("cross-env NODE_ENV=production node server", "node server"),
        ("NODE_ENV=production exec node server.js", "node server.js"),
        ("npm run serve", "node server.js --fast"),
        ("npm run serve -- --more", "node server.js --fast --more"),
        ("yarn serve", "node server.js --fast"),
        ("nodemon", "node lib/app.js"),
        ("nodemon -w src --ext js,json server.js", "node server.js"),
        ("nodemon --exec 'tsx' src/index.ts", "node node_modules/tsx/dist/cli.mjs src/index.ts"),
        ("ts-node src/index.ts", "node node_modules/ts-node/dist/bin.js src/index.ts"),
        ("tsx watch src/index.ts", "node node_modules/tsx/dist/cli.mjs src/index.ts"),
        ("next start -p 4000", "node node_modules/next/dist/bin/next start -p 4000"),
        ("npx serve -s public", "node node_modules/serve/build/main.js -s public"),
        ("./bin/www", "node bin/www"),
        ("tsc && node dist/index.js", "node dist/index.js"),
        ("set PORT=4000&& node server.js", "node server.js"),
        ("dotenv -e .env -- node server.js", "node server.js"),
        ("node --watch --inspect=0.0.0.0:9229 server.js", "node server.js"),
        ("node -r ts-node/register src/index.ts", "node -r ts-node/register src/index.ts"),
        ("dumb-init -- node server.js", "node server.js"),
    ] {
        assert_eq!(script(text), start, "{text}");
    }
}

#[test]
fn assignments_become_environment() {
    let project = sample("cross-env NODE_ENV=staging PORT=4001 node server.js").detect().unwrap();
    let profile = &project.stacks[0];
    assert_eq!(profile.env, [("NODE_ENV".to_owned(), "staging".to_owned()), ("PORT".to_owned(), "4001".to_owned())]);
    assert_eq!(profile.port, Some(4001));
}

#[test]
fn a_program_for_developers_keeps_its_packages() {
    let project = sample("ts-node src/index.ts").detect().unwrap();
    let profile = &project.stacks[0];
    assert!(profile.install.prune.is_empty());
    assert!(profile.found.iter().any(|finding| finding.what.contains("started with ts-node")), "{:?}", profile.found);
    assert!(profile.artifacts.iter().any(|artifact| artifact.path == "tsconfig.json"));
}

#[test]
fn a_global_pm2_comes_along() {
    let sample = sample("node server.js")
        .dockerfile("FROM node:20\nWORKDIR /app\nCOPY . .\nCMD [\"pm2-runtime\", \"server.js\"]\n")
        .commands(&["0 2 /app npm install -g pm2@5", "0 3 /app npm ci"]);
    let shown = sample.shown();
    for line in [
        "    npm install --global pm2@5",
        "COPY --from=dependencies /usr/local/lib/node_modules/pm2 /usr/local/lib/node_modules/pm2",
        r#"CMD ["/usr/local/lib/node_modules/pm2/bin/pm2-runtime", "server.js"]"#,
        "    PM2_HOME=/tmp/.pm2",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
}

#[test]
fn entrypoint_and_command_of_the_author_keep_their_roles() {
    let sample = sample("x")
        .dockerfile("FROM node:20\nENTRYPOINT [\"tini\", \"--\", \"node\", \"server.js\"]\nCMD [\"--port\", \"80\"]\n");
    let shown = sample.shown();
    assert!(shown.contains("ENTRYPOINT [\"/nodejs/bin/node\", \"server.js\"]\nCMD [\"--port\", \"80\"]"), "{shown}");
}

#[cfg(unix)]
#[test]
fn what_only_its_owner_may_read_is_opened_for_the_user_of_the_image() {
    use std::os::unix::fs::PermissionsExt as _;
    let sample = sample("node server.js");
    let file = sample.root().join("server.js");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let shown = sample.shown();
    assert!(shown.contains("<- server.js is for its owner only"), "{shown}");
    assert!(shown.contains("COPY --chmod=755 server.js ./"), "{shown}");
}
