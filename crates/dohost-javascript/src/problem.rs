//! What is wrong with a program, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use oxc::diagnostics::{OxcDiagnostic, Severity};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is, if that can be said.
    pub place: Option<ProblemPlace>,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemPlace {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub text: Arc<str>,
    /// Which bytes of it are meant.
    pub span: Range<usize>,
}

/// All that is wrong, one problem at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    pub(crate) fn new(text: impl Into<String>, help: Option<&str>) -> Problem {
        Problem { text: text.into(), help: help.map(String::from), place: None }
    }

    pub(crate) fn at(self, path: &std::path::Path, text: &Arc<str>, span: Range<usize>) -> Problem {
        Problem { place: Some(ProblemPlace { path: path.into(), text: text.clone(), span }), ..self }
    }
}

/// What a parser says; warnings are left out.
pub(crate) fn problems(
    path: &std::path::Path,
    text: &Arc<str>,
    diagnostics: impl IntoIterator<Item = OxcDiagnostic>,
) -> Vec<Problem> {
    let errors = diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let problems = errors.map(|error| {
        let problem =
            Problem { text: error.message.to_string(), help: error.help.clone().map(Into::into), place: None };
        match error.labels.first() {
            Some(label) => {
                let start = label.offset() as usize;
                problem.at(path, text, start..start + label.len() as usize)
            }
            None => Problem { text: format!("{}: {}", path.display(), problem.text), ..problem },
        }
    });
    problems.collect()
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => {
                let before = place.text.get(..place.span.start).unwrap_or(&place.text);
                let line = before.matches('\n').count() + 1;
                write!(f, "{}:{line}: {}", place.path.display(), self.text)
            }
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for Problems {}
