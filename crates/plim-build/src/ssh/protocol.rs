//! The protocol of agents (draft-ietf-sshm-ssh-agent): messages with a length before them, the kind in the first byte.

use std::io::{self, Read, Write};

use super::keys::Key;

/// OpenSSH's own limit.
const LONGEST: usize = 256 << 10;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// Reads a message; `None` at the end of the connection.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

/// Writes a message.
pub(super) fn write(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    to.write_all(&[&length.to_be_bytes(), message].concat())
}

/// Says whether a message asks for nothing but identities or a signature.
pub(super) fn is_harmless(message: &[u8]) -> bool {
    matches!(message.first(), Some(&(REQUEST_IDENTITIES | SIGN_REQUEST)))
}

/// The answer to what is not answered.
pub(super) fn failure() -> Vec<u8> {
    vec![FAILURE]
}

/// Answers with keys at hand.
pub(super) fn answer(message: &[u8], keys: &[Key]) -> Vec<u8> {
    let answered = match message.split_first() {
        Some((&REQUEST_IDENTITIES, _)) => Some(identities(keys)),
        Some((&SIGN_REQUEST, rest)) => sign(rest, keys),
        _ => None,
    };
    answered.unwrap_or_else(failure)
}

fn identities(keys: &[Key]) -> Vec<u8> {
    let mut out = vec![IDENTITIES_ANSWER];
    out.extend((keys.len() as u32).to_be_bytes());
    for key in keys {
        put(&mut out, key.public());
        put(&mut out, key.comment().as_bytes());
    }
    out
}

fn sign(mut rest: &[u8], keys: &[Key]) -> Option<Vec<u8>> {
    let public = take(&mut rest)?;
    let data = take(&mut rest)?;
    let flags = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    let signature = keys.iter().find(|key| key.public() == public)?.sign(data, flags)?;
    let mut out = vec![SIGN_RESPONSE];
    put(&mut out, &signature);
    Some(out)
}

/// Appends a string (RFC 4251, section 5).
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Takes a string off.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (bytes, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn requests_of_anything_are_answered(message: Vec<u8>, wire: Vec<u8>) {
            prop_assert!(!answer(&message, &[]).is_empty());
            let mut rest = wire.as_slice();
            while let Ok(Some(message)) = read(&mut rest) {
                prop_assert!(message.len() <= wire.len());
            }
        }
    }

    #[test]
    fn messages_are_bounded_and_whole() {
        let mut wire = Vec::new();
        write(&mut wire, &[REQUEST_IDENTITIES]).unwrap();
        assert_eq!(wire, [0, 0, 0, 1, REQUEST_IDENTITIES]);
        assert_eq!(read(&mut wire.as_slice()).unwrap(), Some(vec![REQUEST_IDENTITIES]));
        assert_eq!(read(&mut [].as_slice()).unwrap(), None);
        assert!(read(&mut [0, 0, 0, 9, 1].as_slice()).is_err());
        assert!(read(&mut [0xff, 0xff, 0xff, 0xff].as_slice()).is_err());
    }

    #[test]
    fn what_would_change_an_agent_is_not_passed_on() {
        // add, remove, remove all, lock, unlock, smartcard, constrained, extension
        for kind in [17, 18, 19, 22, 23, 20, 25, 27, 0, 255] {
            assert!(!is_harmless(&[kind]), "{kind}");
            assert_eq!(answer(&[kind], &[]), [FAILURE]);
        }
        assert!(is_harmless(&[REQUEST_IDENTITIES]) && is_harmless(&[SIGN_REQUEST, 0]) && !is_harmless(&[]));
    }

    #[test]
    fn a_mutilated_request_is_refused() {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, b"key");
        put(&mut request, b"data");
        request.extend(0u32.to_be_bytes());
        for end in 0..request.len() {
            assert_eq!(answer(&request[..end], &[]), [FAILURE]);
        }
        assert_eq!(answer(&[SIGN_REQUEST, 0xff, 0xff, 0xff, 0xff, 1], &[]), [FAILURE]);
        assert_eq!(answer(&[REQUEST_IDENTITIES], &[]), [IDENTITIES_ANSWER, 0, 0, 0, 0]);
    }
}
