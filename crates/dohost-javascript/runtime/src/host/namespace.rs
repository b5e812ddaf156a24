//! Ids of objects, and stubs.

use std::rc::Rc;

use rquickjs::{Array, Ctx, Exception, IntoJs, Object, Result, TypedArray, Value};

use super::slab::Slab;
use super::{Natives, require_event};
use crate::dohost::object::dynamic_calls::{self, MethodKind};
use crate::dohost::object::mixed;
use crate::dohost::object::namespace::{self, CallError, Stub};
use crate::{answer, bytes, clone, http};

thread_local! {
    static STUBS: Slab<Rc<Stub>> = const { Slab::new() };
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("bindings", namespace::bindings)?;
    natives.add("idFromName", |ctx: Ctx<'_>, class: String, name: String| {
        namespace::id_from_name(&class, &name).map_err(|error| thrown(&ctx, error))
    })?;
    natives.add("idFromString", |ctx: Ctx<'_>, class: String, id: String| {
        namespace::id_from_string(&class, &id).map_err(|error| thrown(&ctx, error))
    })?;
    natives.add("newUniqueId", |ctx: Ctx<'_>, class: String| {
        require_event(&ctx)?;
        namespace::new_unique_id(&class).map_err(|error| thrown(&ctx, error))
    })?;
    natives.add("stubById", |ctx: Ctx<'_>, class: String, id: String| keep(&ctx, namespace::get(&class, &id)))?;
    natives.add("stubByName", |ctx: Ctx<'_>, class: String, name: String| {
        keep(&ctx, namespace::get_by_name(&class, &name))
    })?;
    natives.add("stubDrop", |stub: u32| drop(STUBS.with(|stubs| stubs.take(stub))))?;
    natives.add("stubIsDynamic", |stub: u32| dynamic_calls::kind(&find(stub)) == MethodKind::Dynamic)?;
    natives.add("stubFetch", fetch)?;
    natives.add("stubCall", call)?;
    natives.add("stubCallJson", call_json)
}

fn keep(ctx: &Ctx<'_>, stub: std::result::Result<Stub, namespace::Error>) -> Result<u32> {
    let stub = stub.map_err(|error| thrown(ctx, error))?;
    Ok(STUBS.with(|stubs| stubs.insert(Rc::new(stub))))
}

fn find(stub: u32) -> Rc<Stub> {
    STUBS.with(|stubs| stubs.with(stub, Rc::clone)).expect("a stub is dropped when nothing refers to it any more")
}

/// A promise of status, headers, and bytes or the number of a body.
fn fetch<'js>(
    ctx: Ctx<'js>,
    stub: u32,
    method: String,
    url: String,
    headers: String,
    body: Value<'js>,
) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let stub = find(stub);
    let request = http::request(method, &url, &headers, &body)?;
    let request = request.map_err(|why| Exception::throw_type(&ctx, &why))?;
    answer::of(&ctx, async move { mixed::fetch(&stub, request).await }, |ctx, result| match result {
        Ok(reply) => http::received(ctx, reply),
        Err(error) => failed(ctx, error),
    })
}

/// A promise of the result, for an object whose methods are dynamic.
fn call<'js>(ctx: Ctx<'js>, stub: u32, method: String, arguments: TypedArray<'js, u8>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let (stub, arguments) = (find(stub), bytes::copied(&arguments));
    let call = async move { dynamic_calls::call(&stub, method, arguments).await };
    answer::of(&ctx, call, |ctx, result| match result {
        Ok(result) => {
            let wrapped = Array::new(ctx.clone())?;
            wrapped.set(0, clone::decode(ctx, &result)?)?;
            wrapped.into_js(ctx)
        }
        Err(error) => failed(ctx, error),
    })
}

/// A promise of the result, for an object whose methods have types. All in JSON.
fn call_json<'js>(ctx: Ctx<'js>, stub: u32, method: String, arguments: String) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let stub = find(stub);
    answer::of(&ctx, async move { stub.call(method, arguments).await }, |ctx, result| match result {
        Ok(result) => result.into_js(ctx),
        Err(error) => failed(ctx, error),
    })
}

/// What `js/namespace.js` makes an exception of.
fn failed<'js>(ctx: &Ctx<'js>, error: CallError) -> Result<Value<'js>> {
    let failure = Object::new(ctx.clone())?;
    failure.set("message", error.message)?;
    failure.set("remote", error.remote)?;
    failure.set("retryable", error.retryable)?;
    failure.set("overloaded", error.overloaded)?;
    failure.into_js(ctx)
}

fn thrown(ctx: &Ctx<'_>, error: namespace::Error) -> rquickjs::Error {
    let (namespace::Error::UnknownClass(why) | namespace::Error::InvalidId(why) | namespace::Error::TooLarge(why)) =
        error;
    Exception::throw_type(ctx, &why)
}
