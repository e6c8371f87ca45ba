//! From the options of a mount to what it asks for.

use super::{KEYS, MountError, MountFlag, MountOption, MountType, RunMount, Sharing, values, with_hint, wrong};
use crate::suggest;
use crate::words::WordError;

impl MountFlag {
    /// Returns what the mount asks for. `expand` expands the variables of a value.
    pub fn resolve(&self, expand: &mut dyn FnMut(&str) -> Result<String, WordError>) -> Result<RunMount, MountError> {
        let mut options = Vec::with_capacity(self.options.len());
        for option in &self.options {
            let value = option.value.as_ref().map(|value| expand(value)).transpose()?;
            options.push((option, value));
        }
        let mut mount = RunMount::of_type(type_of(&options)?);
        let mut access = None;
        let mut sharing = None;
        for (option, value) in options {
            let at = option.span;
            let text = match (value, option.key.as_str()) {
                (Some(value), _) => value,
                (None, "readonly" | "readwrite" | "required") => "true".to_owned(),
                (None, _) => {
                    let hint = suggest::hint(&option.key, KEYS);
                    return Err(with_hint(format!("the mount option `{}` needs a value", option.text), hint, at));
                }
            };
            let bad = || wrong(format!("`{text}` is no value for the mount option `{}`", option.key), at);
            match option.key.as_str() {
                "type" => {}
                "from" => mount.from = Some(text).filter(|text| !text.is_empty()),
                "source" => mount.source = Some(text).filter(|text| !text.is_empty()),
                "target" => mount.target = Some(text).filter(|text| !text.is_empty()),
                "id" => mount.id = Some(text).filter(|text| !text.is_empty()),
                "env" => mount.env = Some(text),
                "readonly" => access = Some(values::boolean(&text).ok_or_else(bad)?),
                "readwrite" => access = Some(!values::boolean(&text).ok_or_else(bad)?),
                "required" if matches!(mount.kind, MountType::Secret | MountType::Ssh) => {
                    mount.required = values::boolean(&text).ok_or_else(bad)?;
                }
                "size" if mount.kind == MountType::Tmpfs => mount.size = Some(values::size(&text).ok_or_else(bad)?),
                "sharing" => {
                    let lower = text.to_lowercase();
                    let found = Sharing::ALL.iter().find(|(name, _)| *name == lower);
                    let hint = suggest::hint(&text, Sharing::ALL.map(|(name, _)| name));
                    let unknown = || with_hint(format!("`{text}` is no way to share a cache"), hint, at);
                    sharing = Some(found.ok_or_else(unknown)?.1);
                }
                "mode" => mount.mode = Some(u32::from_str_radix(&text, 8).map_err(|_| bad())?),
                "uid" => mount.uid = Some(text.parse().map_err(|_| bad())?),
                "gid" => mount.gid = Some(text.parse().map_err(|_| bad())?),
                key @ ("required" | "size") => {
                    let message = format!("the mount option `{key}` does not go with type {}", mount.kind.name());
                    return Err(wrong(message, at));
                }
                key => {
                    let message = format!("mounts have no option `{key}`");
                    return Err(with_hint(message, suggest::hint(key, KEYS), at));
                }
            }
        }
        mount.read_only = access.unwrap_or(!matches!(mount.kind, MountType::Cache | MountType::Tmpfs));
        mount.sharing = sharing.unwrap_or_default();
        self.check(&mount, sharing.is_some())?;
        Ok(mount)
    }

    /// Checks what goes with what.
    fn check(&self, mount: &RunMount, has_sharing: bool) -> Result<(), MountError> {
        let kind = mount.kind.name();
        let at = self.text.span;
        if matches!(mount.kind, MountType::Bind | MountType::Tmpfs) {
            let owner = [("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)];
            if let Some((key, _)) = owner.iter().find(|(_, value)| value.is_some()) {
                return Err(wrong(format!("the mount option `{key}` does not go with type {kind}"), at));
            }
        }
        if has_sharing && mount.kind != MountType::Cache {
            return Err(wrong(format!("the mount option `sharing` does not go with type {kind}"), at));
        }
        match mount.kind {
            MountType::Secret if mount.from.is_some() => {
                Err(wrong("the mount option `from` does not go with type secret", at))
            }
            MountType::Secret if mount.source.is_none() && mount.target.is_none() && mount.id.is_none() => {
                Err(with_hint("the secret has no name".to_owned(), Some("add `id=NAME`".to_owned()), at))
            }
            MountType::Secret if mount.source.is_some() && mount.id.is_some() => {
                Err(wrong("a secret has either `id` or `source`, not both", at))
            }
            MountType::Ssh if mount.source.is_some() => {
                Err(wrong("the mount option `source` does not go with type ssh", at))
            }
            _ => Ok(()),
        }
    }
}

fn type_of(options: &[(&MountOption, Option<String>)]) -> Result<MountType, MountError> {
    let Some((option, Some(name))) = options.iter().rev().find(|(option, _)| option.key == "type") else {
        return Ok(MountType::Bind);
    };
    let lower = name.to_lowercase();
    let found = MountType::ALL.iter().find(|(known, _)| *known == lower);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let hint = suggest::hint(name, MountType::ALL.map(|(known, _)| known));
        with_hint(format!("there is no mount type `{name}`"), hint, option.span)
    })
}
