//! Plain `http://` through a proxy: the request names the whole address (RFC 9112, 3.2.2). The client library
//! only knows tunnels, which proxies refuse for anything but https.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Finds the proxy wherever a request goes: the target's name is the proxy's to resolve.
#[derive(Debug)]
pub(super) struct ProxyResolver {
    pub(super) proxy: Uri,
    pub(super) inner: DefaultResolver,
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        _target: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.inner.resolve(&self.proxy, config, timeout)
    }
}

/// Makes requests over a connection name the whole address.
#[derive(Debug)]
pub(super) struct NameWholeAddress;

impl<In: Transport> Connector<In> for NameWholeAddress {
    type Out = WholeAddress<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let authority = details.uri.authority().map(ToString::to_string).unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        Ok(chained.map(|inner| WholeAddress { inner, prefix: format!("http://{host}") }))
    }
}

#[derive(Debug)]
pub(super) struct WholeAddress<T> {
    inner: T,
    prefix: String,
}

impl<T: Transport> Transport for WholeAddress<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let output = &self.inner.buffers().output()[..amount];
        let Some(path) = request_path(output) else { return self.inner.transmit_output(amount, timeout) };
        let rewritten = [&output[..path], self.prefix.as_bytes(), &output[path..]].concat();
        // the buffer may be too small for what was added
        let mut rest = &rewritten[..];
        while !rest.is_empty() {
            let buffer = self.inner.buffers().output();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.inner.transmit_output(count, timeout)?;
            rest = &rest[count..];
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// Returns where the path of a request line begins, if the bytes begin with one.
fn request_path(output: &[u8]) -> Option<usize> {
    let end = output.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&output[..end]).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let (path, version) = rest.split_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_method && path.starts_with('/') && version == "HTTP/1.1").then_some(method.len() + 1)
}
