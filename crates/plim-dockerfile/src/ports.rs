//! The ports of EXPOSE.

/// Why a word of EXPOSE is no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{port}` is no port: {reason}")]
pub struct PortError {
    /// The word.
    pub port: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl PortError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        Some("write `8080`, `8080/udp` or `8000-8010/tcp`".to_owned())
    }
}

/// A word of EXPOSE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The first port.
    pub first: u16,
    /// The last port; the same where only one is named.
    pub last: u16,
    /// `tcp`, `udp` or `sctp` as written; empty when not given.
    pub protocol: String,
    /// A mapping to the host (`ip:host:port`) was given. It is checked and then means nothing.
    pub mapped: bool,
}

impl Ports {
    /// Reads a word of EXPOSE, variables expanded.
    pub fn parse(word: &str) -> Result<Self, PortError> {
        let fail = |reason| PortError { port: word.to_owned(), reason };
        let (host, container) = word.rsplit_once(':').map_or((None, word), |(host, port)| (Some(host), port));
        let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
        if range.is_empty() {
            return Err(fail("the number is missing"));
        }
        if !["", "tcp", "udp", "sctp"].iter().any(|known| known.eq_ignore_ascii_case(protocol)) {
            return Err(fail("the protocol is not tcp, udp or sctp"));
        }
        let (first, last) = parse_range(range).map_err(fail)?;
        let (address, host_ports) = host.map(|host| host.rsplit_once(':').unwrap_or(("", host))).unwrap_or_default();
        let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
            return Err(fail("the address is not valid"));
        }
        if !host_ports.is_empty() {
            let (host_first, host_last) = parse_range(host_ports).map_err(fail)?;
            if host_last - host_first != last - first && first != last {
                return Err(fail("the ranges differ in length"));
            }
        }
        Ok(Self { first, last, protocol: protocol.to_owned(), mapped: !address.is_empty() || !host_ports.is_empty() })
    }

    /// Returns the keys of the image configuration, `8080/tcp` and so on.
    pub fn keys(&self) -> impl Iterator<Item = String> + use<> {
        let protocol = if self.protocol.is_empty() { "tcp".to_owned() } else { self.protocol.to_lowercase() };
        (self.first..=self.last).map(move |port| format!("{port}/{protocol}"))
    }
}

fn parse_range(text: &str) -> Result<(u16, u16), &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().map_err(|_| "the number is not between 0 and 65535");
    let (first, last) = (number(first)?, number(last)?);
    if last < first { Err("the range ends before it begins") } else { Ok((first, last)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(word: &str) -> Vec<String> {
        Ports::parse(word).unwrap().keys().collect()
    }

    #[test]
    fn ranges_become_single_ports() {
        assert_eq!(keys("80"), ["80/tcp"]);
        assert_eq!(keys("8000-8002/UDP"), ["8000/udp", "8001/udp", "8002/udp"]);
        assert_eq!(keys("127.0.0.1:8080:80"), ["80/tcp"]);
        assert_eq!(keys("[::1]:8080:80"), ["80/tcp"]);
        assert!(Ports::parse("8123:8123").unwrap().mapped);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for bad in ["", "x", "70000", "80/http", "9-8", "1-3:1-2", "300.0.0.1:80:80", "/tcp", "-1"] {
            assert!(Ports::parse(bad).is_err(), "{bad}");
        }
    }
}
