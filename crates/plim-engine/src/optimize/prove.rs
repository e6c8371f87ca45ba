//! The proof: both images are started in the sandbox and asked the same questions.
//!
//! Each container has a network namespace of its own with loopback only, so ports never clash with the host's or with each
//! other's, and both can run at the same time. The new image gets the stricter room: a read-only root with a tmpfs on /tmp.

use std::time::{Duration, Instant};

use plim_build::Built;
use plim_oci::probe::{self, Answer};
use plim_oci::{Events, Image};
use plim_sandbox::Container;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::isolation::{self, Isolation};
use crate::run::{Overrides, prepare, sandbox_failure};
use crate::{Failure, Kind, Workspace};

/// How long a container may take to end after it was asked to; Docker's grace.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long one may take that has no handler for the signal.
const DEAF_GRACE: Duration = Duration::from_secs(1);
/// The signal that no process can catch.
const SIGKILL: i32 = 9;
/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks at a port that is not open yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long an application that is only started must keep running, for [`Depth::Start`].
const SETTLED: Duration = Duration::from_secs(5);

/// How much is proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Nothing: the images are not started.
    None,
    /// The application starts and keeps running.
    Start,
    /// It also listens on its port.
    Port,
    /// It also answers as before.
    #[default]
    Http,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Questions {
    /// How much is asked.
    pub(crate) depth: Depth,
    /// Where the application listens; 0 when nobody asks there.
    pub(crate) port: u16,
    /// Paths to GET, the health check first.
    pub(crate) paths: Vec<String>,
    /// `NAME=value` for both containers.
    pub(crate) env: Vec<String>,
    /// How long the application may take to listen.
    pub(crate) start_limit: Duration,
}

impl Questions {
    /// What a person can do when an image does not run here.
    fn way_out(&self) -> String {
        let less = match self.depth {
            Depth::Http => "`--prove port` or `--prove start` asks for less, `--prove none` for nothing",
            Depth::Port => "`--prove start` asks for less, `--prove none` for nothing",
            _ => "`--prove none` starts nothing",
        };
        format!(
            "its log is above. If it needs a setting, give it with `--probe-env NAME=VALUE`; if it needs something that is \
             not here, such as a database, {less}"
        )
    }

    /// The paths that are asked: none unless answers are to be compared.
    pub(crate) fn asked(&self) -> &[String] {
        if self.depth == Depth::Http { &self.paths } else { &[] }
    }
}

/// The outcome of the proof.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Proof {
    /// Nothing went wrong.
    pub passed: bool,
    /// How much was proved.
    pub depth: Depth,
    /// The port asked; 0 when none was.
    pub port: u16,
    /// The answers, path by path.
    pub probes: Vec<Probe>,
    /// How the old image ran; absent when it was not built.
    pub before: Option<Behaviour>,
    /// How the new image ran; absent when nothing was to be proved.
    pub after: Option<Behaviour>,
    /// The new image ran on a read-only root.
    pub read_only_root: bool,
    /// What could not be enforced on this machine: `read-only root`, `network`.
    pub not_enforced: Vec<String>,
    /// What went wrong, in words.
    pub failures: Vec<String>,
}

/// How a container started and stopped.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Behaviour {
    /// The user it ran as, as the image names it.
    pub user: String,
    /// Milliseconds until it listened.
    pub start_ms: u64,
    /// Milliseconds from SIGTERM to its end; the whole grace of ten seconds where process 1 does not listen to the signal.
    pub stop_ms: u64,
    /// It ended by itself after SIGTERM, within the grace.
    pub stopped: bool,
}

/// One question and both answers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Probe {
    /// The path asked with GET.
    pub path: String,
    /// Status of the old image.
    pub before: Option<u16>,
    /// Status of the new image.
    pub after: u16,
    /// The old image's body changes from call to call or from start to start, so only status, type and the shape of
    /// JSON were compared.
    pub volatile: bool,
    /// The answers are the same.
    pub same: bool,
}

impl Proof {
    /// The answers are the same, and all that is wrong is that the new image does not end on SIGTERM.
    pub(crate) fn only_does_not_stop(&self) -> bool {
        self.failures.len() == 1
            && self.probes.iter().all(|probe| probe.same)
            && self.after.as_ref().is_some_and(|after| !after.stopped)
    }

    /// Nothing was asked, so nothing is wrong.
    fn skipped() -> Self {
        Self {
            passed: true,
            depth: Depth::None,
            port: 0,
            probes: Vec::new(),
            before: None,
            after: None,
            read_only_root: false,
            not_enforced: Vec::new(),
            failures: Vec::new(),
        }
    }
}

impl Probe {
    fn only_body_differs(&self) -> bool {
        !self.same && self.before == Some(self.after)
    }
}

/// What one container answered.
struct Served {
    behaviour: Behaviour,
    /// Two answers for each path: a body that differs between them is volatile.
    answers: Vec<[Answer; 2]>,
    /// The end of what it wrote.
    log: Vec<String>,
}

/// Starts the images, asks, compares and stops them. A container that does not start or answer is a failure
/// with its log; differing answers are in the proof.
pub(crate) fn prove(
    workspace: &Workspace,
    before: Option<&Built>,
    after: &Built,
    questions: &Questions,
    events: &dyn Events,
) -> Result<Proof, Failure> {
    if questions.depth == Depth::None {
        return Ok(Proof::skipped());
    }
    let together = workspace.host.isolation == Isolation::Namespaces;
    let (old, new) = std::thread::scope(|scope| {
        if !together {
            // they share a network, and so the port
            let old = before.map(|built| serve(workspace, built, "before", false, questions, events));
            return (old, serve(workspace, after, "after", true, questions, events));
        }
        let old = before.map(|built| scope.spawn(|| serve(workspace, built, "before", false, questions, events)));
        let new = serve(workspace, after, "after", true, questions, events);
        let old = old.map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::tool("the proof of the old image ended unexpectedly")))
        });
        (old, new)
    });
    let old = old.transpose().map_err(|failure| {
        let said = failure.hint.clone();
        Failure {
            hint: Some(match said {
                Some(said) => format!(
                    "{said}. If the project's own image cannot run here, --no-before proves the new image alone"
                ),
                None => {
                    "the project's own image does not start here: --no-before proves the new image alone".to_owned()
                }
            }),
            ..failure
        }
    })?;
    let new = new?;
    let proof = compare(old.as_ref(), &new, &[], questions);
    let proof = match (before, &old) {
        // a body that differs may differ with every start (a time, an id): the old image is asked once more to know
        (Some(built), Some(old)) if proof.probes.iter().any(Probe::only_body_differs) => {
            let again = serve(workspace, built, "before", false, questions, events)?;
            compare(Some(old), &new, &again.answers, questions)
        }
        _ => proof,
    };
    let not_enforced = isolation::not_enforced(workspace.host.isolation, &room(questions, true));
    Ok(Proof { read_only_root: together, not_enforced, ..proof })
}

/// What a container is given.
fn room(questions: &Questions, read_only: bool) -> Overrides {
    Overrides { env: questions.env.clone(), read_only, isolated: true, ..Overrides::default() }
}

/// Compares the answers; `again` are those of a second start of the old image, where there was one.
fn compare(old: Option<&Served>, new: &Served, again: &[[Answer; 2]], questions: &Questions) -> Proof {
    let mut failures = Vec::new();
    let mut probes = Vec::new();
    for (index, path) in questions.asked().iter().enumerate() {
        let [after, _] = &new.answers[index];
        let probe = if let Some([first, second]) = old.map(|old| &old.answers[index]) {
            let restarted = again.get(index).is_some_and(|[restarted, _]| restarted.body != first.body);
            let volatile = first.body != second.body || restarted;
            let same = first.status == after.status
                && first.content_type == after.content_type
                && (first.body == after.body || volatile && same_shape(&first.body, &after.body));
            if !same {
                failures.push(format!("GET {path}: {}", difference(first, after)));
            } else if after.status >= 500 {
                failures.push(format!(
                    "GET {path} answers {} in both images, which proves nothing: --health and --probe name paths that work, \
                     --probe-env gives what the application needs, --prove port asks for less",
                    after.status
                ));
            }
            Probe { path: path.clone(), before: Some(first.status), after: after.status, volatile, same }
        } else {
            let same = after.status < 500;
            if !same {
                failures.push(format!(
                    "GET {path} answers {}: --health and --probe name paths that work, --probe-env gives what the application \
                     needs, --prove port asks for less",
                    after.status
                ));
            }
            Probe { path: path.clone(), before: None, after: after.status, volatile: false, same }
        };
        probes.push(probe);
    }
    if !failures.is_empty() && !new.log.is_empty() && new.answers.iter().any(|[answer, _]| answer.status >= 500) {
        failures.push(format!("the new image wrote\n{}", new.log.join("\n")));
    }
    if !new.behaviour.stopped && old.is_none_or(|old| old.behaviour.stopped) {
        failures.push(format!("the new image did not stop within {} s of SIGTERM", STOP_GRACE.as_secs()));
    }
    Proof {
        passed: failures.is_empty(),
        depth: questions.depth,
        port: questions.port,
        probes,
        before: old.map(|old| old.behaviour.clone()),
        after: Some(new.behaviour.clone()),
        read_only_root: true,
        not_enforced: Vec::new(),
        failures,
    }
}

/// Says whether two bodies that change by themselves are alike: JSON with the same keys and kinds of values, or no JSON.
fn same_shape(before: &[u8], after: &[u8]) -> bool {
    use serde_json::Value;
    fn alike(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| alike(value, other)))
            }
            (Value::Array(a), Value::Array(b)) => match (a.first(), b.first()) {
                (Some(a), Some(b)) => alike(a, b),
                _ => true,
            },
            _ => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
    match (serde_json::from_slice::<Value>(before), serde_json::from_slice::<Value>(after)) {
        (Ok(before), Ok(after)) => alike(&before, &after),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

fn difference(before: &Answer, after: &Answer) -> String {
    if before.status != after.status {
        return format!("status {} before, {} after", before.status, after.status);
    }
    if before.content_type != after.content_type {
        return format!("content type `{}` before, `{}` after", before.content_type, after.content_type);
    }
    format!("another body: {} before, {} after", excerpt(&before.body), excerpt(&after.body))
}

fn excerpt(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(120).collect();
    if body.len() > 120 { format!("{text:?}… ({} bytes)", body.len()) } else { format!("{text:?}") }
}

/// Runs one image through the questions.
fn serve(
    workspace: &Workspace,
    built: &Built,
    which: &str,
    read_only: bool,
    questions: &Questions,
    events: &dyn Events,
) -> Result<Served, Failure> {
    let overrides = room(questions, read_only);
    let name = format!("the image {which}");
    // the builder's own directories: nothing is unpacked again
    let chain = built.root.chain(&workspace.build_state(), events).map_err(|error| Failure::from_error(&error))?;
    let image = &built.image;
    let prepared = prepare(workspace, image, Some(chain), &overrides, events)?;
    if workspace.host.isolation == Isolation::Chroot && probe::listens(questions.port) {
        return Err(Failure::tool(format!("something else listens on port {} of this machine", questions.port))
            .hint("without namespaces the images share this machine's network: stop it, or name another --port"));
    }
    let mut container = plim_sandbox::start(&prepared.spec).map_err(|error| sandbox_failure(&name, &error))?;
    let start_ms = match questions.depth {
        Depth::Start => keeps_running(&mut container, which, questions, events)?,
        _ => wait_for_port(&mut container, which, questions, events)?,
    };
    let mut answers = Vec::new();
    for path in questions.asked() {
        let ask = || probe::get(questions.port, path, ANSWER_LIMIT);
        let pair = container
            .in_network(|| Ok([ask()?, ask()?]))
            .map_err(|error| sandbox_failure(&name, &error))?
            .map_err(|error: probe::ProbeError| {
                failed(&container, Failure::caused(format!("{name} gave no answer to GET {path}"), &error))
            })?;
        answers.push(pair);
    }
    let (stop_ms, stopped) = stop(&mut container, image, &name)?;
    let user = match image.config.config.user.as_str() {
        "" => "root".to_owned(),
        user => user.to_owned(),
    };
    Ok(Served { behaviour: Behaviour { user, start_ms, stop_ms, stopped }, answers, log: log_of(&container) })
}

/// Waits until the application has run for a while without ending.
fn keeps_running(
    container: &mut Container,
    which: &str,
    questions: &Questions,
    events: &dyn Events,
) -> Result<u64, Failure> {
    let began = Instant::now();
    while began.elapsed() < SETTLED {
        still_running(container, which, "it had run for five seconds", questions)?;
        if events.cancelled() {
            return Err(Failure::tool("interrupted"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(SETTLED.as_millis() as u64)
}

/// Fails with the log when the container has ended.
fn still_running(container: &mut Container, which: &str, until: &str, questions: &Questions) -> Result<(), Failure> {
    let Some(exit) = container.try_wait().map_err(|error| sandbox_failure(which, &error))? else { return Ok(()) };
    let how = match exit.signal {
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended with exit code {}", exit.code),
    };
    let failure = Failure::subject(format!("the image {which} {how} before {until}")).hint(questions.way_out());
    Err(failed(container, failure))
}

fn wait_for_port(
    container: &mut Container,
    which: &str,
    questions: &Questions,
    events: &dyn Events,
) -> Result<u64, Failure> {
    let began = Instant::now();
    let running = |error: &plim_sandbox::SandboxError| sandbox_failure(which, error);
    loop {
        still_running(container, which, &format!("it listened on port {}", questions.port), questions)?;
        if container.in_network(|| probe::listens(questions.port)).map_err(|error| running(&error))? {
            return Ok(began.elapsed().as_millis() as u64);
        }
        if events.cancelled() {
            return Err(Failure::tool("interrupted"));
        }
        if began.elapsed() > questions.start_limit {
            let failure = Failure::subject(format!(
                "the image {which} did not listen on port {} within {} s",
                questions.port,
                questions.start_limit.as_secs()
            ))
            .hint(format!("--port names another port, --start-timeout waits longer; {}", questions.way_out()));
            return Err(failed(container, failure));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The last lines of what a container wrote.
fn log_of(container: &Container) -> Vec<String> {
    let log = container.logs();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(40)).map(|line| format!("    | {line}")).collect()
}

/// Adds the container's log to a failure of the subject.
fn failed(container: &Container, failure: Failure) -> Failure {
    let tail = log_of(container);
    let detail = if tail.is_empty() { "    (the container wrote nothing)".to_owned() } else { tail.join("\n") };
    let hint = match (stricter_room(&detail), &failure.hint) {
        (Some(room), Some(hint)) => Some(format!("{room}; {hint}")),
        (room, hint) => room.map(ToOwned::to_owned).or_else(|| hint.clone()),
    };
    Failure { kind: Kind::Subject, hint, ..failure.detail(detail) }
}

/// What a log says about the room that the new image gets: the system's words for EROFS and EACCES.
fn stricter_room(log: &str) -> Option<&'static str> {
    if log.contains("Read-only file system") || log.contains("EROFS") {
        return Some(
            "it writes where the image is: in the proof its root is read-only, but for /tmp. Have it write below /tmp (files of \
             process ids, logs and sockets have a setting for that), or take `--prove none` for containers with a writable root",
        );
    }
    if log.contains("Permission denied") || log.contains("EACCES") {
        return Some(
            "it wants rights that it has not: the image runs as a user without any. Have it write below /tmp, or make its \
             folder in the Dockerfile (`RUN mkdir /data`), which then belongs to that user",
        );
    }
    None
}

/// Asks the container to end as a runtime does, and waits.
fn stop(container: &mut Container, image: &Image, name: &str) -> Result<(u64, bool), Failure> {
    let signal = image.config.config.stop_signal.as_deref().and_then(signal_number).unwrap_or(15);
    // the kernel drops signals that process 1 has no handler for: waiting long would only spend the grace. A process that
    // waits for signals (sigtimedwait), as small init programs do, has none either, so a moment is waited all the same
    let deaf = signal != SIGKILL && !catches(container.pid(), signal);
    let began = Instant::now();
    container.signal(signal).map_err(|error| sandbox_failure(name, &error))?;
    let grace = if deaf { DEAF_GRACE } else { STOP_GRACE };
    let exit = container.wait_timeout(grace).map_err(|error| sandbox_failure(name, &error))?;
    let took = if exit.is_some() { began.elapsed() } else { STOP_GRACE };
    Ok((took.as_millis() as u64, exit.is_some()))
}

/// Says whether a process takes notice of a signal (proc(5), `SigCgt`, `SigBlk`); when that cannot be read, it may have.
fn catches(pid: i32, signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let mask = |name: &str| {
        let text = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(text.trim(), 16).ok()
    };
    // a blocked signal is one that the process reads by other means (signalfd)
    match (mask("SigCgt:"), mask("SigBlk:")) {
        (Some(caught), Some(blocked)) if (1..=64).contains(&signal) => (caught | blocked) & (1 << (signal - 1)) != 0,
        _ => true,
    }
}

/// The number of a STOPSIGNAL: a number, `SIGINT` or `INT`.
fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let number = match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "TERM" => 15,
        "WINCH" => 28,
        _ => return None,
    };
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_that_the_room_is_too_strict() {
        let read_only = stricter_room("    | OSError: [Errno 30] Read-only file system: '/app/x.pid'").unwrap();
        assert!(read_only.contains("/tmp"));
        assert!(
            stricter_room("    | Error: EACCES: permission denied, mkdir '/etc/x'").unwrap().contains("without any")
        );
        assert_eq!(stricter_room("    | ValueError"), None);
    }

    fn served(bodies: [&str; 2], status: u16) -> Served {
        let answer = |body: &str| Answer { status, content_type: "text/plain".to_owned(), body: body.into() };
        Served {
            behaviour: Behaviour { user: "root".to_owned(), start_ms: 1, stop_ms: 1, stopped: true },
            answers: vec![bodies.map(answer)],
            log: vec!["    | KeyError".to_owned()],
        }
    }

    fn questions() -> Questions {
        Questions {
            depth: Depth::Http,
            port: 8080,
            paths: vec!["/".to_owned()],
            env: Vec::new(),
            start_limit: Duration::from_secs(1),
        }
    }

    #[test]
    fn another_body_is_a_failure() {
        let proof = compare(Some(&served(["a", "a"], 200)), &served(["b", "b"], 200), &[], &questions());
        assert!(!proof.passed);
        assert_eq!(proof.failures, ["GET /: another body: \"a\" before, \"b\" after"]);
    }

    #[test]
    fn a_body_that_changes_by_itself_is_compared_by_status_only() {
        let proof = compare(Some(&served(["1", "2"], 200)), &served(["3", "4"], 200), &[], &questions());
        assert!(proof.passed && proof.probes[0].volatile);
    }

    #[test]
    fn a_body_that_changes_with_every_start_is_compared_by_its_shape() {
        let body = |text: &'static str| served([text, text], 200);
        let again = body(r#"{"since": 2}"#).answers;
        let first = body(r#"{"since": 1}"#);
        assert!(compare(Some(&first), &body(r#"{"since": 3}"#), &again, &questions()).passed);
        assert!(!compare(Some(&first), &body(r#"{"error": 3}"#), &again, &questions()).passed);
        assert!(!compare(Some(&first), &body(r#"{"since": 3}"#), &first.answers, &questions()).passed);
    }

    #[test]
    fn the_same_server_error_proves_nothing() {
        let proof = compare(Some(&served(["a", "a"], 500)), &served(["a", "a"], 500), &[], &questions());
        assert!(!proof.passed && proof.failures[0].contains("proves nothing"));
    }

    #[test]
    fn a_server_error_is_shown_with_the_log() {
        let proof = compare(None, &served(["a", "a"], 500), &[], &questions());
        assert!(proof.failures[0].starts_with("GET / answers 500: --health and --probe "), "{:?}", proof.failures);
        assert_eq!(proof.failures[1..], ["the new image wrote\n    | KeyError"]);
        let differs = compare(Some(&served(["a", "a"], 200)), &served(["b", "b"], 404), &[], &questions());
        assert_eq!(differs.failures.len(), 1);
    }

    #[test]
    fn an_init_process_is_worth_a_try_only_where_answers_are_the_same() {
        let mut new = served(["a", "a"], 200);
        new.behaviour.stopped = false;
        assert!(compare(Some(&served(["a", "a"], 200)), &new, &[], &questions()).only_does_not_stop());
        assert!(!compare(Some(&served(["b", "b"], 200)), &new, &[], &questions()).only_does_not_stop());
    }

    #[test]
    fn only_a_full_proof_asks_for_answers() {
        let questions = |depth| Questions { depth, ..questions() };
        assert_eq!(questions(Depth::Http).asked(), ["/"]);
        assert!(questions(Depth::Port).asked().is_empty());
        let proof = compare(Some(&served(["a", "a"], 200)), &served(["b", "b"], 500), &[], &questions(Depth::Port));
        assert!(proof.passed && proof.probes.is_empty());
    }

    #[test]
    fn another_status_is_a_failure() {
        let proof = compare(Some(&served(["a", "a"], 200)), &served(["a", "a"], 404), &[], &questions());
        assert_eq!(proof.failures, ["GET /: status 200 before, 404 after"]);
    }

    #[test]
    fn alone_the_new_image_must_not_answer_with_a_server_error() {
        assert!(compare(None, &served(["a", "a"], 404), &[], &questions()).passed);
        assert!(!compare(None, &served(["a", "a"], 500), &[], &questions()).passed);
    }

    #[test]
    fn a_new_image_that_ignores_sigterm_fails_where_the_old_one_stopped() {
        let mut new = served(["a", "a"], 200);
        new.behaviour.stopped = false;
        assert!(!compare(Some(&served(["a", "a"], 200)), &new, &[], &questions()).passed);
    }
}
