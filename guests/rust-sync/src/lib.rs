//! A counter on the synchronous ABI, written with the crate `dohost-guest`: an event begins when the one before it is done,
//! whatever that waits for.

use std::time::Duration;

use dohost_guest::*;

#[durable_object(sync)]
pub struct Counter {
    state: State,
}

impl DurableObject for Counter {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        match request.path() {
            "/value" => Response::ok(self.value().await?.to_string()),
            "/increment" => Response::ok(self.increment(None).await?.to_string()),
            _ => Response::error("Not found", 404),
        }
    }
}

#[durable_object(methods, sync)]
impl Counter {
    /// Adds to the counter, 1 if nothing is said, and gives its new value.
    pub async fn increment(&self, by: Option<u32>) -> Result<i64> {
        let count = self.value().await? + i64::from(by.unwrap_or(1));
        self.state.storage().put("count", &count).await?;
        Ok(count)
    }

    /// The same with a wait in between, in which others would come if they could.
    pub async fn increment_slowly(&self) -> Result<i64> {
        let count = self.value().await? + 1;
        sleep(Duration::from_millis(20)).await;
        self.state.storage().put("count", &count).await?;
        Ok(count)
    }

    /// What was counted so far.
    pub async fn value(&self) -> Result<i64> {
        Ok(self.state.storage().get("count").await?.unwrap_or(0))
    }
}
