//! The literals that secrets begin with, and what must stand behind them.

/// Which bytes a token consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Letters and digits.
    Alnum,
    /// Capital letters and digits.
    Upper,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits, `_` and `-`: base64 as in addresses.
    Url,
    /// The same and `.`, `=`, `+`, `/`.
    Any,
}

impl Set {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Any => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=' | b'+' | b'/'),
        }
    }
}

/// What must stand behind a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// At least so many bytes of a set; no letter before the literal.
    Token { set: Set, least: usize },
    /// The rest of the title and the body of a private key (RFC 7468).
    Key,
    /// A user name, a colon, a password and `@` (RFC 3986, section 3.2.1).
    Login,
    /// The rest of a signed JSON web token (RFC 7519).
    Jwt,
}

/// A literal and what it may be the beginning of.
#[derive(Debug)]
pub(super) struct Rule {
    /// Short stable name; several literals may share one.
    pub(super) name: &'static str,
    pub(super) literal: &'static [u8],
    pub(super) body: Body,
}

const fn token(name: &'static str, literal: &'static [u8], set: Set, least: usize) -> Rule {
    Rule { name, literal, body: Body::Token { set, least } }
}

/// All rules. Literals have at least three bytes: shorter ones would stop the search at every turn.
pub(super) const RULES: &[Rule] = &[
    Rule { name: "private-key", literal: b"-----BEGIN ", body: Body::Key },
    Rule { name: "login-in-url", literal: b"://", body: Body::Login },
    Rule { name: "json-web-token", literal: b"eyJ", body: Body::Jwt },
    token("age-key", b"AGE-SECRET-KEY-1", Set::Upper, 58),
    token("anthropic-key", b"sk-ant-", Set::Url, 40),
    token("artifactory-token", b"AKCp", Set::Alnum, 60),
    token("atlassian-token", b"ATATT3xFfGF0", Set::Any, 100),
    token("aws-access-key", b"AKIA", Set::Upper, 16),
    token("aws-access-key", b"ASIA", Set::Upper, 16),
    token("azure-storage-key", b"AccountKey=", Set::Any, 80),
    token("buildkite-token", b"bkua_", Set::Alnum, 40),
    token("circleci-token", b"CCIPAT_", Set::Url, 40),
    token("contentful-token", b"CFPAT-", Set::Url, 40),
    token("databricks-token", b"dapi", Set::Hex, 32),
    token("digitalocean-token", b"dop_v1_", Set::Hex, 64),
    token("digitalocean-token", b"doo_v1_", Set::Hex, 64),
    token("digitalocean-token", b"dor_v1_", Set::Hex, 64),
    token("docker-token", b"dckr_pat_", Set::Url, 20),
    token("docker-token", b"dckr_oat_", Set::Url, 20),
    token("doppler-token", b"dp.pt.", Set::Alnum, 40),
    token("doppler-token", b"dp.st.", Set::Any, 40),
    token("dynatrace-token", b"dt0c01.", Set::Any, 80),
    token("easypost-key", b"EZAK", Set::Alnum, 54),
    token("figma-token", b"figd_", Set::Url, 40),
    token("flutterwave-key", b"FLWSECK_", Set::Url, 12),
    token("fly-token", b"FlyV1 fm2_", Set::Any, 100),
    token("gitlab-token", b"glpat-", Set::Any, 20),
    token("gitlab-token", b"gldt-", Set::Any, 20),
    token("gitlab-token", b"glrt-", Set::Any, 20),
    token("gitlab-token", b"glcbt-", Set::Any, 20),
    token("gitlab-token", b"glptt-", Set::Any, 20),
    token("gitlab-token", b"glft-", Set::Any, 20),
    token("gitlab-token", b"glsoat-", Set::Any, 20),
    token("gitlab-token", b"glagent-", Set::Any, 20),
    token("github-token", b"ghp_", Set::Alnum, 36),
    token("github-token", b"gho_", Set::Alnum, 36),
    token("github-token", b"ghu_", Set::Alnum, 36),
    token("github-token", b"ghs_", Set::Alnum, 36),
    token("github-token", b"ghr_", Set::Alnum, 36),
    token("github-token", b"github_pat_", Set::Url, 60),
    token("google-api-key", b"AIza", Set::Url, 35),
    token("google-client-secret", b"GOCSPX-", Set::Url, 28),
    token("google-token", b"ya29.", Set::Any, 40),
    token("grafana-token", b"glsa_", Set::Url, 40),
    token("grafana-token", b"glc_", Set::Any, 60),
    token("groq-key", b"gsk_", Set::Alnum, 50),
    token("heroku-token", b"HRKU-", Set::Url, 36),
    token("hugging-face-token", b"hf_", Set::Alnum, 34),
    token("linear-key", b"lin_api_", Set::Alnum, 40),
    token("mailgun-key", b"key-", Set::Hex, 32),
    token("netlify-token", b"nfp_", Set::Alnum, 36),
    token("new-relic-key", b"NRAK-", Set::Upper, 27),
    token("notion-token", b"ntn_", Set::Alnum, 43),
    token("notion-token", b"secret_", Set::Alnum, 43),
    token("npm-token", b"npm_", Set::Alnum, 36),
    token("npm-token", b"_authToken=", Set::Any, 20),
    token("openai-key", b"sk-proj-", Set::Url, 40),
    token("openai-key", b"sk-svcacct-", Set::Url, 40),
    token("perplexity-key", b"pplx-", Set::Alnum, 40),
    token("planetscale-token", b"pscale_tkn_", Set::Any, 32),
    token("planetscale-token", b"pscale_pw_", Set::Any, 32),
    token("postman-key", b"PMAK-", Set::Url, 40),
    token("prefect-key", b"pnu_", Set::Alnum, 36),
    token("pulumi-token", b"pul-", Set::Hex, 40),
    token("pypi-token", b"pypi-AgE", Set::Url, 50),
    token("readme-key", b"rdme_", Set::Alnum, 60),
    token("replicate-token", b"r8_", Set::Alnum, 37),
    token("rubygems-key", b"rubygems_", Set::Hex, 48),
    token("sendgrid-key", b"SG.", Set::Any, 60),
    token("sendinblue-key", b"xkeysib-", Set::Url, 60),
    token("sentry-token", b"sntrys_", Set::Any, 60),
    token("sentry-token", b"sntryu_", Set::Hex, 60),
    token("shippo-token", b"shippo_live_", Set::Hex, 40),
    token("shopify-token", b"shpat_", Set::Hex, 32),
    token("shopify-token", b"shpca_", Set::Hex, 32),
    token("shopify-token", b"shppa_", Set::Hex, 32),
    token("shopify-token", b"shpss_", Set::Hex, 32),
    token("slack-token", b"xoxb-", Set::Url, 20),
    token("slack-token", b"xoxp-", Set::Url, 20),
    token("slack-token", b"xoxa-", Set::Url, 20),
    token("slack-token", b"xoxr-", Set::Url, 20),
    token("slack-token", b"xoxs-", Set::Url, 20),
    token("slack-token", b"xoxe.", Set::Any, 40),
    token("slack-token", b"xapp-", Set::Url, 40),
    token("slack-webhook", b"hooks.slack.com/services/T", Set::Any, 30),
    token("square-token", b"sq0atp-", Set::Url, 22),
    token("square-token", b"sq0csp-", Set::Url, 43),
    token("stripe-key", b"sk_live_", Set::Alnum, 20),
    token("stripe-key", b"rk_live_", Set::Alnum, 20),
    token("stripe-key", b"sk_test_", Set::Alnum, 20),
    token("stripe-key", b"whsec_", Set::Any, 32),
    token("supabase-token", b"sbp_", Set::Hex, 40),
    token("tailscale-key", b"tskey-", Set::Url, 30),
    token("terraform-token", b".atlasv1.", Set::Any, 60),
    token("typeform-token", b"tfp_", Set::Any, 59),
    token("vault-token", b"hvs.", Set::Any, 24),
    token("vault-token", b"hvb.", Set::Any, 100),
    token("vault-token", b"hvr.", Set::Any, 24),
];
