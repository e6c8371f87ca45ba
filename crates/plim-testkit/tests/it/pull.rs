//! Reading blobs and manifests.

use plim_oci::Digest;
use plim_oci::http::{Body, Client, ClientOptions, Request, Retry};
use plim_oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use plim_testkit::registry::{Auth, Registry, Switches};

use crate::wire::{Answer, ask, send};

const CONTENT: &[u8] = b"0123456789";

fn with_blob(switches: Switches) -> (Registry, String) {
    let registry = Registry::with(switches);
    let digest = registry.put_blob("team/app", CONTENT);
    (registry, format!("/v2/team/app/blobs/{digest}"))
}

fn part(registry: &Registry, path: &str, range: &str) -> Answer {
    send(registry, &format!("GET {path}"), &[&format!("Range: {range}")], b"")
}

#[test]
fn blobs_are_sent_whole_and_in_parts() {
    let (registry, path) = with_blob(Switches::default());
    let whole = ask(&registry, &format!("GET {path}"));
    assert_eq!((whole.status, &whole.body[..]), (200, CONTENT));
    let head = ask(&registry, &format!("HEAD {path}"));
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "10", 0));
    for (range, said, body) in [
        ("bytes=3-", "bytes 3-9/10", &CONTENT[3..]),
        ("bytes=3-5", "bytes 3-5/10", &CONTENT[3..6]),
        ("bytes=-4", "bytes 6-9/10", &CONTENT[6..]),
        ("bytes=8-99", "bytes 8-9/10", &CONTENT[8..]),
    ] {
        let answer = part(&registry, &path, range);
        assert_eq!((answer.status, answer.header("content-range"), &answer.body[..]), (206, said, body));
    }
    let beyond = part(&registry, &path, "bytes=10-");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));
    registry.set(|switches| switches.ranges = false);
    assert_eq!(part(&registry, &path, "bytes=3-").status, 200);
    let other = Digest::of(b"other");
    assert_eq!(ask(&registry, &format!("GET /v2/team/app/blobs/{other}")).code(), "BLOB_UNKNOWN");
    assert_eq!(ask(&registry, &path.replace("team", "x").replacen('/', "GET /", 1)).status, 404);
}

#[test]
fn downloads_are_cut_and_can_be_resumed() {
    let (registry, path) = with_blob(Switches { cut_downloads: [4, 2].into(), ..Switches::default() });
    let first = ask(&registry, &format!("GET {path}"));
    assert_eq!((first.header("content-length"), &first.body[..]), ("10", &CONTENT[..4]));
    let second = part(&registry, &path, "bytes=4-");
    assert_eq!((second.status, &second.body[..]), (206, &CONTENT[4..6]));
    assert_eq!(part(&registry, &path, "bytes=6-").body, &CONTENT[6..]);
}

#[test]
fn blobs_are_broken_when_told_to() {
    let (registry, path) = with_blob(Switches { corrupt: true, ..Switches::default() });
    let corrupt = ask(&registry, &format!("GET {path}")).body;
    assert_eq!(corrupt.iter().zip(CONTENT).filter(|(a, b)| a != b).count(), 1);
    registry.set(|switches| (switches.corrupt, switches.truncate) = (false, true));
    let short = ask(&registry, &format!("GET {path}"));
    assert_eq!((short.header("content-length"), &short.body[..]), ("5", &CONTENT[..5]));
    assert_eq!(ask(&registry, &format!("HEAD {path}")).header("content-length"), "10");
}

#[test]
fn blobs_come_from_another_port_that_wants_no_authorization() {
    let auth = Auth::Basic { user: "u".to_owned(), password: "p".to_owned() };
    let (registry, path) = with_blob(Switches { redirect_blobs: true, auth, ..Switches::default() });
    let basic = "Basic dTpw".to_owned();
    let redirect = send(&registry, &format!("GET {path}"), &[&format!("Authorization: {basic}")], b"");
    assert_eq!(redirect.status, 307);
    let storage = redirect.header("location").to_owned();
    assert!(storage.contains(&registry.storage_address()));

    let retry = Retry { attempts: 1, ..Retry::default() };
    let client = Client::new(&ClientOptions { retry, ..ClientOptions::default() }).unwrap();
    let get = |url: &str| {
        let headers = vec![("Authorization", basic.clone())];
        let mut response = client.send(&Request { method: "GET", url, headers, body: Body::Empty }).unwrap();
        let mut bytes = Vec::new();
        response.body.read_to_end(&mut bytes).unwrap();
        (response.status, bytes)
    };
    assert_eq!(get(&format!("http://{}{path}", registry.address())), (200, CONTENT.to_vec()));
    assert_eq!(get(&storage).0, 400);
    assert_eq!(client.get_bytes(&storage, 100).unwrap(), CONTENT);
    let unsigned = storage.split('?').next().unwrap();
    assert!(client.get(unsigned, None).is_err());
}

#[test]
fn manifests_are_found_by_tag_and_digest() {
    let registry = Registry::start();
    let digest = registry.put_manifest("a/b", "v1", OCI_INDEX, "{}");
    assert_eq!(registry.manifest("a/b", "v1"), Some((OCI_INDEX.to_owned(), b"{}".to_vec())));
    for reference in ["v1", digest.as_str()] {
        let answer = ask(&registry, &format!("GET /v2/a/b/manifests/{reference}"));
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
        assert_eq!(answer.header("content-type"), OCI_INDEX);
        assert_eq!(answer.header("docker-content-digest"), digest.as_str());
        assert_eq!(ask(&registry, &format!("HEAD /v2/a/b/manifests/{reference}")).header("content-length"), "2");
    }
    let accept = |accept: &str| send(&registry, "GET /v2/a/b/manifests/v1", &[&format!("Accept: {accept}")], b"");
    assert_eq!(accept(OCI_MANIFEST).code(), "MANIFEST_UNKNOWN");
    assert_eq!(accept(&format!("{OCI_MANIFEST}, {OCI_INDEX};q=0.5")).status, 200);
    let etag = accept("*/*").header("etag").to_owned();
    let unchanged = send(&registry, "GET /v2/a/b/manifests/v1", &[&format!("If-None-Match: {etag}")], b"");
    assert_eq!(unchanged.status, 304);
    assert_eq!(ask(&registry, "GET /v2/a/b/manifests/v2").code(), "MANIFEST_UNKNOWN");

    registry.set(|switches| switches.wrong_manifest_digest = true);
    assert_ne!(accept("*/*").header("docker-content-digest"), digest.as_str());
    registry.set(|switches| switches.head_digest = false);
    assert_eq!(accept("*/*").header("docker-content-digest"), "");
}

#[test]
fn a_mirror_answers_for_its_registry_only() {
    let (registry, path) = with_blob(Switches { ns_required: Some("docker.io".to_owned()), ..Switches::default() });
    assert_eq!(ask(&registry, &format!("GET {path}")).status, 404);
    assert_eq!(ask(&registry, &format!("GET {path}?ns=quay.io")).status, 404);
    assert_eq!(ask(&registry, &format!("GET {path}?ns=docker.io")).status, 200);
    assert_eq!(ask(&registry, "GET /v2/").status, 200);
}

#[test]
fn content_is_deleted() {
    let (registry, path) = with_blob(Switches { delete: false, ..Switches::default() });
    let digest = registry.put_manifest("team/app", "v1", OCI_INDEX, "{}");
    registry.put_manifest("team/app", "v2", OCI_INDEX, "{}");
    assert_eq!(ask(&registry, &format!("DELETE {path}")).status, 405);
    assert_eq!(ask(&registry, "DELETE /v2/team/app/manifests/v1").status, 405);
    registry.set(|switches| (switches.delete, switches.delete_tags) = (true, false));
    assert_eq!(ask(&registry, "DELETE /v2/team/app/manifests/v1").status, 400);
    registry.set(|switches| switches.delete_tags = true);
    assert_eq!(ask(&registry, "DELETE /v2/team/app/manifests/v1").status, 202);
    assert_eq!(registry.tags("team/app"), ["v2"]);
    assert_eq!(ask(&registry, &format!("DELETE /v2/team/app/manifests/{digest}")).status, 202);
    assert!(registry.tags("team/app").is_empty());
    assert_eq!(ask(&registry, &format!("DELETE {path}")).status, 202);
    assert_eq!(ask(&registry, &format!("DELETE {path}")).status, 404);
}
