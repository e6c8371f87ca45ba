//! Tags, the catalog and referrers.

use plim_oci::Digest;
use plim_oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use plim_testkit::registry::{Registry, Switches};
use serde_json::{Value, json};

use crate::wire::{ask, send};

/// Follows the links of pages; returns the lists in a field.
fn pages(registry: &Registry, path: &str, field: &str) -> Vec<Value> {
    let mut next = Some(path.to_owned());
    let mut pages = Vec::new();
    while let Some(path) = next {
        let answer = ask(registry, &format!("GET {path}"));
        assert_eq!(answer.status, 200);
        pages.push(answer.json()[field].clone());
        let link = answer.header("link");
        next = link.strip_prefix('<').map(|rest| rest.strip_suffix(">; rel=\"next\"").unwrap().to_owned());
    }
    pages
}

#[test]
fn tags_and_names_come_in_pages() {
    let registry = Registry::start();
    for tag in ["c", "a", "b", "d", "e"] {
        registry.put_manifest("x/y", tag, OCI_INDEX, "{}");
    }
    registry.put_blob("z", "");
    let all = |path| pages(&registry, path, "tags");
    assert_eq!(all("/v2/x/y/tags/list"), [json!(["a", "b", "c", "d", "e"])]);
    assert_eq!(all("/v2/x/y/tags/list?n=3"), [json!(["a", "b", "c"]), json!(["d", "e"])]);
    assert_eq!(all("/v2/x/y/tags/list?last=c"), [json!(["d", "e"])]);
    assert_eq!(all("/v2/x/y/tags/list?n=0"), [json!([])]);
    registry.set(|switches| switches.page = Some(2));
    assert_eq!(all("/v2/x/y/tags/list?n=9"), [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
    registry.set(|switches| switches.page = Some(1));
    assert_eq!(pages(&registry, "/v2/_catalog", "repositories"), [json!(["x/y"]), json!(["z"])]);
    assert_eq!(ask(&registry, "GET /v2/other/tags/list").code(), "NAME_UNKNOWN");
}

fn referrer(registry: &Registry, subject: &Digest, artifact_type: &str) -> String {
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}").as_str()});
    let subject = json!({"mediaType": OCI_MANIFEST, "digest": subject.as_str(), "size": 1});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type, "config": config, "layers": [],
        "subject": subject, "annotations": {"type": artifact_type},
    });
    let bytes = manifest.to_string();
    let digest = Digest::of(bytes.as_bytes());
    let answer = send(registry, &format!("PUT /v2/a/manifests/{digest}"), &[], bytes.as_bytes());
    assert_eq!(answer.status, 201);
    answer.header("oci-subject").to_owned()
}

#[test]
fn referrers_are_listed_and_filtered() {
    let registry = Registry::start();
    registry.put_blob("a", "{}");
    let subject = Digest::of(b"the subject need not be there");
    for artifact_type in ["test/one", "test/two", "test/two"] {
        assert_eq!(referrer(&registry, &subject, artifact_type), subject.as_str());
    }
    referrer(&registry, &subject, "");
    let path = format!("/v2/a/referrers/{subject}");
    let all = ask(&registry, &format!("GET {path}"));
    assert_eq!((all.header("content-type"), all.header("oci-filters-applied")), (OCI_INDEX, ""));
    let list = all.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(list.len(), 3);
    assert!(list.iter().any(|entry| entry["artifactType"] == "application/vnd.oci.empty.v1+json"));

    let filtered = ask(&registry, &format!("GET {path}?artifactType=test/two"));
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    let list = filtered.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["annotations"], json!({"type": "test/two"}));

    registry.set(|switches| (switches.page, switches.referrers_filter) = (Some(2), false));
    let filter = format!("{path}?artifactType=test/two");
    let sizes =
        pages(&registry, &filter, "manifests").iter().map(|page| page.as_array().unwrap().len()).collect::<Vec<_>>();
    assert_eq!(sizes, [2, 1]);
    let nobody = format!("GET /v2/a/referrers/{}", Digest::of(b"nobody"));
    assert_eq!(ask(&registry, &nobody).json()["manifests"], json!([]));
    assert_eq!(ask(&registry, "GET /v2/a/referrers/v1").status, 400);
}

#[test]
fn a_registry_without_referrers_says_so() {
    let registry = Registry::with(Switches { referrers: false, ..Switches::default() });
    registry.put_blob("a", "{}");
    let subject = Digest::of(b"x");
    assert_eq!(referrer(&registry, &subject, "test/one"), "");
    assert_eq!(ask(&registry, &format!("GET /v2/a/referrers/{subject}")).status, 404);
}
