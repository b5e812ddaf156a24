//! Answers that differ on purpose.
//!
//! ```text
//! # The reason, in a line or more.
//! - a line of workerd's answers
//! + what dohost answers instead
//! ```
//!
//! Blocks come in the order of the answers. Each begins with at least one line of workerd's, so that it has a place. A file with
//! a reason and no blocks is for a program that needs what dohost does not have at all: it has to answer otherwise, but
//! how does not matter.

use std::fmt::Write as _;

use super::program::corpus;

#[derive(Default)]
pub struct Difference {
    has_reason: bool,
    blocks: Vec<Block>,
}

#[derive(Default)]
struct Block {
    theirs: Vec<String>,
    ours: Vec<String>,
}

impl Difference {
    /// Of a program; none if it has no file.
    pub fn read(program: &str) -> Result<Difference, String> {
        let file = corpus().join("differences").join(format!("{program}.txt"));
        match std::fs::read_to_string(&file) {
            Ok(text) => Difference::parse(&text).map_err(|line| format!("{}: what is {line:?}?", file.display())),
            Err(_) => Ok(Difference::default()),
        }
    }

    /// The line that makes no sense is the error.
    fn parse(text: &str) -> Result<Difference, &str> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut has_reason = false;
        for line in text.lines() {
            if line.starts_with('#') {
                has_reason = true;
            } else if let Some(theirs) = line.strip_prefix("- ").or((line == "-").then_some("")) {
                if blocks.last().is_none_or(|block| !block.ours.is_empty()) {
                    blocks.push(Block::default());
                }
                blocks.last_mut().expect("one was pushed").theirs.push(theirs.to_string());
            } else if let Some(ours) = line.strip_prefix("+ ").or((line == "+").then_some("")) {
                blocks.last_mut().ok_or(line)?.ours.push(ours.to_string());
            } else if !line.is_empty() {
                return Err(line);
            }
            if !has_reason && !line.is_empty() {
                return Err(line);
            }
        }
        Ok(Difference { has_reason, blocks })
    }

    /// Whether what dohost answers is as it has to be.
    pub fn check(&self, theirs: &str, ours: &str) -> Result<(), String> {
        let is_of_all = self.has_reason && self.blocks.is_empty();
        match (is_of_all, theirs == ours) {
            (true, false) => Ok(()),
            (true, true) => Err("it answers like workerd now: remove its file in differences".into()),
            (false, _) => same(&self.apply_to(theirs)?, ours),
        }
    }

    /// What dohost should answer where workerd answers this.
    fn apply_to(&self, answers: &str) -> Result<String, String> {
        let mut lines = answers.lines().peekable();
        let mut text = String::new();
        for Block { theirs, ours } in &self.blocks {
            for line in lines.by_ref() {
                if line == theirs[0] {
                    break;
                }
                let _ = writeln!(text, "{line}");
            }
            for their in &theirs[1..] {
                if lines.next() != Some(their) {
                    return Err(format!("a difference does not fit: workerd does not answer {theirs:#?}"));
                }
            }
            for our in ours {
                let _ = writeln!(text, "{our}");
            }
            if lines.peek().is_none() {
                return Err(format!("a difference does not fit: workerd does not answer {theirs:#?}"));
            }
        }
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        Ok(text)
    }
}

pub fn same(expected: &str, found: &str) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(changes(expected, found)) }
}

/// The lines that are not the same, each with the request that they answer. Good enough to read: lines are paired from the
/// first that differs, by the longest common rest.
fn changes(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // Longest common subsequence; transcripts have a few hundred lines.
    let mut common = vec![vec![0_u32; found.len() + 1]; expected.len() + 1];
    for left in (0..expected.len()).rev() {
        for right in (0..found.len()).rev() {
            common[left][right] = if expected[left] == found[right] {
                common[left + 1][right + 1] + 1
            } else {
                common[left + 1][right].max(common[left][right + 1])
            };
        }
    }
    let (mut left, mut right, mut request, mut told, mut text) = (0, 0, "", "", String::new());
    while left < expected.len() || right < found.len() {
        if left < expected.len() && right < found.len() && expected[left] == found[right] {
            if expected[left].starts_with("> ") {
                request = expected[left];
            }
            (left, right) = (left + 1, right + 1);
            continue;
        }
        if request != told {
            told = request;
            let _ = writeln!(text, "{request}");
        }
        if right == found.len() || (left < expected.len() && common[left + 1][right] >= common[left][right + 1]) {
            let _ = writeln!(text, "- {}", expected[left]);
            left += 1;
        } else {
            let _ = writeln!(text, "+ {}", found[right]);
            right += 1;
        }
    }
    text
}

#[test]
fn a_difference_replaces_lines_and_must_fit() {
    let difference = Difference::parse("# Why.\n- b\n+ B\n+ BB\n- d\n").expect("it makes sense");
    assert_eq!(difference.apply_to("a\nb\nc\nd\ne\n").expect("it fits"), "a\nB\nBB\nc\ne\n");
    assert!(difference.apply_to("a\nb\nc\n").is_err());
    assert!(Difference::parse("- no reason\n+ here\n").is_err());
    assert!(Difference::parse("# Why.\n+ nowhere\n").is_err());
}

#[test]
fn a_difference_without_lines_must_be_one() {
    let difference = Difference::parse("# There are none of these.\n").expect("it makes sense");
    assert!(difference.check("a\n", "b\n").is_ok());
    assert!(difference.check("a\n", "a\n").is_err());
    assert!(Difference::default().check("a\n", "b\n").is_err());
}

#[test]
fn changes_are_told_with_their_request() {
    assert_eq!(changes("> GET /\na\nb\nc\n", "> GET /\na\nB\nc\n"), "> GET /\n- b\n+ B\n");
    assert_eq!(changes("a\n", "a\n"), "");
}
