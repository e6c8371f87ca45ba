//! Uploads of blobs, and manifests that are put.

use plim_oci::Digest;
use plim_oci::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use plim_testkit::registry::{Registry, Switches};
use serde_json::json;

use crate::wire::{Answer, ask, send};

const CONTENT: &[u8] = b"0123456789";

fn begin(registry: &Registry) -> String {
    let answer = ask(registry, "POST /v2/a/b/blobs/uploads/");
    assert_eq!(answer.status, 202);
    answer.location()
}

fn patch(registry: &Registry, location: &str, from: usize, bytes: &[u8]) -> Answer {
    let range = format!("Content-Range: {from}-{}", from + bytes.len() - 1);
    send(registry, &format!("PATCH {location}"), &[&range], bytes)
}

fn put(registry: &Registry, location: &str, digest: &Digest, bytes: &[u8]) -> Answer {
    send(registry, &format!("PUT {location}&digest={digest}"), &[], bytes)
}

#[test]
fn a_blob_is_uploaded_at_once() {
    let registry = Registry::start();
    let digest = Digest::of(CONTENT);
    let answer = put(&registry, &begin(&registry), &digest, CONTENT);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.location(), format!("/v2/a/b/blobs/{digest}"));
    assert_eq!(registry.blob("a/b", &digest), Some(CONTENT.to_vec()));
    assert_eq!(registry.open_uploads(), 0);

    let wrong = put(&registry, &begin(&registry), &Digest::of(b"x"), CONTENT);
    assert_eq!((wrong.status, wrong.code()), (400, "DIGEST_INVALID".to_owned()));
    let single = send(&registry, &format!("POST /v2/a/b/blobs/uploads/?digest={digest}"), &[], CONTENT);
    assert_eq!(single.status, 202);
    assert_eq!(ask(&registry, &format!("DELETE {}", single.location())).status, 204);

    registry.set(|switches| switches.monolithic = false);
    assert_eq!(put(&registry, &begin(&registry), &digest, CONTENT).status, 413);
}

#[test]
fn digests_of_sha512_are_checked() {
    let registry = Registry::start();
    let digest: Digest = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                          2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        .parse()
        .unwrap();
    assert_eq!(put(&registry, &begin(&registry), &digest, b"abc").status, 201);
    assert_eq!(put(&registry, &begin(&registry), &digest, b"abd").status, 400);
}

#[test]
fn a_blob_is_uploaded_in_chunks_in_order() {
    let registry = Registry::with(Switches { relative_location: true, ..Switches::default() });
    let digest = Digest::of(CONTENT);
    let first = begin(&registry);
    assert!(first.starts_with("/v2/") && first.contains("?_state="), "{first}");
    let answer = patch(&registry, &first, 0, &CONTENT[..4]);
    assert_eq!((answer.status, answer.header("range")), (202, "0-3"));
    assert_eq!(patch(&registry, &first, 4, &CONTENT[4..]).code(), "BLOB_UPLOAD_UNKNOWN");
    let second = answer.header("location").to_owned();
    let wrong = patch(&registry, &second, 6, &CONTENT[6..]);
    assert_eq!((wrong.status, wrong.header("range")), (416, "0-3"));
    let state = ask(&registry, &format!("GET {second}"));
    assert_eq!((state.status, state.header("range")), (204, "0-3"));
    let last = patch(&registry, &state.location(), 4, &CONTENT[4..]).location();
    assert_eq!(put(&registry, &last, &digest, b"").status, 201);
    assert_eq!(registry.blob("a/b", &digest), Some(CONTENT.to_vec()));

    let bytes = send(&registry, &format!("PATCH {}", begin(&registry)), &["Content-Range: bytes 0-0"], b"x");
    assert_eq!(bytes.status, 400);
    registry.set(|switches| switches.chunked = false);
    assert_eq!(patch(&registry, &begin(&registry), 0, CONTENT).status, 405);
}

#[test]
fn chunks_below_the_minimum_must_be_the_last() {
    let registry = Registry::with(Switches { chunk_minimum: Some(4), ..Switches::default() });
    let begun = ask(&registry, "POST /v2/a/b/blobs/uploads/");
    assert_eq!(begun.header("oci-chunk-min-length"), "4");
    let next = patch(&registry, &begun.location(), 0, &CONTENT[..2]).location();
    assert_eq!(patch(&registry, &next, 2, &CONTENT[2..]).status, 416);

    let next = patch(&registry, &begin(&registry), 0, &CONTENT[..8]).location();
    let next = patch(&registry, &next, 8, &CONTENT[8..]).location();
    assert_eq!(put(&registry, &next, &Digest::of(CONTENT), b"").status, 201);
}

#[test]
fn an_upload_that_is_cut_keeps_what_came() {
    let registry = Registry::with(Switches { cut_uploads: [3, 2, 99].into(), ..Switches::default() });
    let digest = Digest::of(CONTENT);
    let location = begin(&registry);
    assert_eq!(put(&registry, &location, &digest, CONTENT).status, 0);
    let state = ask(&registry, &format!("GET {location}"));
    assert_eq!(state.header("range"), "0-2");
    assert_eq!(patch(&registry, &state.location(), 3, &CONTENT[3..]).status, 0);
    let state = ask(&registry, &format!("GET {}", state.location()));
    assert_eq!(state.header("range"), "0-4");
    // everything came, and the answer is lost
    assert_eq!(patch(&registry, &state.location(), 5, &CONTENT[5..]).status, 0);
    let state = ask(&registry, &format!("GET {}", state.location()));
    assert_eq!(state.header("range"), "0-9");
    assert_eq!(put(&registry, &state.location(), &digest, b"").status, 201);
    assert!(registry.switches().cut_uploads.is_empty());
    let lengths: Vec<u64> = registry.requests().iter().map(|request| request.body_length).collect();
    assert_eq!(lengths, [0, 3, 0, 2, 0, 5, 0, 0]);
}

#[test]
fn a_blob_is_mounted_from_another_repository() {
    let registry = Registry::start();
    let digest = registry.put_blob("source", CONTENT);
    let mount = |from: &str| ask(&registry, &format!("POST /v2/a/b/blobs/uploads/?mount={digest}{from}"));
    assert_eq!(mount("").status, 202);
    assert_eq!(mount("&from=elsewhere").status, 202);
    registry.set(|switches| switches.mount = false);
    assert_eq!(mount("&from=source").status, 202);
    registry.set(|switches| switches.mount = true);
    assert_eq!(mount("&from=source").status, 201);
    assert_eq!(registry.blob("a/b", &digest), Some(CONTENT.to_vec()));
}

fn manifest(registry: &Registry, reference: &str, headers: &[&str], body: &str) -> Answer {
    send(registry, &format!("PUT /v2/a/b/manifests/{reference}"), headers, body.as_bytes())
}

#[test]
fn manifests_are_checked() {
    let registry = Registry::start();
    let config = json!({"mediaType": OCI_CONFIG, "digest": Digest::of(b"{}").as_str(), "size": 2});
    let image = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}).to_string();
    assert_eq!(manifest(&registry, "v1", &[], &image).code(), "MANIFEST_BLOB_UNKNOWN");
    registry.put_blob("a/b", "{}");
    let good = manifest(&registry, "v1", &[], &image);
    assert_eq!((good.status, good.header("docker-content-digest")), (201, Digest::of(image.as_bytes()).as_str()));
    assert_eq!(registry.tags("a/b"), ["v1"]);

    let content_type = format!("Content-Type: {OCI_INDEX}");
    assert_eq!(manifest(&registry, "v2", &[&content_type], &image).code(), "MANIFEST_INVALID");
    assert_eq!(manifest(&registry, Digest::of(b"x").as_str(), &[], &image).code(), "DIGEST_INVALID");
    assert_eq!(manifest(&registry, "v2", &[], "no json").code(), "MANIFEST_INVALID");
    assert_eq!(manifest(&registry, "v2", &[], &" ".repeat((4 << 20) + 1)).status, 413);

    let child = json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"child").as_str(), "size": 5});
    let index = json!({"schemaVersion": 2, "manifests": [child]}).to_string();
    assert_eq!(manifest(&registry, "all", &[&content_type], &index).code(), "MANIFEST_BLOB_UNKNOWN");
    registry.set(|switches| switches.sparse_indexes = true);
    assert_eq!(manifest(&registry, "all", &[&content_type], &index).status, 201);
}

#[test]
fn a_tag_is_replaced_only_as_it_was_seen() {
    let registry = Registry::start();
    registry.put_manifest("a/b", "v1", OCI_INDEX, "{}");
    let etag = ask(&registry, "GET /v2/a/b/manifests/v1").header("etag").to_owned();
    let content_type = format!("Content-Type: {OCI_INDEX}");
    let put = |body: &str| manifest(&registry, "v1", &[&content_type, &format!("If-Match: {etag}")], body);
    assert_eq!(put("{\"manifests\":[]}").status, 201);
    assert_eq!(put("{\"manifests\": []}").status, 412);
    assert_eq!(manifest(&registry, "v1", &[&content_type, "If-None-Match: *"], "{}").status, 412);
    assert_eq!(manifest(&registry, "v2", &[&content_type, "If-Match: *"], "{}").status, 412);
}

#[test]
fn bodies_are_slow_when_told_to() {
    let registry = Registry::with(Switches { slow: Some(std::time::Duration::from_millis(1)), ..Switches::default() });
    let content = vec![7; 200 << 10];
    let digest = Digest::of(&content);
    assert_eq!(put(&registry, &begin(&registry), &digest, &content).status, 201);
    assert_eq!(ask(&registry, &format!("GET /v2/a/b/blobs/{digest}")).body, content);
}
