//! Steps with transactions, which have names here so that a test can say which one it means.
//!
//! | step | line |
//! | --- | --- |
//! | `begin T` | `begun` |
//! | `begin-many N` | how many transactions it got to lie inside each other, and the refusal if there was one |
//! | `commit T`, `rollback T` | `ok`; the handle stays, so that a test can use it after its end |
//! | `drop T` | `ok`; the handle goes |
//! | `leak T` | `ok`; the handle stays although nothing will use it, so the transaction stays open |

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::dohost::object::transactions::{self, Transaction};
use crate::reply::Failure;
use crate::steps::ok;

/// The transactions of one event.
#[derive(Default)]
pub struct Transactions(RefCell<BTreeMap<String, Transaction>>);

impl Transactions {
    pub async fn begin(&self, name: &str) -> Result<String, Failure> {
        let transaction = transactions::begin().await?;
        self.0.borrow_mut().insert(name.to_string(), transaction);
        Ok("begun".to_string())
    }

    pub async fn begin_many(&self, count: &str) -> Result<String, Failure> {
        let count: usize = count.parse().map_err(|_| Failure::of_probe("begin-many takes a number"))?;
        let (mut open, mut refusal) = (Vec::new(), String::new());
        for _ in 0..count {
            match transactions::begin().await {
                Ok(transaction) => open.push(transaction),
                Err(error) => {
                    let Failure::Refused { case, text } = error.into() else { unreachable!("the host refused") };
                    refusal = format!(" {case}: {text}");
                    break;
                }
            }
        }
        let line = format!("{}{refusal}", open.len());
        while let Some(transaction) = open.pop() {
            transaction.commit()?;
        }
        Ok(line)
    }

    pub fn commit(&self, name: &str) -> Result<String, Failure> {
        self.with(name, Transaction::commit)
    }

    pub fn rollback(&self, name: &str) -> Result<String, Failure> {
        self.with(name, Transaction::rollback)
    }

    pub fn discard(&self, name: &str) -> Result<String, Failure> {
        drop(self.take(name)?);
        ok()
    }

    pub fn leak(&self, name: &str) -> Result<String, Failure> {
        std::mem::forget(self.take(name)?);
        ok()
    }

    fn with(
        &self,
        name: &str,
        end: impl FnOnce(&Transaction) -> Result<(), crate::dohost::object::storage::Error>,
    ) -> Result<String, Failure> {
        let open = self.0.borrow();
        let transaction = open.get(name).ok_or_else(|| unknown(name))?;
        end(transaction)?;
        ok()
    }

    fn take(&self, name: &str) -> Result<Transaction, Failure> {
        self.0.borrow_mut().remove(name).ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> Failure {
    Failure::of_probe(format!("no transaction {name} was begun"))
}
