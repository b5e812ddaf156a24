//! The count of `guests/types` on the synchronous ABI, for tests of the host.

use dohost::object::{namespace, storage};
use exports::dohost::types::counting::{Guest, Refusal};

wit_bindgen::generate!({
    world: "dohost:types/counting-only",
    path: ["../../wit", "../types/wit"],
    generate_all,
    async: false,
});

struct Count;

export!(Count);

impl Guest for Count {
    fn increment(by: Option<u32>) -> u64 {
        let count = read() + u64::from(by.unwrap_or(1));
        write(count);
        count
    }

    fn value() -> u64 {
        read()
    }

    fn take(amount: u64) -> Result<u64, Refusal> {
        if amount == 0 {
            return Err(Refusal::Closed);
        }
        let count = read();
        let left = count.checked_sub(amount).ok_or(Refusal::TooLittle(count))?;
        write(left);
        Ok(left)
    }

    fn clear() {
        write(0);
    }

    fn increment_then_trap() {
        write(read() + 1);
        panic!("asked to");
    }

    fn pass_on(class: String, name: String, method: String, arguments: String) -> Result<String, String> {
        let stub = namespace::get_by_name(&class, &name).map_err(|error| error.to_string())?;
        stub.call(&method, &arguments).map_err(|error| error.message)
    }
}

fn read() -> u64 {
    let bytes = storage::get("count").expect("a key that is short");
    bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes were written")))
}

fn write(count: u64) {
    storage::put("count", &count.to_le_bytes()).expect("a value that is short");
}
