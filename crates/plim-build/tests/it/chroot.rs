//! RUN where nothing can be mounted: the same images, and nothing left behind.

use std::fs;
use std::path::Path;

use plim_build::{BuildError, Isolation, Network, Request, Secret, SecretSpec};
use plim_testkit::Recorder;

use crate::Test;
use crate::workbench::{Workbench, can_run};

pub(crate) const TESTS: &[Test] = &[
    ("both_isolations_build_the_same_image", both_isolations_build_the_same_image),
    ("changes_that_hide_are_found", changes_that_hide_are_found),
    ("a_secret_stays_nowhere_without_namespaces", a_secret_stays_nowhere_without_namespaces),
    ("one_line_says_what_is_not_kept_apart", one_line_says_what_is_not_kept_apart),
    ("a_cache_of_one_step_is_waited_for_by_another", a_cache_of_one_step_is_waited_for_by_another),
    ("one_cache_in_two_places_is_refused", one_cache_in_two_places_is_refused),
    ("a_failing_step_leaves_no_draft", a_failing_step_leaves_no_draft),
];

/// Tests of RUN that a chroot cannot pass: of the network, and of mounts that are read-only.
pub(crate) const NEED_NAMESPACES: [&str; 3] = [
    "mounts_show_stages_and_the_context",
    "a_run_without_network_sees_none",
    "an_offline_build_is_answered_by_the_cache",
];

/// Says whether RUN can be tested in both ways here; prints why not.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn can_run_both() -> bool {
    let chroot = plim_sandbox::probe().chroot;
    if !chroot {
        eprintln!("skipped: only root can change the root directory");
    }
    chroot && can_run()
}

fn in_chroot(mut request: Request) -> Request {
    request.isolation = Isolation::Chroot;
    request
}

/// Builds in both ways, without answers of the cache, and compares the images.
fn same(bench: &Workbench, dockerfile: &str) {
    let build = |isolation| {
        let mut request = bench.request(dockerfile);
        (request.isolation, request.no_cache) = (isolation, true);
        bench.run(&request).unwrap_or_else(|error| panic!("{isolation:?}: {error:?}"))
    };
    let (one, other) = (build(Isolation::Namespaces), build(Isolation::Chroot));
    for index in 0..one.image.layers.len() {
        let (left, right) = (bench.layer(&one.image, index), bench.layer(&other.image, index));
        assert_eq!(left, right, "layer {index}");
    }
    assert_eq!(one.image.descriptor.digest, other.image.descriptor.digest);
}

fn both_isolations_build_the_same_image() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    bench.file("a.txt", "from the context").file("dir/b.txt", "b");
    same(
        &bench,
        "FROM busybox AS one\n\
         RUN mkdir -p /d/e && echo 1 > /d/a && busybox ln /d/a /d/b && busybox ln -s a /d/c && busybox mkfifo /d/pipe && \
             busybox chmod 4711 /d/a && busybox chown 7:8 /d/e && echo 2 > /d/e/f\n\
         COPY a.txt dir /copied/\n\
         RUN busybox mv /d /moved && echo x >> /copied/a.txt && rm /etc/group && mkdir /etc/group\n\
         WORKDIR /work/deep\n\
         RUN --mount=type=cache,target=/var/cache/x --mount=type=tmpfs,target=/scratch/deep --mount=source=dir,target=/ctx \
             cat /ctx/b.txt > here && touch /scratch/deep/x /var/cache/x/y && rm -r /copied && mkdir /copied\n\
         USER app\n\
         RUN id -u > /tmp-who 2>/dev/null || id -u | busybox wc -c > /dev/null\n\
         FROM busybox\n\
         RUN --mount=from=one,source=/moved,target=/in busybox cp -a /in /out && busybox chown -R 9:9 /out\n\
         RUN busybox chown -R 10:10 /out /bin && busybox ln /bin/busybox /bin/again\n\
         COPY --link --from=one /work /linked\n\
         RUN rm /bin/again /linked/deep/here && echo new > /bin/new\n",
    );
}

fn changes_that_hide_are_found() {
    if !can_run_both() {
        return;
    }
    same(
        &Workbench::new(),
        "FROM busybox\n\
         RUN busybox touch -r /etc/passwd /ref && busybox tr o 0 < /etc/passwd > /new && busybox cat /new > /etc/passwd && \
             busybox touch -r /ref /etc/passwd && rm /ref /new\n\
         RUN echo same > /same && busybox touch -d @1000000000 /same\n\
         RUN echo sama > /same && busybox touch -d @1000000000 /same\n\
         RUN echo sama > /same && busybox touch -d @1000000000 /same\n\
         RUN busybox chmod 700 /etc && busybox chmod 755 /etc && busybox touch /etc/x && rm /etc/x\n",
    );
}

fn a_secret_stays_nowhere_without_namespaces() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    let mut request = in_chroot(bench.request(
        "FROM busybox\nRUN --mount=type=secret,id=token cat /run/secrets/token | busybox wc -c > /length && \
         busybox ln /run/secrets/token /kept && ls /run/secrets\nRUN [ ! -e /run ] && [ ! -s /kept ]\n",
    ));
    request.secrets = vec![SecretSpec { id: "token".to_owned(), value: Secret::new(b"hunter2-hunter2".to_vec()) }];
    let built = bench.run(&request).unwrap();
    assert_eq!(bench.paths(&built.image, 1), ["kept", "length"]);
    assert_eq!(bench.layer(&built.image, 1)[1].1, b"15\n");
    assert_eq!(holding(bench.state().snapshots.parent().unwrap(), b"hunter2-hunter2"), [""; 0]);
}

/// The files below a directory that hold a text.
fn holding(dir: &Path, text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            found.extend(holding(&path, text));
        } else if metadata.is_file() && fs::read(&path).unwrap().windows(text.len()).any(|part| part == text) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn one_line_says_what_is_not_kept_apart() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    let mut request =
        in_chroot(bench.request("FROM busybox\nRUN --network=none echo 1 > /1\nRUN --network=none echo 2 > /2\n"));
    request.network = Network::None;
    let events = Recorder::new();
    bench.run_with(&request, &events).unwrap();
    let warnings = events.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("--isolation chroot: "), "{warnings:?}");
    let again = Recorder::new();
    bench.run_with(&request, &again).unwrap();
    assert_eq!(again.warnings(), [""; 0], "no step ran");
}

fn a_cache_of_one_step_is_waited_for_by_another() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    let mut request = in_chroot(bench.request(
        "FROM busybox AS a\nRUN --mount=type=cache,target=/c --mount=type=cache,target=/b touch /c/a /b/a && ls /c > /out\n\
         FROM busybox AS b\nRUN --mount=type=cache,target=/b --mount=type=cache,target=/c touch /c/b /b/b && ls /c > /out\n\
         FROM busybox\nCOPY --from=a /out /a\nCOPY --from=b /out /b\nRUN --mount=type=cache,target=/c ls /c > /all\n",
    ));
    request.jobs = 2;
    let built = bench.run(&request).unwrap();
    assert_eq!(bench.layer(&built.image, 3)[0].1, b"a\nb\n");
}

fn one_cache_in_two_places_is_refused() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    let request = in_chroot(
        bench.request("FROM busybox\nRUN --mount=type=cache,id=x,target=/a --mount=type=cache,id=x,target=/b true\n"),
    );
    let error = bench.run(&request).unwrap_err();
    assert!(format!("{error:?}").contains("cannot be the same cache"), "{error:?}");
}

fn a_failing_step_leaves_no_draft() {
    if !can_run_both() {
        return;
    }
    let bench = Workbench::new();
    let request = in_chroot(bench.request("FROM busybox\nRUN echo 1 > /1\nRUN exit 7\n"));
    assert!(matches!(bench.run(&request), Err(BuildError::Step { code: 7, .. })));
    let drafts = fs::read_dir(&bench.state().snapshots).unwrap().map(|entry| entry.unwrap().file_name());
    let drafts: Vec<_> = drafts.filter(|name| name.as_encoded_bytes().starts_with(b"tmp-")).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
}
