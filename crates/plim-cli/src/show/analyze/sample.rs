//! Reports for tests: an ordinary image, a small one, a hostile one and a large one.

use plim_engine::Tool;
use plim_engine::analyze::{
    AnalyzeReport, Assumptions, Base, BaseEvidence, Cost, Dive, LayerRow, OwnerRow, PackageRow, Sized, TreeNode,
    WasteKind, WasteRow, WastedRow, Weight,
};

use self::tree::{dir, file, tree};

mod tree;

/// A million bytes.
const MB: u64 = 1_000_000;

fn digest_of(number: usize) -> String {
    format!("sha256:{number:064x}")
}

fn layer(number: usize, size: u64, compressed: u64, files: u64, created_by: &str) -> LayerRow {
    LayerRow {
        diff_id: digest_of(number).parse().unwrap(),
        size_bytes: size,
        compressed_bytes: compressed,
        compression: "gzip".to_owned(),
        files,
        created_by: Some(created_by.to_owned()),
    }
}

fn sized(name: &str, bytes: u64) -> Sized {
    Sized { name: name.to_owned(), bytes }
}

fn waste(kind: WasteKind, what: &str, bytes: u64, layer: usize, paths: &[(&str, u64)], hint: &str) -> WasteRow {
    WasteRow {
        kind,
        what: what.to_owned(),
        weight: Weight { bytes, compressed_bytes: bytes / 3 },
        files: paths.len() as u64,
        layer,
        hidden_by: None,
        created_by: None,
        line: None,
        paths: paths.iter().map(|(name, bytes)| sized(name, *bytes)).collect(),
        hint: hint.to_owned(),
    }
}

/// An image of one layer without packages.
pub(crate) fn small() -> AnalyzeReport {
    AnalyzeReport {
        schema: 1,
        tool: Tool::this(),
        command: "analyze".to_owned(),
        subject: "oci:out".to_owned(),
        digest: digest_of(0xabc).parse().unwrap(),
        platform: "linux/arm64".to_owned(),
        size_bytes: 4 * MB,
        compressed_bytes: 2 * MB,
        files: 1,
        hidden_bytes: 0,
        reclaimable: Weight::default(),
        base: None,
        dive: Dive { efficiency: 1.0, wasted_bytes: 0, user_wasted: None, wasted: Vec::new() },
        user: "65532".to_owned(),
        shells: Vec::new(),
        package_managers: Vec::new(),
        layers: vec![layer(1, 4 * MB, 2 * MB, 1, "COPY server / # buildkit")],
        waste: Vec::new(),
        owners: vec![OwnerRow { name: "(no package)".to_owned(), kind: None, bytes: 4 * MB, files: 1 }],
        largest: vec![sized("/server", 4 * MB)],
        packages: Vec::new(),
        tree: dir("/", 1, None, vec![file("server", 4 * MB, 1, None)]),
        cost: Cost {
            pull_seconds: 0.02,
            unpack_seconds: 0.02,
            new_bytes_per_build: 2 * MB,
            registry_bytes_per_day: 100 * MB,
            scale_out_bytes: 20 * MB,
            ..Cost::default()
        },
    }
}

/// A Python service on a Debian base, with the usual waste.
pub(crate) fn rich() -> AnalyzeReport {
    let llvm = "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1";
    AnalyzeReport {
        subject: "shop:1".to_owned(),
        platform: "linux/amd64".to_owned(),
        size_bytes: 1_042 * MB,
        compressed_bytes: 371 * MB,
        files: 31_204,
        hidden_bytes: 186 * MB,
        reclaimable: Weight { bytes: 512 * MB, compressed_bytes: 168 * MB },
        base: Some(Base {
            name: Some("docker.io/library/python:3.13-slim".to_owned()),
            digest: Some(digest_of(0xba5e)),
            layers: 3,
            size_bytes: 128 * MB,
            compressed_bytes: 46 * MB,
            evidence: BaseEvidence::KnownImage,
        }),
        dive: Dive {
            efficiency: 0.912_34,
            wasted_bytes: 33 * MB,
            user_wasted: Some(0.036_1),
            wasted: vec![WastedRow { path: "/var/lib/dpkg/status".to_owned(), count: 3, bytes: 2 * MB }],
        },
        user: "root".to_owned(),
        shells: vec!["/usr/bin/dash".to_owned(), "/usr/bin/bash".to_owned()],
        package_managers: vec!["/usr/bin/apt".to_owned()],
        layers: vec![
            layer(
                1,
                81 * MB,
                29 * MB,
                2_871,
                "/bin/sh -c #(nop) ADD file:9d282119af0c42bc823c95b4192a3350cf2cad670622017356dd2e637762e425 in / ",
            ),
            layer(
                2,
                9 * MB,
                4 * MB,
                512,
                "RUN /bin/sh -c set -eux; apt-get update; apt-get install -y --no-install-recommends ca-certificates netbase tzdata ; rm -rf /var/lib/apt/lists/* # buildkit",
            ),
            layer(
                3,
                38 * MB,
                13 * MB,
                1_644,
                "RUN /bin/sh -c set -eux; savedAptMark=\"$(apt-mark showmanual)\"; wget -O python.tar.xz # buildkit",
            ),
            layer(4, 2_048, 310, 0, "WORKDIR /app"),
            layer(
                5,
                612 * MB,
                205 * MB,
                18_902,
                "RUN |1 VERSION=1 /bin/sh -c apt-get update && apt-get install -y build-essential git clang # buildkit",
            ),
            layer(
                6,
                114 * MB,
                58 * MB,
                6_120,
                "RUN |1 VERSION=1 /bin/sh -c pip install -r requirements.txt # buildkit",
            ),
            layer(7, 188 * MB, 62 * MB, 1_155, "COPY . /app # buildkit"),
        ],
        waste: vec![
            WasteRow {
                hidden_by: Some(7),
                line: Some("Dockerfile:6".to_owned()),
                created_by: Some("RUN apt-get install".to_owned()),
                ..waste(
                    WasteKind::Deleted,
                    "/opt/toolchain and 1,204 files below",
                    186 * MB,
                    5,
                    &[("/opt/toolchain/lib/libclang.a", 98 * MB)],
                    "delete files in the instruction that makes them, or make them in a build stage",
                )
            },
            waste(
                WasteKind::BuildTool,
                "gcc-14 and 31 other packages",
                171 * MB,
                5,
                &[(llvm, 121 * MB)],
                "compile in a build stage and copy what is needed",
            ),
            waste(
                WasteKind::Leftover,
                "pip's cache",
                61 * MB,
                6,
                &[("/root/.cache/pip/http-v2/0/1/2/3", 30 * MB)],
                "RUN --mount=type=cache,target=/root/.cache/pip",
            ),
            waste(
                WasteKind::Debug,
                "debugging sections of 212 programs and libraries",
                44 * MB,
                6,
                &[],
                "strip --strip-unneeded in the build stage",
            ),
            waste(
                WasteKind::Droppable,
                "documentation",
                31 * MB,
                5,
                &[("/usr/share/doc/gcc/changelog.gz", MB)],
                "apt-get install with path-exclude, or plim optimize",
            ),
            waste(
                WasteKind::Duplicate,
                "/app/static/logo.png, twice",
                12 * MB,
                7,
                &[("/app/static/logo.png", 6 * MB)],
                "keep one and link to it",
            ),
            waste(
                WasteKind::Setuid,
                "/usr/bin/su and 7 other programs",
                0,
                1,
                &[("/usr/bin/su", 84_360)],
                "chmod a-s what nobody needs",
            ),
            WasteRow {
                hidden_by: Some(7),
                ..waste(
                    WasteKind::HiddenSecret,
                    "/root/.netrc looks like a password",
                    0,
                    6,
                    &[("/root/.netrc", 91)],
                    "take it from RUN --mount=type=secret; and change the password",
                )
            },
        ],
        owners: vec![
            OwnerRow { name: "(no package)".to_owned(), kind: None, bytes: 318 * MB, files: 9_812 },
            OwnerRow { name: "libllvm19".to_owned(), kind: Some("deb".to_owned()), bytes: 128 * MB, files: 4 },
            OwnerRow { name: "gcc-14".to_owned(), kind: Some("deb".to_owned()), bytes: 71 * MB, files: 92 },
            OwnerRow { name: "numpy".to_owned(), kind: Some("python".to_owned()), bytes: 49 * MB, files: 1_204 },
            OwnerRow {
                name: "libpython3.13-stdlib".to_owned(),
                kind: Some("deb".to_owned()),
                bytes: 21 * MB,
                files: 612,
            },
        ],
        largest: vec![
            sized(llvm, 121 * MB),
            sized("/usr/libexec/gcc/x86_64-linux-gnu/14/cc1plus", 38 * MB),
            sized(
                "/usr/local/lib/python3.13/site-packages/numpy.libs/libscipy_openblas64_-99b71e71-very-long-name-with-a-build-number-20260101.so",
                25 * MB,
            ),
            sized("/app/static/logo.png", 6 * MB),
        ],
        packages: (0..14).map(|number| package("deb", &format!("libexample{number}"), (14 - number) * MB)).collect(),
        tree: tree(llvm),
        cost: Cost {
            assumptions: Assumptions { reused_layers: 3, ..Assumptions::default() },
            pull_seconds: 3.71,
            unpack_seconds: 5.21,
            new_bytes_per_build: 325 * MB,
            registry_bytes_per_day: 16_250 * MB,
            scale_out_bytes: 3_710 * MB,
        },
        ..small()
    }
}

fn package(kind: &str, name: &str, bytes: u64) -> PackageRow {
    PackageRow {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: "1:2.41-12+deb13u1".to_owned(),
        architecture: Some("amd64".to_owned()),
        bytes,
        layer: 5,
        location: "/var/lib/dpkg/status".to_owned(),
    }
}

/// An image of somebody who means harm: names that are markup, control characters, far too long, or read from right to left.
pub(crate) fn hostile() -> AnalyzeReport {
    let names = [
        "</script><script>alert(1)</script>".to_owned(),
        "\u{1b}[2J\u{1b}]0;title\u{7}\r\nnext line".to_owned(),
        format!("/{}", "very-long-directory/".repeat(60)),
        "/srv/\u{202e}gpj.exe\u{200f}\u{5e9}\u{5dc}\u{5d5}\u{5dd}".to_owned(),
        String::from_utf8_lossy(b"/caf\xe9/\xff\xfe").into_owned(),
        "| a `b` | **c** | [d](javascript:alert(1)) \\| <img src=x onerror=alert(1)>".to_owned(),
        "'\"&lt;{{ 7 * 7 }}{% raw %}<!-- --> ]]>".to_owned(),
        "/データ/데이터/数据/".repeat(12),
        String::new(),
    ];
    let name = |number: usize| names[number % names.len()].clone();
    let mut report = rich();
    report.subject = name(0);
    report.user = name(1);
    report.platform = name(5);
    report.shells = vec![name(2)];
    report.package_managers = vec![name(6)];
    report.base.as_mut().unwrap().name = Some(name(5));
    for (number, layer) in report.layers.iter_mut().enumerate() {
        layer.created_by = Some(name(number));
    }
    for (number, row) in report.waste.iter_mut().enumerate() {
        row.what = name(number);
        row.hint = name(number + 1);
        row.line = Some(format!("{}:3", name(number + 2)));
        row.paths = (0..names.len()).map(|number| sized(&name(number), 5)).collect();
    }
    for (number, row) in report.owners.iter_mut().enumerate() {
        row.name = name(number);
        row.kind = Some(name(number + 5));
    }
    report.largest = (0..names.len()).map(|number| sized(&name(number), 7)).collect();
    for (number, row) in report.packages.iter_mut().enumerate() {
        row.kind = name(number);
        row.name = name(number + 1);
        row.version = name(number + 2);
        row.location = name(number + 3);
        row.architecture = Some(name(number + 4));
    }
    let files =
        (0..names.len()).map(|number| TreeNode { owner: Some(name(number + 1)), ..file(&name(number), 9, 99, None) });
    report.tree = dir("/", 0, None, vec![dir(&name(0), 2, None, files.collect())]);
    report.dive.efficiency = f64::NAN;
    report.dive.user_wasted = Some(f64::INFINITY);
    report.cost.pull_seconds = f64::NAN;
    report
}

/// An image of so many packages and ten times as many files, with layers to match.
pub(crate) fn large(packages: u64) -> AnalyzeReport {
    let mut report = rich();
    report.packages = (0..packages)
        .map(|number| PackageRow {
            location: format!(
                "/usr/lib/node_modules/some-package-{number}/node_modules/dependency-{number}/package.json"
            ),
            ..package("npm", &format!("@example/some-package-{number}"), (packages - number) * 1_000)
        })
        .collect();
    report.owners = (0..packages)
        .map(|number| OwnerRow {
            name: format!("@example/some-package-{number}"),
            kind: Some("npm".to_owned()),
            bytes: packages - number,
            files: 3,
        })
        .collect();
    let dirs = (0..packages).map(|number| {
        let files = (0..10)
            .map(|part| file(&format!("module-{part}.js"), 10 - part, 1 + (number % 7) as usize, Some("dependency")))
            .collect();
        dir(&format!("some-package-{number}"), 1, Some("dependency"), files)
    });
    report.tree = dir("/", 1, None, vec![dir("node_modules", 1, None, dirs.collect())]);
    report.layers = (0..120).map(|number| layer(number, 9 * MB, 3 * MB, 10, &"RUN make ".repeat(200))).collect();
    report
}
