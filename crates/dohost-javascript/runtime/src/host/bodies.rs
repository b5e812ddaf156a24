//! Bodies that the host has, read bit by bit. JavaScript knows each by a number that is never given again.

use std::cell::RefCell;
use std::collections::HashMap;

use rquickjs::{Ctx, Exception, Result, Value};

use super::Natives;
use crate::wasi::http::types::{ErrorCode, Fields, Request, Response};
use crate::{answer, bytes, wit_future};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

type Reader = wit_bindgen::StreamReader<u8>;
type End = wit_bindgen::FutureReader<std::result::Result<Option<Fields>, ErrorCode>>;

struct Body {
    reader: Reader,
    end: End,
}

#[derive(Default)]
struct Bodies {
    /// None while it is read.
    by_number: HashMap<u32, Option<Body>>,
    last: u32,
}

thread_local! {
    static BODIES: RefCell<Bodies> = RefCell::new(Bodies::default());
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("bodyRead", read)?;
    natives.add("bodyReadAll", read_all)?;
    natives.add("bodyDrop", forget)
}

/// Keeps the body of a request for JavaScript; what is its number.
pub fn keep(request: Request) -> u32 {
    let (_, received) = wit_future::new(|| Ok(()));
    let (reader, end) = Request::consume_body(request, received);
    insert(Body { reader, end })
}

/// The same of a response.
pub fn keep_of_response(response: Response) -> u32 {
    let (_, received) = wit_future::new(|| Ok(()));
    let (reader, end) = Response::consume_body(response, received);
    insert(Body { reader, end })
}

/// Takes a body away from JavaScript, to hand it on.
pub fn take(number: u32) -> Option<(Reader, End)> {
    let body = BODIES.with_borrow_mut(|bodies| bodies.by_number.remove(&number))??;
    Some((body.reader, body.end))
}

fn insert(body: Body) -> u32 {
    BODIES.with_borrow_mut(|bodies| {
        bodies.last += 1;
        bodies.by_number.insert(bodies.last, Some(body));
        bodies.last
    })
}

fn forget(number: u32) {
    drop(BODIES.with_borrow_mut(|bodies| bodies.by_number.remove(&number)));
}

/// A promise of the next bytes, null at the end. One at a time.
fn read<'js>(ctx: Ctx<'js>, number: u32) -> Result<Value<'js>> {
    let body = BODIES.with_borrow_mut(|bodies| bodies.by_number.get_mut(&number).and_then(Option::take));
    let Some(mut body) = body else { return Ok(Value::new_null(ctx)) };
    let next = async move {
        let (_, bytes) = body.reader.read(Vec::with_capacity(READ_BYTES)).await;
        if bytes.is_empty() {
            forget(number);
            return body.end.await.map(|_| None);
        }
        // Unless it was dropped meanwhile.
        BODIES.with_borrow_mut(|bodies| bodies.by_number.get_mut(&number).map(|place| place.replace(body)));
        Ok(Some(bytes))
    };
    answer::of(&ctx, next, |ctx, next| match next {
        Ok(Some(chunk)) => bytes::array(ctx, chunk),
        Ok(None) => Ok(Value::new_null(ctx.clone())),
        Err(error) => Err(failed(ctx, &error)),
    })
}

/// A promise of all that comes.
fn read_all<'js>(ctx: Ctx<'js>, number: u32) -> Result<Value<'js>> {
    let body = take(number);
    let all = async move {
        let mut all = Vec::new();
        let Some((mut reader, end)) = body else { return Ok(all) };
        loop {
            let (_, bytes) = reader.read(Vec::with_capacity(READ_BYTES)).await;
            if bytes.is_empty() {
                return end.await.map(|_| all);
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
    Exception::throw_type(ctx, &format!("The body broke off: {error:?}"))
}
