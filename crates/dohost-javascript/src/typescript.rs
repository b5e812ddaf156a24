//! TypeScript becomes JavaScript: types are taken out, enums and parameter properties become code.
//!
//! What is left stays on the line, and nearly always in the column, where it was written, so that stack traces need no
//! table to be understood.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use crate::lines;

/// The same program in JavaScript. The text is known to parse.
pub(crate) fn to_javascript(path: &Path, text: &str) -> Result<String, Vec<OxcDiagnostic>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::ts()).parse();
    let mut program = parsed.program;
    let semantic = SemanticBuilder::new().with_excess_capacity(2.0).with_enum_eval(true).build(&program);
    let scoping = semantic.semantic.into_scoping();
    let options = TransformOptions::default();
    let transformed = Transformer::new(&allocator, path, &options).build_with_scoping(scoping, &mut program);
    if !transformed.diagnostics.is_empty() {
        return Err(transformed.diagnostics.into());
    }
    let options = CodegenOptions {
        comments: CommentOptions::disabled(),
        source_map_path: Some(path.into()),
        ..CodegenOptions::default()
    };
    let printed = Codegen::new().with_options(options).build(&program);
    let map = printed.map.expect("a map was asked for");
    let tokens = map.get_tokens().map(|token| lines::Token {
        line: token.get_dst_line(),
        column: token.get_dst_col(),
        original_line: token.get_src_line(),
        original_column: token.get_src_col(),
    });
    Ok(lines::restore(&printed.code, &tokens.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word of the JavaScript is where it was in the TypeScript.
    fn check(text: &str, expected: &str) {
        assert_eq!(to_javascript(Path::new("a.ts"), text).unwrap().trim_end(), expected);
    }

    #[test]
    fn what_is_left_stays_where_it_was() {
        check(
            "interface A {\n  b: string;\n}\n\nexport class C<T> extends D {\n  private x: number = 1;\n\n  async m(a: A, b?: T): Promise<void> {\n    throw new Error(\n      a.b as string\n    );\n  }\n}",
            "\n\n\n\nexport class C extends    D {\n  x =                 1;\n\n  async m(a,    b)                    {\n    throw new Error(\n      a.b\n    );\n  }\n}",
        );
    }

    #[test]
    fn what_must_stay_on_its_line_does() {
        // A line end in a template is a part of it, and one after `return` would end the statement.
        check(
            "function f(): string {\n  return /* so */ (\n    `a\n  ${ x as string }\n` + y!\n  );\n}",
            "function f()         {\n  return `a\n  ${\n     x}\n` + y;\n\n}",
        );
        check("let b =\n  1 as number;", "let b =\n  1;");
    }
}
