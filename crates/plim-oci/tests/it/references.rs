//! Docker's rules for names.

use std::fmt::Write;

use plim_oci::{Digest, Reference};
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    text.parse::<Reference>().unwrap().to_string()
}

#[test]
fn defaults_are_filled_in() {
    let cases = [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.29", "docker.io/library/nginx:1.29"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("localhost:5000/x:v1", "localhost:5000/x:v1"),
        ("registry.example.com/distroless/static:nonroot", "registry.example.com/distroless/static:nonroot"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("Host/x", "Host/x:latest"),
        ("a/b/c--d__e.f", "docker.io/a/b/c--d__e.f:latest"),
    ];
    for (text, expected) in cases {
        assert_eq!(canonical(text), expected);
    }
}

#[test]
fn a_digest_needs_no_tag_and_keeps_one() {
    let digest = Digest::of(b"x");
    assert_eq!(canonical(&format!("nginx@{digest}")), format!("docker.io/library/nginx@{digest}"));
    assert_eq!(canonical(&format!("nginx:1@{digest}")), format!("docker.io/library/nginx:1@{digest}"));
    let pinned = "nginx:1".parse::<Reference>().unwrap().with_digest(digest.clone());
    assert_eq!((pinned.tag(), pinned.digest()), (Some("1"), Some(&digest)));
    assert_eq!(pinned.with_tag("2").unwrap().familiar(), "nginx:2");
}

#[test]
fn people_read_the_short_form() {
    for text in [
        "nginx",
        "nginx:1",
        "team/app",
        "localhost:5000/x",
        "registry.example.com/x/y:z",
        "docker.io/localhost/x:latest",
    ] {
        assert_eq!(text.parse::<Reference>().unwrap().familiar(), text);
    }
}

#[test]
fn malformed_names_say_what_is_wrong_and_what_to_do() {
    let mut out = String::new();
    for text in [
        "",
        "Nginx",
        "https://example.com/x",
        "nginx:",
        "nginx:-x",
        "a//b",
        "x/",
        "ex..ample/x",
        "nginx@sha256:12",
        "-a/b",
        "a___b",
        "localhost:port/x",
        &"0123456789abcdef".repeat(4),
        &format!("x:{}", "t".repeat(129)),
        &"n".repeat(256),
    ] {
        let error = text.parse::<Reference>().unwrap_err();
        writeln!(out, "{error}\n  {}", error.hint().unwrap_or_default()).unwrap();
    }
    insta::assert_snapshot!(out);
}

prop_compose! {
    fn component()(text in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}") -> String { text }
}

proptest! {
    #[test]
    fn displaying_and_parsing_again_changes_nothing(
        host in prop::option::of("([a-zA-Z0-9]{1,5}\\.){1,3}[a-z]{2,3}(:[0-9]{1,5})?|localhost(:[0-9]{2,5})?"),
        path in prop::collection::vec(component(), 1..5),
        tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
        pinned in any::<bool>(),
    ) {
        // without a host of its own, a first component with a dot would be taken for one
        let host = host.unwrap_or_else(|| "docker.io".to_owned());
        let mut text = format!("{host}/{}", path.join("/"));
        if let Some(tag) = tag {
            text = format!("{text}:{tag}");
        }
        if pinned {
            text = format!("{text}@{}", Digest::of(text.as_bytes()));
        }
        let reference: Reference = text.parse().unwrap();
        prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference.clone());
        prop_assert_eq!(reference.familiar().parse::<Reference>().unwrap(), reference);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|[a-z:@/.-]{0,30}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }
}
