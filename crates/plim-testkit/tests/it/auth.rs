//! Who is let in.

use plim_oci::Digest;
use plim_oci::media_type::OCI_INDEX;
use plim_testkit::registry::{Auth, Registry, Switches};

use crate::wire::{Answer, ask, send};

/// `user:secret`.
const BASIC: &str = "Authorization: Basic dXNlcjpzZWNyZXQ=";

fn token_auth(anonymous_pull: bool) -> Auth {
    let (user, password) = ("user".to_owned(), "secret".to_owned());
    Auth::Token { user, password, anonymous_pull, expires_seconds: 300 }
}

fn with_token(anonymous_pull: bool) -> Registry {
    let registry = Registry::with(Switches { auth: token_auth(anonymous_pull), ..Switches::default() });
    registry.put_manifest("a/b", "v1", OCI_INDEX, "{}");
    registry
}

fn bearer(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let token = json.get("token").or(json.get("access_token")).unwrap();
    format!("Authorization: Bearer {}", token.as_str().unwrap())
}

fn token(registry: &Registry, scopes: &str) -> String {
    bearer(&send(registry, &format!("GET /token?service=registry.test{scopes}"), &[BASIC], b""))
}

#[test]
fn basic_lets_one_user_in() {
    let auth = Auth::Basic { user: "user".to_owned(), password: "secret".to_owned() };
    let registry = Registry::with(Switches { auth, ..Switches::default() });
    let refused = ask(&registry, "GET /v2/");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Basic realm=\"registry\""));
    assert_eq!(send(&registry, "GET /v2/", &["Authorization: Basic dXNlcjp4"], b"").status, 401);
    assert_eq!(send(&registry, "GET /v2/", &[BASIC], b"").status, 200);
}

#[test]
fn tokens_are_good_for_what_they_were_asked_for() {
    let registry = with_token(false);
    let refused = ask(&registry, "GET /v2/a/b/manifests/v1");
    assert_eq!((refused.status, refused.code()), (401, "UNAUTHORIZED".to_owned()));
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"registry.test\"", registry.address());
    assert_eq!(refused.header("www-authenticate"), format!("{realm},scope=\"repository:a/b:pull\""));
    assert_eq!(ask(&registry, "GET /v2/").header("www-authenticate"), realm);
    let catalog = ask(&registry, "GET /v2/_catalog");
    assert!(catalog.header("www-authenticate").contains("registry:catalog:*"));

    let pull = token(&registry, "&scope=repository:a/b:pull");
    assert_eq!(send(&registry, "GET /v2/", &[&pull], b"").status, 200);
    assert_eq!(send(&registry, "GET /v2/a/b/manifests/v1", &[&pull], b"").status, 200);
    let push = send(&registry, "POST /v2/a/b/blobs/uploads/", &[&pull], b"");
    assert_eq!((push.status, push.code()), (401, "DENIED".to_owned()));
    let challenge = push.header("www-authenticate");
    assert!(challenge.ends_with("scope=\"repository:a/b:pull,push\",error=\"insufficient_scope\""), "{challenge}");
    assert_eq!(send(&registry, "GET /v2/other/tags/list", &[&pull], b"").status, 401);
    assert_eq!(send(&registry, "DELETE /v2/a/b/manifests/v1", &[&pull], b"").status, 401);
    let delete = token(&registry, "&scope=repository:a/b:delete");
    assert_eq!(send(&registry, "DELETE /v2/a/b/manifests/v1", &[&delete], b"").status, 202);
    assert_eq!(send(&registry, "GET /v2/", &[BASIC], b"").status, 401);
}

#[test]
fn a_mount_needs_to_pull_from_its_source() {
    let registry = with_token(false);
    let digest = registry.put_blob("source", "content");
    let mount = format!("POST /v2/a/b/blobs/uploads/?mount={digest}&from=source");
    let push = token(&registry, "&scope=repository:a/b:pull,push");
    let refused = send(&registry, &mount, &[&push], b"");
    let scope = "scope=\"repository:a/b:pull,push repository:source:pull\"";
    assert!(refused.header("www-authenticate").contains(scope), "{refused:?}");
    for scopes in [
        "&scope=repository:a/b:pull,push&scope=repository:source:pull",
        "&scope=repository%3Aa/b%3Apull,push+repository:source:pull",
    ] {
        assert_eq!(send(&registry, &mount, &[&token(&registry, scopes)], b"").status, 201);
    }
    assert_eq!(registry.blob("a/b", &Digest::of(b"content")), Some(b"content".to_vec()));
}

#[test]
fn anybody_may_pull_where_that_is_allowed() {
    let scope = "GET /token?service=registry.test&scope=repository:a/b:pull,push";
    assert_eq!(ask(&with_token(false), scope).status, 401);
    let registry = with_token(true);
    assert_eq!(ask(&registry, "GET /v2/a/b/manifests/v1").status, 401);
    let anonymous = bearer(&ask(&registry, scope));
    assert_eq!(send(&registry, "GET /v2/a/b/manifests/v1", &[&anonymous], b"").status, 200);
    assert_eq!(send(&registry, "POST /v2/a/b/blobs/uploads/", &[&anonymous], b"").status, 401);
    let wrong = send(&registry, scope, &["Authorization: Basic dXNlcjp4"], b"");
    assert_eq!(wrong.status, 401);
    assert_eq!(ask(&registry, "GET /token?service=other").status, 400);
}

#[test]
fn identity_tokens_and_passwords_are_posted() {
    let registry = with_token(false);
    let post = |form: &str| {
        let form = format!("service=registry.test&client_id=test&scope=repository:a/b:pull&{form}");
        send(&registry, "POST /token", &["Content-Type: application/x-www-form-urlencoded"], form.as_bytes())
    };
    assert_eq!(post("grant_type=password&username=user&password=x").status, 401);
    assert_eq!(post("grant_type=refresh_token&refresh_token=x").status, 401);
    let password = post("grant_type=password&username=user&password=secret&access_type=offline");
    assert_eq!(password.json()["refresh_token"], Registry::identity_token());
    let refreshed = post(&format!("grant_type=refresh_token&refresh_token={}", Registry::identity_token()));
    for answer in [&password, &refreshed] {
        assert_eq!(answer.json()["expires_in"], 300);
        assert_eq!(send(&registry, "GET /v2/a/b/manifests/v1", &[&bearer(answer)], b"").status, 200);
    }
}

#[test]
fn tokens_end() {
    let registry = with_token(false);
    let pull = token(&registry, "&scope=repository:a/b:pull");
    registry.expire_tokens();
    let refused = send(&registry, "GET /v2/a/b/manifests/v1", &[&pull], b"");
    assert!(refused.header("www-authenticate").ends_with("error=\"invalid_token\""));
    let auth = Auth::Token {
        user: "user".to_owned(),
        password: "secret".to_owned(),
        anonymous_pull: true,
        expires_seconds: 0,
    };
    registry.set(|switches| switches.auth = auth);
    assert!(ask(&registry, "GET /token?service=registry.test").json().get("expires_in").is_none());
}
