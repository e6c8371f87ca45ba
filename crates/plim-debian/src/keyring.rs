//! Cleartext-signed text and the keys that may sign it.

use std::fmt;

use jiff::Timestamp;
use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::KeyDetails as _;

mod cleartext;

/// A signature may be this much younger than our clock says, in seconds: clocks differ, days do not.
const CLOCK_LEEWAY: i64 = 24 * 60 * 60;

/// The two kinds of suites, which have different keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuiteKind {
    /// The main archive and its updates.
    Archive,
    /// Security updates.
    Security,
}

/// Keys that may sign a suite of each kind.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(SuiteKind, SignedPublicKey)>,
}

/// A keyring file of Debian, and the fingerprint of the one key that it holds.
struct Pinned {
    kind: SuiteKind,
    fingerprint: &'static str,
    bytes: &'static [u8],
}

const PINNED: [Pinned; 6] = [
    Pinned {
        kind: SuiteKind::Archive,
        fingerprint: "b8b80b5b623eab6ad8775c45b7c5d7d6350947f8",
        bytes: include_bytes!("../keys/debian-archive-bookworm-automatic.gpg"),
    },
    Pinned {
        kind: SuiteKind::Archive,
        fingerprint: "4d64fec119c2029067d6e791f8d2585b8783d481",
        bytes: include_bytes!("../keys/debian-archive-bookworm-stable.gpg"),
    },
    Pinned {
        kind: SuiteKind::Security,
        fingerprint: "05ab90340c0c5e797f44a8c8254cf3b5aec0a8f0",
        bytes: include_bytes!("../keys/debian-archive-bookworm-security-automatic.gpg"),
    },
    Pinned {
        kind: SuiteKind::Archive,
        fingerprint: "04b54c3cdca79751b16bc6b5225629df75b188bd",
        bytes: include_bytes!("../keys/debian-archive-trixie-automatic.gpg"),
    },
    Pinned {
        kind: SuiteKind::Archive,
        fingerprint: "41587f7db8c774bccf131416762f67a0b2c39de4",
        bytes: include_bytes!("../keys/debian-archive-trixie-stable.gpg"),
    },
    Pinned {
        kind: SuiteKind::Security,
        fingerprint: "5e04a1e3223a19a20706e20f9904613d4cce68c6",
        bytes: include_bytes!("../keys/debian-archive-trixie-security-automatic.gpg"),
    },
];

impl Keyring {
    /// Returns the keys of the Debian archive that are compiled in.
    pub fn debian() -> Self {
        let mut keyring = Self::empty();
        for pinned in &PINNED {
            keyring
                .add(pinned.kind, pinned.bytes, Some(pinned.fingerprint))
                .expect("the tests read every embedded key");
        }
        keyring
    }

    /// Returns a keyring without keys, for archives of one's own.
    pub fn empty() -> Self {
        Self { keys: Vec::new() }
    }

    /// Adds the one key of an unarmoured OpenPGP file. With `fingerprint` (hex, lower case) another key is refused.
    /// The error is a text that says why.
    pub fn add(&mut self, kind: SuiteKind, bytes: &[u8], fingerprint: Option<&str>) -> Result<(), String> {
        let key = SignedPublicKey::from_bytes(bytes).map_err(|error| error.to_string())?;
        let found = key.primary_key.fingerprint().to_string();
        if fingerprint.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
            return Err(format!("the key's fingerprint is {found}"));
        }
        self.keys.push((kind, key));
        Ok(())
    }

    /// Returns the signed text of a cleartext-signed file, if at least one of its signatures is valid and made by a key
    /// of this kind of suite. The text has LF line ends and no blanks at line ends, as it was signed. The error says
    /// why, for each signature.
    pub fn verify(&self, kind: SuiteKind, signed: &[u8], now: Timestamp) -> Result<String, String> {
        let message = cleartext::parse(signed)?;
        let (signatures, _) = DetachedSignature::from_armor_many(message.armor.as_bytes())
            .map_err(|error| format!("the signature block is malformed: {error}"))?;
        let mut reasons = Vec::new();
        for parsed in signatures.take(MAX_SIGNATURES) {
            let signature = match parsed {
                Ok(detached) => detached.signature,
                Err(error) => {
                    reasons.push(format!("a signature is malformed: {error}"));
                    continue;
                }
            };
            match self.check(kind, &signature, &message.text, now) {
                Ok(()) => return Ok(message.text),
                Err(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() {
            reasons.push("there is no signature".to_owned());
        }
        Err(reasons.join("; "))
    }

    fn check(&self, kind: SuiteKind, signature: &Signature, text: &str, now: Timestamp) -> Result<(), String> {
        let who = signer(signature);
        if signature.typ() != Some(SignatureType::Text) {
            return Err(format!("the signature {who} is none over text"));
        }
        if !signature.hash_alg().is_some_and(is_strong) {
            let name = signature.hash_alg().map_or_else(|| "an unknown digest".to_owned(), |hash| format!("{hash:?}"));
            return Err(format!("the signature {who} rests on {name}, which is refused"));
        }
        let created = signature.created().map(|at| i64::from(at.as_secs()));
        let Some(created) = created else { return Err(format!("the signature {who} has no date")) };
        if created > now.as_second() + CLOCK_LEEWAY {
            return Err(format!("the signature {who} is from the future"));
        }
        if let Some(life) = signature.signature_expiration_time().filter(|life| life.as_secs() > 0)
            && created + i64::from(life.as_secs()) < now.as_second()
        {
            return Err(format!("the signature {who} has expired"));
        }
        let mut reason = format!("the signature {who} is by a key that is not trusted here");
        for (_, key) in self.keys.iter().filter(|(of, _)| *of == kind) {
            match check_with_key(key, signature, text, created, now.as_second()) {
                Outcome::Valid => return Ok(()),
                Outcome::OtherKey => {}
                Outcome::Refused(why) => reason = format!("the signature {who} is refused: {why}"),
            }
        }
        Err(reason)
    }
}

/// More signatures than any release has; the rest would only cost time.
const MAX_SIGNATURES: usize = 16;

enum Outcome {
    Valid,
    OtherKey,
    Refused(&'static str),
}

fn check_with_key(key: &SignedPublicKey, signature: &Signature, text: &str, created: i64, now: i64) -> Outcome {
    let primary = &key.primary_key;
    if !key.details.revocation_signatures.is_empty() {
        return Outcome::Refused("the key is revoked");
    }
    let self_signature = key
        .details
        .users
        .iter()
        .flat_map(|user| user.signatures.iter().map(move |signature| (user, signature)))
        .filter(|(user, own)| {
            is_by(own, primary) && own.verify_certification(primary, pgp::types::Tag::UserId, &user.id).is_ok()
        })
        .map(|(_, own)| own)
        .max_by_key(|own| own.created().map(pgp::types::Timestamp::as_secs));
    let expires = |key_created: u32, own: &Signature| {
        own.key_expiration_time()
            .map(|life| i64::from(key_created) + i64::from(life.as_secs()))
            .filter(|_| own.key_expiration_time().is_some_and(|life| life.as_secs() > 0))
    };
    let Some(self_signature) = self_signature else { return Outcome::OtherKey };
    if expires(primary.created_at().as_secs(), self_signature).is_some_and(|end| end < now) {
        return if is_by(signature, primary) { Outcome::Refused("the key has expired") } else { Outcome::OtherKey };
    }
    if is_by(signature, primary) {
        if !self_signature.key_flags().sign() {
            return Outcome::Refused("the key may not sign");
        }
        return match signature.verify(primary, text.as_bytes()) {
            Ok(()) => Outcome::Valid,
            Err(_) => Outcome::Refused("the text or the signature was changed"),
        };
    }
    for subkey in &key.public_subkeys {
        if !is_by(signature, &subkey.key) {
            continue;
        }
        // checks the binding and, as the subkey signs, its own consent
        if subkey.verify_bindings(primary).is_err() || !subkey.signatures.iter().any(|own| own.key_flags().sign()) {
            return Outcome::Refused("the subkey is not bound to its key as a signing key");
        }
        if subkey.signatures.iter().any(|own| own.typ() == Some(SignatureType::SubkeyRevocation)) {
            return Outcome::Refused("the subkey is revoked");
        }
        let latest = subkey.signatures.iter().max_by_key(|own| own.created().map(pgp::types::Timestamp::as_secs));
        let made = subkey.key.created_at().as_secs();
        if latest.and_then(|own| expires(made, own)).is_some_and(|end| end < now) {
            return Outcome::Refused("the subkey has expired");
        }
        if i64::from(made) > created {
            return Outcome::Refused("the signature is older than its key");
        }
        return match signature.verify(&subkey.key, text.as_bytes()) {
            Ok(()) => Outcome::Valid,
            Err(_) => Outcome::Refused("the text or the signature was changed"),
        };
    }
    Outcome::OtherKey
}

/// Says whether a signature names this key as its maker.
fn is_by(signature: &Signature, key: &impl pgp::types::KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if !fingerprints.is_empty() {
        return fingerprints.contains(&&key.fingerprint());
    }
    signature.issuer_key_id().contains(&&key.legacy_key_id())
}

fn is_strong(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}

fn signer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return format!("by {fingerprint}");
    }
    match signature.issuer_key_id().first() {
        Some(id) => format!("by {id}"),
        None => "of an unnamed key".to_owned(),
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|(kind, key)| (kind, key.primary_key.fingerprint().to_string())))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_keys_have_their_pinned_fingerprints() {
        assert_eq!(Keyring::debian().keys.len(), PINNED.len());
    }

    #[test]
    fn another_key_than_the_pinned_one_is_refused() {
        let error = Keyring::empty().add(SuiteKind::Archive, PINNED[0].bytes, Some(PINNED[1].fingerprint)).unwrap_err();
        assert!(error.contains(PINNED[0].fingerprint), "{error}");
    }
}
