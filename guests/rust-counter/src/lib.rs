//! The counter of `guests/counter`, written with the crate `dohost-guest`.
//!
//! ```text
//! $ dohost serve rust-counter.wasm
//! $ curl localhost:8787/rust-counter/alice/increment
//! 1
//! $ dohost call rust-counter alice increment '{"by": 5}'
//! 6
//! ```

use dohost_guest::*;

#[durable_object]
pub struct Counter {
    state: State,
}

impl DurableObject for Counter {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        match request.path() {
            "/" | "/value" => Response::ok(self.value().await?.to_string()),
            "/increment" => Response::ok(self.add(1).await?.to_string()),
            "/decrement" => Response::ok(self.add(-1).await?.to_string()),
            _ => Response::error("Not found", 404),
        }
    }
}

#[durable_object(methods)]
impl Counter {
    /// Adds to the counter, 1 if nothing is said, and gives its new value.
    pub async fn increment(&self, by: Option<u32>) -> Result<i64> {
        self.add(by.unwrap_or(1).into()).await
    }

    /// What was counted so far.
    pub async fn value(&self) -> Result<i64> {
        Ok(self.state.storage().get("count").await?.unwrap_or(0))
    }

    /// Read, add, write: needs no lock. While the object waits for its storage no other request gets in between.
    async fn add(&self, amount: i64) -> Result<i64> {
        let count = self.value().await?.checked_add(amount).ok_or("the counter is full")?;
        self.state.storage().put("count", &count).await?;
        Ok(count)
    }
}
