//! Who may do what: Basic, and tokens that are bound to scopes.
//!
//! Follows the distribution project's "Token Authentication Specification" and "OAuth2 Token Authentication".

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Shared;
use super::reply::Reply;
use super::state::State;
use super::switches::Auth;
use super::wire::{Body, Head, parse_form};

/// What tokens are for; clients must give it back.
pub(super) const SERVICE: &str = "registry.test";
/// The identity token that stands for the user's password.
pub(super) const IDENTITY: &str = "identity-token-of-the-user";
/// Bytes of a form.
const MAX_FORM: u64 = 64 << 10;

/// Something that may be done: to `repository:NAME` or `registry:catalog`, one of several actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Type and name.
    pub(super) resource: String,
    /// Any of them is enough.
    pub(super) any: &'static [&'static str],
    /// What a challenge asks for.
    pub(super) challenge: &'static str,
}

/// The tokens that were given out.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Grant>);

#[derive(Debug)]
struct Grant {
    /// Actions by resource.
    scopes: BTreeMap<String, BTreeSet<String>>,
    until: Instant,
}

impl Tokens {
    /// No token is good any more.
    pub(super) fn expire(&mut self) {
        self.0.clear();
    }
}

/// Checks a request against what it needs; the answer if it may not.
pub(super) fn check(auth: &Auth, state: &State, head: &Head, needs: &[Need], address: &str) -> Option<Reply> {
    let given = head.header("authorization");
    match auth {
        Auth::None => None,
        Auth::Basic { user, password } => {
            if given.and_then(basic).as_ref().is_some_and(|pair| pair.0 == *user && pair.1 == *password) {
                return None;
            }
            let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
            Some(reply.header("WWW-Authenticate", "Basic realm=\"registry\""))
        }
        Auth::Token { .. } => {
            let token = given.and_then(|text| strip_scheme(text, "bearer"));
            let grant = token.and_then(|token| state.tokens.0.get(token)).filter(|grant| grant.until > Instant::now());
            let error = match (token, grant) {
                (None, _) => None,
                (Some(_), None) => Some("invalid_token"),
                (Some(_), Some(grant)) if needs.iter().all(|need| grant.allows(need)) => return None,
                (Some(_), Some(_)) => Some("insufficient_scope"),
            };
            Some(challenge(needs, error, address))
        }
    }
}

impl Grant {
    /// Who may `*` may do anything; some clients ask for that in order to delete.
    fn allows(&self, need: &Need) -> bool {
        let granted = self.scopes.get(&need.resource);
        granted.is_some_and(|actions| actions.contains("*") || need.any.iter().any(|action| actions.contains(*action)))
    }
}

fn challenge(needs: &[Need], error: Option<&str>, address: &str) -> Reply {
    let mut text = format!("Bearer realm=\"http://{address}/token\",service=\"{SERVICE}\"");
    let scopes: Vec<_> = needs.iter().map(|need| format!("{}:{}", need.resource, need.challenge)).collect();
    if !scopes.is_empty() {
        text.push_str(&format!(",scope=\"{}\"", scopes.join(" ")));
    }
    if let Some(error) = error {
        text.push_str(&format!(",error=\"{error}\""));
    }
    let code = if error == Some("insufficient_scope") { "DENIED" } else { "UNAUTHORIZED" };
    Reply::error(401, code, "authentication required").header("WWW-Authenticate", text)
}

/// Answers `/token`: GET with Basic or nothing, POST with a form.
pub(super) fn token(auth: &Auth, shared: &Shared, head: &Head, body: &mut Body<'_>) -> std::io::Result<Reply> {
    let Auth::Token { user, password, anonymous_pull, expires_seconds } = auth else {
        return Ok(Reply::error(404, "UNSUPPORTED", "there are no tokens here"));
    };
    let is_user = |pair: &(String, String)| pair.0 == *user && pair.1 == *password;
    let denied = || Ok(Reply::error(401, "UNAUTHORIZED", "user or password are wrong"));
    let (form, known, offline) = match head.method.as_str() {
        "GET" => {
            let known = match head.header("authorization") {
                Some(given) if basic(given).as_ref().is_some_and(is_user) => true,
                None if *anonymous_pull => false,
                _ => return denied(),
            };
            let offline = head.parameter("offline_token") == Some("true");
            (head.query.clone(), known, offline)
        }
        "POST" => {
            let mut text = String::new();
            body.take(MAX_FORM).read_to_string(&mut text)?;
            let form = parse_form(&text);
            let field = |name| value(&form, name).unwrap_or_default().to_owned();
            let good = match field("grant_type").as_str() {
                "refresh_token" => field("refresh_token") == IDENTITY,
                "password" => is_user(&(field("username"), field("password"))),
                _ => return Ok(Reply::error(400, "UNSUPPORTED", "unknown grant_type")),
            };
            if !good || field("client_id").is_empty() {
                return denied();
            }
            let offline = field("access_type") == "offline" || field("grant_type") == "refresh_token";
            (form, true, offline)
        }
        _ => return Ok(Reply::error(405, "UNSUPPORTED", "GET or POST")),
    };
    if value(&form, "service") != Some(SERVICE) {
        return Ok(Reply::error(400, "UNSUPPORTED", "unknown service"));
    }
    let mut scopes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // several parameters, or one with spaces
    let asked = form.iter().filter(|(key, _)| key == "scope").flat_map(|(_, scope)| scope.split_ascii_whitespace());
    for scope in asked {
        let Some((resource, actions)) = scope.rsplit_once(':') else {
            return Ok(Reply::error(400, "UNSUPPORTED", "a scope is type:name:actions"));
        };
        let granted = actions.split(',').filter(|action| known || *action == "pull").map(str::to_owned);
        scopes.entry(resource.to_owned()).or_default().extend(granted);
    }
    let seconds = if *expires_seconds == 0 { 60 } else { *expires_seconds };
    let mut state = shared.state();
    let token = format!("token-{}", state.number());
    state.tokens.0.insert(token.clone(), Grant { scopes, until: Instant::now() + Duration::from_secs(seconds) });
    // the older form has `token`, that of OAuth2 has `access_token` alone
    let mut answer = if head.method == "GET" {
        json!({"token": token})
    } else {
        json!({"access_token": token, "token_type": "Bearer"})
    };
    if *expires_seconds != 0 {
        answer["expires_in"] = json!(seconds);
    }
    if offline && known {
        answer["refresh_token"] = json!(IDENTITY);
    }
    Ok(Reply::new(200).json(&answer))
}

fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn basic(text: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(strip_scheme(text, "basic")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
