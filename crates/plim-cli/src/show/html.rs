//! Reports as one HTML file: no network, nothing to load, readable without scripts.
//!
//! A page is a template of [`minijinja`] over plain values. Everything that is not marked safe is escaped; a content security policy
//! allows the one style sheet and the one script by their digests and nothing else, so that a mistake in escaping could still not
//! run anything.

pub(crate) mod treemap;
pub(crate) mod versus;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Output, UndefinedBehavior, Value, escape_formatter};
use plim_engine::Failure;
use serde::Serialize;

const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

/// Templates by name; those of single reports extend `page.html`.
const TEMPLATES: &[(&str, &str)] = &[
    ("page.html", include_str!("html/page.html")),
    ("analyze.html", include_str!("html/analyze.html")),
    ("optimize.html", include_str!("html/optimize.html")),
    ("diff.html", include_str!("html/diff.html")),
    ("versus.html", include_str!("html/versus.html")),
];

/// What every page is made of besides its report.
#[derive(Debug, Serialize)]
struct Page<'a, T> {
    policy: String,
    style: Value,
    script: Value,
    data: Value,
    report: &'a T,
}

/// Returns the page of a template: `report` is what the template shows, `data` what its script reads.
pub(crate) fn page(template: &str, report: &impl Serialize, data: &impl Serialize) -> Result<String, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::caused("failed to write the report as HTML", &error);
    let data = serde_json::to_string(data).map_err(|error| failed(&error))?;
    let page = Page {
        policy: policy(),
        style: Value::from_safe_string(STYLE.to_owned()),
        script: Value::from_safe_string(SCRIPT.to_owned()),
        data: Value::from_safe_string(embedded(&data)),
        report,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|error| failed(&error))?;
    environment.set_syntax(syntax);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => escape(text, out),
        _ => escape_formatter(out, state, value),
    });
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(|error| failed(&error))?;
    }
    let template = environment.get_template(template).map_err(|error| failed(&error))?;
    template.render(Serde(&page)).map_err(|error| failed(&error))
}

/// Escapes what begins or ends something in HTML. The engine's own escaping makes six characters of every `/`, and a report is
/// made of paths.
fn escape(text: &str, out: &mut Output<'_>) -> Result<(), minijinja::Error> {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&', '"', '\'']) {
        out.write_str(&rest[..at])?;
        out.write_str(match rest.as_bytes()[at] {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    Ok(())
}

/// A length for SVG, which a content security policy does not take for style.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    percent_of(part as f64, whole as f64)
}

/// The same of figures that are no whole numbers.
fn percent_of(part: f64, whole: f64) -> String {
    let percent = if whole > 0.0 && part.is_finite() { part * 100.0 / whole } else { 0.0 };
    format!("{percent:.1}%")
}

/// JSON that may stand in a `script` element: without `<` nothing in it can end the element or begin a comment (HTML 13.1.2.6).
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// The content security policy (<https://www.w3.org/TR/CSP3/>): the style sheet and the script by their digests.
fn policy() -> String {
    let digest = |text: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_its_element() {
        assert_eq!(embedded(r#"["</script>","<!--"]"#), r#"["\u003c/script>","\u003c!--"]"#);
        let back: Vec<String> = serde_json::from_str(&embedded(r#"["</script>"]"#)).unwrap();
        assert_eq!(back, ["</script>"]);
    }

    #[test]
    fn the_script_and_the_style_sheet_do_not_end_their_elements() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        assert!(!STYLE.contains("</"));
        // a parser makes one character of a carriage return and a line feed, and the digest would be another
        assert!(!SCRIPT.contains('\r') && !STYLE.contains('\r'));
    }

    #[test]
    fn nothing_is_loaded() {
        for text in [STYLE, SCRIPT].into_iter().chain(TEMPLATES.iter().map(|template| template.1)) {
            for word in ["http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "eval(", "innerHTML"] {
                assert!(!text.replace("http://www.w3.org/2000/svg", "").contains(word), "{word}");
            }
        }
    }
}
