//! Steps with critical sections, which have names here so that a test can say which one it means.
//!
//! | step | line |
//! | --- | --- |
//! | `enter S` | `entered` |
//! | `leave S` | `ok` |
//! | `drop-section S` | `ok`; the section fails |
//! | `leak-section S` | `ok`; the handle stays although nothing will use it, so the section stays open |
//! | `enter-many N` | how many sections it got to lie inside each other, and the refusal if there was one |

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::dohost::object::concurrency::{self, CriticalSection, Error};
use crate::reply::Failure;

/// The open sections of one event.
#[derive(Default)]
pub struct Sections(RefCell<BTreeMap<String, CriticalSection>>);

impl Sections {
    pub async fn enter(&self, name: &str) -> Result<String, Failure> {
        let section = concurrency::block_concurrency().await?;
        self.0.borrow_mut().insert(name.to_string(), section);
        Ok("entered".to_string())
    }

    pub fn leave(&self, name: &str) -> Result<String, Failure> {
        self.take(name)?.end();
        crate::steps::ok()
    }

    pub fn discard(&self, name: &str) -> Result<String, Failure> {
        drop(self.take(name)?);
        crate::steps::ok()
    }

    pub fn leak(&self, name: &str) -> Result<String, Failure> {
        std::mem::forget(self.take(name)?);
        crate::steps::ok()
    }

    pub async fn enter_many(&self, count: &str) -> Result<String, Failure> {
        let count: usize = count.parse().map_err(|_| Failure::of_probe("enter-many takes a number"))?;
        let (mut sections, mut refusal) = (Vec::new(), String::new());
        for _ in 0..count {
            match concurrency::block_concurrency().await {
                Ok(section) => sections.push(section),
                Err(Error::TooDeep(text)) => {
                    refusal = format!(" too-deep: {text}");
                    break;
                }
            }
        }
        let line = format!("{}{refusal}", sections.len());
        while let Some(section) = sections.pop() {
            section.end();
        }
        Ok(line)
    }

    fn take(&self, name: &str) -> Result<CriticalSection, Failure> {
        let section = self.0.borrow_mut().remove(name);
        section.ok_or_else(|| Failure::of_probe(format!("no section {name} is open")))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Error::TooDeep(text) = error;
        Self::Refused { case: "too-deep", text }
    }
}
