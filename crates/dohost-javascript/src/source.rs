//! One module: a file is read, and becomes text that the runtime understands.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Decorator, VariableDeclaration, VariableDeclarationKind};
use oxc::ast_visit::{Visit, walk};
use oxc::parser::{Parser, ParserReturn};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;

use crate::problem::{Problem, problems};
use crate::typescript;

/// Bytes that a module may have.
const BYTES_MAX: u64 = 16 << 20;

/// What a module is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    JavaScript,
    TypeScript,
    Json,
    Text,
}

/// What JavaScript and TypeScript are called.
const SOURCES: [&str; 4] = ["js", "mjs", "mts", "ts"];

/// Whether a file is a program by its name, rather than a component.
pub fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| SOURCES.iter().any(|known| extension == *known))
}

fn language(path: &Path) -> Result<Language, Problem> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("js" | "mjs") => Ok(Language::JavaScript),
        Some("ts" | "mts") => Ok(Language::TypeScript),
        Some("json") => Ok(Language::Json),
        Some("txt" | "html" | "sql" | "css" | "md" | "svg") => Ok(Language::Text),
        Some("cjs" | "cts") => Err(common_js(path)),
        Some("jsx" | "tsx") => Err(Problem::new(
            format!("{} is JSX, which is not supported", path.display()),
            Some("have a bundler turn it into JavaScript, and serve what it writes"),
        )),
        _ => Err(Problem::new(
            format!("{} is no module: JavaScript, TypeScript, JSON or text is expected", path.display()),
            Some("name it .js, .mjs, .ts, .mts, .json or .txt"),
        )),
    }
}

/// A module that was read.
pub(crate) struct Source {
    /// What the runtime gets.
    pub code: String,
    /// What it imports, each once, with the place in the text.
    pub imports: Vec<Import>,
    /// The file as it is.
    pub text: Arc<str>,
}

/// What a module asks for.
pub(crate) struct Import {
    pub specifier: String,
    pub span: Range<usize>,
}

/// Reads a module.
pub(crate) fn read(path: &Path) -> Result<Source, Vec<Problem>> {
    let language = language(path).map_err(|problem| vec![problem])?;
    let unreadable =
        |error: &dyn std::fmt::Display| vec![Problem::new(format!("cannot read {}: {error}", path.display()), None)];
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > BYTES_MAX {
        return Err(unreadable(&format!("it has {size} bytes, a module has at most {BYTES_MAX}")));
    }
    let text: Arc<str> = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?.into();
    match language {
        Language::JavaScript => javascript(path, text),
        Language::TypeScript => typescript(path, text),
        Language::Json => json(path, text),
        Language::Text => Ok(exporting(&serde_json::Value::from(&*text), text)),
    }
}

fn javascript(path: &Path, text: Arc<str>) -> Result<Source, Vec<Problem>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &text, SourceType::mjs()).parse();
    if !parsed.module_record.has_module_syntax && is_common_js(&text) {
        return Err(vec![common_js(path)]);
    }
    check(path, &text, &parsed)?;
    let imports = imports(&parsed, &text, &parsed, &text);
    Ok(Source { code: text.to_string(), imports, text })
}

fn typescript(path: &Path, text: Arc<str>) -> Result<Source, Vec<Problem>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &text, SourceType::ts()).parse();
    check(path, &text, &parsed)?;
    let code = typescript::to_javascript(path, &text).map_err(|found| problems(path, &text, found))?;
    // What only types needed is not imported any more.
    let left_allocator = Allocator::default();
    let left = Parser::new(&left_allocator, &code, SourceType::mjs()).parse();
    let imports = imports(&left, &code, &parsed, &text);
    Ok(Source { imports, text, code })
}

/// Syntax that is wrong, and syntax that the runtime does not have.
fn check(path: &Path, text: &Arc<str>, parsed: &ParserReturn<'_>) -> Result<(), Vec<Problem>> {
    let mut found = problems(path, text, parsed.diagnostics.iter().cloned());
    if found.is_empty() {
        let semantic = SemanticBuilder::new().with_check_syntax_error(true).build(&parsed.program);
        found = problems(path, text, semantic.diagnostics);
    }
    if found.is_empty() {
        let mut refused = Refused::default();
        refused.visit_program(&parsed.program);
        let problem =
            |(span, what, help): (Range<usize>, &str, &str)| Problem::new(what, Some(help)).at(path, text, span);
        found = refused.0.into_iter().map(problem).collect();
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Syntax that parses and that the runtime does not have.
#[derive(Default)]
struct Refused(Vec<(Range<usize>, &'static str, &'static str)>);

impl<'a> Visit<'a> for Refused {
    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        let help = "call what the decorator does yourself, or have a compiler turn it into JavaScript";
        self.0.push((it.span.start as usize..it.span.end as usize, "decorators are not supported", help));
    }

    fn visit_variable_declaration(&mut self, it: &VariableDeclaration<'a>) {
        if matches!(it.kind, VariableDeclarationKind::Using | VariableDeclarationKind::AwaitUsing) {
            let help = "declare it with const, and dispose of it in a finally block";
            self.0.push((it.span.start as usize..it.span.end as usize, "using is not supported", help));
        }
        walk::walk_variable_declaration(self, it);
    }
}

/// What the code that is left imports, with the places where the text says so.
fn imports(left: &ParserReturn<'_>, code: &str, parsed: &ParserReturn<'_>, text: &str) -> Vec<Import> {
    let place = |specifier: &str| {
        let requests = parsed.module_record.requested_modules.get(specifier)?;
        Some(requests.first()?.span).map(|span| span.start as usize..span.end as usize)
    };
    let requested = left.module_record.requested_modules.keys();
    let mut imports: Vec<Import> = requested
        .map(|specifier| Import {
            specifier: specifier.to_string(),
            span: place(specifier.as_str()).unwrap_or_default(),
        })
        .collect();
    // import("…") of a text that is there.
    for dynamic in &left.module_record.dynamic_imports {
        let written = &code[dynamic.module_request.start as usize..dynamic.module_request.end as usize];
        let quoted = written.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
        let Some(specifier) = quoted.filter(|specifier| !specifier.contains('\\')) else { continue };
        if imports.iter().all(|import| import.specifier != specifier) {
            let start = text.find(specifier).unwrap_or_default();
            imports.push(Import { specifier: specifier.into(), span: start..start + specifier.len() });
        }
    }
    // As they are written: the table of the parser has no order.
    imports.sort_by(|a, b| (a.span.start, &a.specifier).cmp(&(b.span.start, &b.specifier)));
    imports
}

fn json(path: &Path, text: Arc<str>) -> Result<Source, Vec<Problem>> {
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => Ok(exporting(&value, text)),
        Err(error) => Err(vec![Problem::new(format!("{} is not JSON: {error}", path.display()), None)]),
    }
}

/// A module that exports a value.
fn exporting(value: &serde_json::Value, text: Arc<str>) -> Source {
    // In an expression of its own an object would be a block, and `__proto__` would not be a key.
    let string = serde_json::Value::from(value.to_string());
    Source { code: format!("export default JSON.parse({string});"), imports: Vec::new(), text }
}

fn is_common_js(text: &str) -> bool {
    ["module.exports", "exports.", "require("].iter().any(|sign| text.contains(sign))
}

fn common_js(path: &Path) -> Problem {
    Problem::new(
        format!("{} is a CommonJS module, and ES modules are expected", path.display()),
        Some("use a version of the package with ES modules, or bundle the program into one module before"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn problems_of(name: &str, text: &str) -> Vec<String> {
        let (_directory, path) = written(name, text);
        let found = read(&path).err().unwrap_or_default();
        found.iter().map(|problem| problem.to_string().replace(&path.display().to_string(), name)).collect()
    }

    #[test]
    fn a_module_is_given_as_it_is_with_what_it_imports() {
        let text = "import { b } from \"./b.js\";\nexport * from 'a';\nawait import('./c.js'); import(x);\n";
        let (_directory, path) = written("a.js", text);
        let source = read(&path).ok().unwrap();
        assert_eq!(source.code, text);
        let imports: Vec<_> =
            source.imports.iter().map(|import| (&import.specifier[..], &text[import.span.clone()])).collect();
        assert_eq!(imports, [("./b.js", "\"./b.js\""), ("a", "'a'"), ("./c.js", "./c.js")]);
    }

    #[test]
    fn types_are_not_imported() {
        let text = "import { A } from './a';\nimport type { B } from './b';\nimport { C } from './c';\nexport const c: A & B = C;\n";
        let (_directory, path) = written("a.ts", text);
        let source = read(&path).ok().unwrap();
        let imports: Vec<_> = source.imports.iter().map(|import| &text[import.span.clone()]).collect();
        assert_eq!(imports, ["'./c'"]);
    }

    #[test]
    fn json_and_text_are_values() {
        let (_directory, path) = written("a.json", "{ \"a\": [\"\u{2028}\"] }");
        assert_eq!(read(&path).ok().unwrap().code, "export default JSON.parse(\"{\\\"a\\\":[\\\"\u{2028}\\\"]}\");");
        let (_directory, path) = written("a.txt", "a\"b\n");
        assert_eq!(read(&path).ok().unwrap().code, "export default JSON.parse(\"\\\"a\\\\\\\"b\\\\n\\\"\");");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(problems_of("a.js", "let a;\nlet a;\n"), ["a.js:1: Identifier `a` has already been declared"]);
        assert_eq!(problems_of("a.ts", "\n@d class A {}"), ["a.ts:2: decorators are not supported"]);
        assert_eq!(problems_of("a.js", "{ using a = b; }"), ["a.js:1: using is not supported"]);
        assert!(problems_of("a.js", "module.exports = 1")[0].contains("CommonJS"));
        assert!(problems_of("a.tsx", "")[0].contains("JSX"));
        assert!(!problems_of("a.js", "let = = 1").is_empty());
    }
}
