use super::*;
use crate::project::{Install, Output, StackKind};

fn profile() -> StackProfile {
    StackProfile {
        kind: StackKind::Python,
        name: "shop".to_owned(),
        version: "3.13".to_owned(),
        manifests: vec!["requirements.txt".into()],
        locks: Vec::new(),
        install: Install::default(),
        build_inputs: Vec::new(),
        build: Vec::new(),
        artifacts: Vec::new(),
        left_out: Vec::new(),
        workdir: "/app".to_owned(),
        env: Vec::new(),
        start: Vec::new(),
        entrypoint: 0,
        port: None,
        health: None,
        native: Vec::new(),
        system: vec!["libpq5".to_owned()],
        carried: Vec::new(),
        kept_stages: Vec::new(),
        carry: BTreeMap::new(),
        replaced: crate::project::Replaced::default(),
        found: Vec::new(),
    }
}

fn completed(instructions: &str) -> (StackProfile, Vec<Fact>) {
    let evidence = Evidence::read(&format!("FROM python\nWORKDIR /app\n{instructions}\n"));
    let mut profile = profile();
    complete(&evidence, &evidence.source, &mut profile, &BTreeMap::new());
    let facts = settle(&evidence, &profile);
    (profile, facts)
}

fn commands(instructions: &str) -> Vec<String> {
    let carried = completed(instructions).0.carried.into_iter();
    carried.map(|one| if one.command.is_empty() { one.instruction } else { one.command }).collect()
}

#[test]
fn what_makes_files_is_carried_over() {
    for (instruction, expected) in [
        ("RUN apt-get update && make -C docs html && rm -rf /var/lib/apt/lists/*", &["make -C docs html"][..]),
        ("RUN sudo -E make install", &["make install"]),
        ("RUN poetry run python manage.py x", &["python manage.py x"]),
        ("RUN curl -fL https://x/y.tgz | tar -xz -C /opt/y", &["curl -fL https://x/y.tgz | tar -xz -C /opt/y"]),
        ("RUN curl -o /tmp/y https://x/y", &[]),
        ("RUN curl -sSL https://install.python-poetry.org | python3 -", &[]),
        ("RUN curl -fsSL https://deb.nodesource.com/setup | bash -", &[]),
        ("RUN curl -fsSL https://example.com/install | sh", &["curl -fsSL https://example.com/install | sh"]),
        ("RUN mkdir -p /app && mkdir /root/.ssh", &[]),
        ("RUN echo x > /etc/apt/sources.list && echo y > /etc/y.conf", &["echo y > /etc/y.conf"]),
        ("RUN ln -s /usr/bin/python3 /usr/bin/python", &[]),
        ("RUN chmod +x /app/x.sh", &[]),
        (
            "RUN for d in a b; do mkdir /d/$d; chown app /d/$d; done",
            &["for d in a b; do mkdir /d/$d; chown 65532:65532 /d/$d; done"],
        ),
        (
            "RUN git clone https://x/y.git /opt/y && cd /opt/y && git checkout 1",
            &["git clone https://x/y.git /opt/y && cd /opt/y && git checkout 1"],
        ),
        ("RUN echo \"$X\" && ls && pytest", &[]),
        ("COPY a.conf /etc/a.conf", &["COPY a.conf /etc/a.conf"]),
        ("COPY requirements.txt /tmp/", &[]),
        ("ADD files.tar.gz .", &["ADD files.tar.gz /app/"]),
        ("COPY <<EOF /etc/b\na 'b'\nEOF", &[r"RUN mkdir -p /etc && printf '%s\n' 'a '\''b'\''' > /etc/b"]),
        (
            "COPY --from=busybox --chown=x /bin/busybox /bin/",
            &["COPY --from=busybox --chown=65532:65532 /bin/busybox /bin/"],
        ),
        ("COPY --from=ghcr.io/astral-sh/uv:1 /uv /bin/", &[]),
    ] {
        assert_eq!(commands(instruction), expected, "{instruction}");
    }
}

#[test]
fn outputs_are_known_with_their_owner() {
    let (profile, _) =
        completed("RUN mkdir -p /data /opt/x && chown app /opt/x && touch /etc/z && install -d /app/var");
    let owned = |path: &str, owned| Output { path: path.to_owned(), owned };
    assert_eq!(
        profile.carried[0].outputs,
        [owned("/data", true), owned("/opt/x", true), owned("/etc/z", false), owned("/app/var", true)]
    );
    assert!(!profile.carried[0].collects);
}

#[test]
fn facts_say_what_is_kept() {
    let instructions =
        "RUN apt-get install -y libpq5\nRUN apt-get install -y gcc\nRUN apk add frobnicate\nRUN $CMD\nONBUILD RUN x";
    let (_, facts) = completed(instructions);
    let kept: Vec<&Kept> = facts.iter().skip(2).map(|fact| &fact.kept).collect();
    assert!(
        matches!(kept.as_slice(), [Kept::Kept, Kept::Dropped(_), Kept::Unknown, Kept::Unknown, Kept::Dropped(_)]),
        "{kept:?}"
    );
}

#[test]
fn folders_of_what_is_carried_stay_on_the_path() {
    let (profile, _) = completed("ENV PATH=/opt/y/bin:/opt/venv/bin:$PATH\nRUN tar -xzf y.tgz -C /opt/y");
    let path = profile.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
    assert_eq!(path, Some("/opt/y/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}
