//! Code that was printed from a tree goes back to the lines and columns that its parts had in the text.
//!
//! Where a part comes too early, line ends and spaces are put before it; where the printer began a new line and the text did
//! not, the line end is taken out. That changes nothing of what the code means, except where a line end would: after
//! `return` and its like no line is begun. Where a part comes too late (something longer was put before it) it stays so
//! until the next line.

use oxc::allocator::Allocator;
use oxc::ast::ast::TemplateElement;
use oxc::ast_visit::Visit;
use oxc::parser::Parser;
use oxc::span::SourceType;

/// Where a part of the printed code comes from. All count from 0, columns in units of UTF-16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub line: u32,
    pub column: u32,
    pub original_line: u32,
    pub original_column: u32,
}

/// Words that mean something else, or nothing, at the end of a line.
const BOUND_WORDS: [&str; 10] =
    ["return", "throw", "break", "continue", "yield", "async", "get", "set", "static", "accessor"];
/// What cannot begin a line, or means something else there.
const BOUND_SIGNS: [&str; 3] = ["=>", "++", "--"];

/// Puts the code back in its place.
pub(crate) fn restore(code: &str, tokens: &[Token]) -> String {
    let literal = literals(code);
    let mut places = places(code, tokens);
    places.dedup_by_key(|(at, _)| *at);
    let mut out = Output::default();
    let mut at = 0;
    for (next, token) in places {
        out.push(code, at, next, &literal);
        if !literal.iter().any(|(start, end)| (*start..=*end).contains(&next)) {
            out.reach(token, &code[next..]);
        }
        at = next;
    }
    out.push(code, at, code.len(), &literal);
    match is_sound(&out.text) {
        true => out.text,
        // It runs all the same, with stack traces that are off.
        false => code.to_owned(),
    }
}

fn is_sound(code: &str) -> bool {
    Parser::new(&Allocator::default(), code, SourceType::mjs()).parse().diagnostics.is_empty()
}

#[derive(Default)]
struct Output {
    text: String,
    line: u32,
    column: u32,
}

impl Output {
    /// Adds a part of the code, in which line ends mean nothing unless they lie in a literal.
    fn push(&mut self, code: &str, start: usize, end: usize, literal: &[(usize, usize)]) {
        for (offset, c) in code[start..end].char_indices() {
            let at = start + offset;
            let is_literal = || literal.iter().any(|(start, end)| (*start..*end).contains(&at));
            match c {
                '\n' if is_literal() => self.end_line(),
                '\n' if self.text.ends_with([' ', '\n']) || self.text.is_empty() => {}
                '\n' => self.add(' '),
                // The printer indents, and so does the text.
                '\t' if !is_literal() => {}
                c => self.add(c),
            }
        }
    }

    /// Goes on to where a token was, if that may be done and it is not there already.
    fn reach(&mut self, token: Token, rest: &str) {
        if self.line < token.original_line && self.may_end_line(rest) {
            while self.text.ends_with(' ') {
                self.text.pop();
            }
            while self.line < token.original_line {
                self.end_line();
            }
        }
        let is_in_word = || {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#' | '@' | '\\');
            self.text.ends_with(is_part) && rest.starts_with(is_part) || self.text.ends_with(['#', '@'])
        };
        if self.line == token.original_line && !is_in_word() {
            while self.column < token.original_column {
                self.add(' ');
            }
        }
    }

    fn may_end_line(&self, rest: &str) -> bool {
        let before = self.text.trim_end();
        if before.is_empty() || before.ends_with([';', '{', '(', ',', '[']) {
            return true;
        }
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '#' | '@' | '\\');
        let is_in_word = before.len() == self.text.len() && before.ends_with(is_part) && rest.starts_with(is_part);
        let word = before.rsplit(|c: char| !is_part(c)).next().unwrap_or_default();
        let is_bound = before.ends_with(['#', '@']) || BOUND_WORDS.contains(&word);
        !is_in_word && !is_bound && !BOUND_SIGNS.iter().any(|sign| rest.starts_with(sign))
    }

    fn add(&mut self, c: char) {
        self.text.push(c);
        self.column += c.len_utf16() as u32;
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.line += 1;
        self.column = 0;
    }
}

/// The bytes at which tokens are, in order.
fn places(code: &str, tokens: &[Token]) -> Vec<(usize, Token)> {
    let mut lines = vec![0];
    lines.extend(code.match_indices('\n').map(|(at, _)| at + 1));
    let place = |token: &Token| {
        let start = *lines.get(token.line as usize)?;
        let mut column = 0;
        for (offset, c) in code[start..].char_indices() {
            if column >= token.column {
                return Some((start + offset, *token));
            }
            column += c.len_utf16() as u32;
        }
        Some((code.len(), *token))
    };
    let mut places: Vec<_> = tokens.iter().filter_map(place).collect();
    places.sort_by_key(|(at, _)| *at);
    places
}

/// The parts of template literals in which everything means itself, as bytes.
fn literals(code: &str) -> Vec<(usize, usize)> {
    struct Literals(Vec<(usize, usize)>);

    impl<'a> Visit<'a> for Literals {
        fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
            self.0.push((it.span.start as usize, it.span.end as usize));
        }
    }

    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    let mut literals = Literals(Vec::new());
    literals.visit_program(&parsed.program);
    literals.0
}
