//! Which ships lie too deep: the web service without its socket.

mod ship;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

pub use ship::{Ship, Verdict};

/// The ships by name.
type Register = Arc<RwLock<BTreeMap<String, Ship>>>;

/// Returns the service with an empty register.
pub fn service() -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/ships", get(all))
        .route("/ships/{name}", get(one).put(enter).delete(strike))
        .with_state(Register::default())
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

async fn all(State(register): State<Register>) -> Json<BTreeMap<String, Verdict>> {
    let ships = register.read().unwrap_or_else(PoisonError::into_inner);
    Json(ships.iter().map(|(name, ship)| (name.clone(), ship.verdict())).collect())
}

async fn one(State(register): State<Register>, Path(name): Path<String>) -> Result<Json<Verdict>, StatusCode> {
    let ships = register.read().unwrap_or_else(PoisonError::into_inner);
    ships.get(&name).map(|ship| Json(ship.verdict())).ok_or(StatusCode::NOT_FOUND)
}

async fn enter(
    State(register): State<Register>,
    Path(name): Path<String>,
    Json(ship): Json<Ship>,
) -> Result<(StatusCode, Json<Verdict>), StatusCode> {
    if !ship.is_plausible() {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let verdict = ship.verdict();
    let before = register.write().unwrap_or_else(PoisonError::into_inner).insert(name, ship);
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(verdict)))
}

async fn strike(State(register): State<Register>, Path(name): Path<String>) -> StatusCode {
    match register.write().unwrap_or_else(PoisonError::into_inner).remove(&name) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}
