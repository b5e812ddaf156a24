//! Where in a file something is wrong, and how that is shown.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A text file that was read.
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

/// A part of a file. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    /// `span` counts bytes. What lies outside of the text is its end.
    pub fn new(source: Arc<Source>, span: Range<usize>) -> Place {
        let len = source.text.len();
        let span = span.start.min(len)..span.end.min(len);
        Place { source, span }
    }

    /// The byte of the file that it begins with.
    pub fn start(&self) -> usize {
        self.span.start
    }

    /// The line that it begins in, underlined.
    pub fn snippet(&self) -> String {
        let (number, before, line) = self.line();
        let margin = number.to_string();
        let blank = " ".repeat(margin.len());
        // Tabs stay tabs, so that the marks come to lie under what they mean.
        let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let end_of_line = self.span.start - before.len() + line.len();
        let marked = self.source.text.get(self.span.start..self.span.end.min(end_of_line)).unwrap_or_default();
        let marks = "^".repeat(marked.chars().count().max(1));
        format!(" {margin} | {line}\n {blank} | {indent}{marks}")
    }

    /// The number of the line, counted from 1, the part of it before the place, and the whole of it.
    fn line(&self) -> (usize, &str, &str) {
        let text = &self.source.text;
        let start = text[..self.span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[self.span.start..].find('\n').map_or(text.len(), |newline| self.span.start + newline);
        let number = text[..start].matches('\n').count() + 1;
        (number, &text[start..self.span.start], text[start..end].trim_end_matches('\r'))
    }
}

/// `file:line:column`, both counted from 1, columns in characters.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, before, _) = self.line();
        write!(f, "{}:{number}:{}", self.source.path.display(), before.chars().count() + 1)
    }
}

/// Without the text of the file, which may be long.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        Place::new(Arc::new(Source { path: "x.toml".into(), text: text.into() }), span)
    }

    #[test]
    fn a_place_is_shown_with_its_line() {
        let text = "a = 1\n\tbü = \"no\"\nc = 3";
        let second = place(text, 13..17);
        assert_eq!(second.to_string(), "x.toml:2:7");
        assert_eq!(second.snippet(), " 2 | \tbü = \"no\"\n   | \t     ^^^^");
    }

    #[test]
    fn a_place_of_many_lines_is_marked_in_the_first() {
        assert_eq!(place("ab = [\n1\n]", 5..10).snippet(), " 1 | ab = [\n   |      ^");
    }

    #[test]
    fn a_place_beyond_the_end_is_the_end() {
        let end = place("ab", 7..9);
        assert_eq!((end.to_string().as_str(), end.snippet().as_str()), ("x.toml:1:3", " 1 | ab\n   |   ^"));
        assert_eq!(place("", 0..0).snippet(), " 1 | \n   | ^");
    }
}
