//! The parser, lexer and pattern data that BuildKit and its pattern matcher are tested with.

use std::fs;
use std::path::PathBuf;

use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::stages::StageGraph;
use plim_dockerfile::words::{Env, Lexer};
use plim_dockerfile::{ErrorKind, dump, parse};

use crate::pack;

fn unpacked(part: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let archive = pack::shared("build/conformance.tar.zst")?;
    let dir = pack::unpack(&archive, &[&format!("conformance/{part}/")]);
    let path = dir.path().join("conformance").join(part);
    Some((dir, path))
}

#[test]
fn syntax_trees_are_those_of_buildkit() {
    let Some((_guard, dir)) = unpacked("parser") else { return };
    let cases = pack::entries(&dir.join("testfiles"));
    assert!(cases.len() >= 30, "the pack is incomplete");
    for case in cases {
        let text = fs::read_to_string(case.join("Dockerfile")).unwrap();
        let expected = fs::read_to_string(case.join("result")).unwrap();
        let file = parse(&text);
        assert_eq!(dump::dump(&file).trim(), expected.trim(), "{}", case.display());
        let broken = file.errors.iter().find(|error| error.kind == ErrorKind::Syntax);
        assert_eq!(broken, None, "{}", case.display());
        assert_eq!(file.to_string(), text);
    }
}

#[test]
fn what_buildkit_cannot_parse_is_an_error_of_syntax() {
    let Some((_guard, dir)) = unpacked("parser") else { return };
    for case in pack::entries(&dir.join("testfiles-negative")) {
        let file = parse(&fs::read_to_string(case.join("Dockerfile")).unwrap());
        assert!(file.errors.iter().any(|error| error.kind == ErrorKind::Syntax), "{}", case.display());
    }
}

#[test]
fn instructions_know_their_lines() {
    let Some((_guard, dir)) = unpacked("parser") else { return };
    let file = parse(&fs::read_to_string(dir.join("testfile-line/Dockerfile")).unwrap());
    let lines: Vec<_> = file.instructions.iter().map(|i| (i.name.value.as_str(), i.line, i.last_line)).collect();
    assert_eq!(lines, [("FROM", 5, 5), ("ENV", 11, 12), ("RUN", 17, 31)]);
}

struct TestEnv(Vec<(String, String)>);

impl Env for TestEnv {
    fn get(&self, name: &str) -> Option<String> {
        Env::get(&self.0, name)
    }
}

#[test]
fn words_expand_as_in_buildkit() {
    let Some((_guard, dir)) = unpacked("shell") else { return };
    let env = [("PWD", "/home"), ("SHELL", "bash"), ("KOREAN", "한국어"), ("NULL", "")];
    let env = TestEnv(env.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let lexer = Lexer::new('\\');
    let mut rows = 0;
    for line in fs::read_to_string(dir.join("envVarTest")).unwrap().lines() {
        let line = line.split('#').next().filter(|_| line.starts_with('#')).unwrap_or(line);
        let fields: Vec<&str> = line.splitn(3, '|').collect();
        let [platform, word, expected] = fields.as_slice() else { continue };
        if platform.trim() == "W" {
            continue;
        }
        let (word, expected) = (word.trim(), expected.trim());
        rows += 1;
        match lexer.process_word(word, &env) {
            Ok(found) => assert_eq!(found.text, expected, "{line}"),
            Err(error) => assert_eq!("error", expected, "{line}: {error}"),
        }
    }
    assert!(rows > 200, "only {rows} rows in the pack");
}

#[test]
fn words_split_as_in_buildkit() {
    let Some((_guard, dir)) = unpacked("shell") else { return };
    let mut env = TestEnv(Vec::new());
    let lexer = Lexer::new('\\');
    for line in fs::read_to_string(dir.join("wordsTest")).unwrap().lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(pair) = line.strip_prefix("ENV ") {
            let (name, value) = pair.trim_start().split_once('=').unwrap();
            env.0.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let (text, expected) = line.split_once('|').unwrap();
        let expected: Vec<&str> = expected.trim_start().split(',').collect();
        match lexer.process_words(text.trim(), &env) {
            Ok(words) => assert_eq!(words, expected, "{line}"),
            Err(error) => assert_eq!(["error"].as_slice(), expected, "{line}: {error}"),
        }
    }
}

#[test]
fn patterns_match_as_in_mobys_matcher() {
    let Some((_guard, dir)) = unpacked("patternmatcher") else { return };
    let text = fs::read_to_string(dir.join("tests.json")).unwrap();
    let data: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = |name: &str| data[name].as_array().unwrap().iter();
    for row in rows("single").chain(rows("multi")) {
        let patterns = Patterns::new(row["patterns"].as_array().unwrap().iter().map(|p| p.as_str().unwrap())).unwrap();
        // the paths of these rows are cleaned before they are matched
        let path = row["path"].as_str().unwrap().trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        assert_eq!(patterns.matches_or_parent_matches(path), row["match"].as_bool().unwrap(), "{row}");
    }
    for row in rows("match") {
        let found = Patterns::new([row["pattern"].as_str().unwrap()]);
        match found {
            // plain matching in these rows lets a file match through its directory
            Ok(patterns) => {
                assert_eq!(row["error"], "nil", "{row}");
                let found = patterns.matches_or_parent_matches(row["path"].as_str().unwrap());
                assert_eq!(found, row["match"].as_bool().unwrap(), "{row}");
            }
            Err(error) => assert_ne!(row["error"], "nil", "{row}: {error}"),
        }
    }
    for row in rows("compile") {
        assert!(Patterns::new([row["pattern"].as_str().unwrap()]).is_ok(), "{row}");
    }
}

/// Refused by BuildKit for something that the file and its global scope show, before any instruction is executed.
const REFUSED: [&str; 10] = [
    "buildkit/DockerfileCopyFromArgs-1",
    "buildkit/DockerfileInvalidInstruction-1",
    "buildkit/EmptyStages-1",
    "buildkit/ErrorsSourceMap-1",
    "buildkit/ErrorsSourceMap-5",
    "buildkit/GlobalArgErrors-1",
    "buildkit/MountInvalid-1",
    "buildkit/TargetMistype-1",
    "buildkit/UndeclaredArg-7",
    "buildkit/WarningsBeforeError-1",
];

#[test]
fn files_that_buildkit_builds_have_no_errors() {
    let Some(archive) = pack::shared("build/conformance.tar.zst") else { return };
    let dir = pack::unpack_files(&archive, &|path| {
        path.ends_with("case.json") || path.to_lowercase().contains("dockerfile") || path.ends_with("Containerfile")
    });
    let mut seen = 0;
    let mut wrong = Vec::new();
    for suite in ["buildah", "buildkit"] {
        for case in pack::entries(&dir.path().join("conformance").join(suite)) {
            let name = format!("{suite}/{}", case.file_name().unwrap().to_string_lossy());
            let data: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(case.join("case.json")).unwrap()).unwrap();
            let string = |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            let file = string(&data["dockerfile"]).or_else(|| string(&data["attrs"]["filename"]));
            let file = file.unwrap_or_else(|| "Dockerfile".to_owned());
            let dirs = ["dockerfile", "context"].map(|dir| case.join(dir).join(&file));
            let Some(text) = dirs.iter().find_map(|path| fs::read(path).ok()) else { continue };
            seen += 1;
            let file = parse(&String::from_utf8_lossy(&text));
            let attributes = data["attrs"].as_object().into_iter().flatten();
            let attributes = attributes.filter_map(|(key, value)| Some((key.strip_prefix("build-arg:")?, value)));
            let given = data["build_args"].as_object().into_iter().flatten();
            let args: Vec<(String, String)> = attributes
                .chain(given.map(|(key, value)| (key.as_str(), value)))
                .map(|(key, value)| (key.to_owned(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let platform = ["BUILDPLATFORM", "TARGETPLATFORM"].map(|name| (name.to_owned(), "linux/amd64".to_owned()));
            let arch = ("TARGETARCH".to_owned(), "amd64".to_owned());
            let predefined: Vec<_> = platform.into_iter().chain([arch]).collect();
            let graph = StageGraph::new(&file, &args, &predefined);
            let target = graph.target(data["attrs"]["target"].as_str());
            let mut errors: Vec<String> = file.errors.iter().map(ToString::to_string).collect();
            errors.extend(target.as_ref().err().map(ToString::to_string));
            errors.extend(target.ok().and_then(|target| graph.error_for(target)).map(|error| error.error.to_string()));
            let refused = REFUSED.contains(&name.as_str());
            if data["expect"] == "ok" && !errors.is_empty() || refused && errors.is_empty() {
                wrong.push(format!("{name} {} {errors:?}", data["error"]));
            }
        }
    }
    assert!(seen > 300, "only {seen} files in the pack");
    assert_eq!(wrong, Vec::<String>::new());
}
