//! Components made of WIT alone, good ones and broken ones.

use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use super::offered::Offered;
use super::*;

/// A component with this world, beside the packages of dohost.
fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Offered::new().resolve;
    component_in(&mut resolve, wit)
}

fn component_in(resolve: &mut Resolve, wit: &str) -> Vec<u8> {
    let package = resolve.push_str("mine.wit", wit).unwrap_or_else(|error| panic!("{wit}: {error:#}"));
    let world = resolve.select_world(&[package], None).expect("the text has one world");
    let mut module = wit_component::dummy_module(resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    wit_component::embed_component_metadata(&mut module, resolve, world, wit_component::StringEncoding::UTF8)
        .expect("the world fits into a module");
    let mut encoder = wit_component::ComponentEncoder::default().module(&module).expect("a module");
    encoder.encode().expect("a component")
}

/// As if the host offered only what its text says.
fn fit_of(component: &[u8]) -> Fit {
    fit(component, &|_| false).expect("a component")
}

fn texts(fit: &Fit) -> Vec<&str> {
    fit.misfits.iter().map(|misfit| misfit.text.as_str()).collect()
}

#[test]
fn worlds_of_dohost_fit() {
    for wit in [
        "package a:b; world mine { include dohost:object/object@0.1.0; }",
        "package a:b; world mine { import dohost:object/storage@0.1.0; export dohost:object/handler@0.1.0; }",
        "package a:b; world mine { include dohost:object/http-object@0.1.0; }",
        "package a:b; world mine { include dohost:object/worker@0.1.0; }",
        "package a:b; world mine { include dohost:object/object@0.1.0; export dohost:object/construction@0.1.0; export dohost:object/alarm-handler@0.1.0; }",
        "package a:b; interface cart { add: func(item: string); } world mine { export cart; }",
        "package a:b; interface types { type t = u8; } interface cart { use types.{t}; add: func(t: t); } \
         world mine { import types; export cart; }",
    ] {
        let fit = fit_of(&component(wit));
        assert_eq!(texts(&fit), Vec::<&str>::new(), "{wit}");
        assert!(!fit.exports.is_empty());
    }
}

#[test]
fn names_that_are_wrong_are_said_all_at_once() {
    let found = fit_of(&component(
        "package a:b; interface one { f: func(); } interface two { g: func(); } \
         world mine { import one; import two; import h: func(); }",
    ));
    let texts = texts(&found);
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts.contains(&"imports a:b/one, which dohost does not offer"), "{texts:?}");
    assert!(texts.contains(&"imports a:b/two, which dohost does not offer"), "{texts:?}");
    assert!(texts.contains(&"imports the function h, but dohost offers interfaces only"), "{texts:?}");
    assert!(texts[3].starts_with("does not export dohost:object/handler or "), "{texts:?}");
}

#[test]
fn an_interface_that_the_host_has_in_another_way_is_left_to_linking() {
    let wit = "package a:b; interface one { f: func(); } interface cart { add: func(); } \
               world mine { import one; export cart; }";
    let found = fit(&component(wit), &|name| name == "a:b/one").expect("a component");
    assert_eq!(texts(&found), Vec::<&str>::new());
}

/// A package that calls itself ours, and the lines that are shown of both sides.
#[test]
fn another_type_is_shown_as_wit_of_both_sides() {
    let cases: [(&str, &str, &[&str], &[&str]); 6] = [
        (
            "interface handler { fetch: async func(path: string) -> string; } world mine { export handler; }",
            "exports fetch of dohost:object/handler@0.1.0 with another type",
            &["fetch: async func(path: string) -> string"],
            &["fetch: async func(request: request) -> result<response, exception>", "record header", "record request"],
        ),
        (
            "interface handler { other: func(); } world mine { export handler; }",
            "exports dohost:object/handler@0.1.0 without its function fetch",
            &[],
            &["fetch: async func(request: request) -> result<response, exception>"],
        ),
        (
            "interface construction { construct: func() -> result<_, string>; } interface mine { f: func(); } \
             world w { export construction; export mine; }",
            "exports construct of dohost:object/construction@0.1.0 with another type",
            &["construct: func() -> result<_, string>"],
            &["construct: async func() -> result<_, exception>"],
        ),
        (
            "interface storage { get: async func(key: string) -> option<list<u8>>; } interface mine { f: func(); } \
             world w { import storage; export mine; }",
            "imports get of dohost:object/storage@0.1.0 with another type",
            &["get: async func(key: string) -> option<list<u8>>"],
            &["get: async func(key: string) -> result<option<list<u8>>, error>", "variant error {"],
        ),
        (
            "interface storage { get-all: async func() -> list<u8>; } interface mine { f: func(); } \
             world w { import storage; export mine; }",
            "imports get-all of dohost:object/storage@0.1.0, which has no such function",
            &["get-all: async func() -> list<u8>"],
            &[],
        ),
        (
            "interface storage { variant error { invalid(string), too-big(string), not-allowed(string) } \
             get: async func(key: string) -> result<option<list<u8>>, error>; } interface mine { f: func(); } \
             world w { import storage; export mine; }",
            "imports get of dohost:object/storage@0.1.0 with another type",
            &["get: async func", "variant error { invalid(string), too-big(string), not-allowed(string) }"],
            &["get: async func", "variant error { invalid(string), too-large(string), not-allowed(string) }"],
        ),
    ];
    for (wit, text, component, host) in cases {
        let wit = format!("package dohost:object@0.1.0; {wit}");
        let found = fit_of(&component_in(&mut Resolve { all_features: true, ..Resolve::default() }, &wit));
        let misfit = found.misfits.iter().find(|misfit| misfit.text == text);
        let misfit = misfit.unwrap_or_else(|| panic!("{wit}: {:?}", texts(&found)));
        for (lines, expected) in [(&misfit.component, component), (&misfit.host, host)] {
            assert_eq!(lines.is_empty(), expected.is_empty(), "{wit}: {misfit:#?}");
            for expected in expected {
                assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected}: {misfit:#?}");
            }
        }
    }
}

#[test]
fn a_later_version_than_the_host_has_is_refused() {
    let wit = "package dohost:object@0.2.0; interface handler { fetch: async func(); } world mine { export handler; }";
    let found = fit_of(&component_in(&mut Resolve { all_features: true, ..Resolve::default() }, wit));
    assert!(
        texts(&found).contains(&"exports dohost:object/handler@0.2.0, which is a version that dohost does not call"),
        "{found:?}"
    );
}

#[test]
fn what_is_no_component_cannot_be_compared() {
    assert!(fit(b"", &|_| true).is_err());
    assert!(fit(b"\0asm\x0d\0\x01\0 and not a component", &|_| true).is_err());
}
