//! `#[event(fetch)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

pub fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)?;
    if arguments.to_string() != "fetch" {
        return Err(Error::new_spanned(function.sig, "a Worker has one event: `#[event(fetch)]`"));
    }
    let name = &function.sig.ident;
    Ok(quote! {
        #function

        ::dohost_guest::__private::inventory::submit! {
            ::dohost_guest::__private::Worker::new(|request, env, context| {
                ::std::boxed::Box::pin(#name(request, env, context))
            })
        }
    })
}
