//! `#[durable_object]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, ImplItem, Item, ItemImpl, ItemStruct, Result, Token, Type};

use crate::exports::{self, Abi};
use crate::method;

pub fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Arguments { has_alarm, has_websocket, has_methods, abi } = syn::parse2(arguments)?;
    match syn::parse2(item)? {
        Item::Struct(item) if !has_methods => class(&item, has_alarm, has_websocket, abi),
        item if has_alarm || has_websocket => Err(Error::new_spanned(
            item,
            "`#[durable_object(alarm)]` and `#[durable_object(websocket)]` stand above a struct, which has the handlers",
        )),
        // Where a trait is implemented there is nothing to add; older code for Workers has the attribute there too.
        Item::Impl(item) if !has_methods && item.trait_.is_some() => Ok(quote!(#item)),
        Item::Impl(item) if has_methods && item.trait_.is_none() => methods(&item, abi),
        Item::Impl(item) if has_methods => {
            Err(Error::new_spanned(item.self_ty, "methods stand in an `impl` of the struct itself, not of a trait"))
        }
        item => Err(Error::new_spanned(
            item,
            "`#[durable_object]` stands above a struct, `#[durable_object(methods)]` above an `impl` of it",
        )),
    }
}

/// What is between the brackets.
struct Arguments {
    has_alarm: bool,
    has_websocket: bool,
    has_methods: bool,
    abi: Abi,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> Result<Arguments> {
        let mut arguments = Arguments { has_alarm: false, has_websocket: false, has_methods: false, abi: Abi::Async };
        for word in Punctuated::<Ident, Token![,]>::parse_terminated(input)? {
            match word.to_string().as_str() {
                "alarm" => arguments.has_alarm = true,
                "websocket" => arguments.has_websocket = true,
                "methods" => arguments.has_methods = true,
                "sync" => arguments.abi = Abi::Sync,
                other => {
                    let text = "is nothing that `#[durable_object]` knows: there are `alarm`, `websocket`, `methods` and `sync`";
                    return Err(Error::new_spanned(&word, format!("`{other}` {text}")));
                }
            }
        }
        Ok(arguments)
    }
}

fn class(item: &ItemStruct, has_alarm: bool, has_websocket: bool, abi: Abi) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a class has no type parameters"));
    }
    let name = &item.ident;
    let text = name.to_string();
    let exports = exports::object(abi)?;
    let alarm = has_alarm.then(|| exports::alarm(abi));
    let websocket = has_websocket.then(|| exports::websocket(abi));
    Ok(quote! {
        #item

        #exports
        #alarm
        #websocket

        ::dohost_guest::__private::inventory::submit! {
            ::dohost_guest::__private::Class::of::<#name>(#text, #has_alarm, #has_websocket)
        }
    })
}

fn methods(item: &ItemImpl, abi: Abi) -> Result<TokenStream> {
    let Type::Path(class) = &*item.self_ty else {
        return Err(Error::new_spanned(&item.self_ty, "this is no struct"));
    };
    let mut signatures = Vec::new();
    for item in &item.items {
        if let ImplItem::Fn(function) = item
            && method::is_method(function)?
        {
            let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
            let signature = &function.sig;
            signatures.push(quote!(#(#docs)* #signature;));
        }
    }
    if signatures.is_empty() {
        return Err(Error::new_spanned(class, "there is no `pub fn` with `&self` here, so there are no methods"));
    }
    let abi = abi.word();
    Ok(quote! {
        #item

        ::dohost_guest::__private::methods! { { { #abi #class #(#signatures)* } {} } {} }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item).expect_err("it makes no sense").to_string()
    }

    #[test]
    fn what_cannot_be_a_class_or_a_method_says_why() {
        let methods = || quote!(methods);
        let cases = [
            (
                quote!(),
                quote!(
                    struct Many<T>(T);
                ),
                "no type parameters",
            ),
            (
                quote!(),
                quote!(
                    fn f() {}
                ),
                "stands above a struct",
            ),
            (
                quote!(method),
                quote!(
                    struct A;
                ),
                "there are `alarm`, `websocket`, `methods` and `sync`",
            ),
            (quote!(alarm), quote!(impl DurableObject for A {}), "stand above a struct"),
            (methods(), quote!(impl A { pub fn f(&mut self) {} }), "takes `&self`"),
            (methods(), quote!(impl A { pub fn f<T>(&self, it: T) {} }), "no type parameters"),
            (methods(), quote!(impl A { fn f(&self) {} pub fn g() {} }), "there are no methods"),
            (methods(), quote!(impl DurableObject for A { fn f(&self) {} }), "not of a trait"),
        ];
        for (arguments, item, text) in cases {
            let error = error(arguments, item);
            assert!(error.contains(text), "{error}");
        }
    }
}
