use plim_engine::Tool;
use plim_engine::diff::{
    ConfigChange, DiffReport, FileChanges, FileSum, LayerChange, NewLayer, OwnerChange, PackageChange, PathChange, Side,
};

use super::*;

fn digest_of(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

fn side(subject: &str, letter: &str, size: u64) -> Side {
    Side {
        subject: subject.to_owned(),
        digest: digest_of(letter).parse().unwrap(),
        platform: "linux/amd64".to_owned(),
        size_bytes: size,
        compressed_bytes: size / 3,
        file_bytes: size - 1000,
        files: size / 10_000,
        layers: 3,
        packages: 88,
    }
}

fn package(name: &str, change: Change, before: &[&str], after: &[&str]) -> PackageChange {
    let owned = |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect();
    PackageChange { kind: "deb".to_owned(), name: name.to_owned(), change, before: owned(before), after: owned(after) }
}

fn path(path: &str, change: Change, before: u64, after: u64, details: &[&str]) -> PathChange {
    let details = details.iter().map(|detail| (*detail).to_owned()).collect();
    PathChange { path: path.to_owned(), change, before, after, details }
}

fn report() -> DiffReport {
    let sum = |files, before, after| FileSum { files, before, after };
    DiffReport {
        schema: 1,
        tool: Tool { name: "plim".to_owned(), version: "1.0.0".to_owned() },
        command: "diff".to_owned(),
        before: side("shop:1", "a", 912_000_000),
        after: side("shop:2", "b", 74_000_000),
        layers: LayerChange {
            shared: 2,
            shared_bytes: 60_000_000,
            shared_compressed_bytes: 20_000_000,
            gone: 1,
            new: vec![NewLayer {
                layer: 3,
                diff_id: digest_of("c").parse().unwrap(),
                size_bytes: 14_000_000,
                compressed_bytes: 4_000_000,
                created_by: Some("COPY . /app # buildkit".to_owned()),
            }],
            new_compressed_bytes: 4_000_000,
        },
        packages: vec![
            package("curl", Change::Changed, &["8.1"], &["8.2"]),
            package("git", Change::Removed, &["2.47"], &[]),
            package("jq", Change::Added, &[], &["1.7"]),
        ],
        files: FileChanges {
            added: sum(3, 0, 5000),
            removed: sum(9000, 840_000_000, 0),
            changed: sum(2, 3000, 4000),
            metadata: sum(1, 10, 10),
            same: sum(70, 60_000_000, 60_000_000),
        },
        paths: vec![
            path("/usr/bin/git", Change::Removed, 4_000_000, 0, &[]),
            path("/app/main.py", Change::Metadata, 10, 10, &["mode 644 -> 755"]),
        ],
        config: vec![
            ConfigChange { setting: "user".to_owned(), name: None, before: None, after: Some("65532".to_owned()) },
            ConfigChange {
                setting: "port".to_owned(),
                name: Some("80/tcp".to_owned()),
                before: None,
                after: Some(String::new()),
            },
        ],
        owners: vec![
            OwnerChange { name: "git".to_owned(), kind: Some("deb".to_owned()), before: 50_000_000, after: 0 },
            OwnerChange { name: "(no package)".to_owned(), kind: None, before: 1000, after: 9000 },
        ],
    }
}

/// What stands in the page between its head and its data.
fn body(report: &DiffReport) -> String {
    let page = render(report).unwrap();
    let (_, body) = page.split_once("<body>").unwrap();
    body.split_once("<script type=\"application/json\"").unwrap().0.to_owned()
}

#[test]
fn both_images_and_their_differences_are_shown() {
    insta::assert_snapshot!("html_body", body(&report()));
}

#[test]
fn images_that_are_the_same_have_no_empty_tables() {
    let mut report = report();
    report.after = report.before.clone();
    report.layers.new.clear();
    report.packages.clear();
    report.paths.clear();
    report.config.clear();
    report.owners.clear();
    let body = body(&report);
    assert_eq!(body.matches("<table").count(), 1, "the sums of files alone");
    assert!(!body.contains("NaN"));
}

#[test]
fn names_of_strangers_are_no_markup() {
    let evil = "</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e}";
    let mut report = report();
    report.before.subject = evil.to_owned();
    report.before.platform = evil.to_owned();
    report.layers.new[0].created_by = Some(evil.to_owned());
    report.packages[0] = package(evil, Change::Changed, &[evil], &[evil]);
    report.paths[0] = path(evil, Change::Changed, u64::MAX, 0, &[evil]);
    report.config[0].after = Some(evil.to_owned());
    report.config[1].name = Some(evil.to_owned());
    report.owners[0] = OwnerChange { name: evil.to_owned(), kind: Some(evil.to_owned()), before: 0, after: u64::MAX };
    let page = render(&report).unwrap();
    assert!(!page.contains("<img") && !page.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_page_is_bounded_and_says_what_is_left_out() {
    let mut report = report();
    report.packages =
        (0..PACKAGES + 7).map(|number| package(&format!("p{number}"), Change::Added, &[], &["1"])).collect();
    report.paths =
        (0..ROWS + 3).map(|number| path(&"long/".repeat(number), Change::Added, 0, 1, &["x"; 100])).collect();
    let page = render(&report).unwrap();
    assert!(page.contains("… and 7 more") && page.contains("… and 3 more"));
    assert!(page.len() < 2_000_000, "{}", page.len());
}
