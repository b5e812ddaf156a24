//! A cart: one object per user.

use dohost_guest::*;

use crate::goods::{self, Item, Line, Receipt, Refusal, Shortage, Wrap};
use crate::stock::Stock;

/// Things in a cart.
const THINGS_MAX: u32 = 100;

#[durable_object]
pub struct Cart {
    state: State,
    env: Env,
}

impl DurableObject for Cart {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }
}

#[durable_object(methods)]
impl Cart {
    /// Puts something into the cart, 1 of it unless told otherwise; how many things are in it then.
    pub async fn add(&self, item: Item, count: Option<u32>) -> Result<u32, Refusal> {
        let count = count.unwrap_or(1);
        if count == 0 {
            return Err(Refusal::Nothing);
        }
        let mut lines = self.items().await;
        let things = lines.iter().map(|line| line.count).sum::<u32>().saturating_add(count);
        if things > THINGS_MAX {
            return Err(Refusal::TooMany(THINGS_MAX));
        }
        match lines.iter_mut().find(|line| line.item == item) {
            Some(line) => line.count += count,
            None => lines.push(Line { item, count }),
        }
        self.state.storage().put("lines", &lines).await.expect("so few lines are no large value");
        Ok(things)
    }

    /// What is in the cart.
    pub async fn items(&self) -> Vec<goods::Line> {
        self.state.storage().get("lines").await.expect("only lines are stored there").unwrap_or_default()
    }

    /// Takes everything in the cart out of the stock, and empties the cart.
    pub async fn order(&self, currency: String) -> Result<Receipt> {
        let lines = self.items().await;
        let stocks = self.env.durable_object("STOCK")?;
        for line in &lines {
            let stock = stocks.get_by_name(&line.item.sku)?.methods::<Stock>();
            if let Err(shortage) = stock.take(line.count).await? {
                return Err(match shortage {
                    Shortage::Left(left) => Error::new(format!("only {left} of {} are left", line.item.sku)),
                    Shortage::SoldOut => Error::new(format!("{} is sold out", line.item.sku)),
                });
            }
        }
        self.state.storage().delete("lines").await?;
        let price = |line: &Line| {
            let wrap = match line.item.wrap {
                None => 0,
                Some(Wrap::Paper) => 50,
                Some(Wrap::GiftBox) => 250,
            };
            u64::from(line.count) * u64::from(line.item.unit_price + wrap)
        };
        let total = lines.iter().map(price).sum();
        Ok(Receipt { lines, total, paid: (currency, total) })
    }
}
