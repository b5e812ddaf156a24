//! What was found, for people and for programs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::COULD_NOT_TELL;
use crate::output;

/// What was looked at, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Parse,
    World,
    Link,
    Start,
    Script,
    EvictedTwin,
    CrashTwin,
    CrashInside,
    AlarmTwice,
    Crowd,
    Ceilings,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Ok,
    Fails,
    /// Nothing is wrong, but its author may want to know.
    Advice,
    /// The probe was made and says nothing.
    CouldNotTell,
    /// There is nothing here that it could look at.
    NotApplicable,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    stage: Stage,
    outcome: Outcome,
    text: String,
    details: Vec<String>,
    help: Vec<String>,
}

impl Finding {
    fn new(stage: Stage, outcome: Outcome, text: impl Into<String>) -> Finding {
        Finding { stage, outcome, text: text.into(), details: Vec::new(), help: Vec::new() }
    }

    pub fn ok(stage: Stage, text: impl Into<String>) -> Finding {
        Finding::new(stage, Outcome::Ok, text)
    }

    pub fn fails(stage: Stage, text: impl Into<String>) -> Finding {
        Finding::new(stage, Outcome::Fails, text)
    }

    pub fn advice(stage: Stage, text: impl Into<String>) -> Finding {
        Finding::new(stage, Outcome::Advice, text)
    }

    pub fn could_not_tell(stage: Stage, text: impl Into<String>) -> Finding {
        Finding::new(stage, Outcome::CouldNotTell, text)
    }

    pub fn not_applicable(stage: Stage, text: impl Into<String>) -> Finding {
        Finding::new(stage, Outcome::NotApplicable, text)
    }

    /// Adds a line, or several, below it.
    pub fn detail(mut self, text: impl Into<String>) -> Finding {
        self.details.push(text.into());
        self
    }

    pub fn details(mut self, texts: impl IntoIterator<Item = String>) -> Finding {
        self.details.extend(texts);
        self
    }

    /// Says what to do about it.
    pub fn help(mut self, text: impl Into<String>) -> Finding {
        self.help.push(text.into());
        self
    }

    pub fn is_failure(&self) -> bool {
        self.outcome == Outcome::Fails
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Fails => "FAILS",
            Outcome::Advice => "advice",
            Outcome::CouldNotTell => "unknown",
            Outcome::NotApplicable => "-",
        };
        write!(f, "{mark:<8}{:<14}{}", self.stage.to_string(), self.text)?;
        for line in self.details.iter().flat_map(|detail| detail.lines()) {
            write!(f, "\n          {line}")?;
        }
        for help in &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Parse => "parse",
            Stage::World => "world",
            Stage::Link => "link",
            Stage::Start => "start",
            Stage::Script => "script",
            Stage::EvictedTwin => "evicted twin",
            Stage::CrashTwin => "crash twin",
            Stage::CrashInside => "crash inside",
            Stage::AlarmTwice => "alarm twice",
            Stage::Crowd => "crowd",
            Stage::Ceilings => "ceilings",
        })
    }
}

/// All in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Conforms,
    DoesNot,
    CouldNotTell,
}

impl Verdict {
    pub fn exit_code(self) -> ExitCode {
        match self {
            Verdict::Conforms => ExitCode::SUCCESS,
            Verdict::DoesNot => ExitCode::FAILURE,
            Verdict::CouldNotTell => ExitCode::from(COULD_NOT_TELL),
        }
    }
}

/// All findings about a file. For people each is printed when it is there, as some take a while.
#[derive(Debug)]
pub struct Report {
    file: PathBuf,
    is_for_programs: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub fn new(file: &Path, is_for_programs: bool) -> Report {
        Report { file: file.to_owned(), is_for_programs, findings: Vec::new() }
    }

    pub fn add(&mut self, finding: Finding) {
        if !self.is_for_programs {
            // Whoever has stopped reading is told by the exit code.
            let _ = output::say(&finding);
        }
        self.findings.push(finding);
    }

    pub fn verdict(&self) -> Verdict {
        let has = |outcome| self.findings.iter().any(|finding| finding.outcome == outcome);
        match (has(Outcome::Fails), has(Outcome::CouldNotTell)) {
            (true, _) => Verdict::DoesNot,
            (false, true) => Verdict::CouldNotTell,
            (false, false) => Verdict::Conforms,
        }
    }

    /// What is left to be printed.
    pub fn print(&self, json: bool) -> std::io::Result<()> {
        let verdict = self.verdict();
        if json {
            let report = serde_json::json!({ "file": self.file, "verdict": verdict, "findings": self.findings });
            return output::say(format_args!("{report:#}"));
        }
        let file = self.file.display();
        output::say(match verdict {
            Verdict::Conforms => format!("{file} conforms"),
            Verdict::DoesNot => format!("{file} does not conform"),
            Verdict::CouldNotTell => format!("{file}: not everything could be told"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_what_could_not_be_told_and_advice_weighs_nothing() {
        let mut report = Report::new(Path::new("a.wasm"), true);
        assert_eq!(report.verdict(), Verdict::Conforms);
        report.add(Finding::ok(Stage::Parse, ""));
        report.add(Finding::advice(Stage::AlarmTwice, ""));
        report.add(Finding::not_applicable(Stage::AlarmTwice, ""));
        assert_eq!(report.verdict(), Verdict::Conforms);
        report.add(Finding::could_not_tell(Stage::EvictedTwin, ""));
        assert_eq!(report.verdict(), Verdict::CouldNotTell);
        report.add(Finding::fails(Stage::Crowd, ""));
        assert_eq!(report.verdict(), Verdict::DoesNot);
    }

    #[test]
    fn a_finding_has_its_details_and_its_advice_below_it() {
        let finding = Finding::fails(Stage::World, "it is wrong").detail("a\nb").help("do right");
        let text = finding.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["FAILS   world         it is wrong", "          a", "          b", "  help: do right"]);
    }
}
