use dohost_guest::*;

/// A counter. Each name has one of its own, with a store of its own.
#[durable_object]
pub struct Counter {
    state: State,
}

impl DurableObject for Counter {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    /// Requests: `/Counter/{name}/increment` and `/Counter/{name}/value`.
    async fn fetch(&self, request: Request) -> Result<Response> {
        match request.path() {
            "/increment" => Response::ok(self.increment(None).await?.to_string()),
            "/value" => Response::ok(self.value().await?.to_string()),
            _ => Response::error("Not found", 404),
        }
    }
}

/// Methods, for `dohost call`, `/Counter/{name}/rpc/increment`, and other objects.
#[durable_object(methods)]
impl Counter {
    /// Adds to the counter, 1 if nothing is said, and gives its new value.
    pub async fn increment(&self, by: Option<u32>) -> Result<u64> {
        let count = self.value().await? + u64::from(by.unwrap_or(1));
        self.state.storage().put("count", &count).await?;
        Ok(count)
    }

    /// What was counted so far.
    pub async fn value(&self) -> Result<u64> {
        Ok(self.state.storage().get("count").await?.unwrap_or(0))
    }
}
