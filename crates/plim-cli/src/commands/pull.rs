//! `plim pull` and `plim push`.

use plim_engine::pull::{self, Moved, Platforms};
use plim_engine::{Failure, Platform};

use super::Context;
use crate::Outcome;
use crate::args::pull::{Pull, Push};
use crate::numbers::bytes;

/// Brings an image from its registry.
pub(crate) fn pull(context: &Context<'_>, args: &Pull) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let platforms = match (&args.platform, args.all_platforms) {
        (Some(text), _) => Platforms::One(platform(text)?),
        (None, true) => Platforms::All,
        (None, false) => Platforms::Host,
    };
    let moved = pull::pull(&workspace, &args.name, &platforms, !args.no_referrers, &context.progress())?;
    context.write(&args.output, &moved, || text(&moved))?;
    context.printer.next_step(&format!("plim analyze {}", moved.name));
    Ok(Outcome::Good)
}

/// Sends an image to a registry.
pub(crate) fn push(context: &Context<'_>, args: &Push) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let destination = args.destination.as_deref();
    let (referrers, layers) = (!args.no_referrers, args.layers.wanted());
    let moved = pull::push(&workspace, &args.name, destination, referrers, layers, &context.progress())?;
    context.write(&args.output, &moved, || text(&moved))?;
    Ok(Outcome::Good)
}

/// Parses `os/architecture`.
pub(crate) fn platform(text: &str) -> Result<Platform, Failure> {
    text.parse().map_err(|error: String| Failure::tool(error).hint("for example linux/amd64 or linux/arm/v7"))
}

/// Says what was moved; the digest stands first, alone on its line, for scripts.
pub(crate) fn text(moved: &Moved) -> String {
    let mut parts = vec![format!("{} sent", bytes(moved.copied_bytes))];
    if moved.adopted_bytes > 0 {
        parts.push(format!("{} taken over from another repository", bytes(moved.adopted_bytes)));
    }
    if moved.present_bytes > 0 {
        parts.push(format!("{} there already", bytes(moved.present_bytes)));
    }
    if moved.referrers > 0 {
        parts.push(format!("{} signatures and the like", moved.referrers));
    }
    format!("{}\n{}: {}\n{}", moved.digest, moved.name, parts.join(", "), layers(moved))
}

/// Says what became of layers that were to be compressed anew.
pub(crate) fn layers(moved: &Moved) -> String {
    let Some(done) = &moved.recompressed else { return String::new() };
    if done.layers == 0 {
        return "the layers are so already\n".to_owned();
    }
    let kept = if done.kept > 0 { format!(", {} were so already", done.kept) } else { String::new() };
    let (before, after) = (bytes(done.before_bytes), bytes(done.after_bytes));
    format!("layers compressed anew: {} ({before} before, {after} now){kept}\n", done.layers)
}
