//! What each instruction says, typed.

use std::time::Duration;

use crate::ast::{Heredoc, Instruction, ParseError};
use crate::mount::MountFlag;
use crate::span::Spanned;

/// The instructions of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the instruction of that name")]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

impl Keyword {
    /// All of them, in alphabetical order.
    pub const ALL: [Keyword; 18] = [
        Keyword::Add,
        Keyword::Arg,
        Keyword::Cmd,
        Keyword::Copy,
        Keyword::Entrypoint,
        Keyword::Env,
        Keyword::Expose,
        Keyword::From,
        Keyword::Healthcheck,
        Keyword::Label,
        Keyword::Maintainer,
        Keyword::Onbuild,
        Keyword::Run,
        Keyword::Shell,
        Keyword::StopSignal,
        Keyword::User,
        Keyword::Volume,
        Keyword::Workdir,
    ];

    /// Returns the keyword that `word` is, in any case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|keyword| keyword.name().eq_ignore_ascii_case(word))
    }

    /// Returns the keyword in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Keyword::Add => "ADD",
            Keyword::Arg => "ARG",
            Keyword::Cmd => "CMD",
            Keyword::Copy => "COPY",
            Keyword::Entrypoint => "ENTRYPOINT",
            Keyword::Env => "ENV",
            Keyword::Expose => "EXPOSE",
            Keyword::From => "FROM",
            Keyword::Healthcheck => "HEALTHCHECK",
            Keyword::Label => "LABEL",
            Keyword::Maintainer => "MAINTAINER",
            Keyword::Onbuild => "ONBUILD",
            Keyword::Run => "RUN",
            Keyword::Shell => "SHELL",
            Keyword::StopSignal => "STOPSIGNAL",
            Keyword::User => "USER",
            Keyword::Volume => "VOLUME",
            Keyword::Workdir => "WORKDIR",
        }
    }
}

/// What an instruction says. Texts are as written: quotes, escapes and variables are for [`crate::words`], unless
/// the field says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `FROM`: begins a stage.
    From(From),
    /// `RUN`.
    Run(Run),
    /// `CMD`.
    Cmd(Command),
    /// `ENTRYPOINT`.
    Entrypoint(Command),
    /// `COPY`.
    Copy(Copy),
    /// `ADD`.
    Add(Add),
    /// `ENV`: at least one pair.
    Env(Vec<KeyValue>),
    /// `ARG`: at least one definition.
    Arg(Vec<ArgDefinition>),
    /// `LABEL`: at least one pair.
    Label(Vec<KeyValue>),
    /// `EXPOSE`: at least one word, in the order of the file; see [`crate::ports`].
    Expose(Vec<Spanned>),
    /// `USER`.
    User(Spanned),
    /// `WORKDIR`.
    Workdir(Spanned),
    /// `VOLUME`: at least one path.
    Volume(Vec<Spanned>),
    /// `STOPSIGNAL`.
    StopSignal(Spanned),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `ONBUILD`.
    Onbuild(Onbuild),
    /// `SHELL`: the program and its arguments, at least one.
    Shell(Vec<Spanned>),
    /// `MAINTAINER`.
    Maintainer(Spanned),
    /// A known instruction with arguments that do not make sense; the reason is among the errors.
    Invalid(Keyword),
    /// No instruction of the language; that is among the errors.
    Unknown,
}

/// `FROM [--platform=P] IMAGE [AS NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// The image or stage; may hold variables of the global scope.
    pub image: Spanned,
    /// `--platform`.
    pub platform: Option<Spanned>,
    /// The name of the stage as written; compare without case.
    pub alias: Option<Spanned>,
    /// The word between image and name as written (`AS`, `as`).
    pub as_word: Option<Spanned>,
    /// What the comment `# NAME text` above says about the stage.
    pub description: Option<String>,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Text for the shell; may be empty.
    Shell(Spanned),
    /// Program and arguments; may be empty (`CMD []`).
    Exec(Vec<Spanned>),
}

impl Command {
    /// Returns the text of the shell form.
    pub fn shell(&self) -> Option<&Spanned> {
        match self {
            Command::Shell(text) => Some(text),
            Command::Exec(_) => None,
        }
    }

    /// Returns the words of the exec form.
    pub fn exec(&self) -> Option<&[Spanned]> {
        match self {
            Command::Exec(words) => Some(words),
            Command::Shell(_) => None,
        }
    }

    /// Returns whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        match self {
            Command::Shell(text) => text.is_empty(),
            Command::Exec(words) => words.is_empty(),
        }
    }
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The command; with heredocs the text before their bodies (`<<EOF`, `cat <<A >f`).
    pub command: Command,
    /// `--mount`, in order.
    pub mounts: Vec<MountFlag>,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--device`, in order.
    pub devices: Vec<Device>,
}

/// What a RUN really executes, heredocs put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunScript {
    /// Program and arguments, no shell.
    Exec(Vec<String>),
    /// Text for the shell (`sh -c TEXT`).
    Shell(String),
    /// The heredoc begins with `#!`: it becomes an executable file, mounted read-only as `/dev/pipes/NAME`, and that
    /// path is the text for the shell.
    File {
        /// Name of the heredoc.
        name: String,
        /// Content of the file.
        content: String,
    },
}

/// `RUN --network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// The network of the build.
    #[default]
    Default,
    /// Loopback only.
    None,
    /// The network of the host.
    Host,
}

/// `RUN --security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Security {
    /// The normal restrictions.
    #[default]
    Sandbox,
    /// All capabilities, nothing masked.
    Insecure,
}

/// `RUN --device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The CDI name.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

/// A source of COPY or ADD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path, pattern or URL.
    Path(Spanned),
    /// The heredoc with this index; it becomes a file with the heredoc's name.
    Heredoc(usize),
}

/// `COPY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// At least one.
    pub sources: Vec<Source>,
    /// Where to.
    pub dest: Spanned,
    /// `--from`.
    pub from: Option<Spanned>,
    /// `--chown`.
    pub chown: Option<Spanned>,
    /// `--chmod`.
    pub chmod: Option<Spanned>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`, in order; patterns as in [`crate::ignore`].
    pub exclude: Vec<Spanned>,
}

/// `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// At least one.
    pub sources: Vec<Source>,
    /// Where to.
    pub dest: Spanned,
    /// `--chown`.
    pub chown: Option<Spanned>,
    /// `--chmod`.
    pub chmod: Option<Spanned>,
    /// `--link`.
    pub link: bool,
    /// `--keep-git-dir`, when given.
    pub keep_git_dir: Option<bool>,
    /// `--checksum`.
    pub checksum: Option<Spanned>,
    /// `--unpack`, when given.
    pub unpack: Option<bool>,
    /// `--exclude`, in order.
    pub exclude: Vec<Spanned>,
}

/// A pair of ENV or LABEL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The name.
    pub key: Spanned,
    /// The value.
    pub value: Spanned,
    /// Written with a blank instead of `=` (`ENV name value`), the deprecated form.
    pub legacy: bool,
}

/// A definition of ARG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgDefinition {
    /// The name.
    pub name: Spanned,
    /// The text after `=`.
    pub default: Option<Spanned>,
    /// What the comment `# NAME text` above says about it.
    pub description: Option<String>,
}

/// `HEALTHCHECK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// What is checked.
    pub test: HealthcheckTest,
    /// `--interval`; `None` when not given or 0.
    pub interval: Option<Duration>,
    /// `--timeout`; `None` when not given or 0.
    pub timeout: Option<Duration>,
    /// `--start-period`; `None` when not given or 0.
    pub start_period: Option<Duration>,
    /// `--start-interval`; `None` when not given or 0.
    pub start_interval: Option<Duration>,
    /// `--retries`; 0 when not given.
    pub retries: u32,
}

/// The two forms of HEALTHCHECK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthcheckTest {
    /// `NONE`: an inherited check is switched off.
    None,
    /// `CMD`; never empty.
    Command(Command),
}

/// `ONBUILD`.
#[derive(Debug, Clone, PartialEq)]
pub struct Onbuild {
    /// The trigger, read as an instruction of its own.
    pub instruction: Box<Instruction>,
    /// The trigger as the image's configuration stores it; read it back with [`crate::parse_trigger`].
    pub expression: String,
    /// What is wrong with the trigger. The build that declares it succeeds all the same; the one that inherits it
    /// fails.
    pub errors: Vec<ParseError>,
}

impl Run {
    /// Returns what is executed once the bodies of `heredocs` are put in.
    pub fn script(&self, heredocs: &[Heredoc]) -> RunScript {
        let text = match &self.command {
            Command::Exec(words) => return RunScript::Exec(words.iter().map(|word| word.value.clone()).collect()),
            Command::Shell(text) => text,
        };
        let Some(first) = heredocs.first() else {
            return RunScript::Shell(text.value.clone());
        };
        if crate::parse_heredoc_word(text).is_none() {
            let mut script = text.value.clone();
            for heredoc in heredocs {
                script.push('\n');
                script.push_str(&heredoc.raw);
                script.push_str(&heredoc.name);
            }
            return RunScript::Shell(script);
        }
        let content = first.content();
        if content.starts_with("#!") {
            RunScript::File { name: first.name.clone(), content }
        } else {
            RunScript::Shell(content)
        }
    }
}

impl Instruction {
    /// Returns what this RUN executes; `None` for all other instructions.
    pub fn run_script(&self) -> Option<RunScript> {
        match &self.kind {
            Kind::Run(run) => Some(run.script(&self.heredocs)),
            _ => None,
        }
    }
}
