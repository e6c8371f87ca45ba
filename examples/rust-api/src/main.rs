//! The service on its socket.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut stop = signal(SignalKind::terminate())?;
    let stopped = async move {
        stop.recv().await;
        println!("stopping");
    };
    axum::serve(listener, load_line::service()).with_graceful_shutdown(stopped).await
}
