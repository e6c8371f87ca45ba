//! RUN.

use super::super::flags::Shape;
use super::{Mistake, Reader};
use crate::kind::{Device, Network, Run, Security};
use crate::mount::{self, MountFlag};
use crate::span::Spanned;
use crate::suggest;

impl Reader<'_> {
    pub(super) fn run(&mut self) -> Run {
        let flags = self.flags(&[
            ("mount", Shape::Texts),
            ("network", Shape::Text),
            ("security", Shape::Text),
            ("device", Shape::Texts),
        ]);
        let mut mounts = Vec::new();
        for text in flags.texts("mount") {
            let span = text.span;
            match MountFlag::read(text) {
                Ok(mount) => mounts.push(mount),
                Err(error) => self.mistakes.push(Mistake::new(span, error.to_string()).hint(error.hint())),
            }
        }
        let network = self.choice(
            flags.text("network"),
            "network",
            &[("default", Network::Default), ("none", Network::None), ("host", Network::Host)],
        );
        let security = self.choice(
            flags.text("security"),
            "security mode",
            &[("sandbox", Security::Sandbox), ("insecure", Security::Insecure)],
        );
        let mut devices = Vec::new();
        for text in flags.texts("device") {
            match device(&text) {
                Ok(device) => devices.push(device),
                Err(message) => self.mistakes.push(Mistake::new(text.span, message)),
            }
        }
        Run { command: self.command(self.args()), mounts, network, security, devices }
    }

    fn choice<T: Copy + Default>(&mut self, value: Option<Spanned>, what: &str, options: &[(&str, T)]) -> T {
        let Some(value) = value else {
            return T::default();
        };
        let found = options.iter().find(|(name, _)| *name == value.value);
        if found.is_none() {
            let hint = suggest::hint(&value, options.iter().map(|(name, _)| *name));
            self.mistakes.push(Mistake::new(value.span, format!("there is no {what} `{value}`")).hint(hint));
        }
        found.map(|(_, value)| *value).unwrap_or_default()
    }
}

fn device(text: &str) -> Result<Device, String> {
    let mut device = Device { name: String::new(), required: false };
    for (field, _) in mount::csv::fields(text).ok_or("the quotes in the device do not fit")? {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        match (key.to_lowercase().as_str(), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                let value = mount::values::boolean(value);
                device.required = value.ok_or_else(|| format!("`{field}` is neither true nor false"))?;
            }
            ("name", Some(_)) if !device.name.is_empty() => return Err("the device is named twice".to_owned()),
            ("name", Some(value)) => value.clone_into(&mut device.name),
            // a CDI name is `vendor.com/class=device` and so looks like an option itself
            _ if device.name.is_empty() => device.name = field,
            _ => return Err(format!("devices have no option `{key}`")),
        }
    }
    Ok(device)
}
