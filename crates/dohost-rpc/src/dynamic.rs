//! Methods that are known only when a component runs: those of `dohost:object/dynamic`.
//!
//! Whoever builds such a component may leave in a custom section what it has found out by running it: a [`Program`]. A
//! program of JavaScript is one component with several classes and perhaps a Worker.

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// The interface that such a component exports.
pub const INTERFACE: &str = "dohost:object/dynamic@0.1.0";

/// The section that holds a [`Program`], in JSON.
pub const SECTION: &str = "dohost:javascript";

/// What is known of such methods.
#[derive(Clone, Debug, Default)]
pub struct Dynamic {
    /// What the component was built of, if it says so.
    pub program: Option<Program>,
}

/// What a program exports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What made the component.
    pub builder: String,
    /// The classes, by the names under which the program exports them.
    pub classes: Vec<ProgramClass>,
    /// Whether it is a Worker too.
    pub worker: bool,
}

/// A class of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramClass {
    /// The name of the export.
    pub name: String,
    /// Methods that can be called from outside.
    pub methods: Vec<String>,
    /// What it handles: `fetch`, `alarm`…
    pub handlers: Vec<String>,
}

/// The methods of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicMethods {
    /// Their names; none if nobody knows them before they are called.
    pub names: Option<Vec<String>>,
}

impl DynamicMethods {
    /// Whether there may be one.
    pub fn has_any(&self) -> bool {
        self.names.as_ref().is_none_or(|names| !names.is_empty())
    }

    /// Whether there may be one with this name.
    pub fn may_have(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|other| other == name))
    }

    /// For whoever asked for another one.
    pub fn no_such(&self, class: &str, method: &str) -> String {
        let text = format!("class {class} has no method {method:?}");
        match self.names.as_deref() {
            None => text,
            Some([]) => format!("{text}; it has none"),
            Some(names) => format!("{text}; it has {}", names.join(", ")),
        }
    }
}

impl Dynamic {
    /// Those of a class, by the name that the component knows it by.
    pub fn methods(&self, class: &str) -> DynamicMethods {
        let Some(program) = &self.program else { return DynamicMethods::default() };
        let class = program.classes.iter().find(|other| other.name == class);
        DynamicMethods { names: Some(class.map(|class| class.methods.clone()).unwrap_or_default()) }
    }
}

impl Program {
    /// What a component says that it was built of.
    pub fn read(component: &[u8]) -> Option<Program> {
        // Sections are skipped, not read.
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            if let Payload::CustomSection(section) = payload
                && section.name() == SECTION
            {
                return serde_json::from_slice(section.data()).ok();
            }
        }
        None
    }

    /// Adds it to a component.
    pub fn append(&self, component: &mut Vec<u8>) {
        let json = serde_json::to_vec(self).expect("a program is JSON");
        let mut content = leb128(SECTION.len());
        content.extend(SECTION.as_bytes());
        content.extend(json);
        component.push(0);
        component.extend(leb128(content.len()));
        component.extend(content);
    }

    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<&ProgramClass> {
        self.classes.iter().find(|class| class.name == name)
    }
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        let methods = vec!["increment".to_string(), "x".repeat(300)];
        let class = ProgramClass { name: "Counter".into(), methods, handlers: vec!["fetch".into()] };
        Program { builder: "test".into(), classes: vec![class], worker: true }
    }

    #[test]
    fn a_program_is_read_from_the_component_that_it_was_left_in() {
        let mut component = wit_component_header();
        assert_eq!(Program::read(&component), None);
        program().append(&mut component);
        assert_eq!(Program::read(&component), Some(program()));
    }

    #[test]
    fn methods_of_a_class_are_known_if_the_program_says_them() {
        let dynamic = Dynamic { program: Some(program()) };
        assert!(dynamic.methods("Counter").has_any());
        assert!(!dynamic.methods("Other").has_any());
        assert!(Dynamic::default().methods("Counter").has_any());
        let has = |dynamic: &Dynamic, name: &str| dynamic.methods("Counter").may_have(name);
        assert!(has(&dynamic, "increment") && !has(&dynamic, "decrement") && has(&Dynamic::default(), "decrement"));
        let text = dynamic.methods("Counter").no_such("counter", "y");
        assert!(text.starts_with("class counter has no method \"y\"; it has increment, x"), "{text}");
    }

    /// The beginning of a component.
    fn wit_component_header() -> Vec<u8> {
        b"\0asm\x0d\0\x01\0".to_vec()
    }
}
