//! The Worker.

use dohost_guest::*;

use crate::cart::Cart;
use crate::goods::{Item, Refusal};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let Some((user, deed)) = request.path().trim_start_matches('/').split_once('/') else {
        return Response::error("There is /{user}/add, /{user}/items and /{user}/order.\n", 404);
    };
    let cart = env.durable_object("CART")?.get_by_name(user)?.methods::<Cart>();
    match deed {
        "add" => {
            let sku = request.query_value("sku").ok_or("say which sku")?;
            let count = request.query_value("count").map(|count| count.parse()).transpose()?;
            let item = Item { sku, unit_price: 100, wrap: None };
            match cart.add(item, count).await? {
                Ok(things) => Response::ok(things.to_string()),
                Err(Refusal::Nothing) => Response::error("nothing to add", 422),
                Err(Refusal::TooMany(most)) => Response::error(format!("a cart holds {most} things"), 422),
            }
        }
        "items" => Response::from_json(&cart.items().await?),
        "order" => match cart.order(env.var("CURRENCY")?.to_string()).await {
            Ok(receipt) => Response::ok(format!("{} {}", receipt.paid.1, receipt.paid.0)),
            Err(error) if error.is_overloaded() => Response::error("try again", 503),
            Err(error) => Response::error(error.message(), 409),
        },
        _ => Response::error("Not found", 404),
    }
}
