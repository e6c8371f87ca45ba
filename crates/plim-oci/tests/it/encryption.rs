//! Registries behind TLS: whom we trust, and by what they know us.

use std::path::PathBuf;
use std::time::Duration;

use plim_oci::copy::{Options, copy};
use plim_oci::http::{ClientOptions, Retry};
use plim_oci::registry::{Credentials, Registries, RegistryError, RegistrySettings, Repository, Settings};
use plim_oci::{BlobsMut as _, Reference, Silent};
use plim_testkit::registry::{Registry, Switches};
use plim_testkit::tls::{Authority, Door};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

/// A registry behind a door, with folders for certificates.
struct Port {
    registry: Registry,
    door: Door,
    authority: Authority,
    dir: tempfile::TempDir,
}

impl Port {
    fn open(clients: Option<&Authority>) -> Self {
        let registry = Registry::with(Switches { relative_location: true, ..Switches::default() });
        let authority = Authority::new();
        let door = Door::open(&authority, clients, &registry.address());
        Self { registry, door, authority, dir: tempfile::tempdir().unwrap() }
    }

    fn ca(&self) -> PathBuf {
        self.authority.write(self.dir.path(), "ca.pem")
    }

    /// What must be said of an address on this machine, where plain HTTP is the rule.
    fn settings(&self) -> RegistrySettings {
        RegistrySettings {
            name: self.door.address().to_owned(),
            plain_http: Some(false),
            ..RegistrySettings::default()
        }
    }

    fn repository(&self, settings: Settings) -> Result<Repository, RegistryError> {
        let retry = Retry { attempts: 2, pause: Duration::from_millis(1) };
        let options = ClientOptions { retry, ..ClientOptions::default() };
        let name: Reference = format!("{}/fleet/app", self.door.address()).parse().unwrap();
        Registries::new(options, settings, Credentials::default()).repository(&name)
    }

    fn with(&self, settings: RegistrySettings) -> Repository {
        self.repository(Settings { registries: vec![settings], ..Settings::default() }).unwrap()
    }

    fn refuses(&self, settings: RegistrySettings) -> RegistryError {
        let error = self.with(settings).resolve("v1").unwrap_err();
        assert!(self.registry.requests().is_empty(), "nothing was asked");
        error
    }
}

fn hint(error: &RegistryError) -> String {
    error.hint().unwrap_or_else(|| panic!("no hint: {error:?}"))
}

/// Pushes an image of some size and looks it up.
fn works(repository: &Repository) {
    let layout = TempLayout::new();
    let content: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(n) >> 9) as u8).collect();
    let image = ImageBuilder::new().layer(LayerBuilder::new().file("large", content)).write(&layout);
    copy(&*layout, repository, &image.descriptor, Options::default(), &Silent).unwrap();
    repository.tag("v1", &image.descriptor).unwrap();
    let target = TempLayout::new();
    let root = repository.resolve("v1").unwrap();
    copy(repository, &*target, &root, Options::default(), &Silent).unwrap();
    assert_eq!(root.digest, image.descriptor.digest);
}

#[test]
fn an_authority_that_is_named_is_trusted() {
    let port = Port::open(None);
    works(&port.with(RegistrySettings { ca: Some(port.ca()), ..port.settings() }));
    // whoever names an authority means TLS, on this machine, too
    works(&port.with(RegistrySettings { ca: Some(port.ca()), plain_http: None, ..port.settings() }));
}

#[test]
fn an_authority_is_found_where_docker_keeps_it() {
    let port = Port::open(None);
    let dir = port.dir.path().join("certs.d").join(port.door.address());
    std::fs::create_dir_all(&dir).unwrap();
    port.authority.write(&dir, "ca.crt");
    let settings = Settings { registries: Vec::new(), certificate_dirs: vec![port.dir.path().join("certs.d")] };
    works(&port.repository(settings).unwrap());
}

#[test]
fn an_unknown_authority_is_refused_with_a_way_out() {
    let port = Port::open(None);
    let error = port.refuses(port.settings());
    assert!(hint(&error).contains("ca = ") && hint(&error).contains("certs.d"), "{}", hint(&error));
    // and so is one of the same kind that is another
    let other = Authority::new().write(port.dir.path(), "other.pem");
    let error = port.refuses(RegistrySettings { ca: Some(other), ..port.settings() });
    assert!(hint(&error).contains("ca = "), "{}", hint(&error));
}

#[test]
fn checks_can_be_switched_off_but_encryption_stays() {
    let port = Port::open(None);
    works(&port.with(RegistrySettings { insecure: true, ..port.settings() }));
    // a registry without TLS: `insecure` is no leave to speak in the clear
    let plain = Registry::start();
    let settings = RegistrySettings {
        name: plain.address(),
        insecure: true,
        plain_http: Some(false),
        ..RegistrySettings::default()
    };
    let retry = Retry { attempts: 1, pause: Duration::from_millis(1) };
    let options = ClientOptions { retry, ..ClientOptions::default() };
    let settings = Settings { registries: vec![settings], ..Settings::default() };
    let name: Reference = format!("{}/fleet/app", plain.address()).parse().unwrap();
    let repository = Registries::new(options, settings, Credentials::default()).repository(&name).unwrap();
    let error = repository.resolve("v1").unwrap_err();
    assert!(hint(&error).contains("plain-http = true"), "{error:?}");
    assert!(plain.requests().is_empty());
}

#[test]
fn a_registry_that_wants_a_certificate_gets_ours() {
    let clients = Authority::new();
    let port = Port::open(Some(&clients));
    let trusting = || RegistrySettings { ca: Some(port.ca()), ..port.settings() };
    let error = port.refuses(trusting());
    assert!(hint(&error).contains("client-cert"), "{}", hint(&error));
    let stranger = Authority::new().client().write(port.dir.path(), "stranger.pem", "stranger.key");
    let error = port.refuses(RegistrySettings { identity: Some(stranger), ..trusting() });
    assert!(hint(&error).contains("client-cert"), "{}", hint(&error));
    let known = clients.client().write(port.dir.path(), "client.pem", "client.key");
    works(&port.with(RegistrySettings { identity: Some(known), ..trusting() }));
    // as Docker keeps it
    let dir = port.dir.path().join("certs.d").join(port.door.address());
    std::fs::create_dir_all(&dir).unwrap();
    port.authority.write(&dir, "ca.crt");
    clients.client().write(&dir, "client.cert", "client.key");
    let settings = Settings { registries: Vec::new(), certificate_dirs: vec![port.dir.path().join("certs.d")] };
    works(&port.repository(settings).unwrap());
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let port = Port::open(None);
    let absent = port.dir.path().join("absent.pem");
    let noise = port.dir.path().join("noise.pem");
    std::fs::write(&noise, "no certificate").unwrap();
    for file in [absent, noise] {
        let settings = RegistrySettings { ca: Some(file.clone()), ..port.settings() };
        let error = port.repository(Settings { registries: vec![settings], ..Settings::default() }).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert!(hint(&error).contains("[[registry]]"), "{error}");
    }
}
