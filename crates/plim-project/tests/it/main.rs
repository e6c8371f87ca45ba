//! Projects of every layout, from folder to Dockerfile.

mod ambiguity;
mod carried;
mod carried_node;
mod carried_rust;
mod compose;
mod corpus;
mod entry;
mod ignore;
mod layouts;
mod places;
mod rust;
mod samples;

use camino::{Utf8Path, Utf8PathBuf};
use plim_project::{Choices, DetectError, Project, Rewrite, RewriteOptions, detect, rewrite};

/// A project folder that lasts as long as the value.
#[derive(Debug)]
pub struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    /// Makes a folder with files: path and content.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self { dir: tempfile::tempdir().expect("a temporary folder can be made") };
        for (path, content) in files {
            let path = folder.root().join(path);
            let parent = path.parent().expect("the path is below the root");
            std::fs::create_dir_all(parent).expect("the folder can be made");
            std::fs::write(&path, content).expect("the file can be written");
        }
        folder
    }

    /// Returns the folder.
    pub fn root(&self) -> Utf8PathBuf {
        // a fixed last part, because the name of the folder may be the name of the project
        Utf8Path::from_path(self.dir.path()).expect("temporary folders have plain names").join("shop")
    }

    /// Reads the project.
    pub fn detect(&self) -> Result<Project, DetectError> {
        self.detect_with(&Choices::default())
    }

    /// Reads the project with choices of the user.
    pub fn detect_with(&self, choices: &Choices) -> Result<Project, DetectError> {
        detect(&self.root(), choices)
    }

    /// Rewrites a project that can be.
    pub fn rewrite(&self) -> Rewrite {
        let project = self.detect().unwrap_or_else(|error| panic!("{error}"));
        rewrite(&project, &project.stacks[0], &RewriteOptions::default()).expect("the template fits")
    }
}

/// Returns what the user sees of a rewrite: the notes and the Dockerfile.
pub fn shown(rewrite: &Rewrite) -> String {
    let notes = rewrite.notes.iter().map(|note| format!("note: {note}"));
    notes.chain([rewrite.dockerfile.clone()]).collect::<Vec<_>>().join("\n")
}

/// Returns what was found, one line each.
pub fn findings(project: &Project) -> String {
    let found = project.stacks[0].found.iter();
    found.map(|finding| format!("{} <- {}", finding.what, finding.why)).collect::<Vec<_>>().join("\n")
}

/// A FastAPI application.
pub const FASTAPI: &str = "\
from fastapi import FastAPI

app = FastAPI()


@app.get(\"/healthz\")
def healthz():
    return {\"ok\": True}
";
