//! One module per command: arguments become an engine request, the report becomes text.

pub(crate) mod analyze;
pub(crate) mod base;
pub(crate) mod build;
pub(crate) mod copy;
pub(crate) mod debug;
pub(crate) mod diff;
pub(crate) mod images;
pub(crate) mod lint;
pub(crate) mod optimize;
pub(crate) mod pull;
pub(crate) mod run;
pub(crate) mod why;

mod caches;
mod parse;

use camino::Utf8Path;
use plim_engine::isolation::{self, Isolation};
use plim_engine::{Config, Failure, Host, Workspace};
use serde::Serialize;

use crate::args::{Bases, BasesFrom, Format, Global, IsolationFlag, IsolationMode, NetworkFlags, NetworkMode, Output};
use crate::env;
use crate::printer::{Manner, Printer};
use crate::progress::Progress;

/// Text on standard output.
pub(crate) const TEXT: Output = Output { format: Format::Text, path: None };

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The flags that every command takes.
    pub(crate) global: &'a Global,
    /// Where output goes.
    pub(crate) printer: Printer,
}

impl Context<'_> {
    /// Reads the configuration that holds for a folder.
    pub(crate) fn config(&self, dir: &Utf8Path) -> Result<Config, Failure> {
        match &self.global.config {
            Some(file) => Config::read(file),
            None => Config::discover(dir),
        }
    }

    /// Opens the store and the caches, with the configuration that holds for a folder.
    pub(crate) fn workspace(&self, dir: &Utf8Path) -> Result<Workspace, Failure> {
        self.open(self.config(dir)?, Isolation::default())
    }

    /// Opens the same for a command that runs programs, and prepares the process for that.
    pub(crate) fn workshop(&self, dir: &Utf8Path, flag: &IsolationFlag) -> Result<Workspace, Failure> {
        let config = self.config(dir)?;
        let isolation = isolation::enter(flag.isolation.map(IsolationMode::name), &config)?;
        self.open(config, isolation)
    }

    fn open(&self, config: Config, isolation: Isolation) -> Result<Workspace, Failure> {
        // here and not earlier: it starts a thread, and a process with threads cannot enter a user namespace
        env::catch_interrupts();
        Workspace::open(Host { isolation, ..env::host(self.global) }, config)
    }

    /// Returns a listener that shows progress.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.printer, self.printer.manner(Manner::Brief))
    }

    /// Returns one for a build, whose steps and output a log should have.
    pub(crate) fn build_progress(&self) -> Progress {
        Progress::new(self.printer, self.printer.manner(Manner::Plain))
    }

    /// Writes a report as text, rendered by `text`, and as JSON.
    pub(crate) fn write<T: Serialize>(
        &self,
        outputs: &[Output],
        report: &T,
        text: impl Fn() -> String,
    ) -> Result<(), Failure> {
        check_formats(outputs, &[Format::Text, Format::Json])?;
        self.write_rendered(outputs, report, |_| Ok(text()))
    }

    /// Writes a report in the formats asked for: JSON is made from the report, all others by `render`. The caller has checked
    /// that there are no others than it knows: [`check_formats`].
    pub(crate) fn write_rendered<T: Serialize>(
        &self,
        outputs: &[Output],
        report: &T,
        render: impl Fn(Format) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        for output in outputs {
            let rendered = match output.format {
                Format::Json => json(report)?,
                format => render(format)?,
            };
            self.write_one(output, &rendered)?;
        }
        Ok(())
    }

    /// Writes one rendering to its file or to standard output.
    pub(crate) fn write_one(&self, output: &Output, rendered: &str) -> Result<(), Failure> {
        match &output.path {
            // colours are for terminals
            Some(path) if output.format == Format::Text => {
                std::fs::write(path, anstream::adapter::strip_str(rendered).to_string())
                    .map_err(|error| Failure::caused(format!("failed to write {path}"), &error))
            }
            Some(path) => std::fs::write(path, rendered)
                .map_err(|error| Failure::caused(format!("failed to write {path}"), &error)),
            None => self
                .printer
                .answer(rendered)
                .map_err(|error| Failure::caused("failed to write to standard output", &error)),
        }
    }
}

/// Fails when a format is asked for that the report does not have. Before the work, not after it.
pub(crate) fn check_formats(outputs: &[Output], known: &[Format]) -> Result<(), Failure> {
    let Some(unknown) = outputs.iter().find(|output| !known.contains(&output.format)) else { return Ok(()) };
    let names: Vec<&str> = known.iter().map(|format| format.name()).collect();
    Err(Failure::tool(format!("this report has no format {}", unknown.format.name()))
        .hint(format!("it can be written as {}", names.join(", "))))
}

fn json<T: Serialize>(report: &T) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|error| Failure::caused("failed to write the report as JSON", &error))?;
    text.push('\n');
    Ok(text)
}

/// Turns the flags that builds share into the engine's options.
pub(crate) fn build_options(network: &NetworkFlags, bases: &Bases) -> plim_engine::build::BuildOptions {
    plim_engine::build::BuildOptions {
        network: network.network.map(|mode| match mode {
            NetworkMode::Host => plim_engine::build::Network::Host,
            NetworkMode::None => plim_engine::build::Network::None,
        }),
        ca_bundle: network.ca_bundle.clone(),
        well_known_bases: bases.bases == Some(BasesFrom::Plim),
        mirror: bases.mirror.clone(),
        epoch: env::epoch(),
    }
}
