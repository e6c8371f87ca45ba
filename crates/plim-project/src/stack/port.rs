//! The port that a program listens on: what is the same in every language.

use crate::evidence::Declared;

/// Returns the port that the author's Dockerfile names and the line: `EXPOSE`, or a variable that holds it.
pub(super) fn declared(declared: &Declared, variables: &[&str]) -> Option<(u16, usize)> {
    let exposed = declared.exposed.iter().find_map(|told| Some((tcp(&told.value)?, told.line)));
    exposed.or_else(|| {
        declared.env.iter().find_map(|told| {
            let (name, value) = &told.value;
            variables.contains(&name.as_str()).then(|| Some((value.parse().ok()?, told.line))).flatten()
        })
    })
}

/// Returns the port behind the last colon of an address.
pub(super) fn of_address(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

/// Returns the port of an EXPOSE, if it is one of TCP.
pub(super) fn tcp(exposed: &str) -> Option<u16> {
    match exposed.split_once('/') {
        None => exposed.parse().ok(),
        Some((port, protocol)) if protocol.eq_ignore_ascii_case("tcp") => port.parse().ok(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;

    #[test]
    fn the_first_tcp_port_counts() {
        let of = |text: &str| declared(&Evidence::read(text).declared, &["PORT"]);
        assert_eq!(of("FROM x\nEXPOSE 53/udp 8080/tcp\n"), Some((8080, 2)));
        assert_eq!(of("FROM x\nEXPOSE 8080/TCP\n"), Some((8080, 2)));
        assert_eq!(of("FROM x\nENV PORT=9000\n"), Some((9000, 2)));
        assert_eq!(of("FROM x\n"), None);
    }
}
