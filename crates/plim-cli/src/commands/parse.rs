//! Texts of flags that name pairs and files.

use camino::Utf8PathBuf;
use plim_engine::Failure;
use plim_engine::build::{ImageOutput, Sink};
use plim_engine::run::Volume;

use crate::env;

/// `NAME=VALUE`.
pub(crate) fn pair(flag: &str, text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::tool(format!("`{text}` is no NAME=VALUE")).hint(format!("write --{flag} NAME=VALUE"))),
    }
}

/// `NAME=VALUE`, or `NAME` with the value from the environment; a name that is not set there is left out.
pub(crate) fn build_arg(text: &str) -> Result<Option<(String, String)>, Failure> {
    if text.contains('=') {
        return pair("build-arg", text).map(Some);
    }
    Ok(env::user_variable(text).map(|value| (text.to_owned(), value)))
}

/// All build arguments, see [`build_arg`].
pub(crate) fn build_args(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    Ok(texts.iter().map(|text| build_arg(text)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// `id=NAME,src=FILE`, `id=NAME,env=VARIABLE`, or `id=NAME` for the variable of that name. Errors never show the value.
pub(crate) fn secret(text: &str) -> Result<(String, Vec<u8>), Failure> {
    let hint = "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE";
    let (mut id, mut file, mut variable) = (None, None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(Utf8PathBuf::from(value)),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => return Err(Failure::tool("a --secret has a key that plim does not know").hint(hint)),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| Failure::tool("a --secret has no id").hint(hint))?;
    let value = match (file, variable) {
        (Some(file), None) => std::fs::read(&file)
            .map_err(|error| Failure::caused(format!("failed to read the secret `{id}` from {file}"), &error))?,
        (None, variable) => {
            let name = variable.unwrap_or_else(|| id.clone());
            env::user_variable(&name)
                .ok_or_else(|| {
                    Failure::tool(format!("the secret `{id}` wants the variable {name}, which is not set")).hint(hint)
                })?
                .into_bytes()
        }
        (Some(_), Some(_)) => return Err(Failure::tool(format!("the secret `{id}` has both src and env")).hint(hint)),
    };
    Ok((id, value))
}

/// `ID` for the agent of `SSH_AUTH_SOCK`, or `ID=PATH[,PATH]` for a socket or keys.
pub(crate) fn ssh(text: &str) -> Result<(String, Vec<Utf8PathBuf>), Failure> {
    let hint = "write --ssh default, --ssh ID=SOCKET or --ssh ID=KEYFILE";
    let (id, paths) = text.split_once('=').map_or((text, None), |(id, paths)| (id, Some(paths)));
    if id.is_empty() {
        return Err(Failure::tool(format!("--ssh {text} has no id")).hint(hint));
    }
    let paths = match paths {
        Some(paths) => paths.split(',').filter(|path| !path.is_empty()).map(Utf8PathBuf::from).collect(),
        None => vec![env::ssh_agent().ok_or_else(|| {
            Failure::tool(format!("--ssh {text} wants the agent of SSH_AUTH_SOCK, which is not set"))
                .hint("start one (`eval $(ssh-agent)`, `ssh-add`), or name a key: --ssh default=KEYFILE")
        })?],
    };
    if paths.is_empty() {
        return Err(Failure::tool(format!("--ssh {text} names no file")).hint(hint));
    }
    Ok((id.to_owned(), paths))
}

/// `FOLDER`, `-`, or `type=KIND` with `dest`, `tar`, `name` and `push`. Returns the output, and a name that it gives the
/// image.
pub(crate) fn output(text: &str) -> Result<(ImageOutput, Option<String>), Failure> {
    let hint = "write --output FOLDER, type=local,dest=FOLDER, type=tar,dest=FILE, type=oci,dest=FILE, \
                type=oci,tar=false,dest=FOLDER, type=docker,dest=FILE, type=registry,name=REF or type=image,name=REF,push=true";
    let wrong = |what: String| Failure::tool(format!("--output {text}: {what}")).hint(hint);
    if text == "-" {
        return Ok((ImageOutput::Tar(Sink::Stdout), None));
    }
    if !text.contains('=') {
        return Ok((ImageOutput::Local(text.into()), None));
    }
    let (mut kind, mut dest, mut tar, mut name, mut push) = (None, None, true, None, false);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("type", value)) => kind = Some(value),
            Some(("dest", value)) => dest = Some(value),
            Some(("name", value)) if !value.is_empty() => name = Some(value.to_owned()),
            Some(("tar", value)) => {
                tar = flag(value).ok_or_else(|| wrong(format!("`{part}` is neither true nor false")))?;
            }
            Some(("push", value)) => {
                push = flag(value).ok_or_else(|| wrong(format!("`{part}` is neither true nor false")))?;
            }
            // what plim does anyway
            Some(("oci-mediatypes" | "rewrite-timestamp", "true")) => {}
            _ => return Err(wrong(format!("`{part}` is not known"))),
        }
    }
    let folder = || {
        dest.filter(|dest| *dest != "-").map(Utf8PathBuf::from).ok_or_else(|| wrong("it has no dest=FOLDER".to_owned()))
    };
    // as buildx has it, archives go to standard output where no file is named
    let sink = || match dest {
        None | Some("-") => Sink::Stdout,
        Some(file) => Sink::File(file.into()),
    };
    let output = match (kind, tar) {
        (Some("oci"), true) => ImageOutput::OciArchive(sink()),
        (Some("oci"), false) => ImageOutput::OciLayout(folder()?),
        (Some("docker"), _) => ImageOutput::DockerArchive(sink()),
        (Some("local"), _) => ImageOutput::Local(folder()?),
        (Some("tar"), _) => ImageOutput::Tar(sink()),
        (Some("registry"), _) => ImageOutput::Registry(name.take().into_iter().collect()),
        (Some("image"), _) if push => ImageOutput::Registry(Vec::new()),
        (Some("image" | "cacheonly"), _) => ImageOutput::Store,
        (Some(other), _) => return Err(wrong(format!("there is no type {other}"))),
        (None, _) => return Err(wrong("it has no type".to_owned())),
    };
    Ok((output, name))
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// `NAME:ADDRESS`, where the address may be IPv6 in brackets or not.
pub(crate) fn extra_host(text: &str) -> Result<(String, String), Failure> {
    match text.split_once([':', '=']) {
        Some((name, address)) if !name.is_empty() && !address.is_empty() => {
            Ok((name.to_owned(), address.trim_start_matches('[').trim_end_matches(']').to_owned()))
        }
        _ => Err(Failure::tool(format!("`{text}` is no NAME:ADDRESS")).hint("write --add-host NAME:ADDRESS")),
    }
}

/// `SOURCE:TARGET[:ro]`.
pub(crate) fn volume(text: &str) -> Result<Volume, Failure> {
    let hint = "write -V SOURCE:TARGET or -V SOURCE:TARGET:ro, TARGET with a leading slash";
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, read_only) = match parts[..] {
        [source, target] | [source, target, "rw"] => (source, target, false),
        [source, target, "ro"] => (source, target, true),
        _ => return Err(Failure::tool(format!("`{text}` is no volume")).hint(hint)),
    };
    if !target.starts_with('/') {
        return Err(Failure::tool(format!("`{target}` is no absolute path")).hint(hint));
    }
    let source = camino::absolute_utf8(camino::Utf8Path::new(source))
        .map_err(|error| Failure::caused(format!("failed to find {source}"), &error))?;
    if !source.exists() {
        return Err(Failure::tool(format!("there is no {source} to mount")).hint(hint));
    }
    Ok(Volume { source, target: target.to_owned(), read_only })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_the_forms_that_buildx_knows() {
        let written = |text: &str| output(text).unwrap().0;
        let file = |name: &str| Sink::File(name.into());
        assert_eq!(written("type=oci,dest=a.tar"), ImageOutput::OciArchive(file("a.tar")));
        assert_eq!(written("type=oci,tar=false,dest=d"), ImageOutput::OciLayout("d".into()));
        assert_eq!(written("type=docker"), ImageOutput::DockerArchive(Sink::Stdout));
        assert_eq!(written("out"), ImageOutput::Local("out".into()));
        assert_eq!(written("type=local,dest=d"), ImageOutput::Local("d".into()));
        assert_eq!(written("-"), ImageOutput::Tar(Sink::Stdout));
        assert_eq!(written("type=registry,name=r.example/a"), ImageOutput::Registry(vec!["r.example/a".to_owned()]));
        let pushed = output("type=image,name=r.example/a,push=true").unwrap();
        assert_eq!(pushed, (ImageOutput::Registry(Vec::new()), Some("r.example/a".to_owned())));
        for wrong in
            ["type=local", "type=oci,tar=maybe", "type=oci,size=3", "type=rocket", "dest=x", "type=local,dest=-"]
        {
            assert!(output(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_error_does_not_show_the_text() {
        let failure = secret("hunter2").unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
    }

    #[test]
    fn an_agent_is_a_socket_or_keys() {
        let expected = ("k".to_owned(), vec!["a".into(), "b".into()]);
        assert_eq!(ssh("k=a,b").unwrap(), expected);
        for wrong in ["", "=a", "k=", "k=,"] {
            assert!(ssh(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_may_be_ipv6() {
        assert_eq!(extra_host("db:[::1]").unwrap(), ("db".to_owned(), "::1".to_owned()));
        assert!(extra_host("db").is_err());
    }

    #[test]
    fn a_volume_needs_an_absolute_target() {
        assert!(volume("/:data").is_err());
        assert!(volume("/:/data:ro").unwrap().read_only);
    }
}
