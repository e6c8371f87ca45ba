//! How containers of two images are run differently.

use std::collections::BTreeMap;

use plim_oci::{ContainerConfig, Healthcheck, Image};

use super::ConfigChange;

/// Returns the settings that are different, single ones first.
pub(super) fn compare(old: &Image, new: &Image) -> Vec<ConfigChange> {
    let platform = |image: &Image| {
        let variant = image.config.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
        Some(format!("{}/{}{variant}", image.config.os, image.config.architecture))
    };
    let (before, after) = (&old.config.config, &new.config.config);
    let mut changes = Changes(Vec::new());
    changes.one("platform", platform(old), platform(new));
    let by = |what: &dyn Fn(&ContainerConfig) -> Option<String>| (what(before), what(after));
    let singles = [
        // no user is root, no directory is the root
        ("user", by(&|config| Some(if config.user.is_empty() { "root" } else { &config.user }.to_owned()))),
        (
            "workdir",
            by(&|config| Some(if config.working_dir.is_empty() { "/" } else { &config.working_dir }.to_owned())),
        ),
        ("entrypoint", by(&|config| config.entrypoint.as_deref().map(list))),
        ("cmd", by(&|config| config.cmd.as_deref().map(list))),
        ("stop_signal", by(&|config| config.stop_signal.clone())),
        ("healthcheck", by(&|config| config.healthcheck.as_ref().map(healthcheck))),
        ("shell", by(&|config| config.shell.as_deref().map(list))),
    ];
    for (setting, (before, after)) in singles {
        changes.one(setting, before, after);
    }
    changes.many("env", &env(before), &env(after));
    let names =
        |map: &BTreeMap<String, serde_json::Value>| map.keys().map(|key| (key.clone(), String::new())).collect();
    changes.many("port", &names(&before.exposed_ports), &names(&after.exposed_ports));
    changes.many("volume", &names(&before.volumes), &names(&after.volumes));
    changes.many("label", &before.labels, &after.labels);
    changes.0
}

struct Changes(Vec<ConfigChange>);

impl Changes {
    fn one(&mut self, setting: &str, before: Option<String>, after: Option<String>) {
        if before != after {
            self.0.push(ConfigChange { setting: setting.to_owned(), name: None, before, after });
        }
    }

    fn many(&mut self, setting: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
            if before != after {
                self.0.push(ConfigChange { setting: setting.to_owned(), name: Some(name.clone()), before, after });
            }
        }
    }
}

/// The variables by name; of several of one name the last counts, as for execve(2)'s callers.
fn env(config: &ContainerConfig) -> BTreeMap<String, String> {
    let pairs = config.env.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A command as a JSON list, which says where its words end.
fn list(words: &[String]) -> String {
    serde_json::to_string(words).unwrap_or_default()
}

fn healthcheck(check: &Healthcheck) -> String {
    let mut text = list(&check.test);
    let times = [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start-period", check.start_period),
        ("start-interval", check.start_interval),
    ];
    for (name, nanoseconds) in times.into_iter().filter(|(_, time)| *time != 0) {
        text.push_str(&format!(" {name} {} s", nanoseconds as f64 / 1e9));
    }
    if check.retries != 0 {
        text.push_str(&format!(" retries {}", check.retries));
    }
    text
}
