//! The object's store. Values are structured clones.

use rquickjs::{Array, Ctx, Exception, IntoJs, Object, Result, Value};

use super::{Natives, require_event};
use crate::dohost::object::storage::{self, Entry, Error, ListOptions};
use crate::{answer, clone};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("storageGet", get)?;
    natives.add("storageGetMany", get_many)?;
    natives.add("storagePut", put)?;
    natives.add("storagePutMany", put_many)?;
    natives.add("storageDelete", delete)?;
    natives.add("storageDeleteMany", delete_many)?;
    natives.add("storageList", list)?;
    natives.add("storageDeleteAll", delete_all)?;
    natives.add("storageSync", sync)
}

fn get<'js>(ctx: Ctx<'js>, key: String) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::get(key), |ctx, value| match value {
        Ok(Some(value)) => clone::decode(ctx, &value),
        Ok(None) => Ok(Value::new_undefined(ctx.clone())),
        Err(error) => Err(thrown(ctx, error)),
    })
}

/// Keys and values in turn, as of [`list`].
fn get_many<'js>(ctx: Ctx<'js>, keys: Vec<String>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::get_many(keys), entries)
}

fn put<'js>(ctx: Ctx<'js>, key: String, value: Value<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::put(key, clone::encode(&ctx, &value, clone::Instances::AsPlain)?), done)
}

/// Keys and values in turn.
fn put_many<'js>(ctx: Ctx<'js>, entries: Array<'js>, is_unconfirmed: bool) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let mut list = Vec::with_capacity(entries.len() / 2);
    for index in (0..entries.len()).step_by(2) {
        let value = clone::encode(&ctx, &entries.get(index + 1)?, clone::Instances::AsPlain)?;
        list.push(Entry { key: entries.get(index)?, value });
    }
    if is_unconfirmed {
        answer::of(&ctx, storage::put_unconfirmed(list), done)
    } else {
        answer::of(&ctx, storage::put_many(list), done)
    }
}

fn delete<'js>(ctx: Ctx<'js>, key: String) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::delete(key), |ctx, existed| match existed {
        Ok(existed) => existed.into_js(ctx),
        Err(error) => Err(thrown(ctx, error)),
    })
}

/// How many existed.
fn delete_many<'js>(ctx: Ctx<'js>, keys: Vec<String>, is_unconfirmed: bool) -> Result<Value<'js>> {
    require_event(&ctx)?;
    if is_unconfirmed {
        answer::of(&ctx, storage::delete_unconfirmed(keys), count)
    } else {
        answer::of(&ctx, storage::delete_many(keys), count)
    }
}

/// Keys and values in turn.
fn list<'js>(ctx: Ctx<'js>, options: Object<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let options = ListOptions {
        start: options.get("start")?,
        start_after: options.get("startAfter")?,
        end: options.get("end")?,
        prefix: options.get("prefix")?,
        reverse: options.get::<_, Option<bool>>("reverse")?.unwrap_or(false),
        limit: options.get("limit")?,
    };
    answer::of(&ctx, storage::list(options), entries)
}

fn delete_all<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::delete_all(), done)
}

fn sync<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, storage::sync(), |ctx, ()| Ok(Value::new_undefined(ctx.clone())))
}

fn entries<'js>(ctx: &Ctx<'js>, entries: std::result::Result<Vec<Entry>, Error>) -> Result<Value<'js>> {
    let flat = Array::new(ctx.clone())?;
    for (index, entry) in entries.map_err(|error| thrown(ctx, error))?.into_iter().enumerate() {
        flat.set(2 * index, entry.key)?;
        flat.set(2 * index + 1, clone::decode(ctx, &entry.value)?)?;
    }
    flat.into_js(ctx)
}

pub(super) fn done<'js>(ctx: &Ctx<'js>, result: std::result::Result<(), Error>) -> Result<Value<'js>> {
    result.map_err(|error| thrown(ctx, error))?;
    Ok(Value::new_undefined(ctx.clone()))
}

fn count<'js>(ctx: &Ctx<'js>, result: std::result::Result<u32, Error>) -> Result<Value<'js>> {
    result.map_err(|error| thrown(ctx, error))?.into_js(ctx)
}

pub(super) fn thrown(ctx: &Ctx<'_>, error: Error) -> rquickjs::Error {
    match error {
        Error::Invalid(why) => Exception::throw_type(ctx, &why),
        Error::TooLarge(why) => Exception::throw_range(ctx, &why),
        Error::NotAllowed(why) => Exception::throw_message(ctx, &why),
    }
}
