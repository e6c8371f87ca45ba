//! What a person can do about a command that failed: known from how it ended, where it ran and what it wrote last.

/// A command that failed.
#[derive(Debug, Default)]
pub(super) struct Symptoms<'a> {
    /// Its exit code.
    pub(super) code: i32,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// The last lines that it wrote.
    pub(super) output: &'a [String],
    /// Why it had no network; `None` when it had the machine's.
    pub(super) without_network: Option<NoNetwork>,
    /// It was offered a bundle of certificates.
    pub(super) ca_bundle: bool,
    /// The USER that it ran as; empty is root.
    pub(super) user: &'a str,
}

/// Who took the network from a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoNetwork {
    /// `RUN --network=none`.
    Flag,
    /// `--network none`, or the configuration.
    Build,
    /// `--offline`.
    Offline,
}

/// What resolvers, curl, Python, Node.js, Go and package managers say when there is no way out.
const NO_WAY_OUT: &[&str] = &[
    "temporary failure in name resolution",
    "temporary failure resolving",
    "could not resolve host",
    "could not resolve proxy",
    "couldn't resolve host",
    "name or service not known",
    "network is unreachable",
    "network unreachable",
    "bad address '",
    "eai_again",
    "enetunreach",
    "enotfound",
    "no such host",
    "dial udp",
    "failed to lookup address",
    "nodename nor servname",
    "temporary error (try again later)",
    "unable to resolve host",
    "connect: connection refused",
];

/// What apt says of the name of a server. Bundlers and package managers say the same of a package or a file.
const APT_RESOLVES_NOT: &str = "could not resolve '";

/// What OpenSSL, GnuTLS, Go, Node.js, Java and rustls say of a certificate that nobody they trust has signed.
const UNTRUSTED: &[&str] = &[
    "certificate verify failed",
    "certificate_verify_failed",
    "unable to get local issuer certificate",
    "unable_to_get_issuer_cert",
    "self-signed certificate",
    "self signed certificate",
    "self_signed_cert_in_chain",
    "unable_to_verify_leaf_signature",
    "certificate signed by unknown authority",
    "certificate is not trusted",
    "certificate verification failed",
    "certificate verification problem",
    "unable to find valid certification path",
    "unknownissuer",
    "ssl certificate problem",
];

/// SIGKILL, which the kernel sends where memory runs out.
const KILLED: i32 = 9;

/// Returns what to do, if the symptoms are known. What the command wrote says more than its code.
pub(super) fn hint(symptoms: &Symptoms<'_>) -> Option<String> {
    let says = |texts: &[&str]| {
        symptoms
            .output
            .iter()
            .map(|line| line.to_ascii_lowercase())
            .any(|line| texts.iter().any(|text| line.contains(text)))
    };
    if symptoms.code == 127 {
        return Some(not_found(symptoms.output));
    }
    if symptoms.code == 137 || symptoms.signal == Some(KILLED) {
        return Some(
            "exit code 137 means that the command was killed, often for want of memory: give the machine more, or let the \
             command do less at once (fewer parallel jobs)"
                .to_owned(),
        );
    }
    if says(UNTRUSTED) {
        return Some(untrusted(symptoms.ca_bundle));
    }
    let apt_found_no_way = symptoms.output.iter().any(|line| apt_resolves_not(line));
    if apt_found_no_way || says(NO_WAY_OUT) {
        match symptoms.without_network {
            Some(cause) => return Some(no_network(cause)),
            None if apt_found_no_way || says(&NO_WAY_OUT[..NO_WAY_OUT.len() - 1]) => {
                return Some(
                    "the step has this machine's network, and a name could not be looked up or reached: does it work outside of the \
                     build? HTTP_PROXY and its relatives are passed on when they are set"
                        .to_owned(),
                );
            }
            None => {}
        }
    }
    if says(&["no space left on device", "disk quota exceeded"]) {
        return Some("the disk is full: `plim prune` removes what earlier builds left".to_owned());
    }
    if says(&["exec format error"]) {
        return Some(
            "the program is for another kind of machine than this one: check `--platform` and the base image, or begin the script \
             with a line such as #!/bin/sh"
                .to_owned(),
        );
    }
    if symptoms.code == 126 {
        return Some(
            "exit code 126 means that the file is there but cannot be executed: `COPY --chmod=755` or `chmod +x` lets it, and a \
             script needs its interpreter in the image"
                .to_owned(),
        );
    }
    let is_root = matches!(symptoms.user.split(':').next(), None | Some("" | "root" | "0"));
    if !is_root && says(&["permission denied", "operation not permitted", "are you root"]) {
        return Some(format!(
            "the step runs as USER {}: do what needs root before that line, or give the files away with COPY --chown",
            symptoms.user
        ));
    }
    None
}

/// Says whether apt complains in this line that it could not look up the name of a server.
fn apt_resolves_not(line: &str) -> bool {
    let of_apt = ["E:", "W:", "Err:"].iter().any(|start| line.trim_start().starts_with(start));
    let line = line.to_ascii_lowercase();
    line.contains(APT_RESOLVES_NOT) && (of_apt || line.contains("failed to fetch"))
}

fn not_found(output: &[String]) -> String {
    let Some(program) = output.iter().rev().find_map(|line| missing_program(line)) else {
        return "exit code 127 means that the shell did not find a program: install it in an earlier step or check its name"
            .to_owned();
    };
    if program.contains('/') {
        // shells say the same of a file whose interpreter is missing
        return format!(
            "exit code 127: either `{program}` is not there at this point, or what it needs to start is not: the interpreter that \
             its first line names (bash is not in every image), or the dynamic loader of a program made for another C library \
             (glibc's on Alpine)"
        );
    }
    format!(
        "exit code 127: the image has no `{program}` at this point: install it in an earlier step of this stage, take it from another \
         with COPY --from, or check its name"
    )
}

/// Reads the name from what shells say: `sh: 1: NAME: not found`, `bash: line 1: NAME: command not found`. Of a path bash says
/// `No such file or directory` or, where it looked for the reason, `cannot execute: required file not found`.
fn missing_program(line: &str) -> Option<&str> {
    let of_bash = || {
        let ends = [": No such file or directory", ": cannot execute: required file not found"];
        ends.iter().find_map(|end| line.strip_suffix(end)).filter(|before| before.contains(": line "))
    };
    let before =
        line.strip_suffix(": not found").or_else(|| line.strip_suffix(": command not found")).or_else(of_bash)?;
    let name = before.rsplit(": ").next()?.trim();
    let plausible = !name.is_empty() && name.len() <= 80 && name.chars().all(|c| c.is_ascii_graphic());
    plausible.then_some(name)
}

fn no_network(cause: NoNetwork) -> String {
    match cause {
        NoNetwork::Flag => "the step has no network, because it says so: remove `--network=none` from the RUN",
        NoNetwork::Build => {
            "RUN steps have no network in this build: remove `--network none`, or `network` in plim.toml"
        }
        NoNetwork::Offline => {
            "--offline gives RUN steps no network: build once without it, then the result is in the cache"
        }
    }
    .to_owned()
}

fn untrusted(ca_bundle: bool) -> String {
    if ca_bundle {
        return "the step was offered a CA bundle and still does not trust the server: is its issuer in that bundle? Programs with a \
                store of their own (Java, browsers) do not read it"
            .to_owned();
    }
    "the step does not trust the server's certificate: --ca-bundle FILE offers your company's certificates to steps while they run, \
     and leaves them in no layer"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32, output: &[&str], change: impl FnOnce(&mut Symptoms<'_>)) -> String {
        let output: Vec<String> = output.iter().map(|line| (*line).to_owned()).collect();
        let mut symptoms = Symptoms { code, output: &output, ..Symptoms::default() };
        change(&mut symptoms);
        hint(&symptoms).unwrap_or_default()
    }

    #[test]
    fn a_missing_program_is_named_whatever_shell_missed_it() {
        for line in [
            "/bin/sh: 1: gcc: not found",
            "/bin/sh: gcc: not found",
            "sh: gcc: not found",
            "/bin/bash: line 1: gcc: command not found",
        ] {
            assert!(of(127, &[line, "make: *** [all] Error 127"], |_| {}).contains("no `gcc`"), "{line}");
        }
        assert!(of(127, &["odd"], |_| {}).contains("127"));
        assert!(!of(127, &["sh: \u{1b}[2J: not found"], |_| {}).contains('\u{1b}'));
    }

    #[test]
    fn of_a_path_that_is_not_found_the_interpreter_may_be_what_is_missing() {
        for line in [
            "/bin/sh: ./app: not found",
            "/bin/sh: 1: ./app: not found",
            "/bin/bash: line 1: ./app: No such file or directory",
            "/bin/bash: line 1: ./app: cannot execute: required file not found",
        ] {
            let hint = of(127, &[line], |_| {});
            assert!(hint.contains("`./app`") && hint.contains("interpreter") && hint.contains("loader"), "{line}");
            assert!(!hint.contains("has no"), "{line}");
        }
        assert!(!of(127, &["/bin/sh: app: not found"], |_| {}).contains("loader"));
    }

    #[test]
    fn want_of_memory_shows_as_code_or_signal() {
        assert!(of(137, &[], |_| {}).contains("memory"));
        assert!(of(137, &[], |symptoms| symptoms.signal = Some(9)).contains("memory"));
    }

    #[test]
    fn a_step_without_network_is_told_who_took_it() {
        let line = "curl: (6) Could not resolve host: example.org";
        let mut hints: Vec<String> = [Some(NoNetwork::Flag), Some(NoNetwork::Build), Some(NoNetwork::Offline), None]
            .into_iter()
            .map(|cause| of(6, &[line], |symptoms| symptoms.without_network = cause))
            .collect();
        assert!(
            hints[0].contains("--network=none") && hints[1].contains("plim.toml") && hints[2].contains("--offline")
        );
        assert!(hints[3].contains("this machine's network"));
        hints.dedup();
        assert_eq!(hints.len(), 4);
    }

    #[test]
    fn what_finds_no_server_is_told_from_what_finds_no_package() {
        let hint = |line: &str| of(1, &[line], |symptoms| symptoms.without_network = Some(NoNetwork::Flag));
        for line in [
            "curl: (5) Could not resolve proxy: proxy.example.org",
            "wget: bad address 'example.org'",
            "E: Failed to fetch http://deb.example.org/x.deb  Could not resolve 'deb.example.org'",
            "W: Could not resolve 'deb.example.org'",
            "Err:1 http://deb.example.org stable InRelease Could not resolve 'deb.example.org'",
        ] {
            assert!(hint(line).contains("--network=none"), "{line}");
        }
        for line in [
            "npm error ERESOLVE could not resolve",
            "\u{2718} [ERROR] Could not resolve \"react\"",
            "[ERROR] Could not resolve dependencies for project com.example:app:jar:1.0",
            "Could not resolve './x' from src/index.js",
            "Segmentation fault: bad address of a buffer",
        ] {
            assert_eq!(hint(line), "", "{line}");
            assert_eq!(of(1, &[line], |_| {}), "", "{line}");
        }
    }

    #[test]
    fn a_server_that_refuses_is_no_matter_of_name_lookup() {
        assert_eq!(of(1, &["connect: connection refused"], |_| {}), "");
    }

    #[test]
    fn an_unknown_authority_leads_to_the_bundle() {
        let line = "fatal: unable to access: SSL certificate problem: unable to get local issuer certificate";
        assert!(of(128, &[line], |_| {}).contains("--ca-bundle"));
        assert!(of(128, &[line], |symptoms| symptoms.ca_bundle = true).contains("in that bundle"));
    }

    #[test]
    fn a_refusal_of_an_ordinary_user_is_put_down_to_user() {
        let line = "E: Could not open lock file (13: Permission denied)";
        assert!(of(100, &[line], |symptoms| symptoms.user = "app").contains("USER app"));
        assert_eq!(of(100, &[line], |symptoms| symptoms.user = "root:root"), "");
    }

    #[test]
    fn what_is_not_known_has_no_hint() {
        assert_eq!(of(1, &["error: something else"], |_| {}), "");
    }
}
