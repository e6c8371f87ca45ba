//! Which addresses go through a proxy.

use std::net::IpAddr;

use ureq::http::Uri;

/// Says whether a `NO_PROXY` list names the host of an address. Entries are names, which stand for their
/// subdomains too, addresses, networks in CIDR form, or `*`; each may have a port.
pub(super) fn bypasses(no_proxy: &str, uri: &Uri) -> bool {
    let Some(host) = uri.host() else { return false };
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    no_proxy.split([',', ' ']).filter(|entry| !entry.is_empty()).any(|entry| matches(entry, &host, port))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    // an address of IP version 6 has colons of its own
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, wanted)) if !name.contains(':') || name.ends_with(']') => (name, wanted.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((network, length)) => within(address, network, length).unwrap_or(false),
            None => name.parse() == Ok(address),
        };
    }
    let domain = name.trim_start_matches('*').trim_start_matches('.');
    !domain.is_empty()
        && (host == domain || host.strip_suffix(domain).is_some_and(|subdomain| subdomain.ends_with('.')))
}

fn within(address: IpAddr, network: &str, length: &str) -> Option<bool> {
    let (address, network, width) = match (address, network.parse().ok()?) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return None,
    };
    let length: u32 = length.parse().ok().filter(|length| *length <= width)?;
    let differing: u128 = address ^ network;
    Some(differing.checked_shr(width - length).unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(list: &str, url: &str) -> bool {
        bypasses(list, &url.parse().unwrap())
    }

    #[test]
    fn names_stand_for_their_subdomains() {
        for list in ["example.com", ".example.com", "*.example.com", "a, example.com ,b"] {
            assert!(direct(list, "http://sub.Example.com/x"), "{list}");
        }
        assert!(direct("example.com", "http://example.com"));
        assert!(!direct("example.com", "http://badexample.com"));
        assert!(direct("*", "https://anything"));
        assert!(!direct("", "https://anything"));
    }

    #[test]
    fn ports_and_networks_count() {
        assert!(direct("host:8080", "http://host:8080/"));
        assert!(!direct("host:8080", "http://host/"));
        assert!(direct("10.0.0.0/8", "http://10.1.2.3:5000/"));
        assert!(!direct("10.0.0.0/8", "http://11.1.2.3/"));
        assert!(direct("0.0.0.0/0", "http://11.1.2.3/"));
        assert!(direct("::1", "http://[::1]:5000/"));
        assert!(direct("[::1]:5000", "http://[::1]:5000/"));
        assert!(direct("fd00::/8", "http://[fd12::1]/"));
    }
}
