//! Structured clones, for `structuredClone` and for arguments of methods.

use rquickjs::{Ctx, Result, TypedArray, Value};

use super::Natives;
use crate::clone::Instances;
use crate::{bytes, clone};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("clone", copy)?;
    natives.add("encode", encode)?;
    natives.add("decode", decode)?;
    natives.add("setCloneHelpers", clone::set_helpers)
}

fn copy<'js>(ctx: Ctx<'js>, value: Value<'js>) -> Result<Value<'js>> {
    let encoded = clone::encode(&ctx, &value, Instances::AsPlain)?;
    clone::decode(&ctx, &encoded)
}

/// For methods, which take no instances of classes.
fn encode<'js>(ctx: Ctx<'js>, value: Value<'js>) -> Result<Value<'js>> {
    let encoded = clone::encode(&ctx, &value, Instances::Refused)?;
    bytes::array(&ctx, encoded)
}

fn decode<'js>(ctx: Ctx<'js>, encoded: TypedArray<'js, u8>) -> Result<Value<'js>> {
    clone::decode(&ctx, &bytes::copied(&encoded))
}
