//! `RUN --mount`: reading the flag, and what it asks for once its variables are known.

pub(crate) mod csv;
mod resolve;
pub(crate) mod values;

use crate::span::{Span, Spanned, span};
use crate::words::WordError;

/// A `--mount` flag as written, cut into its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountFlag {
    /// The value of the flag.
    pub text: Spanned,
    /// The options in order.
    pub options: Vec<MountOption>,
}

/// One option of a mount, `key=value` or `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOption {
    /// The key in lower case and its long form: `src` is `source`, `dst` and `destination` are `target`, `ro` is
    /// `readonly`, `rw` is `readwrite`.
    pub key: String,
    /// The text after `=`; may hold variables.
    pub value: Option<String>,
    /// The option as written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// What kind of mount it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MountType {
    /// Files of the context, of a stage or of an image.
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret as a file or variable.
    Secret,
    /// The socket of an SSH agent.
    Ssh,
}

impl MountType {
    const ALL: [(&'static str, Self); 5] = [
        ("bind", Self::Bind),
        ("cache", Self::Cache),
        ("tmpfs", Self::Tmpfs),
        ("secret", Self::Secret),
        ("ssh", Self::Ssh),
    ];

    /// Returns the name that `type=` takes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("bind", |(name, _)| name)
    }
}

/// Who may use a cache mount at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// One; others get a directory of their own.
    Private,
    /// One; others wait.
    Locked,
}

impl Sharing {
    const ALL: [(&'static str, Self); 3] =
        [("shared", Self::Shared), ("private", Self::Private), ("locked", Self::Locked)];
}

/// A mount of a RUN, variables expanded and options checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMount {
    /// `type`, bind by default.
    pub kind: MountType,
    /// `from`: stage, image or named context; the build context by default, for a cache nothing.
    pub from: Option<String>,
    /// `source`: path within `from`; for a secret its id.
    pub source: Option<String>,
    /// `target`: relative to the working directory; see [`RunMount::target_in`].
    pub target: Option<String>,
    /// Whether writing is refused: by default for bind, secret and ssh.
    pub read_only: bool,
    /// `size` of a tmpfs in bytes; 0 and `None` mean no limit.
    pub size: Option<u64>,
    /// `id` of a cache, secret or agent.
    pub id: Option<String>,
    /// `sharing` of a cache.
    pub sharing: Sharing,
    /// `required`: a missing secret or agent fails the step.
    pub required: bool,
    /// `env`: the variable that gets the secret.
    pub env: Option<String>,
    /// `mode` of the file, socket or directory.
    pub mode: Option<u32>,
    /// `uid` of the file, socket or directory.
    pub uid: Option<u32>,
    /// `gid` of the file, socket or directory.
    pub gid: Option<u32>,
}

/// Why a mount makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// An option is unknown, wrong or does not go with the others.
    #[error("{message}")]
    Option {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        /// The option, or the whole flag.
        span: Span,
    },
    /// A value cannot be expanded.
    #[error(transparent)]
    Word(#[from] WordError),
}

impl MountError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Option { hint, .. } => hint.clone(),
            Self::Word(error) => error.hint(),
        }
    }
}

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

fn canonical(key: &str) -> String {
    match key {
        "src" => "source",
        "dst" | "destination" => "target",
        "ro" => "readonly",
        "rw" => "readwrite",
        key => key,
    }
    .to_owned()
}

fn wrong(message: impl Into<String>, span: Span) -> MountError {
    MountError::Option { message: message.into(), hint: None, span }
}

fn with_hint(message: String, hint: Option<String>, span: Span) -> MountError {
    MountError::Option { message, hint, span }
}

impl MountFlag {
    /// Cuts the value of a `--mount` flag into its options. Only what does not depend on variables is checked: the
    /// form, and that `from` holds none.
    pub fn read(text: Spanned) -> Result<Self, MountError> {
        let fields = csv::fields(&text).ok_or_else(|| wrong("the quotes in the mount do not fit", text.span))?;
        // spans of parts are only known where the value stands in the file as it is, without quotes or continuations
        let exact = text.span.end - text.span.start == text.len();
        let mut options = Vec::with_capacity(fields.len());
        for (field, range) in fields {
            let at = if exact { span(text.span.start + range.start, text.span.start + range.end) } else { text.span };
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (field.as_str(), None),
            };
            let key = canonical(&key.to_lowercase());
            let variable = value.as_ref().and_then(|value| Some((value.find('$')?, value.len())));
            if key == "from" && variable.is_some_and(|(dollar, length)| dollar + 1 < length) {
                let hint = "give the stage a name: `FROM $image AS name`, then `from=name`".to_owned();
                return Err(with_hint("`from` of a mount does not expand variables".to_owned(), Some(hint), at));
            }
            options.push(MountOption { key, value, text: field, span: at });
        }
        Ok(Self { text, options })
    }

    /// Returns the value of the last option `key` (in its long form).
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|option| option.key == key)?.value.as_deref()
    }

    /// Returns the type as far as it is written plainly: `None` when it is unknown or a variable.
    pub fn kind(&self) -> Option<MountType> {
        match self.option("type") {
            None => Some(MountType::Bind),
            Some(name) => {
                MountType::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
            }
        }
    }
}

impl RunMount {
    fn of_type(kind: MountType) -> Self {
        Self {
            kind,
            from: None,
            source: None,
            target: None,
            read_only: false,
            size: None,
            id: None,
            sharing: Sharing::Shared,
            required: false,
            env: None,
            mode: None,
            uid: None,
            gid: None,
        }
    }

    /// Returns where a bind, cache or tmpfs mount goes in a container with the working directory `workdir`: an absolute,
    /// clean path. `None` for the root directory itself, which cannot be mounted over.
    pub fn target_in(&self, workdir: &str) -> Option<String> {
        let target = self.target.as_deref().unwrap_or_default();
        let path = if target.starts_with('/') { target.to_owned() } else { format!("/{workdir}/{target}") };
        Some(values::clean(&path)).filter(|path| path != "/")
    }

    /// Returns the id of a cache: `id`, or the target as written, cleaned.
    pub fn cache_id(&self) -> String {
        self.id.clone().unwrap_or_else(|| values::clean(self.target.as_deref().unwrap_or_default()))
    }

    /// Returns the id of a secret: `source`, `id`, or the name of the target.
    pub fn secret_id(&self) -> String {
        let named = self.source.clone().or_else(|| self.id.clone());
        named.unwrap_or_else(|| values::base(self.target.as_deref().unwrap_or_default()).to_owned())
    }

    /// Returns the file that a secret becomes: `target`, else `/run/secrets/ID`; `None` when it only becomes a variable.
    pub fn secret_target(&self) -> Option<String> {
        match (&self.target, &self.env) {
            (Some(target), _) => Some(target.clone()),
            (None, Some(_)) => None,
            (None, None) => Some(format!("/run/secrets/{}", values::base(&self.secret_id()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(text: &str) -> Result<RunMount, String> {
        let flag = MountFlag::read(Spanned::new(text.to_owned(), span(0, text.len()))).map_err(|e| e.to_string())?;
        flag.resolve(&mut |value| Ok(value.replace("$T", "/t")))
            .map_err(|error| error.hint().map_or_else(|| error.to_string(), |hint| format!("{error} ({hint})")))
    }

    #[test]
    fn types_have_their_defaults() {
        let bind = mount("target=x").unwrap();
        assert_eq!((bind.kind, bind.read_only), (MountType::Bind, true));
        assert_eq!(bind.target_in("/work").as_deref(), Some("/work/x"));
        assert_eq!(mount("source=.").unwrap().target_in("/work").as_deref(), Some("/work"));
        assert_eq!(mount("target=/a/..").unwrap().target_in("/work"), None);
        let cache = mount("type=cache,dst=$T/./c/,sharing=LOCKED,uid=7,mode=0700").unwrap();
        assert_eq!((cache.cache_id().as_str(), cache.read_only), ("/t/c", false));
        assert_eq!((cache.sharing, cache.uid, cache.mode), (Sharing::Locked, Some(7), Some(0o700)));
        let secret = mount("required,type=secret,id=a/b").unwrap();
        assert_eq!(secret.secret_target().as_deref(), Some("/run/secrets/b"));
        assert!(secret.required && secret.read_only);
        assert_eq!(mount("type=secret,target=/x/key").unwrap().secret_id(), "key");
        assert_eq!(mount("type=secret,id=K,env=KEY").unwrap().secret_target(), None);
        assert_eq!(mount("type=tmpfs,target=/x,size=1.5g").unwrap().size, Some(1_610_612_736));
        assert!(!mount("rw,target=/x").unwrap().read_only);
        assert!(mount("type=cache,target=/x,ro").unwrap().read_only);
    }

    #[test]
    fn mistakes_are_named() {
        let texts = [
            "typ=tmpfs",
            "type=tmp",
            "type=cache,sharing=lock,target=/x",
            "type=secret",
            "type=secret,id=a,from=b",
            "size=1g,target=/x",
            "uid=1,target=/x",
            "type=cache,target",
            "from=$X,target=/x",
            "type=tmpfs,target=/x,size=lots",
            "ro=perhaps,target=/x",
            "target=/x,\"a",
        ];
        let found: Vec<String> = texts.into_iter().map(|text| mount(text).unwrap_err()).collect();
        insta::assert_snapshot!(found.join("\n"), @r"
        mounts have no option `typ` (did you mean `type`?)
        there is no mount type `tmp` (did you mean `tmpfs`?)
        `lock` is no way to share a cache (did you mean `locked`?)
        the secret has no name (add `id=NAME`)
        the mount option `from` does not go with type secret
        the mount option `size` does not go with type bind
        the mount option `uid` does not go with type bind
        the mount option `target` needs a value
        `from` of a mount does not expand variables
        `lots` is no value for the mount option `size`
        `perhaps` is no value for the mount option `readonly`
        the quotes in the mount do not fit
        ");
    }
}
