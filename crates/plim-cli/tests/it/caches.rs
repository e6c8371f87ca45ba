//! `--cache-to` and `--cache-from`: from one machine to another, by way of a registry or a folder.

use plim_testkit::registry::Registry;
use serde_json::Value;

use crate::env::{Output, TestEnv};
use crate::registry::online;
use crate::rootfs::{SHELL, shell_image};

/// A registry with an image to build on, and a project of two stages; none where nothing can be run.
fn registry() -> Option<Registry> {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return None;
    }
    let registry = Registry::start();
    online(&env, ["push", SHELL, &format!("{}/{SHELL}", registry.address())]).good();
    Some(registry)
}

/// Another machine with the same project.
fn machine(registry: &Registry) -> TestEnv {
    let env = TestEnv::new();
    let base = format!("{}/{SHELL}", registry.address());
    env.write(
        "Dockerfile",
        format!(
            "FROM {base} AS build\nCOPY a /src/\nRUN cat /src/a /proc/sys/kernel/random/uuid >/made\n\
             FROM {base}\nCOPY --from=build /made /app/\nRUN cat /app/made >/twice\n"
        ),
    );
    env.write("a", "a");
    env
}

fn summary(output: &Output) -> &str {
    output.stderr.lines().find(|line| line.starts_with("built ")).unwrap_or_else(|| panic!("{output}"))
}

/// The requests for the content of blobs in a repository of the registry.
fn read(registry: &Registry, repository: &str) -> Vec<String> {
    let prefix = format!("/v2/{repository}/blobs/");
    let requests = registry.requests();
    let reads = requests.iter().filter(|request| request.method == "GET");
    reads.filter_map(|request| request.path.strip_prefix(&prefix).map(str::to_owned)).collect()
}

fn manifest(registry: &Registry, repository: &str, tag: &str) -> Value {
    serde_json::from_slice(&registry.manifest(repository, tag).unwrap().1).unwrap()
}

#[test]
fn a_cache_in_a_registry_answers_all_of_a_build() {
    let Some(registry) = registry() else { return };
    let cache = format!("{}/team/cache:main", registry.address());
    let image = format!("{}/team/app:1", registry.address());
    let one = machine(&registry);
    let to = format!("type=registry,ref={cache},mode=max");
    let digest = online(&one, ["build", "-t", &image, "--push", "--cache-to", &to, "."]).good();
    let written = manifest(&registry, "team/cache", "main");
    assert_eq!(written["artifactType"], "application/vnd.plimsoll.build.cache.v1+json");
    assert_eq!(written["config"]["mediaType"], written["artifactType"]);
    assert_eq!(written["layers"].as_array().unwrap().len(), 4);
    // the layers of the image are in the registry: it takes them over
    let image_manifest = manifest(&registry, "team/app", "1");
    let shared = image_manifest["layers"].as_array().unwrap()[1]["digest"].as_str().unwrap().to_owned();
    let mounted = registry.requests().into_iter().any(|request| {
        request.method == "POST" && request.path.contains("mount=") && request.path.contains(&shared[7..])
    });
    assert!(mounted, "{:?}", registry.requests());

    let two = machine(&registry);
    registry.clear_requests();
    let again = online(&two, ["build", "--cache-from", &cache, "."]);
    assert!(summary(&again).contains("4 of 4 steps cached"), "{again}");
    assert_eq!(again.good(), digest);
    let own = |layer: &Value| layer["digest"].as_str().unwrap().to_owned();
    let mut expected: Vec<_> = image_manifest["layers"].as_array().unwrap()[1..].iter().map(own).collect();
    expected.push(own(&written["config"]));
    let mut read = read(&registry, "team/cache");
    expected.sort();
    read.sort();
    assert_eq!(read, expected, "nothing of the first stage");

    // what is there is not sent again, and the first stage's layers are not fetched to be sent
    registry.clear_requests();
    let to = format!("type=registry,ref={cache}2,mode=max");
    online(&two, ["build", "--cache-from", &cache, "--cache-to", &to, "."]).good();
    let config = own(&written["config"]);
    assert_eq!(self::read(&registry, "team/cache"), [config]);
    let uploads = registry.requests().into_iter().filter(|request| request.method == "POST").count();
    assert_eq!(uploads, 0, "the table is the same, too");
    assert_eq!(manifest(&registry, "team/cache", "main2"), written);
}

#[test]
fn a_cache_in_a_folder_stays_small() {
    let Some(registry) = registry() else { return };
    let one = machine(&registry);
    let build = |env: &TestEnv, place: &str| {
        let (from, to) = (format!("type=local,src={place}"), format!("type=local,dest={place},mode=max"));
        online(env, ["build", "--cache-from", &from, "--cache-to", &to, "."])
    };
    let first = build(&one, "cache");
    assert!(first.stderr.contains("the cache cache is not used"), "the first run has none: {first}");
    let place = one.work().join("cache").display().to_string();
    let two = machine(&registry);
    let again = build(&two, &place);
    assert!(summary(&again).contains("4 of 4 steps cached"), "{again}");
    assert_eq!(again.good(), first.clone().good());
    two.write("a", "changed");
    let changed = build(&two, &place);
    assert!(summary(&changed).contains("0 of 4 steps cached"), "{changed}");
    changed.good();
    // manifest, table and four layers: those of the first build are gone
    assert_eq!(std::fs::read_dir(one.work().join("cache/blobs/sha256")).unwrap().count(), 6);
}

#[test]
fn an_image_is_its_own_cache() {
    let Some(registry) = registry() else { return };
    let image = format!("{}/team/app:1", registry.address());
    let one = machine(&registry);
    one.write("Dockerfile", format!("FROM {}/{SHELL}\nCOPY a /\nRUN cat /a >/b\n", registry.address()));
    let digest = online(&one, ["build", "-t", &image, "--push", "--cache-to", "type=inline", "."]).good();
    let two = machine(&registry);
    two.write("Dockerfile", one.read("Dockerfile"));
    let again = online(&two, ["build", "--cache-from", &image, "--cache-to", "type=inline", "."]);
    assert!(summary(&again).contains("2 of 2 steps cached"), "{again}");
    assert_eq!(again.good(), digest);
    let squashed = online(&one, ["build", "--squash", "--cache-to", "type=inline", "."]).fails(2);
    assert!(squashed.stderr.contains("exclude each other"), "{squashed}");
}

#[test]
fn what_is_no_cache_is_a_warning() {
    let Some(registry) = registry() else { return };
    let env = machine(&registry);
    let base = format!("{}/{SHELL}", registry.address());
    let missing = format!("{}/team/missing", registry.address());
    let folder = "type=local,src=nowhere";
    let output = online(&env, ["build", "--cache-from", &base, "--cache-from", &missing, "--cache-from", folder, "."]);
    for part in ["the image keeps no cache", "team/missing", "the cache nowhere"] {
        assert!(output.stderr.contains(part), "{part} in {output}");
    }
    output.good();
    let offline = env.plim(["build", "--cache-from", &missing, "."]);
    assert!(offline.stderr.contains("is not used"), "{offline}");
    assert!(summary(&offline).contains("4 of 4"), "{offline}");
}

#[test]
fn a_hostile_cache_is_a_warning() {
    let Some(registry) = registry() else { return };
    let env = machine(&registry);
    let table = r#"{"version":1,"layers":[],"steps":[{"key":"sha256:x","layer":9}]}"#;
    let digest = registry.put_blob("team/evil", table);
    let kind = "application/vnd.plimsoll.build.cache.v1+json";
    let manifest = serde_json::json!({
        "schemaVersion": 2, "artifactType": kind, "layers": [],
        "config": {"mediaType": kind, "digest": digest, "size": table.len()},
    });
    let oci = "application/vnd.oci.image.manifest.v1+json";
    registry.put_manifest("team/evil", "1", oci, manifest.to_string());
    let output = online(&env, ["build", "--cache-from", &format!("{}/team/evil:1", registry.address()), "."]);
    assert!(output.stderr.contains("the table of the cache is malformed"), "{output}");
    output.good();
}

#[test]
fn a_cache_that_cannot_be_written_fails_unless_it_may() {
    let Some(registry) = registry() else { return };
    let env = machine(&registry);
    env.write("file", "");
    let failed = online(&env, ["build", "-t", "app", "--cache-to", "type=local,dest=file", "."]).fails(2);
    assert!(failed.stderr.contains("ignore-error=true"), "{failed}");
    let to = "type=local,dest=file,ignore-error=true";
    let output = online(&env, ["build", "--cache-to", to, "."]);
    assert!(output.stderr.contains("the cache file is not written"), "{output}");
    output.good();
}

/// The content of cache directories on another machine, where a step can see them.
#[test]
fn cache_directories_go_to_other_machines() {
    let Some(registry) = registry() else { return };
    let base = format!("{}/{SHELL}", registry.address());
    let place = format!("{}/team/mounts:main", registry.address());
    let (from, to) = (format!("type=registry,ref={place}"), format!("type=registry,ref={place}"));
    let one = TestEnv::new();
    let counting = |line: &str| {
        format!(
            "FROM {base}\nRUN --mount=type=cache,target=/c --mount=type=cache,id=other,target=/d,mode=0700,uid=7 \
             {line}\n"
        )
    };
    one.write("Dockerfile", counting("echo one >>/c/log && umask 077 && echo secret >/d/file && echo >/d/.x"));
    online(&one, ["build", "--cache-mounts-to", &to, "."]).good();
    let written = manifest(&registry, "team/mounts", "main");
    assert_eq!(written["artifactType"], "application/vnd.plimsoll.build.mounts.v1+json");
    assert_eq!(written["layers"].as_array().unwrap().len(), 2);
    // the same content is the same artifact, and nothing is sent
    registry.clear_requests();
    online(&one, ["build", "--cache-mounts-to", &to, "."]).good();
    assert_eq!(registry.requests().iter().filter(|request| request.method == "POST").count(), 0);

    let two = TestEnv::new();
    let check = "cat /c/log && [ \"$(cat /d/file)\" = secret ] && [ -O /c ] && [ -e /d/.x ] && echo two >>/c/log";
    two.write("Dockerfile", counting(check));
    let verbose = |env: &TestEnv| online(env, ["build", "-v", "--cache-mounts-from", &from, "."]);
    let output = verbose(&two);
    assert!(output.stderr.contains(" one\n#"), "{output}");
    output.good();
    // what is there by now stays: the next step sees what this machine added
    two.write("Dockerfile", counting("cat /c/log; echo again"));
    let output = verbose(&two);
    assert!(output.stderr.contains(" two\n#"), "{output}");
    // what no step names is not fetched
    let three = TestEnv::new();
    three.write("Dockerfile", format!("FROM {base}\nRUN --mount=type=cache,target=/unknown cat /c/log || echo none\n"));
    registry.clear_requests();
    let output = verbose(&three);
    assert!(output.stderr.contains(" none\n#"), "{output}");
    let config = written["config"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(read(&registry, "team/mounts"), [config], "only the table is read");
}

#[test]
fn damaged_cache_directories_begin_empty() {
    let Some(registry) = registry() else { return };
    let env = TestEnv::new();
    let dockerfile =
        |line: &str| format!("FROM {}/{SHELL}\nRUN --mount=type=cache,target=/c {line}\n", registry.address());
    env.write("Dockerfile", dockerfile("echo one >/c/log"));
    online(&env, ["build", "--cache-mounts-to", "type=local,dest=mounts", "."]).good();
    let other = TestEnv::new();
    let index: Value = serde_json::from_str(&env.read("mounts/index.json")).unwrap();
    let blob = |digest: &Value| env.work().join("mounts/blobs/sha256").join(&digest.as_str().unwrap()[7..]);
    let root: Value = serde_json::from_slice(&std::fs::read(blob(&index["manifests"][0]["digest"])).unwrap()).unwrap();
    let layer = blob(&root["layers"][0]["digest"]);
    let mut bytes = std::fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&layer, bytes).unwrap();
    other.write("Dockerfile", dockerfile("echo \"in it: $(echo /c/*)\""));
    let from = format!("type=local,src={}", env.work().join("mounts").display());
    let output = online(&other, ["build", "-v", "--cache-mounts-from", &from, "."]);
    assert!(output.stderr.contains("the cache /c begins empty"), "{output}");
    assert!(output.stderr.contains("in it: /c/*"), "{output}");
    output.good();
}

#[test]
fn explain_says_which_files_made_a_step_necessary() {
    let env = TestEnv::new();
    env.write(
        "Dockerfile",
        "FROM scratch AS build\nCOPY src /src\nCOPY one.txt /\nFROM scratch\nWORKDIR /app\nCOPY --from=build /src .\n\
         COPY other.txt .\n",
    );
    for number in 0..7 {
        env.write(&format!("src/{number}.c"), "1");
    }
    env.write("one.txt", "1");
    env.write("other.txt", "1");
    env.check("build_explain_first", &env.plim(["build", "--explain", "."]));
    env.check("build_explain_hits", &env.plim(["build", "--explain", "."]));
    for number in 1..6 {
        env.write(&format!("src/{number}.c"), "2");
    }
    env.write("src/dir/new.c", "2");
    std::fs::remove_file(env.work().join("src/0.c")).unwrap();
    let output = env.plim(["build", "--explain", "--metadata-file", "metadata.json", "."]);
    env.check("build_explain_changed", &output);
    let metadata: Value = serde_json::from_str(&env.read("metadata.json")).unwrap();
    let miss = &metadata["plimsoll.build.steps"][0]["miss"];
    assert_eq!(miss["reason"], "input-changed");
    assert_eq!(miss["files"][0], serde_json::json!({"path": "src/0.c", "change": "removed"}));
    assert_eq!(miss["more"], 3);
    // another machine, and where its results came from
    env.plim(["build", "--cache-to", "type=local,dest=cache,mode=max", "."]).good();
    let from = ["build", "--explain", "--cache-from", "type=local,src=cache", "."];
    let mut command = env.command(from);
    command.env("PLIM_DATA", env.path("data2")).env("PLIM_CACHE", env.path("cache2"));
    env.check("build_explain_imported", &Output::of(command));
}

#[test]
fn a_build_removes_what_was_not_used_for_long_and_its_records() {
    let env = TestEnv::new();
    let build = |content: &str, cap: &str| {
        env.write("a", content);
        env.plim(["build", "--cap-gb", cap, "."])
    };
    env.write("Dockerfile", "FROM scratch\nCOPY a /\n");
    let entries = |path: &str| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(env.path(path)).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let records =
        || -> usize { entries("cache/build/steps").iter().map(|dir| std::fs::read_dir(dir).unwrap().count()).sum() };
    build("old", "20").good();
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    let old = entries("data/snapshots").into_iter().chain(entries("data/snapshots-chroot")).next().unwrap();
    std::fs::File::open(&old).unwrap().set_modified(hours_ago).unwrap();
    build("new", "20").good();
    assert!(old.exists(), "it is far below the cap");
    assert_eq!(records(), 2);
    assert!(summary(&build("new", "0")).contains("1 of 1 steps cached"));
    assert!(old.exists(), "a build that did nothing looks for nothing");
    build("newer", "0").good();
    assert!(!old.exists());
    assert_eq!(records(), 2, "the record of what is gone went with it");
    assert!(summary(&build("new", "0")).contains("1 of 1 steps cached"), "what was used just now stays");
    assert!(summary(&build("old", "0")).contains("0 of 1 steps cached"));
}
