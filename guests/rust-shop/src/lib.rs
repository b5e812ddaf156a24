//! A shop: classes and a Worker in one component, written with the crate `dohost-guest`, which call each other's methods.
//!
//! | who | what it is | file |
//! | --- | --- | --- |
//! | `front` | the Worker: `/{user}/add?sku=apple&count=2`, `/{user}/items`, `/{user}/order` | `front.rs` |
//! | `Cart` | one object per user: what is in the cart | `cart.rs` |
//! | `Stock` | one object per thing for sale: how many are left | `stock.rs` |
//! | `Trial` | what else the crate can do, for tests | `trial.rs` |

mod cart;
mod front;
mod goods;
mod stock;
mod trial;
