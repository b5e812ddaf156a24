//! `dohost types`: what it writes, TypeScript's compiler takes, and finds mistakes by it.

use std::path::Path;
use std::process::Command;

use crate::host::{Setup, dohost, run};

/// The project of `tests/types`, copied.
fn project() -> Setup {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/types");
    let setup = Setup::new();
    std::fs::create_dir(setup.directory().join("src")).expect("a directory");
    for file in ["dohost.toml", "tsconfig.json", "src/index.ts", "src/room.ts", "src/old.ts", "src/notes.txt"] {
        std::fs::copy(source.join(file), setup.directory().join(file)).expect("the project has it");
    }
    let config = setup.directory().join("dohost.toml");
    let written = dohost(["types".as_ref(), "--config".as_ref(), config.as_os_str()]);
    assert!(written.status.success(), "{written:#?}");
    setup
}

#[test]
fn bindings_variables_and_secrets_have_their_types() {
    let setup = project();
    let text = std::fs::read_to_string(setup.directory().join("worker-configuration.d.ts")).expect("it was written");
    let env = text.split_once("interface Env {\n").and_then(|(_, rest)| rest.split_once("}\n")).expect("it has Env").0;
    let expected = r#"  COUNTER: DurableObjectNamespace<import("./src/index").Counter>;
  GREETING: string;
  OLD: DurableObjectNamespace<import("./src/old").Old>;
  ROOM: DurableObjectNamespace<import("./src/room").ChatRoom>;
  TOKEN: string;
  "with-dash": string;
"#;
    assert_eq!(env, expected);
}

#[test]
#[ignore = "takes TypeScript's compiler: cargo xtask types"]
fn the_declarations_fit_a_project_and_find_its_mistakes() {
    let compiler = std::env::var_os("DOHOST_TSC").expect("DOHOST_TSC names the compiler: cargo xtask types");
    let setup = project();
    let check = || {
        let mut command = Command::new(&compiler);
        command.arg("--project").arg(setup.directory());
        run(command)
    };
    // Mistakes that it expects and that are none are errors too.
    let checked = check();
    assert!(checked.status.success() && checked.stdout.is_empty(), "{checked:#?}");
    setup.file("src/mistake.ts", "export const mistake = (env: Env) => env.COUNTER.getByName(1);\n");
    let checked = check();
    assert!(!checked.status.success() && checked.stdout.contains("src/mistake.ts"), "{checked:#?}");
}
