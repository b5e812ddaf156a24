//! Errors at the start: each says what is wrong, and most what to do about it.

use std::path::Path;

use redb::{Database, TableDefinition};

use crate::host::{Ended, Setup, dohost, guest, run};

/// Serves a file of this content, under a name that a class can have.
fn serve_file(content: impl AsRef<[u8]>) -> Ended {
    let setup = Setup::new();
    let file = setup.file("given.wasm", content);
    setup.with([file]).fail()
}

#[test]
fn no_arguments_say_what_could_be_served() {
    Setup::new().fail().says(&["error: there is nothing to serve", "help: dohost serve counter.wasm"]);
}

#[test]
fn a_missing_file_is_named() {
    Setup::new().with(["missing.wasm"]).fail().says(&["error: cannot read missing.wasm: No such file or directory"]);
}

#[test]
fn a_directory_is_no_component() {
    Setup::new().with(["/tmp"]).fail().says(&["error: cannot read /tmp: Is a directory"]);
}

#[test]
fn a_text_file_is_no_component() {
    for content in ["hello", "", "\0asm", "\n", "(module)", "#!/bin/sh\n"] {
        let ended = serve_file(content);
        ended.says(&[
            "given.wasm is not a WebAssembly component",
            "help: give a component built for the world dohost:object/object",
        ]);
    }
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let ended = serve_file(b"\0asm\x01\0\0\0");
    ended.says(&[
        "given.wasm is a core module, dohost runs components",
        "help: wasm-tools component new ",
        "given.component.wasm",
    ]);
}

#[test]
fn a_component_that_is_cut_off_is_not_valid() {
    let whole = std::fs::read(guest("counter")).unwrap();
    for len in [100, whole.len() / 2, whole.len() - 1] {
        let ended = serve_file(&whole[..len]);
        ended.says(&["given.wasm is not a valid component: ", "help: build it again; it may be cut off"]);
    }
}

#[test]
fn a_component_with_a_flipped_bit_is_refused_or_served_and_never_worse() {
    let whole = std::fs::read(guest("counter")).unwrap();
    for at in [5, 9, 64, 1000, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let setup = Setup::new();
        let file = setup.file("given.wasm", bytes);
        // Served with a second file that is missing: it ends either way, at the first or at the second.
        let ended = setup.with([file, "missing.wasm".into()]).fail();
        ended.says(&[]);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

#[test]
fn a_component_without_the_handler_is_told_what_it_lacks() {
    serve_file("(component)").says(&[
        "given.wasm does not export dohost:object/handler@0.1.0 or wasi:http/handler@0.3 (it exports nothing)",
        "help: build it for the world dohost:object/object",
    ]);
    let other = "(component (instance $i) (export \"acme:shop/till@1.0.0\" (instance $i)))";
    serve_file(other).says(&["(it exports acme:shop/till@1.0.0)"]);
}

#[test]
fn a_component_with_unknown_imports_is_told_which() {
    let component = "(component
        (import \"acme:shop/till@1.0.0\" (instance (export \"open\" (func))))
        (import \"acme:shop/safe@1.0.0\" (instance (export \"open\" (func))))
        (instance $i)
        (export \"dohost:object/handler@0.1.0\" (instance $i)))";
    serve_file(component).says(&[
        "given.wasm imports acme:shop/till@1.0.0, acme:shop/safe@1.0.0, which dohost does not offer",
        "help: the interfaces on offer are those of the WIT package dohost:object@0.1 and WASI",
    ]);
}

#[test]
fn a_handler_of_another_type_does_not_fit_the_world() {
    let component = "(component
        (core module $module (func (export \"fetch\")))
        (core instance $core (instantiate $module))
        (func $fetch (canon lift (core func $core \"fetch\")))
        (instance $handler (export \"fetch\" (func $fetch)))
        (export \"dohost:object/handler@0.1.0\" (instance $handler)))";
    serve_file(component)
        .says(&["given.wasm does not fit the world: ", "help: build it against the WIT package dohost:object@0.1.0"]);
    let without = "(component (instance $i) (export \"dohost:object/handler@0.1.0\" (instance $i)))";
    serve_file(without).says(&["given.wasm does not fit the world: ", "fetch"]);
}

#[test]
fn a_worker_may_be_an_object_and_an_object_is_no_worker() {
    Setup::new().guest("tutorial").start().get("/tutorial/A/").says(200, "Select a Durable Object");
    Setup::new().worker("counter").fail().says(&[
        "counter.wasm does not export wasi:http/handler@0.3 or wasi:http/incoming-handler@0.2 (it exports increment, value, dohost:object/handler@0.1.0)",
        "give an object as dohost serve FILE or --class NAME=FILE",
    ]);
}

#[test]
fn two_files_for_one_class_are_refused() {
    let ended = Setup::new().guest("counter").class("counter", "probe").fail();
    ended.says(&[
        "two files for the class counter: ",
        "counter.wasm",
        "probe.wasm",
        "help: give one of them another name with --class NAME=",
    ]);
    Setup::new().guest("counter").guest("counter").fail().says(&["two files for the class counter: "]);
}

#[test]
fn a_file_whose_name_is_no_class_needs_one() {
    let setup = Setup::new();
    let file = setup.file("my counter.wasm", "");
    setup
        .with([file])
        .fail()
        .says(&["\"my counter\" cannot be the name of a class", "help: name it yourself: --class NAME="]);
}

#[test]
fn a_bad_class_argument_is_a_mistake_in_the_arguments() {
    for bad in ["counter.wasm", "a b=counter.wasm", "=counter.wasm", "a="] {
        let ended = Setup::new().with(["--class", bad]).fail();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains("--class <NAME=FILE[#CLASS]>"), "{ended:?}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = Setup::new();
    // Not with the set-up's own --listen: there can be only one.
    let ended = dohost([
        "serve".into(),
        guest("counter"),
        "--data-dir".into(),
        setup.data(),
        "--listen".into(),
        (&address).into(),
    ]);
    ended.says(&[&format!("cannot listen on {address}: Address already in use"), "help: another process has the port"]);
}

#[test]
fn a_data_directory_belongs_to_one_host() {
    let setup = Setup::new().guest("counter");
    let host = setup.start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    setup.fail().says(&[
        &format!("cannot use the data directory {}: ", setup.data().display()),
        "another process has it open",
        "help: Stop the other process or choose another data directory.",
    ]);
    assert_eq!(host.get("/counter/A/increment").number(), 2, "the first one goes on");
    host.kill();
    assert_eq!(setup.start().get("/counter/A/value").number(), 2, "a host that is gone holds nothing");
}

/// The row of the format version, as `crates/dohost-storage` lays it out: key 01, value version u32, created_ms u64.
fn write_format(data: &Path, version: u32) {
    let rows: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
    let database = Database::open(data.join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let value = [&version.to_be_bytes()[..], &[0; 8]].concat();
    transaction.open_table(rows).unwrap().insert(&[1][..], &value[..]).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_data_directory_stays_with_its_host_although_the_file_in_it_is_deleted() {
    let setup = Setup::new().guest("counter");
    let host = setup.start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    std::fs::remove_file(setup.data().join("store.redb")).unwrap();
    setup.fail().says(&["another process has it open", "help: Stop the other process"]);
    drop(host);
    setup.fail().says(&["its files do not belong together (store.log1: ", "help: Put back store.redb, store.log0"]);
    for file in ["store.redb", "store.log0", "store.log1"] {
        std::fs::remove_file(setup.data().join(file)).unwrap();
    }
    assert_eq!(setup.start().get("/counter/A/value").number(), 0);
}

#[test]
fn data_of_a_newer_version_is_refused_and_left_as_it_is() {
    let setup = Setup::new().guest("counter");
    let host = setup.start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    assert!(host.stop().status.success());
    write_format(&setup.data(), 6);
    let ended = setup.fail();
    ended.says(&["it has format 6, this version reads up to 5", "help: Run the newer version that wrote it"]);
    write_format(&setup.data(), 1);
    assert_eq!(setup.start().get("/counter/A/value").number(), 1);
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let setup = Setup::new().guest("counter");
    let file = setup.file("data", "precious");
    setup.fail().says(&["cannot use the data directory ", "data: failed to open the store: ", "help: "]);
    assert_eq!(std::fs::read(file).unwrap(), b"precious");
}

#[test]
fn a_store_that_is_something_else_is_refused_and_left_as_it_is() {
    let setup = Setup::new().guest("counter");
    std::fs::create_dir(setup.data()).unwrap();
    let file = setup.data().join("store.redb");
    for content in ["precious".repeat(1000), "x".to_string()] {
        std::fs::write(&file, &content).unwrap();
        setup.fail().says(&["store.redb is not a store of dohost", "help: Check the path of the data directory"]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
}

#[test]
fn a_data_directory_is_made_with_its_parents() {
    let setup = Setup::new().guest("counter");
    let nested = setup.directory().join("a/b/c");
    let host = setup.data_dir(nested).start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    assert_eq!(host.restart().get("/counter/A/value").number(), 1);
}

/// As a user who may read but not write. Root may do everything, so as root somebody else runs it, from copies in
/// places that everybody may read.
#[test]
fn a_data_directory_without_the_right_to_write_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let setup = Setup::new();
    let allow = |path: &Path, mode: u32| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let (binary, component) = (setup.directory().join("dohost"), setup.directory().join("counter.wasm"));
    std::fs::copy(env!("CARGO_BIN_EXE_dohost"), &binary).unwrap();
    std::fs::copy(guest("counter"), &component).unwrap();
    std::fs::create_dir(setup.data()).unwrap();
    allow(&component, 0o644);
    allow(&setup.data(), 0o555);
    let is_root = std::fs::metadata(&component).unwrap().uid() == 0;
    allow(setup.directory(), 0o755);
    let mut command = std::process::Command::new(&binary);
    command.arg("serve").arg(&component).args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(setup.data());
    if is_root {
        const NOBODY: u32 = 65534;
        command.uid(NOBODY).gid(NOBODY);
    }
    let ended = run(command);
    allow(&setup.data(), 0o755);
    ended.says(&["permission denied", "help: Give this user the right to read and write the data directory"]);
}

#[test]
fn a_component_is_compiled_once_and_again_if_what_was_kept_is_damaged() {
    let setup = Setup::new().guest("counter");
    let cache = setup.directory().join("cache");
    let setup = setup.environment("DOHOST_CACHE_DIR", cache.to_str().expect("a path that is text"));
    let files = || {
        let files = std::fs::read_dir(cache.join("compiled/components")).expect("what was compiled is kept there");
        files.map(|file| file.expect("a file").path()).collect::<Vec<_>>()
    };
    let host = setup.start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    assert!(host.log().contains("compiled=true"), "{}", host.log());
    assert_eq!(files().len(), 1);

    let host = host.restart();
    assert_eq!(host.get("/counter/A/increment").number(), 2);
    assert!(host.log().contains("compiled=false"), "{}", host.log());

    for file in files() {
        let mut code = std::fs::read(&file).expect("it is ours");
        let middle = code.len() / 2;
        code[middle..middle + 4096].fill(0xcc);
        std::fs::write(&file, code).expect("it is ours");
    }
    let host = host.restart();
    assert_eq!(host.get("/counter/A/increment").number(), 3);
    assert!(host.log().contains("compiled=true"), "{}", host.log());
}
