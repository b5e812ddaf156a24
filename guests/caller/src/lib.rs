//! An object that calls methods of others with their types, for tests of the host.
//!
//! `wit/deps/types-client.wit` is what `dohost describe types.wasm --client` prints; what the methods do is in
//! `wit/caller.wit`.

use dohost::object::namespace::{self, CallError, Stub};
use dohost::object::storage;
use dohost::types_client::counting::{self, Refusal};
use dohost::types_client::echo::{self, All};
use exports::dohost::caller::relay::Guest;
use futures_util::future::{LocalBoxFuture, join_all, poll_immediate};

wit_bindgen::generate!({
    world: "dohost:caller/caller",
    path: ["../../wit", "wit"],
    generate_all,
});

struct Caller;

export!(Caller);

impl Guest for Caller {
    async fn increment(class: String, name: String, by: Option<u32>) -> Result<u64, String> {
        counting::increment(&stub(&class, &name)?, by).await.map_err(text)
    }

    async fn take(class: String, name: String, amount: u64) -> Result<Result<u64, Refusal>, String> {
        counting::take(&stub(&class, &name)?, amount).await.map_err(text)
    }

    async fn clear(class: String, name: String) -> Result<(), String> {
        counting::clear(&stub(&class, &name)?).await.map_err(text)
    }

    async fn echo_all(class: String, name: String, all: All) -> Result<All, String> {
        echo::echo_all(&stub(&class, &name)?, all).await.map_err(text)
    }

    async fn increment_then_trap(class: String, name: String) -> Result<(), String> {
        counting::increment_then_trap(&stub(&class, &name)?).await.map_err(text)
    }

    async fn in_order(class: String, name: String, count: u32) -> Vec<u64> {
        let stub = stub(&class, &name).expect("there is such a class");
        let mut calls = Vec::new();
        for number in 0..count {
            let call: LocalBoxFuture<u64> = if number % 2 == 0 {
                Box::pin(async { counting::increment(&stub, None).await.map_err(text).expect("it is there") })
            } else {
                let called = stub.call("increment".to_string(), "{}".to_string());
                Box::pin(async { called.await.map_err(text).expect("it is there").parse().expect("a number") })
            };
            calls.push(begin(call).await);
            storage::put("step".to_string(), number.to_string().into_bytes()).await.expect("it is short");
        }
        join_all(calls).await
    }

    async fn write_then_increment(class: String, name: String) -> Result<u64, String> {
        storage::put("written".to_string(), b"1".to_vec()).await.map_err(|error| error.to_string())?;
        counting::increment(&stub(&class, &name)?, None).await.map_err(text)
    }

    async fn has_written() -> bool {
        storage::get("written".to_string()).await.is_ok_and(|value| value.is_some())
    }
}

fn stub(class: &str, name: &str) -> Result<Stub, String> {
    namespace::get_by_name(class, name).map_err(|error| error.to_string())
}

fn text(error: CallError) -> String {
    let CallError { message, remote, retryable, overloaded } = error;
    format!("failed: {message}; remote {remote}, retryable {retryable}, overloaded {overloaded}")
}

/// The call is on its way when this returns.
async fn begin(mut call: LocalBoxFuture<'_, u64>) -> LocalBoxFuture<'_, u64> {
    match poll_immediate(&mut call).await {
        Some(value) => Box::pin(std::future::ready(value)),
        None => call,
    }
}
