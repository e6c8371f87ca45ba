//! Package managers and build tools of languages.

use super::{Ecosystem, Purpose, operands};
use crate::evidence::RunCommand;

use Ecosystem::{Conda, Dotnet, Go, Java, Node, Other, Perl, Php, Python, Ruby, Rust};

/// Returns what a command of a language's tools is for.
pub(super) fn of(command: &RunCommand, name: &str, arguments: &[&str]) -> Option<Purpose> {
    let first = operands(arguments, &["-C", "--prefix", "--cwd", "--dir", "-p", "--workspace", "--filter", "-w"])
        .first()
        .copied();
    let packages = |ecosystem| Some(Purpose::LanguagePackages(ecosystem));
    let build = |ecosystem| Some(Purpose::Build(ecosystem));
    match name {
        name if is_python(name) => Some(python(command, arguments)),
        name if name.strip_prefix("pip").is_some_and(is_version) => Some(pip(arguments)),
        "uv" => match first {
            Some("pip" | "sync" | "venv" | "lock" | "export" | "add" | "tool" | "python" | "init" | "remove") => {
                packages(Python)
            }
            Some("build") => build(Python),
            _ => Some(Purpose::Configuration),
        },
        "poetry" | "pdm" | "pipenv" | "rye" | "hatch" | "flit" => match first {
            Some("config" | "env" | "self" | "cache" | "use" | "check" | "plugin") => Some(Purpose::Configuration),
            Some("build") => build(Python),
            _ => packages(Python),
        },
        "easy_install" | "easy_install-3" | "virtualenv" | "pipx" | "pyenv" | "pip-compile" | "pip-sync"
        | "pip-tools" | "ensurepip" | "pyvenv" | "venv" | "activate" | "pew" | "pip-review" | "rosdep" => {
            packages(Python)
        }
        "conda" | "mamba" | "micromamba" => match first {
            Some("install" | "create" | "env" | "update" | "activate" | "run") => packages(Conda),
            _ => Some(Purpose::Configuration),
        },
        "django-admin"
        | "flask"
        | "pybabel"
        | "cythonize"
        | "cython"
        | "pyinstaller"
        | "f2py"
        | "maturin"
        | "spacy"
        | "playwright"
        | "superset"
        | "airflow"
        | "jupyter"
        | "jupyter-nbextension"
        | "jupyter-labextension"
        | "nbstripout"
        | "mkdocs"
        | "sphinx-build"
        | "nikola"
        | "pelican"
        | "django-admin.py"
        | "manage.py"
        | "alembic"
        | "celery"
        | "gunicorn"
        | "uvicorn"
        | "ansible-galaxy"
        | "ansible-playbook"
        | "ansible"
        | "scons"
        | "waf"
        | "meltano"
        | "dbt"
        | "invoke"
        | "fab"
        | "doit"
        | "ipython"
        | "ipcluster"
        | "pre-commit" => build(Python),
        "npm" | "cnpm" | "yarn" | "pnpm" | "bun" | "yarnpkg" => Some(node(name, first, arguments)),
        "corepack" | "nvm" | "n" | "fnm" | "volta" | "bower" | "lerna" | "npm-check-updates" | "ncu" | "jspm"
        | "tsd" | "typings" | "node-gyp" | "nodenv" | "node-prune" | "modclean" | "nodeenv" | "rush" | "meteor" => {
            packages(Node)
        }
        "npx" | "bunx" | "pnpx" | "tsc" | "webpack" | "gulp" | "grunt" | "ng" | "vite" | "vue-cli-service" | "next"
        | "nuxt" | "parcel" | "rollup" | "esbuild" | "prisma" | "ember" | "babel" | "nx" | "turbo" | "hugo"
        | "gatsby" | "ionic" | "expo" | "ts-node" | "tailwindcss" | "postcss" | "sass" | "node-sass" | "lessc"
        | "gitbook" | "hexo" | "quasar" | "polymer" | "brunch" | "react-scripts" | "craco" | "deno" | "coffee"
        | "browserify" | "uglifyjs" | "svelte-kit" | "astro" | "wasm-pack" | "elm" | "node" | "nodejs" | "ncc"
        | "pkg" | "strapi" | "ace" | "spago" | "purs" | "bsb" | "esy" => build(Node),
        "cargo" | "cross" => match first {
            Some(
                "fetch" | "install" | "vendor" | "chef" | "add" | "update" | "init" | "new" | "search"
                | "generate-lockfile" | "binstall" | "uninstall",
            ) => packages(Rust),
            Some("test" | "clippy" | "fmt" | "check" | "audit" | "deny" | "nextest" | "bench") => Some(Purpose::Check),
            Some("clean") => Some(Purpose::Cleanup),
            _ => build(Rust),
        },
        "rustup" | "rustup-init" | "cargo-binstall" => packages(Rust),
        "rustc" | "trunk" | "cargo-chef" => build(Rust),
        "go" => match first {
            Some("mod" | "get" | "install" | "work") => packages(Go),
            Some("test" | "vet" | "fmt" | "list") => Some(Purpose::Check),
            Some("clean") => Some(Purpose::Cleanup),
            Some("env") => Some(Purpose::Configuration),
            _ => build(Go),
        },
        "dep" | "glide" | "govendor" | "godep" | "gvm" | "gopm" | "gpm" | "gom" | "gometalinter" | "goenv" | "vgo" => {
            packages(Go)
        }
        "buffalo" | "packr" | "packr2" | "goreleaser" | "gox" | "xcaddy" | "mage" | "swag" | "statik"
        | "go-bindata" | "gofmt" | "goimports" | "templ" | "esc" | "rice" | "sqlc" | "wire" | "tinygo" | "bee"
        | "revel" | "xgo" => build(Go),
        "gem" | "bundle" | "bundler" | "rbenv" | "rvm" | "ruby-install" | "gem2.0" | "ruby-build" => {
            match (name, first) {
                ("bundle" | "bundler", Some("exec")) => build(Ruby),
                (_, Some("config" | "cleanup" | "sources")) => Some(Purpose::Configuration),
                _ => packages(Ruby),
            }
        }
        "rake" | "rails" | "bin/rails" | "bin/rake" | "jekyll" | "ruby" | "middleman" | "asciidoctor"
        | "./bin/rails" | "./bin/rake" | "compass" | "puppet" | "librarian-puppet" | "r10k" | "chef-client"
        | "berks" | "bootsnap" => build(Ruby),
        "composer"
        | "composer.phar"
        | "pecl"
        | "pear"
        | "docker-php-ext-install"
        | "docker-php-ext-enable"
        | "docker-php-ext-configure"
        | "docker-php-source"
        | "phpize"
        | "install-php-extensions"
        | "php-ext-install"
        | "pickle"
        | "php-config"
        | "phpbrew" => match first {
            Some("config") => Some(Purpose::Configuration),
            Some("dump-autoload" | "dumpautoload" | "run-script" | "run") => build(Php),
            _ => packages(Php),
        },
        "php" | "artisan" | "drush" | "wp" | "bin/console" | "drupal" | "symfony" | "php7" | "php8" | "box" => {
            if arguments.first().is_some_and(|word| word.contains("composer")) {
                packages(Php)
            } else {
                build(Php)
            }
        }
        "mvn" | "mvnw" | "./mvnw" => {
            if arguments.iter().any(|word| word.contains("dependency:")) {
                packages(Java)
            } else {
                build(Java)
            }
        }
        "gradle" | "gradlew" | "./gradlew" => match first {
            Some("dependencies" | "downloadDependencies" | "resolveDependencies" | "wrapper") => packages(Java),
            _ => build(Java),
        },
        "ant" | "javac" | "java" | "sbt" | "lein" | "jlink" | "bazel" | "bazelisk" | "clojure" | "clj" | "scala"
        | "mill" | "kotlinc" | "native-image" | "jdeps" | "groovy" | "buck" | "jpackage" | "coursier" | "cs"
        | "grails" | "activator" | "scalac" | "boot" | "javadoc" | "playframework" => build(Java),
        "sdk"
        | "jenv"
        | "sdkmanager"
        | "gu"
        | "jenkins-plugin-cli"
        | "install-plugins.sh"
        | "ivy"
        | "elasticsearch-plugin"
        | "kafka-plugin"
        | "plugin"
        | "logstash-plugin"
        | "bin/plugin"
        | "bin/logstash-plugin"
        | "bin/elasticsearch-plugin" => packages(Java),
        "dotnet" | "msbuild" | "xbuild" | "mono" | "csc" | "mcs" => match first {
            Some("restore" | "tool" | "nuget" | "add" | "workload") => packages(Dotnet),
            Some("test") => Some(Purpose::Check),
            _ => build(Dotnet),
        },
        "nuget" | "paket" | "dnu" | "dnvm" | "kpm" => packages(Dotnet),
        "cpan" | "cpanm" | "carton" | "cpm" | "perlbrew" | "plenv" => packages(Perl),
        "perl" => build(Perl),
        // other languages
        "cabal" | "stack" | "opam" | "mix" | "rebar" | "rebar3" | "luarocks" | "nimble" | "shards" | "R"
        | "Rscript" | "install2.r" | "install.r" | "installGithub.r" | "swift" | "pub" | "dart" | "flutter"
        | "julia" | "ghcup" | "raco" | "haxelib" | "vcpkg" | "conan" | "kerl" | "asdf" | "tlmgr" | "helm" | "krew"
        | "zef" | "guix" | "nix" | "littler" | "kiex" | "evm" | "quicklisp" | "sbcl" | "mise" | "spack" | "erl"
        | "elixir" | "iex" | "ros" | "installBioc.r" | "install3.r" | "biocLite" => packages(Other),
        _ => None,
    }
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python").or_else(|| name.strip_prefix("pypy")).is_some_and(is_version)
}

fn is_version(rest: &str) -> bool {
    rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-')
}

fn pip(arguments: &[&str]) -> Purpose {
    match operands(arguments, &["--proxy", "--cache-dir", "--timeout", "--retries", "--trusted-host"]).first() {
        Some(&("config" | "cache")) => Purpose::Configuration,
        Some(&("list" | "freeze" | "check" | "show" | "--version" | "debug" | "index")) | None => Purpose::Check,
        _ => Purpose::LanguagePackages(Python),
    }
}

fn python(command: &RunCommand, arguments: &[&str]) -> Purpose {
    let options = arguments
        .iter()
        .take_while(|word| word.starts_with('-') && word.len() > 1 && !matches!(**word, "-m" | "-c"))
        .count();
    match &arguments[options..] {
        ["-m", "pip" | "pip3", rest @ ..] => pip(rest),
        [
            "-m",
            "venv" | "virtualenv" | "ensurepip" | "pipenv" | "poetry" | "pdm" | "uv" | "piptools" | "easy_install",
            ..,
        ] => Purpose::LanguagePackages(Python),
        [
            "-m",
            "pytest" | "unittest" | "flake8" | "mypy" | "black" | "pylint" | "coverage" | "site" | "tox" | "nox"
            | "doctest",
            ..,
        ] => Purpose::Check,
        ["-c", code, ..] if only_imports(code) => Purpose::Check,
        [script, "install" | "develop" | "egg_info", ..] if script.ends_with("setup.py") => {
            Purpose::LanguagePackages(Python)
        }
        [script, "test", ..] if script.ends_with("setup.py") || script.ends_with("manage.py") => Purpose::Check,
        [script, ..]
            if script.ends_with("get-pip.py")
                || script.ends_with("get-poetry.py")
                || script.ends_with("ez_setup.py")
                || script.contains("install-poetry") =>
        {
            Purpose::LanguagePackages(Python)
        }
        // `curl … | python3 -` installs an installer
        ["-", ..] | [] if command.piped => Purpose::LanguagePackages(Python),
        [] | ["-"] if options > 0 => Purpose::Check,
        [] => Purpose::Harmless,
        _ => Purpose::Build(Python),
    }
}

/// Whether a program on the command line only imports and prints.
fn only_imports(code: &str) -> bool {
    code.split([';', '\n']).map(str::trim).all(|part| {
        part.is_empty() || ["import ", "from ", "print", "assert "].iter().any(|word| part.starts_with(word))
    })
}

fn node(name: &str, first: Option<&str>, arguments: &[&str]) -> Purpose {
    let script = |script: Option<&str>| match script {
        Some(script) if is_check(script) => Purpose::Check,
        _ => Purpose::Build(Node),
    };
    match (name, first) {
        (_, Some("run" | "run-script" | "exec" | "x" | "dlx" | "workspace" | "workspaces" | "rebuild")) => {
            script(operands(arguments, &[]).get(1).copied())
        }
        (
            _,
            Some(
                "test" | "t" | "audit" | "ls" | "list" | "outdated" | "view" | "whoami" | "doctor" | "why" | "bin"
                | "root",
            ),
        ) => Purpose::Check,
        (_, Some("config" | "set" | "login" | "c" | "get" | "adduser" | "policies")) => Purpose::Configuration,
        ("npm" | "cnpm", Some("cache")) | (_, Some("cache" | "autoclean" | "store")) => Purpose::Cleanup,
        ("npm" | "pnpm" | "cnpm", Some("start" | "build" | "pack" | "publish")) => Purpose::Build(Node),
        ("yarn" | "bun" | "yarnpkg", Some(other)) if !YARN.contains(&other) => script(Some(other)),
        _ => Purpose::LanguagePackages(Node),
    }
}

/// Words of yarn and bun that are no names of scripts.
const YARN: &[&str] = &[
    "install",
    "add",
    "i",
    "global",
    "remove",
    "upgrade",
    "link",
    "create",
    "plugin",
    "dedupe",
    "import",
    "update",
    "unlink",
    "init",
    "ci",
    "upgrade-interactive",
    "pm",
    "fetch",
];

/// Whether a script of a manifest checks the project.
fn is_check(script: &str) -> bool {
    ["test", "lint", "check", "typecheck", "type-check", "coverage", "e2e", "audit", "format"]
        .iter()
        .any(|word| script == *word || script.strip_prefix(word).is_some_and(|rest| rest.starts_with([':', '-'])))
}
