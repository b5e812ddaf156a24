//! The object's alarm: that of its alarms which has no name.

use rquickjs::{Ctx, IntoJs, Result, Value};

use super::storage::{done, thrown};
use super::{Natives, require_event};
use crate::answer;
use crate::dohost::object::alarms;

/// The name of the only alarm that Cloudflare's objects have.
const NAME: &str = "";

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("alarmGet", get)?;
    natives.add("alarmSet", set)?;
    natives.add("alarmDelete", delete)
}

fn get<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    answer::of(&ctx, alarms::get(NAME.into()), |ctx, time| match time {
        Ok(Some(time)) => (time as f64).into_js(ctx),
        Ok(None) => Ok(Value::new_null(ctx.clone())),
        Err(error) => Err(thrown(ctx, error)),
    })
}

/// At a time in milliseconds since 1970.
fn set<'js>(ctx: Ctx<'js>, time: f64, is_unconfirmed: bool) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let time = time as i64;
    if is_unconfirmed {
        answer::of(&ctx, alarms::set_unconfirmed(NAME.into(), time), done)
    } else {
        answer::of(&ctx, alarms::set(NAME.into(), time), done)
    }
}

fn delete<'js>(ctx: Ctx<'js>, is_unconfirmed: bool) -> Result<Value<'js>> {
    require_event(&ctx)?;
    if is_unconfirmed {
        answer::of(&ctx, alarms::delete_unconfirmed(NAME.into()), deleted)
    } else {
        answer::of(&ctx, alarms::delete(NAME.into()), deleted)
    }
}

/// Whether there was one is nothing that JavaScript is told.
fn deleted<'js>(ctx: &Ctx<'js>, result: std::result::Result<bool, alarms::Error>) -> Result<Value<'js>> {
    done(ctx, result.map(drop))
}
