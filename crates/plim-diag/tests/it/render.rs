//! Snapshots of the renderers.

use insta::assert_snapshot;
use plim_diag::render::{self, Envelope, TextOptions};
use plim_diag::{Applicability, Diagnostic, Edit, Fix, Severity, Subject, apply};
use proptest::prelude::*;

use crate::{RULES, SOURCE, sample};

fn rendered(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory can be written");
    String::from_utf8(out).expect("output is text")
}

#[test]
fn text_shows_frames_help_and_patches() {
    let shown = rendered(|out| render::text(&sample(), &("Dockerfile", SOURCE), RULES, &TextOptions::default(), out));
    assert_snapshot!(shown);
}

#[test]
fn coloured_text_differs_only_in_escape_sequences() {
    let options = TextOptions { color: true, ..TextOptions::default() };
    let shown = rendered(|out| render::text(&sample()[..1], &("Dockerfile", SOURCE), RULES, &options, out));
    assert_snapshot!(shown.replace('\u{1b}', "␛"));
}

#[test]
fn short_is_one_line_per_finding() {
    let shown = rendered(|out| render::short(&sample(), &("Dockerfile", SOURCE), RULES, out));
    assert_snapshot!(shown, @r"
    Dockerfile:4:1: warning[cache-order] dependencies are reinstalled on every source change
    Dockerfile:5:1: info[shell-form] the start command runs under a shell
    shop:latest:/app/id_rsa: error[secret-in-layer] private key in the image
    other/Dockerfile: warning[cache-order] cannot be\u{1b}[31mcached at all
    ");
}

#[test]
fn json_resolves_lines_and_columns() {
    let envelope = Envelope {
        version: "0.1.0",
        command: "lint",
        subject: ".",
        data: serde_json::json!({ "files": ["Dockerfile"] }),
    };
    let shown = rendered(|out| render::json(&sample(), &("Dockerfile", SOURCE), RULES, &envelope, out));
    assert_snapshot!(shown);
}

#[test]
fn sarif_has_rules_regions_and_fixes() {
    let shown = rendered(|out| render::sarif(&sample(), &("Dockerfile", SOURCE), RULES, "0.1.0", out));
    assert_snapshot!(shown);
}

#[test]
fn the_fix_of_the_sample_applies() {
    let diagnostics = sample();
    let fixes: Vec<&Fix> = diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()).collect();
    assert_snapshot!(apply(SOURCE, &fixes).unwrap(), @r#"
    FROM debian:trixie
    # größe 🦀
    COPY package.json package-lock.json ./
    RUN npm ci
    COPY . .
    CMD ["node", "server.js"]
    "#);
}

fn any_diagnostic() -> impl Strategy<Value = Diagnostic> {
    let spans = proptest::collection::vec((0_usize..90, 0_usize..90, any::<bool>()), 0..4);
    let edits = proptest::collection::vec((0_usize..90, 0_usize..90, "[a-z\n]{0,5}"), 0..3);
    (spans, edits, "\\PC{0,9}").prop_map(|(spans, edits, message)| {
        let mut diagnostic = Diagnostic::new(&RULES[0], Subject::file("Dockerfile"), message.clone());
        for (start, end, primary) in spans {
            diagnostic = if primary {
                diagnostic.primary(start..end, message.clone())
            } else {
                diagnostic.secondary(start..end, message.clone())
            };
        }
        let edits = edits.into_iter().map(|(start, end, text)| Edit::replace(start..end, text)).collect();
        diagnostic.with_severity(Severity::Hint).with_fix(Fix {
            title: message,
            edits,
            applicability: Applicability::Safe,
        })
    })
}

proptest! {
    #[test]
    fn no_span_makes_a_renderer_panic(diagnostic in any_diagnostic(), source in "[a-c ö🦀\r\n]{0,60}") {
        let sources = ("Dockerfile", source.as_str());
        let all = [diagnostic];
        let mut out = Vec::new();
        let envelope = Envelope { version: "0", command: "lint", subject: ".", data: serde_json::Value::Null };
        render::text(&all, &sources, RULES, &TextOptions::default(), &mut out).unwrap();
        render::short(&all, &sources, RULES, &mut out).unwrap();
        render::json(&all, &sources, RULES, &envelope, &mut out).unwrap();
        render::sarif(&all, &sources, RULES, "0", &mut out).unwrap();
    }
}
