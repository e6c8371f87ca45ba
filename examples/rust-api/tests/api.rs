//! The service as its callers see it.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn ask(service: &axum::Router, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let body = body.map_or_else(Body::empty, |value| Body::from(value.to_string()));
    let answer = service.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn it_says_that_it_is_well() {
    let (status, body) = ask(&load_line::service(), Method::GET, "/healthz", None).await;
    assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("ok")));
}

#[tokio::test]
async fn ships_come_and_go() {
    let service = load_line::service();
    let ship = json!({ "depth": 12.0, "mark": 8.5, "draught": 9.0 });
    let (status, verdict) = ask(&service, Method::PUT, "/ships/Great%20Eastern", Some(ship.clone())).await;
    assert_eq!((status, &verdict["overloaded"]), (StatusCode::CREATED, &json!(true)));
    let (status, _) = ask(&service, Method::PUT, "/ships/Great%20Eastern", Some(ship)).await;
    assert_eq!(status, StatusCode::OK);
    let (_, all) = ask(&service, Method::GET, "/ships", None).await;
    assert_eq!(all["Great Eastern"]["freeboard"], json!(3.0));
    let (status, _) = ask(&service, Method::DELETE, "/ships/Great%20Eastern", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = ask(&service, Method::GET, "/ships/Great%20Eastern", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_float_is_refused() {
    let ship = json!({ "depth": 5.0, "mark": 8.5, "draught": 9.0 });
    let (status, _) = ask(&load_line::service(), Method::PUT, "/ships/x", Some(ship)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
