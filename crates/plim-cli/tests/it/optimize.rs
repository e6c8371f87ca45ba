//! `plim optimize`: what it says when it cannot. What it does is for the end-to-end script.

use crate::env::TestEnv;

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    let env = TestEnv::new();
    env.check("optimize_empty", &env.plim(["optimize", "."]).fails(1));
    assert!(!env.work().join(".plim").exists(), "nothing is written for no project");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    env.check("optimize_missing", &env.plim(["optimize", "nowhere"]).fails(2));
}

#[test]
fn two_projects_are_ambiguous() {
    let env = TestEnv::new();
    for name in ["shop", "blog"] {
        env.write(&format!("services/{name}/requirements.txt"), "flask==3.0.0\n");
        env.write(&format!("services/{name}/app.py"), "from flask import Flask\napp = Flask(__name__)\n");
    }
    env.check("optimize_two_projects", &env.plim(["optimize", "."]).fails(1));
}

#[test]
fn two_start_commands_are_ambiguous() {
    let env = TestEnv::new();
    env.write("requirements.txt", "flask==3.0.0\n");
    for name in ["app.py", "main.py"] {
        env.write(
            name,
            "from flask import Flask\napp = Flask(__name__)\nif __name__ == \"__main__\":\n    app.run()\n",
        );
    }
    env.check("optimize_ambiguous", &env.plim(["optimize", "."]).fails(1));
}

#[test]
fn a_start_command_that_needs_a_shell_is_refused() {
    let env = TestEnv::new();
    env.write("requirements.txt", "flask==3.0.0\n");
    env.write("app.py", "print('hello')\n");
    let start = "python -m app > log && echo done";
    env.check("optimize_shell", &env.plim(["optimize", "--start", start, "."]).fails(2));
}

#[test]
fn an_unknown_stack_is_named() {
    let env = TestEnv::new();
    env.write("requirements.txt", "flask==3.0.0\n");
    env.check("optimize_stack", &env.plim(["optimize", "--stack", "cobol", "."]).fails(2));
}

#[test]
fn a_dockerfile_that_does_not_build_shows_why() {
    let env = TestEnv::new();
    env.write("requirements.txt", "flask==3.0.0\n");
    env.write("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    env.write(
        "Dockerfile",
        "FROM scratch\nCOPY app.py requirments.txt /app/\nCMD [\"python\", \"/app/app.py\"]\nEXPOSE 8000\n",
    );
    let output = env.plim(["optimize", "."]).fails(1);
    assert!(output.stderr.contains("requirments.txt is not in the build context"), "{output}");
    assert!(output.stderr.contains("did you mean `requirements.txt`?"), "{output}");
}

#[test]
fn several_dockerfiles_are_ambiguous() {
    let env = TestEnv::new();
    env.write("requirements.txt", "flask==3.0.0\n");
    env.write("app.py", "from flask import Flask\napp = Flask(__name__)\n");
    for name in ["docker/alpine.Dockerfile", "docker/debian.Dockerfile"] {
        env.write(name, "FROM python:3.13\nCOPY . .\n");
    }
    env.check("optimize_two_dockerfiles", &env.plim(["optimize", "."]).fails(1));
    env.check(
        "optimize_no_stage",
        &env.plim(["optimize", "-f", "docker/alpine.Dockerfile", "--target", "web", "."]).fails(1),
    );
}

#[test]
fn a_project_below_a_dockerfile_writes_to_the_folder_that_was_given() {
    let env = TestEnv::new();
    env.write("app/requirements.txt", "flask==3.0.0\n");
    env.write("app/app.py", "from flask import Flask\napp = Flask(__name__)\n");
    env.write(
        "Dockerfile",
        "FROM scratch\nWORKDIR /srv\nCOPY app/app.py ap/ ./\nEXPOSE 8000\nCMD [\"python\", \"app.py\"]\n",
    );
    let output = env.plim(["optimize", "."]).fails(1);
    assert!(output.stderr.contains("project folder app (Dockerfile is about it)"), "{output}");
    assert!(output.stderr.contains("--no-before"), "{output}");
    let written = std::fs::read_to_string(env.work().join(".plim/Dockerfile")).unwrap();
    assert!(written.contains("COPY app/requirements.txt ./"), "{written}");
    assert!(!env.work().join("app/.plim").exists());
}
