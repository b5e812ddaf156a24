//! The stock of one thing: one object per thing, which remembers how many are left.

use std::cell::Cell;

use dohost_guest::*;

use crate::goods::Shortage;

#[durable_object]
pub struct Stock {
    state: State,
    left: Cell<u32>,
}

impl DurableObject for Stock {
    fn new(state: State, _env: Env) -> Self {
        Self { state, left: Cell::new(0) }
    }

    async fn construct(&self) -> Result<()> {
        self.left.set(self.state.storage().get("left").await?.unwrap_or(0));
        Ok(())
    }
}

#[durable_object(methods)]
impl Stock {
    /// More have come; how many are there now.
    pub async fn fill(&self, count: u32) -> Result<u32> {
        self.set(self.left.get().checked_add(count).ok_or("there is no room")?).await
    }

    /// Takes some; how many are left.
    pub async fn take(&self, count: u32) -> Result<u32, Shortage> {
        match self.left.get().checked_sub(count) {
            Some(left) => Ok(self.set(left).await.expect("a number is no large value")),
            None if self.left.get() == 0 => Err(Shortage::SoldOut),
            None => Err(Shortage::Left(self.left.get())),
        }
    }

    /// Sets an alarm, which this class does not handle.
    pub async fn remind(&self) -> Result<()> {
        self.state.storage().set_alarm(Date::now()).await
    }

    /// How many are left.
    pub fn left(&self) -> u32 {
        self.left.get()
    }

    async fn set(&self, left: u32) -> Result<u32> {
        self.left.set(left);
        self.state.storage().put("left", &left).await?;
        Ok(left)
    }
}
