//! Programs that packages bring, and packages that are more than portable code.

/// A program of a package, for package managers whose lock does not say where it is.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    pub(super) file: &'static str,
}

const fn program(name: &'static str, package: &'static str, file: &'static str) -> Program {
    Program { name, package, file }
}

/// Programs that servers are started with.
const PROGRAMS: &[Program] = &[
    program("astro", "astro", "astro.js"),
    program("babel-node", "@babel/node", "bin/babel-node.js"),
    program("directus", "directus", "cli.js"),
    program("fastify", "fastify-cli", "cli.js"),
    program("http-server", "http-server", "bin/http-server"),
    program("json-server", "json-server", "lib/bin.js"),
    program("medusa", "@medusajs/cli", "cli.js"),
    program("moleculer-runner", "moleculer", "bin/moleculer-runner.js"),
    program("nest", "@nestjs/cli", "bin/nest.js"),
    program("next", "next", "dist/bin/next"),
    program("nuxt", "nuxt", "bin/nuxt.mjs"),
    program("pm2", "pm2", "bin/pm2"),
    program("pm2-runtime", "pm2", "bin/pm2-runtime"),
    program("react-router-serve", "@react-router/serve", "bin.js"),
    program("remix-serve", "@remix-run/serve", "dist/cli.js"),
    program("serve", "serve", "build/main.js"),
    program("strapi", "@strapi/strapi", "bin/strapi.js"),
    program("ts-node", "ts-node", "dist/bin.js"),
    program("ts-node-dev", "ts-node-dev", "lib/bin.js"),
    program("tsx", "tsx", "dist/cli.mjs"),
    program("vite", "vite", "bin/vite.js"),
];

/// Returns the program of a name.
pub(super) fn program_of(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

/// Commands that show a front end to its developer. What they show is static files, for which any web server will do.
pub(super) fn shows_front_end(words: &[&str]) -> bool {
    matches!(
        words,
        ["vite"]
            | ["vite", "dev" | "serve" | "preview" | "--host" | "--port", ..]
            | ["react-scripts" | "react-app-rewired" | "craco", "start", ..]
            | [
                "vue-cli-service" | "ng" | "gatsby" | "webpack" | "rsbuild",
                "serve" | "develop" | "dev" | "preview",
                ..
            ]
            | ["webpack-dev-server" | "parcel" | "live-server" | "browser-sync" | "snowpack", ..]
    )
}

/// Programs that restart another one when a file changes, which no file of an image does.
pub(super) const WATCHERS: &[&str] = &["nodemon", "node-dev", "supervisor", "forever"];

/// Options of the watchers that take a value.
pub(super) const WATCHER_VALUES: &[&str] =
    &["--watch", "-w", "--ext", "-e", "--ignore", "-i", "--delay", "-d", "--config", "--signal", "-s"];

/// Programs that only make files.
pub(super) fn is_builder(words: &[&str]) -> bool {
    match words {
        [
            "tsc" | "tsup" | "webpack" | "rollup" | "babel" | "esbuild" | "ncc" | "swc" | "tsc-alias" | "copyfiles"
            | "cpx" | "cpy" | "unbuild" | "rimraf" | "shx" | "mkdirp" | "gulp" | "grunt" | "echo" | "rm" | "cp"
            | "mkdir",
            ..,
        ]
        | [
            "next" | "nest" | "vite" | "nuxt" | "nuxi" | "astro" | "strapi" | "remix" | "react-router" | "ng"
            | "react-scripts",
            "build" | "generate",
            ..,
        ]
        | ["prisma", "generate", ..]
        | ["yarn" | "pnpm", "build" | "compile" | "clean", ..] => true,
        ["npm" | "pnpm" | "yarn", "run", script, ..] => script
            .split(':')
            .next()
            .is_some_and(|first| matches!(first, "build" | "compile" | "clean" | "prebuild" | "generate")),
        _ => false,
    }
}

/// Packages whose installation compiles, or fetches something ready-made from elsewhere and compiles where that fails.
const COMPILED: &[&str] = &[
    "argon2",
    "better-sqlite3",
    "bufferutil",
    "canvas",
    "couchbase",
    "cpu-features",
    "deasync",
    "farmhash",
    "fibers",
    "grpc",
    "gl",
    "hiredis",
    "ibm_db",
    "isolated-vm",
    "iconv",
    "kerberos",
    "leveldown",
    "libpq",
    "libxmljs",
    "libxmljs2",
    "microtime",
    "node-expat",
    "node-libcurl",
    "node-pty",
    "node-rdkafka",
    "node-sass",
    "odbc",
    "oracledb",
    "pg-native",
    "re2",
    "robotjs",
    "serialport",
    "sodium-native",
    "sqlite3",
    "snappy",
    "tree-sitter",
    "usb",
    "utf-8-validate",
    "zeromq",
];

/// Whether installing a package may need a compiler.
pub(super) fn is_compiled(name: &str) -> bool {
    COMPILED.contains(&name)
}

/// Packages that load shared libraries of the system, and the Debian packages that hold those.
pub(super) fn libraries(name: &str) -> &'static [&'static str] {
    match name {
        "pg-native" | "libpq" => &["libpq5"],
        "odbc" => &["libodbc2"],
        "node-libcurl" => &["libcurl4t64"],
        "kerberos" => &["libgssapi-krb5-2"],
        "usb" => &["libudev1"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_sorted_and_found() {
        assert!(PROGRAMS.is_sorted_by_key(|program| program.name));
        assert_eq!(program_of("next").unwrap().file, "dist/bin/next");
        assert!(program_of("nothing").is_none());
    }

    #[test]
    fn what_makes_files_is_told_from_what_runs() {
        for words in [&["tsc", "-p", "."][..], &["npm", "run", "build:prod"], &["yarn", "build"], &["nest", "build"]] {
            assert!(is_builder(words), "{words:?}");
        }
        for words in [
            &["node", "dist/index.js"][..],
            &["next", "start"],
            &["npm", "run", "start"],
            &["prisma", "migrate", "deploy"],
        ] {
            assert!(!is_builder(words), "{words:?}");
        }
    }

    #[test]
    fn front_ends_are_no_servers() {
        assert!(shows_front_end(&["vite", "preview"]) && shows_front_end(&["react-scripts", "start"]));
        assert!(!shows_front_end(&["vite", "build"]) && !shows_front_end(&["next", "start"]));
    }
}
