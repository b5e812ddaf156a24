//! Between the two kinds of waiting: futures of Rust and promises of JavaScript.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rquickjs::function::This;
use rquickjs::{Ctx, Function, IntoJs, Persistent, Promise, Result, Value};

use crate::engine;

/// Makes the value that JavaScript gets of what a future gave.
pub type Convert<T> = for<'js> fn(&Ctx<'js>, T) -> Result<Value<'js>>;

/// Gives what the future gives: the value at once if it need not wait, or else a promise.
///
/// So most calls to the storage cost no promise of ours and no task.
pub fn of<'js, T: 'static>(
    ctx: &Ctx<'js>,
    future: impl Future<Output = T> + 'static,
    convert: Convert<T>,
) -> Result<Value<'js>> {
    let mut future = Box::pin(future);
    if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return convert(ctx, result);
    }
    let (promise, resolve, reject) = ctx.promise()?;
    let (resolve, reject) = (Persistent::save(ctx, resolve), Persistent::save(ctx, reject));
    wit_bindgen::spawn_local(async move {
        let result = future.await;
        engine::enter(|ctx| {
            let settled = match convert(ctx, result) {
                Ok(value) => resolve.restore(ctx).and_then(|resolve| resolve.call::<_, ()>((value,))),
                Err(_) => {
                    let thrown = ctx.catch();
                    reject.restore(ctx).and_then(|reject| reject.call::<_, ()>((thrown,)))
                }
            };
            settled.expect("the functions of a promise throw nothing");
        });
    });
    Ok(promise.into_value())
}

/// Enters JavaScript with `run`, waits for the promise that it may give, and reads the value.
///
/// Functions that are called so throw nothing and reject nothing: how they failed is part of the value. Should they do so
/// all the same (the stack is at its end, say), the value is the exception in words.
pub async fn wait<T: 'static>(run: impl for<'js> FnOnce(&Ctx<'js>) -> Result<Value<'js>>, read: Read<T>) -> T {
    let slot: Rc<RefCell<Slot<T>>> = Rc::new(RefCell::new(Slot { value: None, waker: None }));
    engine::enter(|ctx| {
        let value = run(ctx).unwrap_or_else(|error| failure(ctx, error));
        engine::settle(ctx);
        match value.as_promise() {
            None => slot.borrow_mut().value = Some(read(ctx, value)),
            Some(promise) => match promise.result::<Value<'_>>() {
                Some(Ok(value)) => slot.borrow_mut().value = Some(read(ctx, value)),
                Some(Err(error)) => slot.borrow_mut().value = Some(read(ctx, failure(ctx, error))),
                None => fill_later(ctx, promise, &slot, read).expect("a promise can be waited for"),
            },
        }
    });
    poll_fn(|cx| {
        let mut slot = slot.borrow_mut();
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Reads what JavaScript gave.
pub type Read<T> = for<'js> fn(&Ctx<'js>, Value<'js>) -> T;

/// A value on its way from JavaScript to the task that waits for it, which may be another one than the task that runs
/// when it comes.
struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

fn fill_later<'js, T: 'static>(
    ctx: &Ctx<'js>,
    promise: &Promise<'js>,
    slot: &Rc<RefCell<Slot<T>>>,
    read: Read<T>,
) -> Result<()> {
    let fill = |slot: Rc<RefCell<Slot<T>>>, is_rejected: bool| {
        move |mut value: Value<'js>| {
            let ctx = value.ctx().clone();
            if is_rejected {
                value = words(&ctx, engine::explain_value(&ctx, value).0);
            }
            let mut slot = slot.borrow_mut();
            slot.value = Some(read(&ctx, value));
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    };
    let done = Function::new(ctx.clone(), fill(slot.clone(), false))?;
    let failed = Function::new(ctx.clone(), fill(slot.clone(), true))?;
    promise.then()?.call((This(promise.clone()), done, failed))
}

fn failure<'js>(ctx: &Ctx<'js>, error: rquickjs::Error) -> Value<'js> {
    let exception = engine::explain(ctx, error).0;
    words(ctx, exception)
}

fn words<'js>(ctx: &Ctx<'js>, text: String) -> Value<'js> {
    text.into_js(ctx).unwrap_or_else(|_| Value::new_undefined(ctx.clone()))
}
