//! `#[event(fetch)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::exports;

pub fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)?;
    if arguments.to_string() != "fetch" {
        return Err(Error::new_spanned(function.sig, "a Worker has one event: `#[event(fetch)]`"));
    }
    let worker = exports::worker(&function.sig.ident);
    Ok(quote! {
        #function

        #worker
    })
}
