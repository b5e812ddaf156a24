//! Bytes on their way between the two languages. They are copied: JavaScript may change its own at any time.

#![expect(unsafe_code, reason = "the engine has no safe way to read a buffer")]

use rquickjs::{Ctx, Result, TypedArray, Value};

/// A copy of what is in a `Uint8Array`; empty if its buffer was detached.
pub fn copied(array: &TypedArray<'_, u8>) -> Vec<u8> {
    // Safety: nothing runs JavaScript while the slice is there.
    unsafe { array.as_bytes() }.map(<[u8]>::to_vec).unwrap_or_default()
}

/// A new `Uint8Array`.
pub fn array<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>) -> Result<Value<'js>> {
    Ok(TypedArray::new(ctx.clone(), bytes)?.into_value())
}

/// The bytes of a string or of a `Uint8Array`; none for anything else.
pub fn of_body(value: &Value<'_>) -> Option<Vec<u8>> {
    if let Some(text) = value.as_string() {
        return Some(text.to_string().unwrap_or_default().into_bytes());
    }
    in_array(value)
}

/// The bytes of a `Uint8Array`; none for anything else.
pub fn in_array(value: &Value<'_>) -> Option<Vec<u8>> {
    // The engine takes whatever it is asked about for an object.
    let array = TypedArray::<u8>::from_object(value.as_object()?.clone()).ok()?;
    Some(copied(&array))
}
