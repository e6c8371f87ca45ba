//! The `.dockerignore` against what the Dockerfile copies.

use plim_dockerfile::Kind;
use plim_dockerfile::ignore::Patterns;
use plim_project::Rewrite;
use proptest::prelude::*;

use crate::{FASTAPI, Folder};

/// Every source of every COPY from the context must get into the context.
fn assert_everything_is_there(rewrite: &Rewrite) {
    let patterns = Patterns::parse(&rewrite.dockerignore).expect("the file is valid");
    let parsed = plim_dockerfile::parse(&rewrite.dockerfile);
    for instruction in &parsed.instructions {
        let Kind::Copy(copy) = &instruction.kind else { continue };
        if copy.from.is_some() {
            continue;
        }
        for source in &copy.sources {
            let plim_dockerfile::Source::Path(path) = source else { continue };
            let path = path.value.trim_end_matches('/');
            assert!(!patterns.excludes(path), "{path} is excluded by\n{}", rewrite.dockerignore);
        }
    }
}

fn folder(ignore: &str) -> Folder {
    Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", FASTAPI),
        ("env/__init__.py", ""),
        ("build/__init__.py", ""),
        ("certs/ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("certs/server.pem", "-----BEGIN PRIVATE KEY-----\n"),
        (".env", "SECRET=1\n"),
        (".env.example", "SECRET=\n"),
        (".dockerignore", ignore),
    ])
}

#[test]
fn secrets_stay_out_and_certificates_get_in() {
    let rewrite = folder("").rewrite();
    let patterns = Patterns::parse(&rewrite.dockerignore).unwrap();
    for path in
        [".env", ".env.example", "main/.env", "certs/server.pem", ".git/config", "a/__pycache__/b.pyc", "id_rsa"]
    {
        assert!(patterns.excludes(path), "{path} gets in by\n{}", rewrite.dockerignore);
    }
    for path in ["certs/ca.pem", "main.py", "requirements.txt"] {
        assert!(!patterns.excludes(path), "{path} stays out by\n{}", rewrite.dockerignore);
    }
    assert_everything_is_there(&rewrite);
}

#[test]
fn packages_with_unlucky_names_get_in() {
    let rewrite = folder("").rewrite();
    assert!(rewrite.dockerfile.contains("COPY build "), "{}", rewrite.dockerfile);
    assert_everything_is_there(&rewrite);
}

#[test]
fn the_authors_lines_are_kept() {
    let author = "# ours\nnode_modules\n!.env.example\n";
    let rewrite = folder(author).rewrite();
    assert!(rewrite.dockerignore.starts_with(author), "{}", rewrite.dockerignore);
    let patterns = Patterns::parse(&rewrite.dockerignore).unwrap();
    assert!(!patterns.excludes(".env.example"), "{}", rewrite.dockerignore);
    assert!(patterns.excludes(".env"));
}

#[test]
fn manifests_that_the_author_excludes_are_excepted() {
    let rewrite = folder("*.txt\n*.pem\n").rewrite();
    assert!(rewrite.dockerignore.contains("!requirements.txt"), "{}", rewrite.dockerignore);
    assert_everything_is_there(&rewrite);
}

#[test]
fn a_list_of_what_gets_in_keeps_working() {
    let rewrite = folder("*\n!main.py\n!requirements.txt\n").rewrite();
    assert!(rewrite.dockerfile.contains("COPY main.py /app/"), "{}", rewrite.dockerfile);
    assert!(!rewrite.dockerfile.contains("certs"), "{}", rewrite.dockerfile);
    assert_everything_is_there(&rewrite);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_author_excludes_the_build_works(lines in proptest::collection::vec("!?(\\*\\*/)?[a-c*]{0,3}(main|\\.py|req|env|\\*)?/?", 0..5)) {
        // a pattern that the builder refuses is refused here too
        if Patterns::parse(&lines.join("\n")).is_ok() {
            assert_everything_is_there(&folder(&lines.join("\n")).rewrite_lossy());
        }
    }
}

impl Folder {
    /// As `rewrite`, with a start command, because the author may exclude the file that shows one.
    fn rewrite_lossy(&self) -> Rewrite {
        let words = ["python", "-m", "x"].map(ToOwned::to_owned).to_vec();
        let choices = plim_project::Choices { start: Some(words), ..plim_project::Choices::default() };
        let project = self.detect_with(&choices).unwrap_or_else(|error| panic!("{error}"));
        let options = plim_project::RewriteOptions::default();
        plim_project::rewrite(&project, &project.stacks[0], &options).expect("the template fits")
    }
}
