//! Bodies of requests to a Worker, read bit by bit.

use rquickjs::{Ctx, Exception, Result, Value};

use super::Natives;
use super::slab::Slab;
use crate::wasi::http::types::{ErrorCode, Fields, Request};
use crate::{answer, bytes, wit_future};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

struct Body {
    reader: wit_bindgen::StreamReader<u8>,
    end: wit_bindgen::FutureReader<std::result::Result<Option<Fields>, ErrorCode>>,
}

thread_local! {
    static BODIES: Slab<Body> = const { Slab::new() };
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("bodyRead", read)?;
    natives.add("bodyReadAll", read_all)?;
    natives.add("bodyDrop", |body: u32| drop(BODIES.with(|bodies| bodies.take(body))))
}

/// Keeps the body of a request for JavaScript; what is its number.
pub fn keep(request: Request) -> u32 {
    let (_, received) = wit_future::new(|| Ok(()));
    let (reader, end) = Request::consume_body(request, received);
    BODIES.with(|bodies| bodies.insert(Body { reader, end }))
}

/// A promise of the next bytes, null at the end. One at a time.
fn read<'js>(ctx: Ctx<'js>, number: u32) -> Result<Value<'js>> {
    let Some(mut body) = BODIES.with(|bodies| bodies.take(number)) else {
        return Ok(Value::new_null(ctx));
    };
    let next = async move {
        let (_, bytes) = body.reader.read(Vec::with_capacity(READ_BYTES)).await;
        if bytes.is_empty() {
            return (number, body.end.await.map(|_| None));
        }
        let next = BODIES.with(|bodies| bodies.insert(body));
        (next, Ok(Some(bytes)))
    };
    answer::of(&ctx, next, |ctx, (number, next)| match next {
        // The number may be another one now, see `js/body.js`.
        Ok(Some(chunk)) => {
            let pair = rquickjs::Array::new(ctx.clone())?;
            pair.set(0, number)?;
            pair.set(1, bytes::array(ctx, chunk)?)?;
            Ok(pair.into_value())
        }
        Ok(None) => Ok(Value::new_null(ctx.clone())),
        Err(error) => Err(failed(ctx, &error)),
    })
}

/// A promise of all that comes.
fn read_all<'js>(ctx: Ctx<'js>, number: u32) -> Result<Value<'js>> {
    let body = BODIES.with(|bodies| bodies.take(number));
    let all = async move {
        let mut all = Vec::new();
        let Some(mut body) = body else { return Ok(all) };
        loop {
            let (_, bytes) = body.reader.read(Vec::with_capacity(READ_BYTES)).await;
            if bytes.is_empty() {
                return body.end.await.map(|_| all);
            }
            all.extend(bytes);
        }
    };
    answer::of(&ctx, all, |ctx, all| match all {
        Ok(all) => bytes::array(ctx, all),
        Err(error) => Err(failed(ctx, &error)),
    })
}

fn failed(ctx: &Ctx<'_>, error: &ErrorCode) -> rquickjs::Error {
    Exception::throw_type(ctx, &format!("The request's body broke off: {error:?}"))
}
