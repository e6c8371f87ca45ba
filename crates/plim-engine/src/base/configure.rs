//! Running the packages' own programs in a base image that is being made.

use bstr::BString;
use plim_build::snapshot::{Draft, WorkingCopy};
use plim_debian::ConfigureStep;
use plim_oci::Events;
use plim_sandbox::{Isolation, Network, ResolvConf, RootFs, Spec};

use super::levels::LevelBuilder;
use crate::{Failure, run};

impl LevelBuilder<'_, '_, '_> {
    /// Runs the packages' programs in the root that is being made.
    pub(super) fn configure_all(
        &self,
        steps: &[ConfigureStep],
        draft: &Draft,
        events: &dyn Events,
    ) -> Result<(), Failure> {
        let files = |error: plim_build::files::FilesError| Failure::from_error(&error).maybe_hint(error.hint());
        let run = |root: &RootFs| steps.iter().try_for_each(|step| self.configure(step, root.clone(), events));
        let upper = &draft.fs;
        if self.chain.lower.is_empty() {
            return run(&RootFs::Dir(upper.clone()));
        }
        if self.maker.workspace.host.isolation == Isolation::Namespaces || steps.is_empty() {
            let lower = self.chain.lower.clone();
            return run(&RootFs::Overlay { lower, upper: upper.clone(), work: draft.work.clone() });
        }
        let mut copy = WorkingCopy::new(&self.snapshots, &self.chain, events).map_err(files)?;
        copy.change(upper, events).map_err(files)?;
        run(&RootFs::Dir(copy.root().to_owned()))?;
        // the difference to the levels below holds what was unpacked, too
        std::fs::remove_dir_all(upper)
            .and_then(|()| std::fs::create_dir(upper))
            .map_err(|error| Failure::caused("failed to empty a directory of the base image", &error))?;
        copy.difference(upper, events).map_err(files)
    }

    /// Runs one of the packages' programs.
    fn configure(&self, step: &ConfigureStep, root: RootFs, events: &dyn Events) -> Result<(), Failure> {
        let spec = Spec {
            args: step.args.iter().map(|arg| BString::from(arg.as_str())).collect(),
            env: step.env.iter().map(|pair| BString::from(pair.as_str())).collect(),
            cwd: "/".into(),
            isolation: self.maker.workspace.host.isolation,
            user: "0".to_owned(),
            network: Network::None,
            resolv_conf: ResolvConf::None,
            // the directory is thrown away when this fails, so flushing it to disk is waste
            skip_fsync: true,
            ..Spec::new(root)
        };
        let task = events.start(&step.title, None);
        let mut log = Vec::new();
        let exit = plim_sandbox::run(
            &spec,
            &mut |_, bytes| {
                for line in String::from_utf8_lossy(bytes).lines() {
                    events.output(task, line);
                }
                log.extend_from_slice(bytes);
                // the end says why it failed
                if log.len() > 64 << 10 {
                    log.drain(..32 << 10);
                }
            },
            &|| events.cancelled(),
        );
        let good = exit.as_ref().is_ok_and(|exit| exit.code == 0 && exit.signal.is_none());
        events.finish(task, "", !good);
        let exit = exit.map_err(|error| run::sandbox_failure(&step.title, &error))?;
        if good || !step.required {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<String> = log.lines().map(|line| format!("    | {line}")).collect();
        Err(Failure::tool(format!("{} ended with exit code {}", step.title, exit.code))
            .detail(lines[lines.len().saturating_sub(30)..].join("\n")))
    }
}
