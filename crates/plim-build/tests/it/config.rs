//! What an image says about itself.

use plim_oci::media_type;
use serde_json::json;

use crate::Test;
use crate::workbench::{BASE_CREATED, Workbench};

pub(crate) const TESTS: &[Test] = &[
    ("instructions_become_configuration", instructions_become_configuration),
    ("an_image_of_nothing_has_an_empty_list_of_layers", an_image_of_nothing_has_an_empty_list_of_layers),
    ("times_come_from_the_base_or_the_epoch_asked_for", times_come_from_the_base_or_the_epoch_asked_for),
    ("a_new_entrypoint_resets_an_inherited_command_only", a_new_entrypoint_resets_an_inherited_command_only),
    ("arguments_and_variables_follow_the_order_of_the_file", arguments_and_variables_follow_the_order),
    ("triggers_of_the_base_run_first_and_are_not_inherited", triggers_of_the_base_run_first),
    ("the_image_names_its_base", the_image_names_its_base),
    ("labels_of_the_request_win", labels_of_the_request_win),
];

fn instructions_become_configuration() {
    let bench = Workbench::new();
    let built = bench.build(
        "FROM base\nENV A=1 B=\"two words\"\nLABEL a=b\nEXPOSE 80 53/udp 8000-8001\nVOLUME /data\nUSER app\n\
         STOPSIGNAL SIGQUIT\nSHELL [\"/bin/ash\", \"-c\"]\nHEALTHCHECK --interval=1m CMD true\n\
         ENTRYPOINT [\"/app\"]\nCMD serve $A\nMAINTAINER somebody\nONBUILD RUN true\n",
    );
    let config = serde_json::to_value(&built.image.config).unwrap();
    assert_eq!(
        config["config"],
        json!({
            "User": "app",
            "ExposedPorts": {"53/udp": {}, "80/tcp": {}, "8000/tcp": {}, "8001/tcp": {}},
            "Env": ["PATH=/usr/bin:/bin", "FROM_BASE=1", "A=1", "B=two words"],
            "Entrypoint": ["/app"],
            "Cmd": ["/bin/ash", "-c", "serve $A"],
            "Volumes": {"/data": {}},
            "Labels": {"a": "b"},
            "StopSignal": "SIGQUIT",
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 60_000_000_000_i64},
            "ArgsEscaped": true,
            "OnBuild": ["RUN true"],
            "Shell": ["/bin/ash", "-c"],
        })
    );
    assert_eq!(config["author"], "somebody");
    let rows: Vec<_> = built.image.config.history.iter().filter_map(|row| row.created_by.as_deref()).collect();
    assert!(rows.contains(&"EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp]"), "{rows:?}");
    assert!(rows.contains(&"CMD [\"/bin/ash\" \"-c\" \"serve $A\"]"), "{rows:?}");
}

fn an_image_of_nothing_has_an_empty_list_of_layers() {
    let built = Workbench::new().build("FROM scratch\nLABEL a=b\n");
    let manifest = String::from_utf8(built.image.manifest_bytes).unwrap();
    assert!(manifest.contains("\"layers\":[]"), "{manifest}");
    assert_eq!(built.image.manifest.media_type.as_deref(), Some(media_type::OCI_MANIFEST));
    assert_eq!(built.image.config.config.working_dir, "/");
    assert!(built.image.config.config.env[0].starts_with("PATH="));
}

fn times_come_from_the_base_or_the_epoch_asked_for() {
    let bench = Workbench::new();
    bench.file("a.txt", "a");
    let built = bench.build("FROM base\nCOPY a.txt /\n");
    assert_eq!(built.image.config.created.as_deref(), Some(BASE_CREATED));
    let base: jiff::Timestamp = BASE_CREATED.parse().unwrap();
    assert!(bench.layer(&built.image, 1).iter().all(|(head, _)| head.mtime <= base.as_second()));

    let mut request = bench.request("FROM base\nCOPY a.txt /\n");
    request.epoch = Some(1_000_000_000);
    let built = bench.run(&request).unwrap();
    assert_eq!(built.image.config.created.as_deref(), Some("2001-09-09T01:46:40Z"));
    let file = bench.layer(&built.image, 1).into_iter().find(|(head, _)| head.path == "a.txt").unwrap();
    assert_eq!(file.0.mtime, 1_000_000_000);
    assert_eq!((file.0.uid, file.0.gid), (0, 0));
}

fn a_new_entrypoint_resets_an_inherited_command_only() {
    let bench = Workbench::new();
    let config = |dockerfile: &str| bench.build(dockerfile).image.config.config;
    assert_eq!(config("FROM base\n").cmd, Some(vec!["base-command".to_owned()]));
    assert_eq!(config("FROM base\nENTRYPOINT [\"x\"]\n").cmd, None);
    assert_eq!(config("FROM base\nCMD [\"y\"]\nENTRYPOINT [\"x\"]\n").cmd, Some(vec!["y".to_owned()]));
    assert_eq!(config("FROM base AS a\nCMD [\"y\"]\nFROM a\nENTRYPOINT [\"x\"]\n").cmd, None);
}

fn arguments_and_variables_follow_the_order() {
    let bench = Workbench::new();
    let mut request = bench.request(
        "ARG GLOBAL=g\nFROM base\nARG GLOBAL\nARG A=1 B=${A}x\nENV A=env\nLABEL late=$A b=$B global=$GLOBAL \
         none=${NONE} given=${GIVEN:-unset}\nARG GIVEN\nLABEL then=$GIVEN\n",
    );
    request.build_args = vec![("GIVEN".to_owned(), "given".to_owned()), ("A".to_owned(), "arg".to_owned())];
    let built = bench.run(&request).unwrap();
    let labels: Vec<_> = built.image.config.config.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(labels, ["b=argx", "given=unset", "global=g", "late=env", "none=", "then=given"]);
    assert_eq!(built.warnings.len(), 1, "{:?}", built.warnings);
    assert!(built.warnings[0].message.contains("`NONE`"));
}

fn triggers_of_the_base_run_first() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("b.txt", "b");
    let built = bench.build("FROM trigger AS one\nCOPY b.txt /\nFROM one\nWORKDIR /x\n");
    let steps: Vec<_> = built.steps.iter().map(|step| (step.line, step.instruction.as_str())).collect();
    assert_eq!(steps, [(0, "COPY a.txt /triggered"), (2, "COPY b.txt /"), (4, "WORKDIR /x")]);
    assert!(built.image.config.config.on_build.is_empty());
}

fn the_image_names_its_base() {
    let bench = Workbench::new();
    bench.file("a.txt", "a");
    let built = bench.build("FROM base\nLABEL a=b\nCOPY a.txt /\n");
    assert_eq!(built.bases.iter().map(|base| base.name.as_str()).collect::<Vec<_>>(), ["base"]);
    let chain = built.root.chain(bench.state(), &plim_oci::Silent).unwrap();
    assert_eq!(std::fs::read(chain.lower[0].join("a.txt")).unwrap(), b"a");
    assert!(chain.lower[1].join("etc/passwd").exists());
    let annotations = &built.image.manifest.annotations;
    assert_eq!(annotations["org.opencontainers.image.base.name"], "docker.io/library/base:latest");
    assert!(annotations["org.opencontainers.image.base.digest"].starts_with("sha256:"));
}

fn labels_of_the_request_win() {
    let bench = Workbench::new();
    let mut request = bench.request("FROM base\nLABEL a=file b=file\n");
    request.labels = vec![("a".to_owned(), "flag".to_owned())];
    let labels = bench.run(&request).unwrap().image.config.config.labels;
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        [("a".to_owned(), "flag".to_owned()), ("b".to_owned(), "file".to_owned())]
    );
}
