//! What the objects speak of.

use dohost_guest::WitType;
use serde::{Deserialize, Serialize};

/// A thing for sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, WitType)]
pub struct Item {
    pub sku: String,
    /// In cents.
    pub unit_price: u32,
    pub wrap: Option<Wrap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, WitType)]
pub enum Wrap {
    Paper,
    GiftBox,
}

/// So many of a thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, WitType)]
pub struct Line {
    pub item: Item,
    pub count: u32,
}

/// Why nothing was put into a cart.
#[derive(Clone, Debug, PartialEq, WitType)]
pub enum Refusal {
    Nothing,
    /// A cart holds so many things.
    TooMany(u32),
}

/// Why nothing was taken out of the stock.
#[derive(Clone, Debug, PartialEq, WitType)]
pub enum Shortage {
    /// Only so many are left.
    Left(u32),
    SoldOut,
}

/// What was bought.
#[derive(Clone, Debug, PartialEq, WitType)]
pub struct Receipt {
    pub lines: Vec<Line>,
    /// In cents.
    pub total: u64,
    pub paid: (String, u64),
}
