//! A limiter: the token bucket of one user. It holds `BURST` tokens at most, and gets `RATE` of them each second.

use serde::{Deserialize, Serialize};

use crate::dohost::object::storage::{self, Entry};
use crate::exports::example::chat::limiter::Refusal;
use crate::{now, settings};

const BUCKET: &str = "bucket";

/// Tokens are counted in thousandths: so many come in each millisecond as whole ones do in each second.
const TOKEN: u64 = 1_000;

/// How full the bucket was, and when.
#[derive(Serialize, Deserialize)]
struct Bucket {
    level: u64,
    at: u64,
}

pub async fn take(cost: u32) -> Result<u32, Refusal> {
    let (rate, burst) = (u64::from(settings::number("RATE", 1)), u64::from(settings::number("BURST", 5)));
    let (cost, full) = (u64::from(cost) * TOKEN, burst * TOKEN);
    if cost > full {
        return Err(Refusal::Never);
    }
    let at = now();
    let level = match read().await {
        // The clock of a machine may be set back.
        Some(bucket) => bucket.level.saturating_add(at.saturating_sub(bucket.at).saturating_mul(rate)).min(full),
        None => full,
    };
    if cost > level {
        let wait = (cost - level).div_ceil(rate);
        return Err(Refusal::Wait(u32::try_from(wait).unwrap_or(u32::MAX)));
    }
    let level = level - cost;
    write(&Bucket { level, at }).await;
    Ok(u32::try_from(level / TOKEN).expect("no more than BURST"))
}

async fn read() -> Option<Bucket> {
    let stored = storage::get(BUCKET.to_string()).await.expect("a short key")?;
    Some(serde_json::from_slice(&stored).expect("what write wrote"))
}

/// Unconfirmed: the reply does not wait for the disk. A crash may give a user some tokens back, and nobody minds.
async fn write(bucket: &Bucket) {
    let value = serde_json::to_vec(bucket).expect("two numbers");
    storage::put_unconfirmed(vec![Entry { key: BUCKET.to_string(), value }]).await.expect("a short value");
}
