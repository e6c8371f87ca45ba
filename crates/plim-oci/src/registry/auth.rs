//! What a registry asks for before it answers (distribution's token authentication; RFC 6750, RFC 7617).

use std::io::Read as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde::Deserialize;

use crate::http::{Body, Client, Request};

use super::credentials::{Credential, Found, Secret};
use super::error::reason;

/// Validity of a token that says nothing about it.
const DEFAULT_VALIDITY: u64 = 60;
/// Tokens are renewed so long before they end.
const MARGIN: Duration = Duration::from_secs(10);
/// More is no token; bytes.
const MAX_TOKEN: u64 = 1 << 20;
/// What plim calls itself when it asks for tokens.
const CLIENT: &str = "plimsoll";

/// How a registry wants to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token from another address.
    Bearer {
        /// That address.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What the request that failed needs.
        scope: Option<String>,
    },
}

/// A token of access.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) token: Secret,
    until: Instant,
}

impl Token {
    pub(super) fn is_valid(&self) -> bool {
        Instant::now() < self.until
    }
}

#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Challenge {
    /// Reads the `WWW-Authenticate` fields of an answer; tokens are preferred.
    pub(super) fn read<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for field in fields {
            for (scheme, parameters) in challenges(field) {
                let get = |name: &str| {
                    let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.clone())
                };
                if scheme.eq_ignore_ascii_case("bearer")
                    && let Some(realm) = get("realm")
                {
                    return Some(Self::Bearer { realm, service: get("service"), scope: get("scope") });
                }
                if scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

/// The header field's value for a name and a password.
pub(super) fn basic(user: &str, password: &Secret) -> String {
    let pair = format!("{user}:{}", password.reveal());
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Fetches a token for some scopes. The error is what the server said, never a secret.
pub(super) fn fetch(
    client: &Client,
    realm: &str,
    service: Option<&str>,
    scopes: &[String],
    found: Option<&Found>,
) -> Result<Token, String> {
    let mut query: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
    let joined = scopes.join(" ");
    let response = match found.map(|found| &found.credential) {
        Some(Credential::Identity(token)) => {
            query.push(("scope", &joined));
            query.extend([("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token.reveal())]);
            let form = encode(&query);
            let headers = vec![("Content-Type", "application/x-www-form-urlencoded".to_owned())];
            client.send(&Request { method: "POST", url: realm, headers, body: Body::Bytes(form.as_bytes()) })
        }
        other => {
            query.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
            let mut headers = Vec::new();
            if let Some(Credential::Password { user, password }) = other {
                query.push(("account", user));
                headers.push(("Authorization", basic(user, password)));
            }
            let separator = if realm.contains('?') { '&' } else { '?' };
            let url = format!("{realm}{separator}{}", encode(&query));
            client.send(&Request { method: "GET", url: &url, headers, body: Body::Empty })
        }
    };
    let response = response.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("its token server {realm} cannot be reached: {cause}"),
        None => format!("its token server {realm} cannot be reached"),
    })?;
    if response.status != 200 {
        let (status, said) = (response.status, reason(response));
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return Err(format!("its token server {realm} answered with status {status}{said}"));
    }
    let mut body = Vec::new();
    let malformed = || format!("its token server {realm} gave no token");
    response.body.take(MAX_TOKEN).read_to_end(&mut body).map_err(|_| malformed())?;
    let granted: Granted = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let token = granted.token.or(granted.access_token).filter(|token| !token.is_empty()).ok_or_else(malformed)?;
    // a header field is one line
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed());
    }
    let validity = Duration::from_secs(granted.expires_in.unwrap_or(DEFAULT_VALIDITY).clamp(DEFAULT_VALIDITY, 86_400));
    Ok(Token { token: Secret::new(token), until: Instant::now() + validity.saturating_sub(MARGIN) })
}

fn encode(pairs: &[(&str, &str)]) -> String {
    let each: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    each.join("&")
}

/// Percent-encodes what a query or a form must not hold as it is.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Splits a field into its challenges (RFC 9110, 11.6.1): a scheme and parameters, both quoted and not.
fn challenges(field: &str) -> Vec<(&str, Vec<(&str, String)>)> {
    let mut found: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
    let mut rest = field.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let trimmed = after.trim_start();
        match trimmed.strip_prefix('=') {
            Some(value) if !found.is_empty() && !word.is_empty() => {
                let (value, after) = parameter(value.trim_start());
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word, value));
                }
                rest = after;
            }
            // base64 at the end of an unknown scheme, or nonsense
            Some(value) => rest = value,
            None => {
                found.push((word, Vec::new()));
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// Reads a parameter's value, and returns what stands after it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_in_all_their_forms() {
        let read = |fields: &[&str]| Challenge::read(fields.iter().copied());
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
        };
        let usual = r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#;
        let expected = bearer("https://auth.example/token", Some("r.example"), Some("repository:a/b:pull,push"));
        assert_eq!(read(&[usual]), expected);
        assert_eq!(read(&["Basic realm=\"x, y\"", usual]), expected);
        assert_eq!(read(&[&format!("Basic realm=\"x\", {usual}")]), expected);
        assert_eq!(read(&["bearer realm=https://a/t"]), bearer("https://a/t", None, None));
        assert_eq!(read(&["Basic realm=\"a \\\"b\\\"\", charset=\"UTF-8\""]), Some(Challenge::Basic));
        assert_eq!(read(&["Negotiate", "NTLM abc=="]), None);
        assert_eq!(read(&["", "=", "Bearer", "Bearer realm=\"unclosed"]), bearer("unclosed", None, None));
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(
            encode(&[("service", "a b&c"), ("scope", "repository:x/y:pull,push")]),
            "service=a%20b%26c&scope=repository:x/y:pull,push"
        );
    }
}
