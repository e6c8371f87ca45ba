//! A level above others, which need not be ready while its packages are unpacked.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use plim_debian::Plan;
use plim_oci::{Platform, Silent};

use crate::real::listing;
use crate::synthetic::{Mirror, recipe};

fn mirror() -> Mirror {
    let control = |name: &str| {
        // who may take over the file that three of them ship
        let replaces = match name {
            "p19" => "Replaces: p0, p7\n",
            "p7" => "Replaces: p0\n",
            _ => "",
        };
        format!("Package: {name}\nVersion: 1.0\nArchitecture: amd64\n{replaces}Description: test\n")
    };
    let many: Vec<(String, Vec<(String, String)>)> = (0..20)
        .map(|number| {
            let name = format!("p{number}");
            let mut files = vec![
                (format!("./usr/share/{name}/"), String::new()),
                (format!("./usr/share/{name}/data"), name.repeat(1000 * number)),
                (format!("./opt/{name}/own"), name.clone()),
            ];
            if [0, 7, 19].contains(&number) {
                files.push(("./etc/shared".to_owned(), name.repeat(number + 1)));
            }
            (control(&name), files)
        })
        .collect();
    let files: Vec<Vec<(&str, &str)>> = many
        .iter()
        .map(|(_, files)| files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect())
        .collect();
    let packages: Vec<(&str, &[(&str, &str)])> =
        many.iter().zip(&files).map(|((control, _), files)| (control.as_str(), files.as_slice())).collect();
    Mirror::new(&packages)
}

fn plan(mirror: &Mirror) -> Plan {
    let names: Vec<String> = (0..20).map(|number| format!("'p{number}'")).collect();
    let plan =
        mirror.archive().plan(&recipe(&names.join(", "), ""), &Platform::new("linux", "amd64"), &Silent).unwrap();
    plan.fetch(&Silent).unwrap();
    plan
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn what_stands_below_may_come_to_be_after_the_packages_are_unpacked() {
    let mirror = mirror();
    let plan = plan(&mirror);
    let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let unpacked = plan.levels()[0].unpack_packages(upper.path(), &Silent).unwrap();
    std::fs::create_dir_all(lower.path().join("usr/share/p3")).unwrap();
    std::fs::set_permissions(lower.path().join("usr/share/p3"), std::fs::Permissions::from_mode(0o711)).unwrap();
    unpacked.stand_on(&[lower.path().to_owned()], &Silent).unwrap();
    assert_eq!(mode(&upper.path().join("usr/share/p3")), 0o711, "as it is below");
    assert_eq!(mode(&upper.path().join("usr/share/p4")), 0o755, "as its package has it");
    let data = std::fs::read_to_string(upper.path().join("usr/share/p19/data")).unwrap();
    assert_eq!(data, "p19".repeat(19_000));
    assert!(upper.path().join("var/lib/dpkg/status.d/p19").is_file());
}

#[test]
fn files_follow_a_link_that_a_level_below_has_instead_of_their_directory() {
    let mirror = mirror();
    let plan = plan(&mirror);
    let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let unpacked = plan.levels()[0].unpack_packages(upper.path(), &Silent).unwrap();
    assert!(upper.path().join("opt/p5/own").is_file());
    symlink("/srv/other", lower.path().join("opt")).unwrap();
    std::fs::create_dir_all(lower.path().join("srv/other")).unwrap();
    unpacked.stand_on(&[lower.path().to_owned()], &Silent).unwrap();
    assert_eq!(std::fs::read_to_string(upper.path().join("srv/other/p5/own")).unwrap(), "p5");
    assert!(upper.path().join("opt").symlink_metadata().is_err(), "the link is seen through");
    assert!(upper.path().join("var/lib/dpkg/status.d/p19").is_file());
}

#[test]
fn the_number_of_cores_changes_nothing() {
    let mirror = mirror();
    let plan = plan(&mirror);
    let unpacked = |cores: usize| {
        let dir = tempfile::tempdir().unwrap();
        // what a thread may use is what the level takes for the machine's
        let unpack = || {
            let all = rustix::thread::sched_getaffinity(None).unwrap();
            let mut some = rustix::thread::CpuSet::new();
            (0..rustix::thread::CpuSet::MAX_CPU)
                .filter(|cpu| all.is_set(*cpu))
                .take(cores)
                .for_each(|cpu| some.set(cpu));
            rustix::thread::sched_setaffinity(None, &some).unwrap();
            let level = &plan.levels()[0];
            level.unpack(dir.path(), &[], &Silent).unwrap();
            level.finish(dir.path()).unwrap();
        };
        std::thread::scope(|scope| scope.spawn(unpack).join().unwrap());
        listing(dir.path())
    };
    let one = unpacked(1);
    assert!(one.contains("usr/share/p19/data") && one.contains("etc/shared"), "{one}");
    for _ in 0..5 {
        assert_eq!(unpacked(8), one);
    }
}
