//! `plim run`.

use std::io::Write as _;

use plim_engine::Failure;
use plim_engine::run::{self, Overrides, RunRequest};

use super::{Context, parse};
use crate::Outcome;
use crate::args::NetworkMode;
use crate::args::run::Run;

/// Runs the command; its exit code becomes plim's.
pub(crate) fn run(context: &Context<'_>, args: &Run) -> Result<Outcome, Failure> {
    for text in &args.env {
        parse::pair("env", text)?;
    }
    let request = RunRequest {
        image: args.image.clone(),
        overrides: Overrides {
            args: args.args.clone(),
            entrypoint: args.entrypoint.clone(),
            env: args.env.clone(),
            user: args.user.clone(),
            workdir: args.workdir.clone(),
            volumes: args.volume.iter().map(|text| parse::volume(text)).collect::<Result<_, _>>()?,
            read_only: args.read_only,
            isolated: args.network == NetworkMode::None,
        },
    };
    let workspace = context.workshop(".".into(), &args.isolation)?;
    let mut output = |is_error: bool, bytes: &[u8]| {
        // a reader that went away is the container's business: it gets no signal from us
        let _ = if is_error {
            std::io::stderr().write_all(bytes)
        } else {
            std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush())
        };
    };
    run::run(&workspace, &request, &mut output, &context.progress()).map(Outcome::Exit)
}
