//! Values as JSON text, and back, as their type says.
//!
//! | WIT | JSON |
//! | --- | --- |
//! | `bool` | `true`, `false` |
//! | `u8` to `u32`, `s8` to `s32` | a number |
//! | `u64`, `s64` | a number from -(2^53-1) to 2^53-1, a string of digits beyond; both are read everywhere |
//! | `f32`, `f64` | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `char`, `string` | a string; for a `char` of one character |
//! | `list<u8>` | a string in base64; an array of numbers is read too |
//! | `list`, `tuple` | an array |
//! | `record` | an object; a field that is an `option` may be missing |
//! | `variant` | `"case"`, or `{"case": value}` if the case has a value |
//! | `enum` | `"case"` |
//! | `flags` | an array of those that are set |
//! | `option` | `null` or the value; of an option in an option, `{"some": …}` |
//! | `result` | `{"ok": …}` or `{"err": …}`, with `null` where there is no type |
//!
//! Names are those of WIT. Unknown fields are errors, since they are mistakes that nobody would notice otherwise.
//!
//! Nothing is read into a tree of JSON first: a number goes from its digits into its type, and the text can make no more
//! than [`VALUES_MAX`](crate::value::VALUES_MAX) values. How deep they nest is up to the type.

mod path;
mod read;
mod write;

pub use read::{arguments, value};
pub use write::{result, write};

/// A text is not the JSON that the type wants: where, what was expected, and what was there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub(crate) String);

/// The largest integer with all smaller ones exact in JavaScript.
pub(crate) const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests;
