//! `dohost:object/storage`.

use wasmtime::component::Accessor;

use super::{Host, answer, answer_to};
use crate::bindings::storage::{self, Entry, Error, ListOptions};
use crate::guest::GuestState;
use crate::imports::Inside;

type Refusable<T> = wasmtime::Result<Result<T, Error>>;

impl storage::Host for &mut GuestState {}

impl storage::HostWithStore<GuestState> for Host {
    async fn get(accessor: &Accessor<GuestState, Self>, key: String) -> Refusable<Option<Vec<u8>>> {
        answer(accessor, |state| Ok(inside(state)?.get(key))).await
    }

    async fn get_many(accessor: &Accessor<GuestState, Self>, keys: Vec<String>) -> Refusable<Vec<Entry>> {
        answer(accessor, |state| Ok(inside(state)?.get_many(keys))).await
    }

    async fn put(accessor: &Accessor<GuestState, Self>, key: String, value: Vec<u8>) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.put(key, value))).await
    }

    async fn put_many(accessor: &Accessor<GuestState, Self>, entries: Vec<Entry>) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.put_many(entries))).await
    }

    async fn delete(accessor: &Accessor<GuestState, Self>, key: String) -> Refusable<bool> {
        answer(accessor, |state| Ok(inside(state)?.delete(key))).await
    }

    async fn delete_many(accessor: &Accessor<GuestState, Self>, keys: Vec<String>) -> Refusable<u32> {
        answer(accessor, |state| Ok(inside(state)?.delete_many(keys))).await
    }

    async fn list(accessor: &Accessor<GuestState, Self>, options: ListOptions) -> Refusable<Vec<Entry>> {
        answer(accessor, |state| Ok(inside(state)?.list(options))).await
    }

    async fn delete_all(accessor: &Accessor<GuestState, Self>) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.delete_all())).await
    }

    async fn put_unconfirmed(accessor: &Accessor<GuestState, Self>, entries: Vec<Entry>) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.put_unconfirmed(entries))).await
    }

    async fn delete_unconfirmed(accessor: &Accessor<GuestState, Self>, keys: Vec<String>) -> Refusable<u32> {
        answer(accessor, |state| Ok(inside(state)?.delete_unconfirmed(keys))).await
    }

    async fn sync(accessor: &Accessor<GuestState, Self>) -> wasmtime::Result<()> {
        answer_to(accessor, |state, caller| Ok(inside(state)?.sync(caller))).await
    }
}

fn inside(state: &GuestState) -> wasmtime::Result<&dyn Inside> {
    super::inside(state, "storage")
}
