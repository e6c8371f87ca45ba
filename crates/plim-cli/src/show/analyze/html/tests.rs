use super::*;
use crate::show::analyze::sample;

/// Tags of a page in order, as a parser that knows nothing of HTML but quotes would see them.
fn tags(page: &str) -> Vec<(String, bool)> {
    let mut out = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let mut quoted = false;
        let end = rest
            .find(|c: char| {
                quoted ^= c == '"';
                c == '>' && !quoted
            })
            .expect("every tag ends");
        let tag = &rest[..end];
        let closing = tag.starts_with('/');
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        rest = &rest[end + 1..];
        if !closing && matches!(name.as_str(), "script" | "style") {
            let end = rest.find(&format!("</{name}>")).expect("scripts end");
            rest = &rest[end..];
        }
        if !(tag.ends_with('/') || tag.starts_with('!')) {
            out.push((name, closing));
        }
    }
    out
}

fn well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    for (name, closing) in tags(page) {
        if matches!(name.as_str(), "meta" | "input" | "br") {
            continue;
        }
        if closing {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "open: {open:?}");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} never ends");
}

#[test]
fn the_page_is_what_the_report_says() {
    let page = render(&sample::rich(), None).unwrap();
    well_formed(&page);
    let (_, body) = page.split_once("<body>").unwrap();
    let (body, _) = body.split_once("<script type=\"application/json\"").unwrap();
    insta::assert_snapshot!("html_body", body);
}

#[test]
fn a_small_image_has_no_empty_sections() {
    let page = render(&sample::small(), None).unwrap();
    well_formed(&page);
    for section in ["id=\"h-waste\"", "id=\"h-packages\"", "id=\"h-rules\"", "<figure"] {
        assert!(!page.contains(section), "{section}");
    }
    assert!(page.contains("id=\"h-layers\"") && page.contains("id=\"h-cost\""));
}

#[test]
fn names_of_strangers_are_no_markup() {
    let hostile = sample::hostile();
    let page = render(&hostile, None).unwrap();
    well_formed(&page);
    let names: Vec<String> = tags(&page).into_iter().filter(|tag| tag.0 == "script").map(|tag| tag.0).collect();
    assert_eq!(names.len(), 4, "two scripts, each with its end");
    assert!(!page.contains("<img") && !page.contains("alert(1)</script><") && !page.contains("<!-- "));
    assert!(!page.chars().any(|c| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{200f}'))));
    // a template language of the reader finds nothing either
    assert!(page.contains("{{ 7 * 7 }}"));
}

#[test]
fn the_data_for_the_script_is_json() {
    let page = render(&sample::hostile(), None).unwrap();
    let (_, data) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["tree"]["n"], "/</script><script>alert(1)</script>");
    assert_eq!(data["layers"].as_array().unwrap().len(), 7);
}

#[test]
fn the_policy_allows_the_script_by_its_digest_and_nothing_else() {
    let page = render(&sample::small(), None).unwrap();
    let (_, policy) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"").unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    // the quotes are escaped, which an attribute undoes
    let policy = policy.replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'));
    assert!(!page.contains(" style=") && !page.contains(" onclick="), "a style attribute would be refused");
}

#[test]
fn a_large_image_has_a_page_below_two_megabytes() {
    let report = sample::large(3_000);
    let page = render(&report, None).unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("@example/some-package-2999<").count(), 1, "every package has its row");
    let page = render(&sample::large(40_000), None).unwrap();
    assert!(page.len() < 3_500_000, "{} bytes", page.len());
    assert!(page.contains("… and 35000 more in -o json"));
}

#[test]
fn the_base_is_grey_and_the_rest_is_not() {
    assert_eq!([colour(1, 2), colour(2, 2), colour(3, 2), colour(0, 0)], ["b0", "b1", "c0", "none"]);
    assert_eq!(colour(11, 2), "c0");
}
