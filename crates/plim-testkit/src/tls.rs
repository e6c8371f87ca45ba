//! TLS in front of a server of this crate: an authority of the test's own, certificates of it, and a door that takes
//! encrypted connections and carries what comes to a plain port.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// Bytes that are carried at once.
const PIECE: usize = 64 << 10;

/// An authority that nobody trusts unless told to.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: rustls::pki_types::CertificateDer<'static>,
}

/// A certificate and its key, in PEM form.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// Makes a new one.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can be signed");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), pem, der }
    }

    /// Returns its certificate in PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes its certificate into a folder.
    pub fn write(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, &self.pem).expect("the certificate can be written");
        path
    }

    /// Makes a certificate by which a client is known.
    pub fn client(&self) -> Identity {
        let mut params = CertificateParams::new(vec!["client".to_owned()]).expect("the name is good");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be signed");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Returns the settings of a server on 127.0.0.1 that has a certificate of this authority.
    fn server(&self, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is good");
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be signed");
        let chain = vec![certificate.der().clone(), self.der.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the versions are known");
        let config = match clients {
            None => builder.with_no_client_auth().with_single_cert(chain, key),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der.clone()).expect("the authority is one");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("there is a root")).with_single_cert(chain, key)
            }
        };
        Arc::new(config.expect("the key fits the certificate"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Writes certificate and key into a folder.
    pub fn write(&self, dir: &Path, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let paths = (dir.join(certificate), dir.join(key));
        std::fs::write(&paths.0, &self.certificate).expect("the certificate can be written");
        std::fs::write(&paths.1, &self.key).expect("the key can be written");
        paths
    }
}

/// The encrypted door of a server; closed when dropped. What the server says of its own address is not changed: let it
/// say relative ones.
#[derive(Debug)]
pub struct Door {
    address: String,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens a door to a port, `127.0.0.1:PORT`. With `clients`, whoever has no certificate of that authority is
    /// turned away.
    pub fn open(authority: &Authority, clients: Option<&Authority>, backend: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let (config, backend) = (authority.server(clients), backend.to_owned());
        let ending = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let ending = Arc::clone(&ending);
            move || {
                for stream in listener.incoming().flatten() {
                    if ending.load(Ordering::Relaxed) {
                        return;
                    }
                    let (config, backend) = (Arc::clone(&config), backend.clone());
                    // a client that goes away is part of many tests
                    std::thread::spawn(move || drop(carry(&stream, config, &backend)));
                }
            }
        });
        Self { address, ending, thread: Some(thread) }
    }

    /// Returns host and port.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // wakes the thread that waits for a connection
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Carries bytes in both directions until one side ends.
fn carry(mut client: &TcpStream, config: Arc<ServerConfig>, backend: &str) -> io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    tls.set_buffer_limit(None);
    let mut plain = TcpStream::connect(backend)?;
    client.set_nonblocking(true)?;
    plain.set_nonblocking(true)?;
    let mut inward: Vec<u8> = Vec::new();
    let mut over = false;
    let mut piece = vec![0; PIECE];
    loop {
        while tls.wants_write() && ready(tls.write_tls(&mut client))?.is_some() {}
        while !inward.is_empty() {
            let Some(count) = ready(plain.write(&inward))? else { break };
            inward.drain(..count);
        }
        if over && !tls.wants_write() {
            return client.shutdown(std::net::Shutdown::Both);
        }
        let mut outer = PollFlags::empty();
        outer.set(PollFlags::IN, inward.len() < PIECE && !over);
        outer.set(PollFlags::OUT, tls.wants_write());
        let mut inner = PollFlags::empty();
        inner.set(PollFlags::IN, !tls.wants_write() && !over);
        inner.set(PollFlags::OUT, !inward.is_empty());
        let mut waited = [PollFd::new(client, outer), PollFd::new(&plain, inner)];
        poll(&mut waited, None)?;
        let came = [waited[0].revents(), waited[1].revents()];
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if came[0].intersects(readable) && !over {
            match ready(tls.read_tls(&mut client))? {
                Some(0) => return Ok(()),
                Some(_) => match tls.process_new_packets() {
                    Ok(state) => {
                        let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
                        tls.reader().read_exact(&mut plaintext)?;
                        inward.extend(plaintext);
                    }
                    // the alert that says why still goes out
                    Err(_) => over = true,
                },
                None => {}
            }
        }
        if came[1].intersects(readable) && !over {
            match ready(plain.read(&mut piece))? {
                Some(0) => {
                    tls.send_close_notify();
                    over = true;
                }
                Some(count) => tls.writer().write_all(&piece[..count])?,
                None => {}
            }
        }
    }
}

/// Nothing where one has to wait.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
