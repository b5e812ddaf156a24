//! Timers and clocks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

use rquickjs::{Ctx, Result};

use super::{Natives, require_event};
use crate::engine::{self, Hook};
use crate::wasi::clocks::{monotonic_clock, system_clock};

thread_local! {
    /// Those that run, and how to wake the task of each.
    static RUNNING: RefCell<HashMap<u32, Option<Waker>>> = RefCell::new(HashMap::new());
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("timerStart", start)?;
    natives.add("timerStop", stop)?;
    natives.add("now", now_ms)
}

/// Milliseconds since 1970; 0 while the program is loaded, as for all programs.
pub fn now_ms() -> f64 {
    if !engine::is_running() {
        return 0.0;
    }
    let now = system_clock::now();
    now.seconds as f64 * 1e3 + f64::from(now.nanoseconds / 1_000_000)
}

/// Calls the hook `timer` with the number when the time has come.
fn start(ctx: Ctx<'_>, number: u32, milliseconds: f64) -> Result<()> {
    require_event(&ctx)?;
    RUNNING.with_borrow_mut(|running| running.insert(number, None));
    wit_bindgen::spawn_local(async move {
        if wait(number, (milliseconds * 1e6) as u64).await {
            engine::enter(|ctx| {
                // What the program's function throws is reported by the hook.
                let _ = engine::call::<_, ()>(ctx, Hook::timer, (number,));
            });
        }
    });
    Ok(())
}

/// Whether the time came before the timer was stopped.
async fn wait(number: u32, nanoseconds: u64) -> bool {
    let mut sleep = pin!(monotonic_clock::wait_for(nanoseconds));
    poll_fn(|cx| {
        let goes_on = RUNNING.with_borrow_mut(|running| match running.get_mut(&number) {
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                true
            }
            None => false,
        });
        if !goes_on {
            return Poll::Ready(false);
        }
        sleep.as_mut().poll(cx).map(|()| RUNNING.with_borrow_mut(|running| running.remove(&number)).is_some())
    })
    .await
}

fn stop(number: u32) {
    if let Some(Some(waker)) = RUNNING.with_borrow_mut(|running| running.remove(&number)) {
        waker.wake();
    }
}
