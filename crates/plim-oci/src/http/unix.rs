//! HTTP over a socket in the file system, as container engines speak it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{self, Method, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Body, SendBody};

use super::error;

/// Time in which at least something must come: an engine packs a whole image before its first byte.
const STALL: Duration = Duration::from_mins(30);

/// Connects to a socket, whatever a request's host is.
#[derive(Debug)]
struct UnixConnector {
    socket: PathBuf,
}

impl Connector<()> for UnixConnector {
    type Out = UnixTransport;

    fn connect(&self, details: &ConnectionDetails, _chained: Option<()>) -> Result<Option<UnixTransport>, ureq::Error> {
        let stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(UnixTransport { stream, buffers }))
    }
}

struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for UnixTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnixTransport").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let count = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // each request has a connection of its own
        false
    }
}

/// There is nothing to look up.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        Ok(addresses)
    }
}

/// Sends one request to a socket and returns the answer, whatever its status. A body is sent as it comes.
pub(crate) fn send(
    socket: &Path,
    method: Method,
    target: &str,
    body: Option<&mut dyn Read>,
) -> io::Result<http::Response<Body>> {
    let config = Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent = Agent::with_parts(config, UnixConnector { socket: socket.to_owned() }, NoResolver);
    let request = http::Request::builder().method(method).uri(format!("http://localhost{target}"));
    let answer = match body {
        None => agent.run(request.body(()).map_err(io::Error::other)?),
        Some(mut body) => {
            let request = request.header("Content-Type", "application/x-tar");
            agent.run(request.body(SendBody::from_reader(&mut body)).map_err(io::Error::other)?)
        }
    };
    answer.map_err(error::reason)
}
