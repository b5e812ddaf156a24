//! Critical sections and transactions.

use rquickjs::{Ctx, Exception, Result, Value};

use super::slab::Slab;
use super::{Natives, require_event};
use crate::answer;
use crate::dohost::object::concurrency::{self, CriticalSection};
use crate::dohost::object::storage::Error as StorageError;
use crate::dohost::object::transactions::{self, Transaction};

thread_local! {
    static SECTIONS: Slab<CriticalSection> = const { Slab::new() };
    static TRANSACTIONS: Slab<Transaction> = const { Slab::new() };
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("sectionBegin", section_begin)?;
    natives.add("sectionEnd", section_end)?;
    natives.add("transactionBegin", transaction_begin)?;
    natives.add("transactionCommit", transaction_commit)?;
    natives.add("transactionRollback", transaction_rollback)
}

/// A promise of the section's number.
fn section_begin<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, concurrency::block_concurrency(), |ctx, section| match section {
        Ok(section) => Ok(number(ctx, SECTIONS.with(|sections| sections.insert(section)))),
        Err(concurrency::Error::TooDeep(why)) => Err(Exception::throw_message(ctx, &why)),
    })
}

fn section_end(section: u32) {
    if let Some(section) = SECTIONS.with(|sections| sections.take(section)) {
        section.end();
    }
}

/// A promise of the transaction's number.
fn transaction_begin<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, transactions::begin(), |ctx, transaction| match transaction {
        Ok(transaction) => Ok(number(ctx, TRANSACTIONS.with(|transactions| transactions.insert(transaction)))),
        Err(error) => Err(thrown(ctx, &error)),
    })
}

fn transaction_commit(ctx: Ctx<'_>, transaction: u32) -> Result<()> {
    end(&ctx, transaction, Transaction::commit)
}

fn transaction_rollback(ctx: Ctx<'_>, transaction: u32) -> Result<()> {
    end(&ctx, transaction, Transaction::rollback)
}

fn end(ctx: &Ctx<'_>, transaction: u32, end: fn(&Transaction) -> std::result::Result<(), StorageError>) -> Result<()> {
    match TRANSACTIONS.with(|transactions| transactions.take(transaction)) {
        Some(transaction) => end(&transaction).map_err(|error| thrown(ctx, &error)),
        None => Ok(()),
    }
}

fn number<'js>(ctx: &Ctx<'js>, number: u32) -> Value<'js> {
    Value::new_number(ctx.clone(), number.into())
}

fn thrown(ctx: &Ctx<'_>, error: &StorageError) -> rquickjs::Error {
    let (StorageError::Invalid(why) | StorageError::TooLarge(why) | StorageError::NotAllowed(why)) = error;
    Exception::throw_message(ctx, why)
}
