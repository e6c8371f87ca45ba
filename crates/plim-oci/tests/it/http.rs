//! The client against a server with bad manners.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use plim_oci::http::{Body, Client, ClientOptions, HttpError, Proxies, Request, Retry};
use plim_oci::{Digest, Events, Silent, TaskId};
use plim_testkit::Recorder;
use plim_testkit::http::{Server, Trouble};

fn options() -> ClientOptions {
    ClientOptions { retry: Retry { attempts: 3, pause: Duration::from_millis(1) }, ..ClientOptions::default() }
}

fn client() -> Client {
    Client::new(&options()).unwrap()
}

fn content() -> Vec<u8> {
    (0..400_000_u32).flat_map(|number| (number % 251).to_le_bytes()).collect()
}

fn fetch(client: &Client, url: &str, dest: &Path, content: &[u8]) -> Result<(), HttpError> {
    client.download(url, dest, Some((&Digest::of(content), content.len() as u64)), &Silent, TaskId(0))
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.requests().into_iter().map(|request| request.headers.get("range").cloned()).collect()
}

#[test]
fn a_page_is_fetched_whole_or_from_a_byte_on() {
    let server = Server::start();
    server.page("/x", "0123456789");
    let mut text = String::new();
    let mut whole = client().get(&server.url("/x"), None).unwrap();
    whole.body.read_to_string(&mut text).unwrap();
    assert_eq!((whole.status, whole.size, text.as_str()), (200, Some(10), "0123456789"));
    text.clear();
    let mut rest = client().get(&server.url("/x"), Some(7)).unwrap();
    rest.body.read_to_string(&mut text).unwrap();
    assert_eq!((rest.status, text.as_str()), (206, "789"));
    assert_eq!(rest.header("Content-Range"), Some("bytes 7-9/10"));
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = Server::start();
    server.page("/x", "hello");
    server.trouble("/x", Trouble::Status(429));
    server.trouble("/x", Trouble::Status(503));
    assert_eq!(client().get_bytes(&server.url("/x"), 100).unwrap(), b"hello");
    assert_eq!(server.requests().len(), 3);
    for _ in 0..3 {
        server.trouble("/x", Trouble::Status(503));
    }
    let error = client().get_bytes(&server.url("/x"), 100).unwrap_err();
    assert!(matches!(error, HttpError::Status { status: 503, .. }), "{error}");
}

#[test]
fn a_refusal_is_final() {
    let server = Server::start();
    let error = client().get_bytes(&server.url("/gone"), 100).unwrap_err();
    assert_eq!(error.to_string(), format!("{} answered with status 404", server.url("/gone")));
    server.trouble("/x", Trouble::Status(403));
    let error = client().get_bytes(&server.url("/x"), 100).unwrap_err();
    assert!(error.hint().unwrap().contains("credentials"));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn more_than_the_limit_is_not_taken() {
    let server = Server::start();
    server.page("/x", "hello");
    assert_eq!(client().get_bytes(&server.url("/x"), 5).unwrap(), b"hello");
    assert!(matches!(client().get_bytes(&server.url("/x"), 4), Err(HttpError::TooLarge { limit: 4, .. })));
}

#[test]
fn a_small_transfer_that_breaks_is_begun_again() {
    let server = Server::start();
    server.page("/x", "hello");
    server.trouble("/x", Trouble::Cut(2));
    assert_eq!(client().get_bytes(&server.url("/x"), 100).unwrap(), b"hello");
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content.clone());
    server.trouble("/x", Trouble::Cut(500_000));
    let dest = dir.path().join("below/x");
    let recorder = Recorder::new();
    let task = recorder.start("x", None);
    let expected = (&Digest::of(&content), content.len() as u64);
    client().download(&server.url("/x"), &dest, Some(expected), &recorder, task).unwrap();
    assert!(std::fs::read(&dest).unwrap() == content);
    assert_eq!(recorder.advanced(), content.len() as u64);
    assert_eq!(ranges(&server), [None, Some("bytes=500000-".to_owned())]);
    assert!(!dir.path().join("below/x.part").exists());
}

#[test]
fn what_an_earlier_run_left_is_used_if_it_is_right() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content.clone());
    let dest = dir.path().join("x");
    std::fs::write(dir.path().join("x.part"), &content[..1000]).unwrap();
    fetch(&client(), &server.url("/x"), &dest, &content).unwrap();
    assert_eq!(ranges(&server), [Some("bytes=1000-".to_owned())]);
    // it is there now, and nothing is asked again
    fetch(&client(), &server.url("/x"), &dest, &content).unwrap();
    assert_eq!(server.requests().len(), 1);

    std::fs::remove_file(&dest).unwrap();
    std::fs::write(dir.path().join("x.part"), [7; 1000]).unwrap();
    fetch(&client(), &server.url("/x"), &dest, &content).unwrap();
    assert!(std::fs::read(&dest).unwrap() == content);

    std::fs::remove_file(&dest).unwrap();
    std::fs::write(dir.path().join("x.part"), &content[..1000]).unwrap();
    server.trouble("/x", Trouble::IgnoreRange);
    fetch(&client(), &server.url("/x"), &dest, &content).unwrap();
    assert!(std::fs::read(&dest).unwrap() == content);
}

#[test]
fn content_that_is_not_what_was_promised_is_refused() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content.clone());
    server.trouble("/x", Trouble::Garble);
    let dest = dir.path().join("x");
    let error = fetch(&client(), &server.url("/x"), &dest, &content).unwrap_err();
    assert!(matches!(error, HttpError::Mismatch { .. }), "{error}");
    let error = fetch(&client(), &server.url("/x"), &dest, &content[..50]).unwrap_err();
    assert!(error.to_string().contains("longer than 50 bytes"), "{error}");
    assert!(!dest.exists());
}

#[test]
fn a_download_without_a_digest_begins_anew() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content.clone());
    server.trouble("/x", Trouble::Cut(1000));
    let dest = dir.path().join("x");
    client().download(&server.url("/x"), &dest, None, &Silent, TaskId(0)).unwrap();
    assert!(std::fs::read(&dest).unwrap() == content);
    assert_eq!(ranges(&server), [None, None]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_download_ends_when_the_user_asks() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content);
    let recorder = Recorder::new();
    recorder.cancel();
    let dest = dir.path().join("x");
    let result = client().download(&server.url("/x"), &dest, None, &recorder, TaskId(0));
    assert!(matches!(result, Err(HttpError::Cancelled)));
}

#[test]
fn many_that_want_the_same_file_fetch_it_once() {
    let (server, dir, content) = (Server::start(), tempfile::tempdir().unwrap(), content());
    server.page("/x", content.clone());
    let (client, dest) = (client(), dir.path().join("x"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fetch(&client, &server.url("/x"), &dest, &content).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn files_are_addresses_too() {
    let dir = tempfile::tempdir().unwrap();
    let content = content();
    std::fs::write(dir.path().join("a b"), &content).unwrap();
    let url = format!("file://{}/a%20b", dir.path().display());
    std::fs::write(dir.path().join("x.part"), &content[..10]).unwrap();
    fetch(&client(), &url, &dir.path().join("x"), &content).unwrap();
    assert!(std::fs::read(dir.path().join("x")).unwrap() == content);
    let missing = format!("file://{}/c", dir.path().display());
    assert!(matches!(client().get(&missing, None), Err(HttpError::Status { status: 404, .. })));
    assert!(matches!(client().get("ftp://host/x", None), Err(HttpError::Url { .. })));
}

#[test]
fn a_redirect_is_followed_but_secrets_stay_behind() {
    let (one, other) = (Server::start(), Server::start());
    other.page("/y", "hello");
    one.trouble("/x", Trouble::Redirect(other.url("/y")));
    let headers = vec![("Authorization", "Bearer secret".to_owned()), ("Accept", "text/plain".to_owned())];
    let url = one.url("/x");
    let response = client().send(&Request { method: "GET", url: &url, headers, body: Body::Empty }).unwrap();
    assert_eq!((response.status, response.url.as_str()), (200, other.url("/y").as_str()));
    assert_eq!(one.requests()[0].headers["authorization"], "Bearer secret");
    assert!(!other.requests()[0].headers.contains_key("authorization"));
    assert_eq!(other.requests()[0].headers["accept"], "text/plain");
    for _ in 0..20 {
        one.trouble("/x", Trouble::Redirect("/x".to_owned()));
    }
    let error = client().get(&one.url("/x"), None).unwrap_err();
    assert!(error.to_string().ends_with("it redirects without end"), "{error}");
}

#[test]
fn a_body_is_sent_again_when_the_server_was_busy() {
    let server = Server::start();
    server.page("/x", "thanks");
    server.trouble("/x", Trouble::Status(503));
    let url = server.url("/x");
    let open = || -> std::io::Result<Box<dyn Read>> { Ok(Box::new(&b"some content"[..])) };
    let body = Body::Stream { open: &open, size: 12 };
    let response = client().send(&Request { method: "PUT", url: &url, headers: Vec::new(), body }).unwrap();
    assert_eq!(response.status, 200);
    let bodies: Vec<Vec<u8>> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [b"some content", b"some content"]);
}

#[test]
fn plain_addresses_go_through_a_proxy_by_their_whole_name() {
    let proxy = Server::start();
    proxy.page("/x?y", "by proxy");
    let address = format!("http://me:pass%20word@{}", proxy.address());
    let proxies = Proxies { http: Some(address), https: None, no_proxy: "direct.invalid".to_owned() };
    let client = Client::new(&ClientOptions { proxies, ..options() }).unwrap();
    for _ in 0..2 {
        assert_eq!(client.get_bytes("http://host.invalid:81/x?y", 100).unwrap(), b"by proxy");
    }
    let request = &proxy.requests()[1];
    assert_eq!(request.target, "http://host.invalid:81/x?y");
    assert_eq!(request.headers["host"], "host.invalid:81");
    assert_eq!(request.headers["proxy-authorization"], "Basic bWU6cGFzcyB3b3Jk");
    assert!(client.get_bytes("http://direct.invalid/x?y", 100).is_err());
}

#[test]
fn settings_that_cannot_be_used_say_so_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("ca.pem");
    std::fs::write(&bundle, "no certificate").unwrap();
    // what only TLS needs is read when TLS is spoken
    let client = Client::new(&ClientOptions { ca_bundle: Some(bundle.clone()), ..options() }).unwrap();
    let error = client.get_bytes("https://127.0.0.1:1/", 100).unwrap_err();
    assert!(error.to_string().ends_with("it has no certificate in PEM form"), "{error}");
    let error = Client::new(&ClientOptions { authorities: vec![bundle], ..options() }).unwrap_err();
    assert!(error.to_string().ends_with("it has no certificate in PEM form"), "{error}");
    let proxies = Proxies { http: Some("socks5://me:secret@host".to_owned()), ..Proxies::default() };
    let error = Client::new(&ClientOptions { proxies, ..options() }).unwrap_err();
    assert_eq!(error.to_string(), "cannot use the proxy socks5://host: it is no http address");
}
