//! What people and programs see of diagnostics.

mod render;
mod sarif_schema;

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity, Subject};

/// The file that the sample diagnostics point into.
pub const SOURCE: &str = "FROM debian:trixie\n# größe 🦀\nCOPY . .\nRUN npm install\nCMD node server.js\n";

/// The rules of the sample.
pub const RULES: &[Rule] = &[
    Rule {
        id: "cache-order",
        group: "dockerfile",
        severity: Severity::Warning,
        summary: "dependencies are installed after all sources were copied",
        docs: "## What it does\n\nFinds installs behind `COPY . .`.\n",
    },
    Rule {
        id: "shell-form",
        group: "dockerfile",
        severity: Severity::Info,
        summary: "the start command runs under a shell",
        docs: "Signals do not reach the program.\n",
    },
    Rule {
        id: "secret-in-layer",
        group: "secret",
        severity: Severity::Error,
        summary: "a private key is in a layer",
        docs: "Whoever pulls the image can read it.\n",
    },
];

/// One diagnostic of each shape: with labels and a fix, with help, about a file in an image, about a file without text.
pub fn sample() -> Vec<Diagnostic> {
    let at = |text: &str| SOURCE.find(text).expect("the sample holds it");
    let copy = at("COPY . .");
    let run = at("RUN npm install");
    let cmd = at("CMD node");
    vec![
        Diagnostic::new(&RULES[0], Subject::file("Dockerfile"), "dependencies are reinstalled on every source change")
            .primary(run..run + 15, "cache miss whenever any file of the context changes")
            .secondary(copy..copy + 8, "copies all sources first")
            .with_fix(Fix::safe(
                "copy the manifests before installing",
                vec![
                    Edit::replace(copy..copy + 8, "COPY package.json package-lock.json ./"),
                    Edit::replace(run..run + 15, "RUN npm ci\nCOPY . ."),
                ],
            )),
        Diagnostic::new(&RULES[1], Subject::file("Dockerfile"), "the start command runs under a shell")
            .primary(cmd..cmd + 18, "")
            .with_help("write it as a JSON array")
            .with_fix(Fix::unsafe_(
                "use the exec form",
                vec![Edit::replace(cmd..cmd + 18, "CMD [\"node\", \"server.js\"]")],
            )),
        Diagnostic::new(
            &RULES[2],
            Subject::image_file("shop:latest", "/app/id_rsa", Some("sha256:00ff".to_owned())),
            "private key in the image",
        )
        .with_prop("bytes", 1675),
        Diagnostic::new(&RULES[0], Subject::file("other/Dockerfile"), "cannot be\u{1b}[31mcached\nat all")
            .primary(3..9, ""),
    ]
}
