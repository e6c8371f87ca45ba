//! Trees for the reports.

use plim_engine::analyze::TreeNode;

use super::MB;

/// A directory that weighs what is in it.
pub(super) fn dir(name: &str, layer: usize, owner: Option<&str>, children: Vec<TreeNode>) -> TreeNode {
    TreeNode {
        name: name.to_owned(),
        bytes: children.iter().map(|child| child.bytes).sum(),
        files: children.iter().map(|child| child.files).sum(),
        directory: true,
        layer,
        owner: owner.map(str::to_owned),
        children,
    }
}

/// A file.
pub(super) fn file(name: &str, bytes: u64, layer: usize, owner: Option<&str>) -> TreeNode {
    TreeNode {
        name: name.to_owned(),
        bytes,
        files: 1,
        directory: false,
        layer,
        owner: owner.map(str::to_owned),
        children: Vec::new(),
    }
}

/// The tree of the ordinary image.
pub(super) fn tree(llvm: &str) -> TreeNode {
    let numpy = Some("numpy");
    let lib = dir(
        "lib",
        5,
        Some("libllvm19"),
        vec![
            file(llvm.rsplit('/').next().unwrap(), 121 * MB, 5, Some("libllvm19")),
            file("libpython3.13.so.1.0", 9 * MB, 3, Some("libpython3.13")),
            file("libc.so.6", 2 * MB, 1, Some("libc6")),
            TreeNode {
                name: String::new(),
                ..dir("", 5, None, vec![file("x", 31 * MB, 5, None), file("y", 8 * MB, 1, None)])
            },
        ],
    );
    let usr = dir(
        "usr",
        5,
        Some("libllvm19"),
        vec![
            lib,
            dir(
                "local",
                6,
                numpy,
                vec![dir(
                    "site-packages",
                    6,
                    numpy,
                    vec![
                        dir(
                            "numpy",
                            6,
                            numpy,
                            vec![file("_core.so", 24 * MB, 6, numpy), file("_fft.so", 3 * MB, 6, numpy)],
                        ),
                        dir("django", 6, Some("Django"), vec![file("forms.py", 8 * MB, 6, Some("Django"))]),
                    ],
                )],
            ),
            dir("libexec", 5, Some("gcc-14"), vec![file("cc1plus", 38 * MB, 5, Some("gcc-14"))]),
            dir("bin", 1, Some("bash"), vec![file("bash", 2 * MB, 1, Some("bash"))]),
        ],
    );
    let app = dir(
        "app",
        7,
        None,
        vec![dir("static", 7, None, vec![file("logo.png", 12 * MB, 7, None)]), file("data.bin", 90 * MB, 7, None)],
    );
    let root = dir("root", 6, None, vec![file("pip", 61 * MB, 6, None)]);
    let var = dir("var", 1, None, vec![file("status", 3 * MB, 5, None)]);
    dir("/", 5, None, vec![usr, app, root, var])
}
