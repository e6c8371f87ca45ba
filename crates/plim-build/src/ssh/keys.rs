//! Private keys from files, and signing with them.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use ssh_key::PrivateKey;
use ssh_key::private::{EcdsaKeypair, KeypairData, RsaKeypair};

use super::protocol::put;

/// How OpenSSH's own form of a private key begins.
const OPENSSH: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";

/// What keys call the curve that no signature can be made with here.
const P521: &[u8] = b"ecdsa-sha2-nistp521";

/// Flags of a request to sign (draft-ietf-sshm-ssh-agent, 4.6.1): which hash RSA uses.
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// A key that can sign.
pub(super) struct Key {
    /// The public half as it goes over the wire.
    public: Vec<u8>,
    comment: String,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa { name: &'static str, pair: EcdsaKeyPair },
    Rsa(Box<RsaKeyPair>),
}

/// What is wrong with a file. No message shows any of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("it is encrypted, and nobody can be asked for the passphrase during a build")]
    Encrypted,
    #[error("it is in an older form than OpenSSH's own")]
    OldForm,
    #[error("it is a public key")]
    Public,
    #[error("it is malformed")]
    Malformed,
    #[error("keys of its kind are not supported")]
    Kind,
    #[error("it is broken, too weak or of an unusual size")]
    Refused,
}

impl KeyFault {
    pub(super) fn hint(self, path: &Path) -> Option<String> {
        match self {
            Self::Encrypted => {
                Some(format!("`ssh-add {}` gives it to an agent, and --ssh default offers that", path.display()))
            }
            Self::OldForm => Some(format!("`ssh-keygen -p -f {}` writes it anew", path.display())),
            Self::Public => Some("give the file without .pub".to_owned()),
            Self::Kind => {
                Some("Ed25519, ECDSA (P-256, P-384) and RSA can be used; an agent can have others".to_owned())
            }
            Self::Refused => {
                Some("RSA keys can have 2048, 3072 or 4096 bits; an agent can have others: --ssh default".to_owned())
            }
            Self::Malformed => None,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("comment", &self.comment).finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the text of a file.
    pub(super) fn parse(text: &[u8]) -> Result<Self, KeyFault> {
        let text = text.trim_ascii_start();
        if !text.starts_with(OPENSSH) {
            let has = |text: &[u8], wanted: &[u8]| text.windows(wanted.len()).any(|part| part == wanted);
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Err(match text {
                [b'-', b'-', ..] if has(first, b"PRIVATE KEY") => {
                    // the second line of the oldest form says so
                    if has(text, b"ENCRYPTED") { KeyFault::Encrypted } else { KeyFault::OldForm }
                }
                _ if text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-") => KeyFault::Public,
                _ => KeyFault::Malformed,
            });
        }
        // half of the keys of P-521 have a number that the parser finds too short
        let fault = || if is_p521(text) { KeyFault::Kind } else { KeyFault::Malformed };
        let key = PrivateKey::from_openssh(text).map_err(|_| fault())?;
        if key.is_encrypted() {
            return Err(KeyFault::Encrypted);
        }
        let pair = match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let (seed, public) = (pair.private.to_bytes(), &pair.public.0);
                Pair::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&seed, public).map_err(|_| KeyFault::Refused)?)
            }
            KeypairData::Ecdsa(pair) => ecdsa(pair)?,
            KeypairData::Rsa(pair) => Pair::Rsa(Box::new(rsa(pair)?)),
            _ => return Err(KeyFault::Kind),
        };
        let public = key.public_key().to_bytes().map_err(|_| KeyFault::Malformed)?;
        Ok(Self { public, comment: key.comment().to_owned(), pair })
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn comment(&self) -> &str {
        &self.comment
    }

    /// Signs; the result is a signature with the name of its algorithm before it. RSA with SHA-1 is refused.
    pub(super) fn sign(&self, data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let mut out = Vec::new();
        match &self.pair {
            Pair::Ed25519(pair) => {
                put(&mut out, b"ssh-ed25519");
                put(&mut out, pair.sign(data).as_ref());
            }
            Pair::Ecdsa { name, pair } => {
                let signature = pair.sign(&random, data).ok()?;
                let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
                let mut numbers = Vec::new();
                put(&mut numbers, &mpint(r));
                put(&mut numbers, &mpint(s));
                put(&mut out, name.as_bytes());
                put(&mut out, &numbers);
            }
            Pair::Rsa(pair) => {
                let (name, padding): (_, &dyn signature::RsaEncoding) = match flags {
                    flags if flags & RSA_SHA2_512 != 0 => ("rsa-sha2-512", &signature::RSA_PKCS1_SHA512),
                    flags if flags & RSA_SHA2_256 != 0 => ("rsa-sha2-256", &signature::RSA_PKCS1_SHA256),
                    _ => return None,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, data, &mut signature).ok()?;
                put(&mut out, name.as_bytes());
                put(&mut out, &signature);
            }
        }
        Some(out)
    }
}

/// Says whether a file names the curve P-521 where its public half stands, which nothing encrypts.
fn is_p521(text: &[u8]) -> bool {
    let lines = text.split(|byte| *byte == b'\n').skip(1).take_while(|line| !line.starts_with(b"-"));
    let encoded: Vec<u8> = lines.flatten().copied().filter(|byte| !byte.is_ascii_whitespace()).take(400).collect();
    let decoded = STANDARD.decode(&encoded[..encoded.len() / 4 * 4]).unwrap_or_default();
    decoded.windows(P521.len()).any(|part| part == P521)
}

fn ecdsa(pair: &EcdsaKeypair) -> Result<Pair, KeyFault> {
    let (name, algorithm) = match pair {
        EcdsaKeypair::NistP256 { .. } => ("ecdsa-sha2-nistp256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        EcdsaKeypair::NistP384 { .. } => ("ecdsa-sha2-nistp384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        EcdsaKeypair::NistP521 { .. } => return Err(KeyFault::Kind),
    };
    let (private, public) = (pair.private_key_bytes(), pair.public_key_bytes());
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, &SystemRandom::new());
    Ok(Pair::Ecdsa { name, pair: pair.map_err(|_| KeyFault::Refused)? })
}

fn rsa(pair: &RsaKeypair) -> Result<RsaKeyPair, KeyFault> {
    let number = |number: &'_ ssh_key::Mpint| number.as_positive_bytes().map(<[u8]>::to_vec).ok_or(KeyFault::Malformed);
    let (public, private) = (&pair.public, &pair.private);
    let (d, p, q) = (number(&private.d)?, number(&private.p)?, number(&private.q)?);
    // the file has no exponents for the Chinese remainder theorem
    let (dp, dq) = (remainder(&d, &less_one(&p)), remainder(&d, &less_one(&q)));
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: number(&public.n)?, e: number(&public.e)? },
        d,
        p,
        q,
        dP: dp,
        dQ: dq,
        qInv: number(&private.iqmp)?,
    };
    RsaKeyPair::from_components(&components).map_err(|_| KeyFault::Refused)
}

/// A number as SSH writes it (RFC 4251, section 5): no zero bytes before it, but one where it would look negative.
fn mpint(bytes: &[u8]) -> Vec<u8> {
    let bytes = trimmed(bytes);
    let zero = bytes.first().is_some_and(|first| first & 0x80 != 0).then_some(0);
    zero.into_iter().chain(bytes.iter().copied()).collect()
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    &bytes[start..]
}

/// An odd number without its lowest bit.
fn less_one(number: &[u8]) -> Vec<u8> {
    let mut number = number.to_vec();
    if let Some(last) = number.last_mut() {
        *last &= !1;
    }
    number
}

/// The remainder of a division of big-endian numbers, bit by bit; without leading zeros.
fn remainder(number: &[u8], divisor: &[u8]) -> Vec<u8> {
    let divisor = trimmed(divisor);
    if divisor.is_empty() {
        return Vec::new();
    }
    // one byte more than the divisor: doubling stays below twice the divisor
    let mut rest = vec![0u8; divisor.len() + 1];
    let divisor: Vec<u8> = std::iter::once(0).chain(divisor.iter().copied()).collect();
    for bit in number.iter().flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1)) {
        let mut carry = bit;
        for byte in rest.iter_mut().rev() {
            let next = *byte >> 7;
            *byte = (*byte << 1) | carry;
            carry = next;
        }
        if rest >= divisor {
            let mut borrow = false;
            for (byte, less) in rest.iter_mut().zip(&divisor).rev() {
                let (value, one) = byte.overflowing_sub(*less);
                let (value, other) = value.overflowing_sub(u8::from(borrow));
                *byte = value;
                borrow = one || other;
            }
        }
    }
    trimmed(&rest).to_vec()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// Makes a key with the machine's ssh-keygen; `None` where there is none.
    fn generate(args: &[&str], passphrase: &str) -> Option<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", passphrase, "-C", "a comment", "-f"])
            .arg(&file)
            .args(args)
            .stdin(Stdio::null())
            .status()
            .ok()?;
        made.success().then(|| std::fs::read(file).unwrap())
    }

    fn parts(mut signature: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut next = || {
            let (length, after) = signature.split_first_chunk::<4>().unwrap();
            let (bytes, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            signature = after;
            bytes.to_vec()
        };
        (next(), next())
    }

    #[test]
    fn every_kind_of_key_signs_what_its_public_half_verifies() {
        let kinds: [(&[&str], u32, &str); 5] = [
            (&["-t", "ed25519"], 0, "ssh-ed25519"),
            (&["-t", "ecdsa", "-b", "256"], 0, "ecdsa-sha2-nistp256"),
            (&["-t", "ecdsa", "-b", "384"], 0, "ecdsa-sha2-nistp384"),
            (&["-t", "rsa", "-b", "2048"], RSA_SHA2_512, "rsa-sha2-512"),
            (&["-t", "rsa", "-b", "2048"], RSA_SHA2_256, "rsa-sha2-256"),
        ];
        for (args, flags, name) in kinds {
            let Some(text) = generate(args, "") else { return };
            let key = Key::parse(&text).unwrap();
            assert_eq!(key.comment(), "a comment");
            let signature = key.sign(b"data", flags).unwrap();
            let (algorithm, blob) = parts(&signature);
            assert_eq!(algorithm, name.as_bytes());
            let verify = |algorithm: &'static dyn signature::VerificationAlgorithm, public: &[u8], blob: &[u8]| {
                signature::UnparsedPublicKey::new(algorithm, public).verify(b"data", blob).unwrap();
            };
            match &key.pair {
                Pair::Ed25519(pair) => {
                    verify(&signature::ED25519, signature::KeyPair::public_key(pair).as_ref(), &blob);
                }
                Pair::Ecdsa { pair, .. } => {
                    let (r, s) = parts(&blob);
                    let width = if name.ends_with("256") { 32 } else { 48 };
                    let fixed = |number: &[u8]| {
                        let number = trimmed(number).to_vec();
                        [vec![0; width - number.len()], number].concat()
                    };
                    let algorithm = if width == 32 {
                        &signature::ECDSA_P256_SHA256_FIXED
                    } else {
                        &signature::ECDSA_P384_SHA384_FIXED
                    };
                    let public = signature::KeyPair::public_key(pair).as_ref();
                    verify(algorithm, public, &[fixed(&r), fixed(&s)].concat());
                }
                Pair::Rsa(pair) => {
                    let algorithm = if flags == RSA_SHA2_512 {
                        &signature::RSA_PKCS1_2048_8192_SHA512
                    } else {
                        &signature::RSA_PKCS1_2048_8192_SHA256
                    };
                    verify(algorithm, signature::KeyPair::public_key(pair.as_ref()).as_ref(), &blob);
                    assert!(key.sign(b"data", 0).is_none(), "SHA-1 is refused");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let fault = |text: &[u8]| Key::parse(text).unwrap_err();
        assert_eq!(fault(b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"), KeyFault::OldForm);
        assert_eq!(fault(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"), KeyFault::Encrypted);
        let oldest = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nAAAA\n";
        assert_eq!(fault(oldest), KeyFault::Encrypted);
        assert_eq!(fault(b"-----BEGIN CERTIFICATE-----\nAAAA\n"), KeyFault::Malformed);
        assert_eq!(fault(b"-- notes, none ENCRYPTED\nPRIVATE KEY\n"), KeyFault::Malformed);
        assert_eq!(fault(b"ssh-ed25519 AAAAC3 me@here\n"), KeyFault::Public);
        assert_eq!(fault(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"), KeyFault::Malformed);
        assert_eq!(fault(b""), KeyFault::Malformed);
        if let Some(text) = generate(&["-t", "ed25519"], "hunter2") {
            assert_eq!(fault(&text), KeyFault::Encrypted);
        }
        if let Some(text) = generate(&["-t", "ecdsa", "-b", "521"], "") {
            assert_eq!(fault(&text), KeyFault::Kind);
        }
    }

    #[test]
    fn a_key_of_an_unusual_size_is_said_to_be_one() {
        let Some(text) = generate(&["-t", "rsa", "-b", "2056"], "") else { return };
        let fault = Key::parse(&text).unwrap_err();
        assert_eq!(fault, KeyFault::Refused);
        assert!(fault.to_string().contains("size"), "{fault}");
        let hint = fault.hint(Path::new("key")).unwrap();
        assert!(hint.contains("2048, 3072 or 4096") && hint.contains("agent"), "{hint}");
    }

    #[test]
    fn debug_shows_no_key() {
        let Some(text) = generate(&["-t", "ed25519"], "") else { return };
        assert_eq!(format!("{:?}", Key::parse(&text).unwrap()), "Key { comment: \"a comment\", .. }");
    }

    proptest! {
        #[test]
        fn remainders_are_those_of_arithmetic(number: u128, divisor in 1u64..) {
            let found = remainder(&number.to_be_bytes(), &divisor.to_be_bytes());
            let value = found.iter().fold(0u128, |value, byte| (value << 8) | u128::from(*byte));
            prop_assert_eq!(value, number % u128::from(divisor));
        }

        #[test]
        fn files_of_anything_do_no_harm(text: Vec<u8>) {
            prop_assert!(Key::parse(&text).is_err());
            prop_assert!(Key::parse(&[OPENSSH, &text].concat()).is_err());
        }
    }
}
