//! `#[derive(WitType)]`: leaves a macro named like the type, which hands the definition on to whoever asks.
//!
//! Names of macros and of types do not get into each other's way, and one `use` brings both.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::types::WitType;

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a type of WIT has no type parameters"));
    }
    let name = &input.ident;
    let docs = only_docs(&input.attrs);
    let mut extra = TokenStream::new();
    let definition = match &input.data {
        Data::Struct(data) => {
            let Fields::Named(fields) = &data.fields else {
                return Err(Error::new_spanned(input, "a record of WIT has fields with names"));
            };
            let fields = fields.named.iter().map(|field| {
                WitType::of(&field.ty)?;
                let (docs, name, ty) = (only_docs(&field.attrs), &field.ident, &field.ty);
                Ok(quote!(#(#docs)* #name: #ty))
            });
            let fields = fields.collect::<Result<Vec<_>>>()?;
            quote!(#(#docs)* struct #name { #(#fields),* })
        }
        Data::Enum(data) => {
            let mut cases = Vec::new();
            for case in &data.variants {
                if let Some((_, value)) = &case.discriminant {
                    return Err(Error::new_spanned(value, "cases of WIT have no numbers"));
                }
                let (docs, name) = (only_docs(&case.attrs), &case.ident);
                match &case.fields {
                    Fields::Unit => cases.push(quote!(#(#docs)* #name)),
                    Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                        let ty = &fields.unnamed[0].ty;
                        WitType::of(ty)?;
                        cases.push(quote!(#(#docs)* #name(#ty)));
                    }
                    fields => {
                        return Err(Error::new_spanned(fields, "a case of WIT has no value or one, such as a struct"));
                    }
                }
            }
            if data.variants.iter().all(|case| case.fields.is_empty()) {
                extra = from_number(name, data);
            }
            quote!(#(#docs)* enum #name { #(#cases),* })
        }
        Data::Union(_) => return Err(Error::new_spanned(input, "WIT has no unions")),
    };
    let macro_name = format_ident!("__dohost_wit_{name}");
    Ok(quote! {
        #extra

        #[doc(hidden)]
        #[allow(unused_macros)]
        macro_rules! #macro_name {
            ([$($then:tt)*] $state:tt [$($path:tt)*]) => {
                $($then)* ! { $state { [$($path)*] #definition } }
            };
        }
        #[doc(hidden)]
        #[allow(unused_imports)]
        pub(crate) use #macro_name as #name;
    })
}

/// What the bindings of an enum need of it.
fn from_number(name: &syn::Ident, data: &syn::DataEnum) -> TokenStream {
    let cases = data.variants.iter().map(|case| &case.ident);
    let numbers = (0..data.variants.len()).map(proc_macro2::Literal::usize_unsuffixed);
    quote! {
        #[doc(hidden)]
        impl #name {
            #[allow(clippy::missing_safety_doc)]
            pub unsafe fn _lift(number: u8) -> #name {
                match number {
                    #(#numbers => #name::#cases,)*
                    _ => ::core::unreachable!("the host checks the number of a case"),
                }
            }
        }

        const _: fn() = || {
            fn must_be_clone<T: ::core::clone::Clone>() {}
            must_be_clone::<#name>();
        };
    }
}

fn only_docs(attributes: &[syn::Attribute]) -> Vec<&syn::Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).collect()
}
