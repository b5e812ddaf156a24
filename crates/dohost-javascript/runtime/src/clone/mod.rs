//! Structured clones: values of JavaScript as CBOR, and back. The form is described in docs/STRUCTURED_CLONE.md.
//!
//! Plain values, objects, arrays and bytes are written and read here. What has a class of its own (`Map`, `Date`, `Error`…) is
//! taken apart and put together by `js/structured.js`, which alone can see inside.

mod cbor;
mod decode;
mod encode;

pub use decode::decode;
pub use encode::{Instances, encode};

use std::cell::RefCell;

use rquickjs::function::IntoArgs;
use rquickjs::{Ctx, FromJs, Function, Object, Persistent, Result};

/// What every clone begins with: CBOR that says of itself that it is.
const MARK: [u8; 3] = [0xd9, 0xd9, 0xf7];

/// How deep values may lie inside each other.
const DEPTH_MAX: usize = 400;

mod tag {
    pub const SECONDS: u64 = 1;
    pub const BIG: u64 = 2;
    pub const BIG_NEGATIVE: u64 = 3;
    pub const OBJECT: u64 = 27;
    pub const SHARED: u64 = 28;
    pub const REFERENCE: u64 = 29;
    pub const SET: u64 = 258;
    pub const MAP: u64 = 259;
    pub const WTF8: u64 = 273;
    pub const REGEXP: u64 = 21066;
}

thread_local! {
    static HELPERS: RefCell<Option<Persistent<Object<'static>>>> = const { RefCell::new(None) };
}

/// Takes the functions of `js/structured.js`.
pub fn set_helpers<'js>(ctx: Ctx<'js>, helpers: Object<'js>) {
    let helpers = Persistent::save(&ctx, helpers);
    HELPERS.with_borrow_mut(|slot| *slot = Some(helpers));
}

fn help<'js, A: IntoArgs<'js>, R: FromJs<'js>>(ctx: &Ctx<'js>, name: &str, arguments: A) -> Result<R> {
    let helpers = HELPERS.with_borrow(Clone::clone).expect("the helpers are there before any value is cloned");
    helpers.restore(ctx)?.get::<_, Function<'_>>(name)?.call(arguments)
}
