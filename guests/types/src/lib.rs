//! Methods with every type of WIT, for tests of the host. It has no handler: its objects take no requests.
//!
//! What the methods do is in `wit/types.wit`.

use dohost::object::{namespace, storage};
use exports::dohost::types::counting::{self, Refusal};
use exports::dohost::types::echo::{self, All};
use exports::dohost::types::sessions::{self, Session};

wit_bindgen::generate!({
    world: "dohost:types/types",
    path: ["../../wit", "wit"],
    generate_all,
});

struct Types;

export!(Types);

impl Guest for Types {
    async fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

impl echo::Guest for Types {
    async fn echo_all(all: All) -> All {
        all
    }

    async fn echo_s64(value: i64) -> i64 {
        value
    }

    async fn echo_u64(value: u64) -> u64 {
        value
    }

    async fn echo_bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }

    async fn echo_lists(value: Vec<Vec<String>>) -> Vec<Vec<String>> {
        value
    }

    async fn zeros(count: u32) -> Vec<u8> {
        vec![0; count as usize]
    }

    fn sum(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
}

impl counting::Guest for Types {
    async fn increment(by: Option<u32>) -> u64 {
        let count = read().await + u64::from(by.unwrap_or(1));
        write(count).await;
        count
    }

    async fn value() -> u64 {
        read().await
    }

    async fn take(amount: u64) -> Result<u64, Refusal> {
        if amount == 0 {
            return Err(Refusal::Closed);
        }
        let count = read().await;
        let left = count.checked_sub(amount).ok_or(Refusal::TooLittle(count))?;
        write(left).await;
        Ok(left)
    }

    async fn clear() {
        write(0).await;
    }

    async fn increment_then_trap() {
        write(read().await + 1).await;
        panic!("asked to");
    }

    async fn pass_on(class: String, name: String, method: String, arguments: String) -> Result<String, String> {
        let stub = namespace::get_by_name(&class, &name).map_err(|error| error.to_string())?;
        stub.call(method, arguments).await.map_err(|error| error.message)
    }
}

impl sessions::Guest for Types {
    type Session = Open;

    async fn open() -> Session {
        Session::new(Open)
    }
}

struct Open;

impl sessions::GuestSession for Open {
    fn close(&self) {}
}

async fn read() -> u64 {
    let bytes = storage::get("count".to_string()).await.expect("a key that is short");
    bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes were written")))
}

async fn write(count: u64) {
    storage::put("count".to_string(), count.to_le_bytes().to_vec()).await.expect("a value that is short");
}
