//! RUN.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use plim_build::{BuildError, Network, Secret, SecretSpec};
use plim_oci::{Events, Silent, TaskId};
use plim_testkit::Recorder;

use crate::Test;
use crate::workbench::{BASE_CREATED, Workbench, can_run};

pub(crate) const TESTS: &[Test] = &[
    ("a_run_leaves_its_changes_and_no_trace_of_mounts", a_run_leaves_its_changes_and_no_trace_of_mounts),
    ("a_failing_run_shows_code_line_and_output", a_failing_run_shows_code_line_and_output),
    ("secrets_stay_out_of_layers_keys_and_output", secrets_stay_out_of_layers_keys_and_output),
    ("caches_outlive_the_build_and_are_no_part_of_the_key", caches_outlive_the_build),
    ("an_edited_file_is_newer_than_what_was_made_of_the_old_one", an_edited_file_is_newer),
    ("mounts_show_stages_and_the_context", mounts_show_stages_and_the_context),
    ("a_changed_mount_redoes_the_run", a_changed_mount_redoes_the_run),
    ("here_documents_are_scripts", here_documents_are_scripts),
    ("proxies_and_authorities_are_no_part_of_the_key", proxies_and_authorities_are_no_part_of_the_key),
    ("agents_answer_in_their_step_and_leave_nothing", agents_answer_in_their_step),
    ("a_failing_stage_stops_the_others", a_failing_stage_stops_the_others),
    ("the_user_can_stop_a_run", the_user_can_stop_a_run),
    ("a_run_without_network_sees_none", a_run_without_network_sees_none),
    ("an_offline_build_is_answered_by_the_cache", an_offline_build_is_answered_by_the_cache),
];

fn a_run_leaves_its_changes_and_no_trace_of_mounts() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let built = bench.build(
        "FROM busybox\nRUN --mount=type=tmpfs,target=/scratch/deep --mount=type=cache,target=/var/cache/x \
         echo hello > /hello && echo x > /scratch/deep/x\nRUN rm /hello\n",
    );
    assert_eq!(bench.paths(&built.image, 1), ["hello"]);
    assert_eq!(bench.layer(&built.image, 1)[0].1, b"hello\n");
    assert_eq!(bench.paths(&built.image, 2), [".wh.hello"]);
    let rows: Vec<_> = built.image.config.history.iter().filter_map(|row| row.created_by.as_deref()).collect();
    assert!(rows.contains(&"RUN /bin/sh -c rm /hello # buildkit"), "{rows:?}");
}

fn a_failing_run_shows_code_line_and_output() {
    if !can_run() {
        return;
    }
    let error = Workbench::new().fail("FROM busybox\nENV A=b\nRUN echo before; echo $A >&2; \\\n  exit 7\n");
    let BuildError::Step { line, code, output, stage, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*line, *code, stage.as_str()), (3, 7, "0"));
    let mut output = output.clone();
    output.sort();
    assert_eq!(output, ["b", "before"]);
}

fn secrets_stay_out_of_layers_keys_and_output() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let mut request = bench.request(
        "FROM busybox\nRUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN \
         cat /run/secrets/token && echo && echo \"is $TOKEN\" && ls -l /run/secrets/token\n",
    );
    let secret =
        |value: &str| vec![SecretSpec { id: "token".to_owned(), value: Secret::new(value.as_bytes().to_vec()) }];
    request.secrets = secret("hunter2");
    let events = Recorder::new();
    let first = bench.run_with(&request, &events).unwrap();
    let lines = events.lines();
    assert_eq!(lines[..2], ["***".to_owned(), "is ***".to_owned()], "{lines:?}");
    assert!(lines[2].starts_with("-r--------"), "{lines:?}");
    assert_eq!(bench.paths(&first.image, 1), [] as [&str; 0]);
    assert!(!String::from_utf8_lossy(&first.image.config_bytes).contains("hunter2"));
    request.secrets = secret("another");
    assert!(bench.run(&request).unwrap().steps[0].cached);
}

fn caches_outlive_the_build() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    bench.build("FROM busybox\nRUN --mount=type=cache,target=/c echo kept > /c/file\n");
    let built = bench.build("FROM busybox\nRUN --mount=type=cache,id=/c,target=/d,sharing=locked cat /d/file > /out\n");
    assert_eq!(bench.layer(&built.image, 1)[0].1, b"kept\n");
}

/// Compilers with a cache mount decide by times what to make again.
fn an_edited_file_is_newer() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let dockerfile = "FROM busybox\nCOPY a.txt /\nRUN --mount=type=cache,target=/c \
                      if [ ! -e /c/made ] || [ /a.txt -nt /c/made ]; then touch /c/made; cat /a.txt; \
                      else echo stale; fi > /out\n";
    let write = |content: &str, when: SystemTime| {
        bench.file("a.txt", content);
        let file = std::fs::File::options().append(true).open(bench.context().join("a.txt")).unwrap();
        file.set_modified(when).unwrap();
    };
    let now = SystemTime::now();
    write("old", now - Duration::from_hours(1));
    bench.build(dockerfile);
    write("new", now + Duration::from_hours(1));
    let built = bench.build(dockerfile);
    let (head, content) = bench.layer(&built.image, 2).swap_remove(0);
    assert_eq!(content, b"new");
    let base: jiff::Timestamp = BASE_CREATED.parse().unwrap();
    assert!(head.mtime <= base.as_second(), "nothing in a layer is newer than the base");
}

fn mounts_show_stages_and_the_context() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    bench.file("dir/a.txt", "from the context");
    let built = bench.build(
        "FROM busybox AS one\nRUN mkdir /made && echo -n one > /made/a\nRUN echo -n two > /made/b\n\
         FROM busybox\nWORKDIR /work\n\
         RUN --mount=from=one,source=/made,target=in --mount=source=dir,target=/ctx,rw \
         cat in/a in/b /ctx/a.txt > /out && touch /ctx/new && ! touch in/new\n",
    );
    let layer = bench.layer(&built.image, 2);
    assert_eq!(layer.len(), 1, "{layer:?}");
    assert_eq!(layer[0].1, b"onetwofrom the context");
    assert!(!bench.context().join("dir/new").exists());
}

fn a_changed_mount_redoes_the_run() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    bench.file("a.txt", "1").file("other.txt", "1");
    let dockerfile = "FROM busybox\nRUN --mount=source=a.txt,target=/a.txt cat /a.txt > /out\n";
    bench.build(dockerfile);
    bench.file("other.txt", "2");
    assert!(bench.build(dockerfile).steps[0].cached);
    bench.file("a.txt", "2");
    let built = bench.build(dockerfile);
    assert!(!built.steps[0].cached);
    assert_eq!(bench.layer(&built.image, 1)[0].1, b"2");
}

fn here_documents_are_scripts() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let built = bench.build(
        "FROM busybox\nRUN <<EOF\necho one > /one\necho $0 >> /one\nEOF\nRUN <<-SCRIPT\n\t#!/bin/sh\n\techo $0 > /two\n\tSCRIPT\n\
         RUN cat <<A > /three\nthree\nA\nCOPY <<FILE /four\nfour $PATH\nFILE\n",
    );
    let content = |index: usize| String::from_utf8(bench.layer(&built.image, index)[0].1.clone()).unwrap();
    assert_eq!(content(1), "one\n/bin/sh\n");
    assert_eq!(content(2), "/dev/pipes/SCRIPT\n");
    assert_eq!(content(3), "three\n");
    assert_eq!(content(4), "four /usr/bin:/bin\n");
    let rows: Vec<_> = built.image.config.history.iter().filter_map(|row| row.created_by.as_deref()).collect();
    assert!(rows.contains(&"RUN /bin/sh -c /dev/pipes/SCRIPT # buildkit"), "{rows:?}");
}

fn proxies_and_authorities_are_no_part_of_the_key() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    bench.file("ca.pem", "authority");
    let mut request =
        bench.request("FROM busybox\nRUN echo $http_proxy $PIP_CERT && cat /run/plimsoll/ca-certificates.crt\n");
    request.proxies = vec![("HTTP_PROXY".to_owned(), "http://proxy.example".to_owned())];
    request.ca_bundle = Some(bench.context().join("ca.pem"));
    let events = Recorder::new();
    let built = bench.run_with(&request, &events).unwrap();
    assert_eq!(events.lines(), ["http://proxy.example /run/plimsoll/ca-certificates.crt", "authority"]);
    assert_eq!(bench.paths(&built.image, 1), [] as [&str; 0]);
    request.proxies.clear();
    request.ca_bundle = None;
    assert!(bench.run(&request).unwrap().steps[0].cached);
}

fn a_failing_stage_stops_the_others() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let mut request = bench.request(
        "FROM busybox AS slow\nRUN sleep 600\nFROM busybox AS bad\nRUN exit 3\n\
         FROM scratch\nCOPY --from=slow /x /\nCOPY --from=bad /x /\n",
    );
    request.jobs = 2;
    let error = bench.run(&request).unwrap_err();
    assert!(matches!(error, BuildError::Step { code: 3, .. }), "{error:?}");
}

/// Asks to stop once the step has written something.
#[derive(Default)]
struct StopAfterOutput(AtomicBool);

impl Events for StopAfterOutput {
    fn start(&self, title: &str, total: Option<u64>) -> TaskId {
        Silent.start(title, total)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {
        self.0.store(true, Ordering::SeqCst);
    }
    fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
    fn note(&self, _text: &str) {}
    fn warn(&self, _text: &str) {}
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn the_user_can_stop_a_run() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let request = bench.request("FROM busybox\nRUN echo started; sleep 600\n");
    let error = bench.run_with(&request, &StopAfterOutput::default()).unwrap_err();
    assert!(matches!(error, BuildError::Cancelled), "{error:?}");
}

fn a_run_without_network_sees_none() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let mut request = bench.request("FROM busybox\nRUN ls /sys/class/net > /out\n");
    request.network = Network::None;
    let built = bench.run(&request).unwrap();
    assert_eq!(bench.layer(&built.image, 1)[0].1, b"lo\n");
    request.dockerfile = b"FROM busybox\nRUN --network=host true\n".to_vec();
    assert!(matches!(bench.run(&request), Err(BuildError::Instruction { .. })));
}

fn an_offline_build_is_answered_by_the_cache() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let mut request = bench.request("FROM busybox\nRUN echo done > /done\n");
    bench.run(&request).unwrap();
    request.offline = true;
    assert!(bench.run(&request).unwrap().steps.iter().all(|step| step.cached));
    // what has to run sees loopback alone
    let mut other = bench.request("FROM busybox\nRUN [ \"$(grep -c : /proc/net/dev)\" = 1 ]\n");
    other.offline = true;
    bench.run(&other).unwrap();
}

/// An agent that says that it holds no key, whatever it is asked.
fn agent(path: &std::path::Path) {
    use std::io::{Read as _, Write as _};
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut question = [0; 5];
            while stream.read_exact(&mut question).is_ok() {
                stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]).unwrap();
            }
        }
    });
}

fn agents_answer_in_their_step() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    let socket = bench.context().with_file_name("agent");
    agent(&socket);
    let offered = |bench: &Workbench, dockerfile: &str| {
        let mut request = bench.request(dockerfile);
        let agent = std::sync::Arc::new(plim_build::SshAgent::open(std::slice::from_ref(&socket)).unwrap());
        request.ssh = vec![("default".to_owned(), agent)];
        request
    };
    // identities, as bytes: the length of the question, and its kind
    let dockerfile = "FROM busybox\nRUN --mount=type=ssh --mount=type=ssh,target=/my/agent,mode=0666,uid=7,gid=8 \
                      echo \"at $SSH_AUTH_SOCK\" && ls -ln $SSH_AUTH_SOCK /my/agent && test -S /my/agent\n\
                      RUN test ! -e /run/buildkit && test ! -e /my && test -z \"$SSH_AUTH_SOCK\"\n";
    let events = Recorder::new();
    let first = bench.run_with(&offered(&bench, dockerfile), &events).unwrap_or_else(|error| panic!("{error:?}"));
    let lines = events.lines();
    assert_eq!(lines[0], "at /run/buildkit/ssh_agent.0", "{lines:?}");
    let has = |start: &str, end: &str| lines.iter().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(has("srw-------", "/run/buildkit/ssh_agent.0") && has("srw-rw-rw-", "/my/agent"), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains(" 7 ") && line.contains(" 8 ")), "{lines:?}");
    assert_eq!(bench.paths(&first.image, 1), [] as [&str; 0]);
    // the agent is no part of the key: without one the result is the same
    let again = bench.run(&bench.request(dockerfile)).unwrap();
    assert!(again.steps.iter().all(|step| step.cached), "{:?}", again.steps);

    let error = bench.fail("FROM busybox\nRUN --mount=type=ssh,id=other,required true\n");
    assert!(
        error.to_string().contains("`other` is required") && error.hint().unwrap().contains("--ssh other"),
        "{error}"
    );
    let absent =
        bench.build("FROM busybox\nRUN --mount=type=ssh test -z \"$SSH_AUTH_SOCK\" && test ! -e /run/buildkit\n");
    assert_eq!(bench.paths(&absent.image, 1), [] as [&str; 0]);
}
