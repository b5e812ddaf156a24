//! The macros of `dohost-guest`, where they are documented.
//!
//! Methods need WIT, and an attribute sees only what it stands on: the signatures, but not the types in them. So
//! `#[derive(WitType)]` leaves a macro with the name of its type that knows the definition, and `#[durable_object(methods)]`
//! asks one after the other (`collect.rs`) until it can write the WIT (`wit.rs`) and the code between the bindings of
//! wit-bindgen and the class (`glue.rs`).

mod collect;
mod derive;
mod event;
mod exports;
mod glue;
mod method;
mod object;
mod types;
mod wit;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes a class of Durable Objects of a struct, and methods of what is public in an `impl`.
///
/// Above a struct, which implements [`DurableObject`](trait@DurableObject): the class is named like the struct. All classes of a
/// component are in the crate that it is built from.
///
/// As `#[durable_object(methods)]` above an `impl` of that struct: every `pub` function with `&self` becomes a method, callable
/// over HTTP, from the command line and by other objects, as `docs/RPC.md` says. Names and types become those of WIT:
///
/// | Rust | WIT |
/// | --- | --- |
/// | `bool`, `char`, `u8` to `u64`, `i8` to `i64`, `f32`, `f64` | the same, with `s8` for `i8` and so on |
/// | `String`, `Vec<T>`, `Option<T>`, `(A, B)` | `string`, `list<t>`, `option<t>`, `tuple<a, b>` |
/// | `Result<T>` | `result<t, string>`, with the text of the error |
/// | `Result<T, E>` | `result<t, e>` |
/// | a struct or an enum with `#[derive(WitType)]` | `record`, `enum` or `variant` |
///
/// Comments above methods, types and fields are kept.
///
/// A class with a handler for alarms is a `#[durable_object(alarm)]`, one with handlers for websockets a
/// `#[durable_object(websocket)]`, or both. Then the component exports them, so that alarms can be set and websockets accepted.
///
/// `#[durable_object(sync)]` and `#[durable_object(methods, sync)]` export everything with the synchronous ABI: an event begins
/// when the one before it is done, whatever that waits for. The code is the same.
#[proc_macro_attribute]
pub fn durable_object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    object::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lets methods take and give a struct or an enum.
///
/// A struct has named fields, that the `impl` with the methods can see. An enum's cases have no value or one; an enum whose
/// cases have none is `Clone`. The type, and those of its fields, must be in scope where the methods are.
#[proc_macro_derive(WitType)]
pub fn derive_wit_type(item: TokenStream) -> TokenStream {
    derive::expand(&parse_macro_input!(item)).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// As `#[event(fetch)]` above an `async fn(Request, Env, Context) -> Result<Response>`: the component is a Worker, too.
///
/// A Worker stands in front of the objects and gets the requests.
#[proc_macro_attribute]
pub fn event(arguments: TokenStream, item: TokenStream) -> TokenStream {
    event::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The next step of `#[durable_object(methods)]`. Not for anybody else.
#[doc(hidden)]
#[proc_macro]
pub fn __methods(input: TokenStream) -> TokenStream {
    collect::step(parse_macro_input!(input)).unwrap_or_else(syn::Error::into_compile_error).into()
}
