//! COPY and ADD.

mod owner;
mod remote;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bstr::BString;
use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Add, Copy, Source as SourceWord, Spanned};
use plim_oci::{Digest, Hasher};

use crate::cache::Op;
use crate::error::BuildError;
use crate::files::{self, CopyOp, Inline, InlineContent, Selection, Source, Unpack};
use crate::git::{self, Access, Checkout, Repository};
use crate::graph::{Origin, Step};
use crate::request::NamedContext;
use crate::shared::Shared;
use crate::snapshot::{Chain, LayerOptions, View};
use crate::stack::Stack;
use crate::stage::{Building, FilesystemStep, Inputs};
use crate::travel::PortableInput;
use crate::{history, paths};

pub(crate) use owner::owner;

/// Overrides of contexts that have none.
static NOTHING: BTreeMap<BString, Vec<u8>> = BTreeMap::new();

/// The flags and words that COPY and ADD have in common, as written.
struct Words<'a> {
    keyword: &'static str,
    sources: &'a [SourceWord],
    dest: &'a Spanned,
    chown: Option<&'a Spanned>,
    chmod: Option<&'a Spanned>,
    exclude: &'a [Spanned],
    link: bool,
    parents: bool,
    unpack: Unpack,
}

/// Carries out COPY.
pub(crate) fn copy(building: &mut Building<'_>, number: usize, step: &Step, copy: &Copy) -> Result<(), BuildError> {
    let words = Words {
        keyword: "COPY",
        sources: &copy.sources,
        dest: &copy.dest,
        chown: copy.chown.as_ref(),
        chmod: copy.chmod.as_ref(),
        exclude: &copy.exclude,
        link: copy.link,
        parents: copy.parents,
        unpack: Unpack::Never,
    };
    let mut transfer = Transfer::read(building, step, &words)?;
    if let Some(url) = transfer.op.sources.iter().find(|source| remote::is_remote(source)) {
        return Err(building.fail(
            step,
            format!("COPY cannot take the address {url}"),
            Some("use ADD for it".to_owned()),
        ));
    }
    let origin = step.origins.first().cloned().flatten();
    transfer.origin = origin;
    transfer.carry_out(building, number, step)
}

/// Carries out ADD.
pub(crate) fn add(building: &mut Building<'_>, number: usize, step: &Step, add: &Add) -> Result<(), BuildError> {
    let unpack = match add.unpack {
        None => Unpack::Auto,
        Some(true) => Unpack::Always,
        Some(false) => Unpack::Never,
    };
    let words = Words {
        keyword: "ADD",
        sources: &add.sources,
        dest: &add.dest,
        chown: add.chown.as_ref(),
        chmod: add.chmod.as_ref(),
        exclude: &add.exclude,
        link: add.link,
        parents: false,
        unpack,
    };
    let mut transfer = Transfer::read(building, step, &words)?;
    let (addresses, local): (Vec<_>, Vec<_>) =
        std::mem::take(&mut transfer.op.sources).into_iter().partition(remote::is_remote);
    transfer.op.sources = local;
    let checksum = add.checksum.as_ref().map(|word| building.expand(step, &word.value)).transpose()?;
    let alone = addresses.len() == 1 && transfer.op.sources.is_empty();
    if checksum.is_some() && !alone {
        return Err(building.fail(step, "--checksum needs exactly one source, and that an address", None));
    }
    if let Some(address) = addresses.iter().map(ToString::to_string).find(|address| git::is_repository(address)) {
        if !alone {
            return Err(building.fail(step, format!("the repository {address} must be the only source"), None));
        }
        let checkout = fetch_repository(building, step, &address, add.keep_git_dir, checksum.as_deref())?;
        transfer.op.sources = vec![BString::from(".")];
        transfer.op.unpack = Unpack::Never;
        transfer.checkout = Some(checkout.root());
        return transfer.carry_out(building, number, step);
    }
    for address in addresses {
        let address = address.to_string();
        let file = remote::fetch(building, step, &address, checksum.as_deref())?;
        transfer.op.inline.push(file);
    }
    transfer.carry_out(building, number, step)
}

/// Fetches the repository that an ADD names.
fn fetch_repository(
    building: &Building<'_>,
    step: &Step,
    address: &str,
    keep_git_dir: Option<bool>,
    checksum: Option<&str>,
) -> Result<Checkout, BuildError> {
    let fail = |message: String| building.fail(step, message, None);
    let request = building.shared.request;
    if request.offline {
        return Err(fail(format!("{address} cannot be cloned: this build is offline")));
    }
    let mut repository = Repository::parse(address).map_err(fail)?;
    repository.keep_git_dir = keep_git_dir.unwrap_or(repository.keep_git_dir);
    if let Some(checksum) = checksum {
        repository.commit = Some(checksum.to_owned());
    }
    let access = Access { proxies: request.proxies.clone(), ca_bundle: request.ca_bundle.clone() };
    let events = building.shared.events;
    let task = events.start(&format!("fetch {}", repository.url), None);
    let result = git::fetch(&repository, &access);
    events.finish(task, if result.is_ok() { "done" } else { "failed" }, result.is_err());
    result.map_err(|message| building.fail(step, format!("{}: {message}", repository.url), git::hint(&message)))
}

/// Makes the files of a named context the files of a stage that starts from it.
pub(crate) fn named_context(building: &mut Building<'_>, context: usize) -> Result<(), BuildError> {
    let (name, _) = &building.shared.request.named_contexts[context];
    let step = Step {
        instruction: plim_dockerfile::parse("COPY . /").instructions.swap_remove(0),
        line: building.stage.line,
        trigger: false,
        origins: Vec::new(),
    };
    let row = format!("COPY --from={name} . /");
    let transfer = Transfer {
        op: CopyOp {
            sources: vec![BString::from(".")],
            inline: Vec::new(),
            dest: BString::from("/"),
            owner: None,
            chmod: None,
            parents: false,
            exclude: Vec::new(),
            unpack: Unpack::Never,
            from_context: true,
            made_after: None,
            epoch: building.epoch,
        },
        origin: Some(Origin::Dir(context)),
        checkout: None,
        linked: false,
        row,
    };
    // numbered after all instructions, so that notes about steps do not collide
    transfer.carry_out(building, usize::MAX, &step)
}

/// Returns the directory behind a context: the build context, or a named one.
pub(crate) fn context<'a>(shared: &'a Shared<'_>, named: Option<usize>) -> Source<'a> {
    let request = shared.request;
    if let Some((_, NamedContext::Dir { root, ignore })) = named.and_then(|index| request.named_contexts.get(index)) {
        return Source::Context { root, ignore: ignore.as_ref(), overrides: &NOTHING, known: Some(&shared.digests) };
    }
    Source::Context {
        root: &request.context.root,
        ignore: request.ignore.as_ref(),
        overrides: &request.context.overrides,
        known: Some(&shared.digests),
    }
}

/// A COPY or ADD with all words expanded.
struct Transfer {
    op: CopyOp,
    origin: Option<Origin>,
    /// A directory that stands in for the build context.
    checkout: Option<PathBuf>,
    linked: bool,
    row: String,
}

impl Transfer {
    fn read(building: &Building<'_>, step: &Step, words: &Words<'_>) -> Result<Self, BuildError> {
        let expand = |word: &Spanned| building.expand(step, &word.value);
        let chown = words.chown.map(expand).transpose()?.filter(|chown| !chown.is_empty());
        let chmod = words.chmod.map(expand).transpose()?.filter(|chmod| !chmod.is_empty());
        let dest = expand(words.dest)?;
        let mut row = words.keyword.to_owned();
        if words.parents {
            row.push_str(" --parents");
        }
        for (flag, value) in [(" --chown=", &chown), (" --chmod=", &chmod)] {
            if let Some(value) = value {
                row.push_str(flag);
                row.push_str(value);
            }
        }
        let (mut sources, mut inline) = (Vec::new(), Vec::new());
        for source in words.sources {
            match source {
                SourceWord::Path(word) => sources.push(BString::from(expand(word)?)),
                SourceWord::Heredoc(index) => inline.push(heredoc(building, step, *index)?),
            }
        }
        // whatever the order in the file: here-documents are copied after all paths
        for source in &sources {
            let _ = write!(row, " {source}");
        }
        for file in &inline {
            let _ = write!(row, " <<{}", file.name);
        }
        row.push(' ');
        row.push_str(&dest);
        let exclude = words.exclude.iter().map(expand).collect::<Result<_, _>>()?;
        let owner = chown.as_deref().map(|chown| owner(building, step, chown)).transpose()?;
        Ok(Self {
            op: CopyOp {
                sources,
                inline,
                dest: BString::from(paths::join_destination(
                    &building.config.config.working_dir,
                    &building.path_of(dest),
                )),
                owner,
                parents: words.parents,
                exclude,
                unpack: words.unpack,
                from_context: false,
                made_after: None,
                epoch: building.epoch,
                chmod: chmod.clone(),
            },
            origin: None,
            checkout: None,
            // as BuildKit has it, --chmod switches --link off
            linked: words.link && chmod.is_none(),
            row,
        })
    }

    fn carry_out(mut self, building: &mut Building<'_>, number: usize, step: &Step) -> Result<(), BuildError> {
        let shared = building.shared;
        let failed = building.files_failed(step);
        let stack = building.stack.clone();
        let origin = self.origin.take();
        let read = Read::new(building, origin.as_ref())?;
        self.op.from_context = read.is_context();
        self.op.made_after = building.epoch_of(origin.as_ref());
        let op = &self.op;
        let mut selection: Option<Selection> = None;
        let name = input_name(step, op);
        let work = match &read {
            Read::Context(named) => {
                let context = match &self.checkout {
                    Some(root) => Source::Context { root, ignore: None, overrides: &NOTHING, known: None },
                    None => context(shared, *named),
                };
                let mut found = files::select(&context, op).map_err(&failed)?;
                let digest = found.digest(&shared.digests).map_err(&failed)?;
                selection = Some(found);
                Work::Known(vec![(name, digest)])
            }
            Read::Stack(from) => Work::Lazy(from, name),
        };
        let linked = self.linked;
        let selection = std::cell::RefCell::new(selection);
        let mut look = || {
            let Work::Lazy(from, name) = &work else { return Ok(Vec::new()) };
            let view = from.view(shared)?;
            let mut found = files::select(&Source::View(&view), op).map_err(&failed)?;
            let digest = found.digest(&shared.digests).map_err(&failed)?;
            selection.replace(Some(found));
            Ok(vec![(name.clone(), digest)])
        };
        let inputs = match &work {
            Work::Known(inputs) => Inputs::Content(inputs.clone()),
            Work::Lazy(from, name) => Inputs::Definition {
                local: vec![(name.clone(), from.id().clone())],
                sources: vec![PortableInput::Stack((*from).clone())],
                look: &mut look,
            },
        };
        let files = || match &*selection.borrow() {
            Some(selection) => selection.prints(op.parents),
            None => Vec::new(),
        };
        let created_by = history::marked(&self.row);
        let compression = shared.request.compression;
        let options = LayerOptions {
            epoch: building.epoch,
            compression,
            created_by: created_by.clone(),
            frames: Some(shared.journal.frames(&building.place(number), compression)),
        };
        let step_work = FilesystemStep {
            number,
            title: self.row.clone(),
            created_by,
            op: describe(op, linked)?,
            inputs,
            files: Some(&files),
            linked,
            execute: &mut |draft, _| {
                let below = if linked { View::new(&Chain::scratch()) } else { stack.view(shared)? };
                let selection = selection.borrow();
                let Some(selection) = selection.as_ref() else { return Ok(()) };
                files::apply(selection, op, &below, &draft.fs).map(|_| ()).map_err(&failed)
            },
            write: Some(&mut || {
                let below = if linked { View::new(&Chain::scratch()) } else { stack.view(shared)? };
                let selection = selection.borrow();
                let selection = selection.as_ref().ok_or(BuildError::Cancelled)?;
                let (store, observer) = (&shared.state.store, shared.observers.observe());
                files::write_layer(selection, op, &below, store, &options, Some(observer), shared.events)
                    .map_err(&failed)
            }),
        };
        building.filesystem_step(step, step_work)
    }
}

/// How the inputs of a transfer are known.
enum Work<'a> {
    Known(Vec<(String, Digest)>),
    Lazy(&'a Stack, String),
}

/// What a transfer reads.
enum Read {
    /// The build context, or a named one.
    Context(Option<usize>),
    /// A stage or an image.
    Stack(Stack),
}

impl Read {
    fn new(building: &Building<'_>, origin: Option<&Origin>) -> Result<Self, BuildError> {
        Ok(match origin {
            None => Self::Context(None),
            Some(Origin::Dir(index)) => Self::Context(Some(*index)),
            Some(origin) => Self::Stack(building.stack_of(origin)?),
        })
    }

    fn is_context(&self) -> bool {
        matches!(self, Self::Context(_))
    }
}

/// Names what a transfer reads, for people.
fn input_name(step: &Step, op: &CopyOp) -> String {
    let sources = op.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match step.instruction.flag("from").and_then(|flag| flag.value.as_ref()) {
        Some(from) => format!("{sources} in {from}"),
        None if sources.is_empty() => "the text in the Dockerfile".to_owned(),
        None => sources,
    }
}

/// Returns the digest of everything about a transfer but the content that it reads.
fn describe(op: &CopyOp, linked: bool) -> Result<Digest, BuildError> {
    let mut key = Op::new("copy");
    key.list("sources", &op.sources).field("dest", &op.dest);
    key.option("owner", op.owner.map(|(user, group)| format!("{user}:{group}")));
    key.option("chmod", op.chmod.as_ref());
    key.list("exclude", &op.exclude);
    let flags =
        [linked, op.parents, op.from_context, matches!(op.unpack, Unpack::Auto), matches!(op.unpack, Unpack::Always)];
    key.field("flags", flags.map(u8::from)).field("epoch", op.epoch.to_le_bytes());
    key.option("made-from", op.made_after.map(i64::to_le_bytes));
    for file in &op.inline {
        key.field("inline", &file.name).field("mode", file.mode.to_le_bytes());
        key.field("mtime", file.mtime.unwrap_or(op.epoch).to_le_bytes());
        match &file.content {
            InlineContent::Bytes(bytes) => key.field("bytes", bytes),
            InlineContent::File(path) => key.field("file", digest_of_file(path)?.as_str()),
        };
    }
    Ok(key.finish())
}

fn digest_of_file(path: &Path) -> Result<Digest, BuildError> {
    let failed = |error| BuildError::io(format!("read {}", path.display()), error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Hasher::new();
    std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    Ok(hasher.finish())
}

fn heredoc(building: &Building<'_>, step: &Step, index: usize) -> Result<Inline, BuildError> {
    let heredoc =
        step.instruction.heredocs.get(index).ok_or_else(|| building.fail(step, "a here-document is missing", None))?;
    let mut content = heredoc.content();
    if heredoc.expand {
        content = building.expand_with(step, &content, Lexer::for_heredoc())?.text;
    }
    Ok(Inline {
        name: BString::from(heredoc.name.as_str()),
        content: InlineContent::Bytes(content.into_bytes()),
        mode: 0o644,
        mtime: None,
    })
}

/// Selects a path of a context or a stack as the only content of a directory, named `mounted`; for mounts.
pub(crate) fn single(path: &str, from_context: bool) -> CopyOp {
    CopyOp {
        sources: vec![BString::from(path)],
        inline: Vec::new(),
        dest: BString::from(format!("/{MOUNTED}")),
        owner: None,
        chmod: None,
        parents: false,
        exclude: Vec::new(),
        unpack: Unpack::Never,
        from_context,
        made_after: None,
        epoch: 0,
    }
}

/// The name under which [`single`] puts what it copies.
pub(crate) const MOUNTED: &str = "mounted";

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer").field("row", &self.row).finish_non_exhaustive()
    }
}
