//! What the cases came to on a host, by level.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::{Case, Level};
use crate::runner::Outcome;

/// Counts outcomes. A level that has not been reached by any case is left out.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    levels: BTreeMap<Level, Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    passed: usize,
    failed: usize,
    not_applicable: usize,
}

impl Counts {
    fn all(self) -> usize {
        self.passed + self.failed + self.not_applicable
    }
}

impl Tally {
    /// Takes note of an outcome.
    pub fn add(&mut self, case: &Case, outcome: &Outcome) {
        let counts = self.levels.entry(case.level).or_default();
        match outcome {
            Outcome::Passed => counts.passed += 1,
            Outcome::Failed { .. } => counts.failed += 1,
            Outcome::NotApplicable(_) => counts.not_applicable += 1,
        }
    }

    /// Cases that passed, of all levels.
    pub fn passed(&self) -> usize {
        self.levels.values().map(|counts| counts.passed).sum()
    }

    /// What a table in Markdown says otherwise: its first column has the level, the one named `cases` how many there are, and the one
    /// with the name of a host how many passed on it.
    pub fn differences(&self, markdown: &str, host: &str) -> Vec<String> {
        let rows = markdown.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let mut columns = None;
        let mut said = BTreeMap::new();
        for row in rows {
            let at = |name: &str| row.iter().position(|cell| *cell == name);
            columns = at("cases").zip(at(host)).or(columns);
            let level = Level::ALL.into_iter().find(|level| row.get(1) == Some(&format!("`{level}`").as_str()));
            if let (Some(level), Some((cases, passed))) = (level, columns) {
                said.insert(
                    level,
                    [cases, passed].map(|column| row.get(column).copied().unwrap_or_default().to_string()),
                );
            }
        }
        let differs = |(level, counts): (&Level, &Counts)| {
            let found = [counts.all(), counts.passed].map(|count| count.to_string());
            let said = said.get(level);
            (said != Some(&found)).then(|| format!("{level} has {found:?}, the text says {said:?}"))
        };
        self.levels.iter().filter_map(differs).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, counts) in &self.levels {
            let Counts { passed, failed, not_applicable } = counts;
            writeln!(f, "{level:<14} {passed:>3} passed, {failed} failed, {not_applicable} not applicable")?;
        }
        let all: usize = self.levels.values().map(|counts| counts.all()).sum();
        write!(f, "{} of {all} passed", self.passed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_held_against_the_counts() {
        let text = "title = \"t\"\nguest = \"g\"\nrules = [\"S1\"]\n[[steps]]\nrequest = \"GET /\"";
        let case = Case::parse("mine", Level::Storage, text).expect("a case");
        let mut tally = Tally::default();
        for outcome in [Outcome::Passed, Outcome::Passed, Outcome::NotApplicable("why".into())] {
            tally.add(&case, &outcome);
        }
        let table = |row: &str| format!("| level | cases | of | mine | other |\n| --- | --- |\n{row}\n");
        assert!(tally.differences(&table("| `l2-storage` | 3 | storage | 2 | 1 |"), "mine").is_empty());
        for row in ["| `l2-storage` | 3 | storage | 3 | 1 |", "| `l2-storage` | 2 | storage | 2 | 1 |", ""] {
            assert_eq!(tally.differences(&table(row), "mine").len(), 1, "{row}");
        }
        assert!(tally.to_string().ends_with("2 of 3 passed"), "{tally}");
    }
}
