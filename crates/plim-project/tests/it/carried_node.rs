//! What lives on of the Dockerfile of a Node.js project.

use insta::assert_snapshot;
use plim_project::{CarryChoice, Choices, RewriteError, RewriteOptions, rewrite};

use crate::Folder;
use crate::carried::settled;

const SERVER: &str = "require('http').createServer((q, s) => s.end('ok')).listen(3000)\n";

/// A server without a build, and a front end beside it.
fn project(dockerfile: &str) -> Folder {
    Folder::with(&[
        (
            "package.json",
            r#"{"name": "shop", "scripts": {"start": "node server.js", "migrate": "knex migrate:latest"}, "dependencies": {"express": "4", "knex": "3"}, "devDependencies": {"typescript": "5"}}"#,
        ),
        ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {}}"#),
        ("server.js", SERVER),
        ("scripts/fetch.sh", "mkdir -p cache && echo 1 > cache/list\n"),
        ("conf/app.ini", "a=1\n"),
        ("docker-entrypoint.sh", "#!/bin/sh\nset -e\nuntil nc -z db 5432; do sleep 1; done\nexec \"$@\"\n"),
        ("migrate.sh", "#!/bin/sh\nnpm run migrate && exec node server.js\n"),
        ("client/package.json", r#"{"scripts": {"build": "vite build"}}"#),
        ("client/src/main.js", ""),
        ("Dockerfile", dockerfile),
    ])
}

#[test]
fn commands_and_copies_of_the_author_live_on() {
    let folder = project(
        "FROM node:22\nARG TOOL=1.2\nENV REGION=eu TOOL_HOME=/opt/tool\nRUN apt-get update && apt-get install -y curl && npm install -g nodemon pm2 && rm -rf /var/lib/apt/lists/*\nRUN curl -fsSLo /usr/local/bin/tool https://example.com/$TOOL/tool && chmod +x /usr/local/bin/tool\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci && npm cache clean --force\nCOPY . .\nRUN sh scripts/fetch.sh\nCOPY conf/app.ini /etc/shop/app.ini\nRUN mkdir -p uploads /data/shop && chown -R node:node /app /data/shop && chmod -R 755 /app\nUSER node\nSTOPSIGNAL SIGINT\nVOLUME /data/shop\nEXPOSE 3000 9229/tcp\nCMD [\"node\", \"server.js\"]\n",
    );
    assert_snapshot!("node_commands", settled(&folder));
}

#[test]
fn stages_that_build_something_else_live_on() {
    let folder = project(
        "FROM node:22 AS client\nWORKDIR /client\nCOPY client/ ./\nRUN npm ci && npm run build\n\nFROM golang:1.25 AS build\nWORKDIR /src\nCOPY helper .\nRUN go build -o /out/helper .\n\nFROM node:22 AS deps\nWORKDIR /srv\nCOPY package*.json ./\nRUN npm ci --omit=dev\n\nFROM node:22-slim\nWORKDIR /app\nCOPY --from=deps /srv/node_modules ./node_modules\nCOPY . .\nCOPY --from=client /client/dist ./public\nCOPY --from=build /out/helper /usr/local/bin/helper\nCOPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\nEXPOSE 3000\nCMD [\"node\", \"server.js\"]\n",
    );
    assert_snapshot!("node_stages", settled(&folder));
}

#[test]
fn what_a_builder_makes_among_the_sources_is_made_again() {
    let folder = Folder::with(&[
        (
            "package.json",
            r#"{"scripts": {"build": "tsc"}, "devDependencies": {"typescript": "5"}, "dependencies": {"express": "4"}}"#,
        ),
        ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {}}"#),
        ("src/server.ts", "import express from 'express'; express().listen(3000)\n"),
        ("tsconfig.json", r#"{"compilerOptions": {"outDir": "dist"}}"#),
        ("proto/shop.proto", ""),
        ("docs/api.json", "{}"),
        ("gen.sh", "protoc --js_out=src proto/shop.proto\n"),
        (
            "Dockerfile",
            "FROM alpine AS proto\nRUN wget -O /shop.proto https://example.com/shop.proto\nFROM node:22 AS build\nENV API=v2\nWORKDIR /src\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nCOPY --from=proto /shop.proto proto/\nRUN apt-get update && apt-get install -y protobuf-compiler\nRUN sh gen.sh $API\nRUN npm run build && npm prune --production\n\nFROM node:22-slim\nWORKDIR /app\nCOPY --from=build /src/node_modules ./node_modules\nCOPY --from=build /src/dist ./dist\nCOPY docs ./docs\nCMD [\"node\", \"dist/server.js\"]\n",
        ),
    ]);
    assert_snapshot!("node_builder", settled(&folder));
}

#[test]
fn an_entry_script_keeps_its_shell() {
    let start = "ENTRYPOINT [\"./docker-entrypoint.sh\"]\nCMD [\"node\", \"server.js\"]\n";
    let folder = project(&format!(
        "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci && chmod +x docker-entrypoint.sh\nEXPOSE 3000\n{start}"
    ));
    assert_snapshot!("node_script", settled(&folder));
}

#[test]
fn an_entry_script_that_calls_npm_keeps_it() {
    let folder = project(
        "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCOPY migrate.sh /usr/local/bin/\nEXPOSE 3000\nCMD [\"migrate.sh\"]\n",
    );
    assert_snapshot!("node_script_npm", settled(&folder));
}

#[test]
fn builders_of_packages_and_clones_are_not_dropped_in_silence() {
    let folder = project(
        "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN git clone https://example.com/shop.git .\nRUN ./node_modules/.bin/gulp pages\nCMD [\"node\", \"server.js\"]\n",
    );
    let carry = [(5, CarryChoice::Drop)].into();
    let project = folder.detect().unwrap();
    let error = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "what the program needs of these lines is not clear: Dockerfile:5 `RUN git clone https://example.com/shop.git .`"
    );
    let project = folder.detect_with(&Choices { carry, ..Choices::default() }).unwrap();
    let rewrite = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
    assert!(rewrite.dockerfile.contains("RUN ./node_modules/.bin/gulp pages"), "{}", rewrite.dockerfile);
}

#[test]
fn what_is_not_understood_must_be_settled() {
    let folder = project(
        "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN sed -i s/a/b/ node_modules/express/index.js\nRUN if true; then\nCMD [\"node\", \"server.js\"]\n",
    );
    let project = folder.detect().unwrap();
    let error = rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap_err();
    assert!(matches!(&error, RewriteError::NotCarried { lines, .. } if lines.len() == 2), "{error}");
    assert!(error.hint().unwrap().contains("--carry 5=drop"));
    let carry = [(5, CarryChoice::Drop), (6, CarryChoice::Drop)].into();
    let project = folder.detect_with(&Choices { carry, ..Choices::default() }).unwrap();
    rewrite(&project, &project.stacks[0], &RewriteOptions::default()).unwrap();
}
