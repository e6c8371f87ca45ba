//! Images that start with a script of the project.

use insta::assert_snapshot;

use crate::{FASTAPI, Folder, findings, shown};

fn project(script: &str, start: &str) -> Folder {
    Folder::with(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("app/__init__.py", ""),
        ("app/main.py", FASTAPI),
        ("docker/start.sh", script),
        ("Dockerfile", &format!("FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nEXPOSE 8000\n{start}\n")),
    ])
}

#[test]
fn a_script_keeps_its_shell_and_its_programs() {
    let script = "#!/bin/sh\nset -e\nuntil pg_isready -h \"$DB\"; do sleep 1; done\npython -m app.migrate\nexec uvicorn app.main:app --host 0.0.0.0 --port 8000\n";
    let folder = project(script, "ENTRYPOINT [\"./docker/start.sh\"]");
    assert_snapshot!("entry_script", shown(&folder.rewrite()));
    assert_snapshot!("entry_script_found", findings(&folder.detect().unwrap()));
}

#[test]
fn a_script_that_only_drops_root_is_left_out() {
    let script = "#!/bin/sh\nchown -R app /data\nexec gosu app \"$@\"\n";
    let folder = project(
        script,
        "ENTRYPOINT [\"sh\", \"docker/start.sh\"]\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]",
    );
    let project = folder.detect().unwrap();
    assert_eq!(project.stacks[0].start, ["python3", "-m", "uvicorn", "app.main:app", "--port", "8000"]);
    assert!(findings(&project).contains("docker/start.sh is left out"), "{}", findings(&project));
    assert!(project.stacks[0].system.is_empty());
}

#[test]
fn a_script_that_needs_root_is_noted() {
    let script = "#!/bin/bash\nchown app /data\npython -m app.migrate\nexec \"$@\"\n";
    let folder =
        project(script, "ENTRYPOINT [\"docker/start.sh\"]\nCMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]");
    let rewrite = folder.rewrite();
    assert!(rewrite.notes.iter().any(|note| note.contains("chown, which only root may")), "{:?}", rewrite.notes);
    assert!(
        rewrite.dockerfile.contains("ENTRYPOINT [\"/bin/bash\", \"/app/docker/start.sh\"]"),
        "{}",
        rewrite.dockerfile
    );
    assert!(
        rewrite.dockerfile.contains("CMD [\"uvicorn\", \"app.main:app\", \"--port\", \"8000\"]"),
        "{}",
        rewrite.dockerfile
    );
}

#[test]
fn a_list_of_commands_keeps_its_shell() {
    let folder = project(
        "",
        "CMD [\"sh\", \"-c\", \"poetry run alembic upgrade head && poetry run uvicorn app.main:app --port 8001\"]",
    );
    let project = folder.detect().unwrap();
    let stack = &project.stacks[0];
    let list = "poetry run alembic upgrade head && exec poetry run uvicorn app.main:app --port 8001";
    assert_eq!(stack.start, ["/bin/sh", "-c", list]);
    assert_eq!((stack.port, stack.system.as_slice()), (Some(8001), &["dash".to_owned()][..]));
    let dockerfile = folder.rewrite().dockerfile;
    assert!(dockerfile.contains("> /deps/bin/poetry && "), "{dockerfile}");
    assert!(dockerfile.contains(&format!("ENTRYPOINT [\"/bin/sh\", \"-c\", \"{list}\"]")), "{dockerfile}");
}

#[test]
fn the_shell_of_a_list_reads_the_port_itself() {
    let folder = project("", "CMD alembic upgrade head && uvicorn app.main:app --reload --port $PORT");
    let project = folder.detect().unwrap();
    let stack = &project.stacks[0];
    assert_eq!(stack.start[2], "alembic upgrade head && exec uvicorn app.main:app --reload --port $PORT");
    assert_eq!((stack.entrypoint, stack.port), (3, Some(8080)));
    assert!(stack.env.contains(&("PORT".to_owned(), "8080".to_owned())), "{:?}", stack.env);
    let found = crate::findings(&project);
    assert!(found.contains("$PORT in the start command is 8080, unless a container is told another"), "{found}");
    assert!(!found.contains("because no shell reads it") && !found.contains("is left out"), "{found}");
}

#[test]
fn the_port_of_a_script_is_that_of_the_server_in_it() {
    let folder = project("#!/bin/sh\nexec uvicorn app.main:app --port ${PORT:-8002}\n", "CMD [\"docker/start.sh\"]");
    assert_eq!(folder.detect().unwrap().stacks[0].port, Some(8002));
}
