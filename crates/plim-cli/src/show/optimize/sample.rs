//! A report for tests.

use plim_engine::Tool;
use plim_engine::optimize::{
    Behaviour, Depth, OptimizeReport, Outputs, Probe, ProjectSummary, Proof, Saving, Side, Timings,
};

fn side(size: u64, files: u64, packages: usize, rebuild: f64) -> Side {
    Side {
        digest: format!("sha256:{size:064x}").parse().unwrap(),
        size_bytes: size,
        compressed_bytes: size / 3,
        download_seconds: size as f64 / 3e8,
        layers: 9,
        files,
        packages,
        packages_debian: packages - 12,
        packages_python: 12,
        packages_node: 0,
        user: "65532".to_owned(),
        shell: None,
        package_manager: None,
        build_seconds: 12.0,
        rebuild_seconds: Some(rebuild),
    }
}

/// A Python service that became small.
pub(crate) fn report() -> OptimizeReport {
    let saving = |bytes: u64, what: &str, step: &str| Saving { bytes, what: what.to_owned(), step: step.to_owned() };
    let behaviour = |stopped| Behaviour { user: "65532".to_owned(), start_ms: 412, stop_ms: 38, stopped };
    OptimizeReport {
        schema: 1,
        tool: Tool::this(),
        command: "optimize".to_owned(),
        subject: "shop".to_owned(),
        project: ProjectSummary {
            stack: "python".to_owned(),
            version: "3.13".to_owned(),
            start: vec!["python3".to_owned()],
            port: Some(8000),
            health: None,
            dockerfile: None,
            found: Vec::new(),
        },
        before: Some(Side {
            user: "root".to_owned(),
            shell: Some("/bin/sh".to_owned()),
            package_manager: Some("/usr/bin/apt".to_owned()),
            ..side(1_210_000_000, 41_200, 612, 97.0)
        }),
        after: side(148_000_000, 3_912, 71, 4.2),
        saved: (0..8).map(|number| saving((9 - number) * 60_000_000, "compilers | headers", "multi-stage")).collect(),
        proof: Proof {
            passed: true,
            depth: Depth::Http,
            port: 8000,
            probes: vec![Probe {
                path: "/items?a=1|2".to_owned(),
                before: Some(200),
                after: 200,
                same: true,
                volatile: false,
            }],
            before: Some(behaviour(false)),
            after: Some(behaviour(true)),
            read_only_root: true,
            not_enforced: Vec::new(),
            failures: Vec::new(),
        },
        notes: vec!["runs as 65532: <files> that it writes must belong to that user".to_owned()],
        explain: Vec::new(),
        already_optimal: false,
        facts: Vec::new(),
        outputs: Outputs {
            dockerfile: ".plim/Dockerfile".to_owned(),
            dockerignore: ".plim/.dockerignore".to_owned(),
            report: ".plim/report.json".to_owned(),
            image: ".plim/image".to_owned(),
            name: "shop:plim".to_owned(),
            written: Vec::new(),
        },
        timings: Timings { total: 41.0, before: Vec::new(), after: Vec::new() },
    }
}
