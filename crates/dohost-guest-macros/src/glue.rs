//! The code between the bindings of wit-bindgen and the class: what the component exports calls the methods, and what it
//! imports is a struct with the same methods, for callers.

use heck::ToSnakeCase;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Path, Result};

use crate::collect::Definition;
use crate::exports::Abi;
use crate::method::{Method, Parameter, wit_name};
use crate::types::Returned;
use crate::wit::{self, Names};

/// Writes the bindings and what is around them.
pub fn write(abi: Abi, class: &Path, methods: &[Method], definitions: &[Definition]) -> Result<TokenStream> {
    let class_name = class.segments.last().expect("a path has a name").ident.unraw().to_string();
    let krate = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let names = Names::new(&krate, &class_name);
    let text = wit::text(&names, methods, definitions)?;
    let package = wit::with_comments(&names, &text)?;
    let (package_len, package_bytes) = (package.len(), proc_macro2::Literal::byte_string(&package));
    let section = format!("dohost:wit:{}:{}", names.namespace, names.class);
    let world = names.world();
    let option = abi_option(abi, &names, methods);

    let module = format_ident!("__dohost_methods_of_{}", class_name.to_snake_case());
    let (namespace, interface) = (rust_name(&names.namespace), rust_name(&names.class));
    let client_package = rust_name(&format!("{}-client", names.class));
    let (types, types_are_mine) = types(&names, definitions);
    let exported = methods.iter().map(|method| exported(abi, class, method));
    let called = methods.iter().map(called);

    Ok(quote! {
        #[doc(hidden)]
        #[allow(warnings, clippy::all)]
        mod #module {
            #[cfg(target_family = "wasm")]
            #[used]
            #[unsafe(link_section = #section)]
            static COMMENTS: [u8; #package_len] = *#package_bytes;

            mod bindings {
                #types

                ::dohost_guest::__private::wit_bindgen::generate!({
                    inline: #text,
                    path: [],
                    world: #world,
                    runtime_path: "::dohost_guest::__private::wit_bindgen::rt",
                    with: {
                        "dohost:object/namespace@0.1.0": ::dohost_guest::__private::bindings_namespace,
                        "dohost:object/types@0.1.0": ::dohost_guest::__private::bindings_types,
                        #types_are_mine
                    },
                    generate_all,
                    #option
                });

                export!(Exports);
                use super::exported::Exports;
            }

            mod exported {
                use super::super::*;

                pub struct Exports;

                impl super::bindings::exports::#namespace::#interface::#interface::Guest for Exports {
                    #(#exported)*
                }
            }

            mod called {
                use super::super::*;
                use super::bindings::#namespace::#client_package::#interface as host;

                /// The methods, to be called on another object.
                pub struct Methods {
                    stub: ::dohost_guest::Stub,
                }

                impl ::core::convert::From<::dohost_guest::Stub> for Methods {
                    fn from(stub: ::dohost_guest::Stub) -> Methods {
                        Methods { stub }
                    }
                }

                impl Methods {
                    #(#called)*
                }

                impl ::dohost_guest::Methods for #class {
                    type Of = Methods;
                }
            }
        }
    })
}

/// The module that the bindings find the types in, and that they do.
fn types(names: &Names, definitions: &[Definition]) -> (TokenStream, TokenStream) {
    if definitions.is_empty() {
        return (TokenStream::new(), TokenStream::new());
    }
    let types = definitions.iter().map(|definition| {
        let bound = Ident::new(&wit::bound_name(definition), Span::call_site());
        match &definition.path {
            path if path.leading_colon.is_some() || starts_at_the_crate(path) => {
                quote!(pub(in super::super::super) use #path as #bound;)
            }
            path => quote!(pub(in super::super::super) use super::super::super::#path as #bound;),
        }
    });
    let interface = names.types();
    (quote!(mod __types { #(#types)* }), quote!(#interface: __types,))
}

fn starts_at_the_crate(path: &Path) -> bool {
    path.segments.first().is_some_and(|first| first.ident == "crate")
}

/// The option of `generate!` for the ABI of what is exported. What is imported can wait with either.
fn abi_option(abi: Abi, names: &Names, methods: &[Method]) -> TokenStream {
    if abi == Abi::Async {
        return TokenStream::new();
    }
    let Names { namespace, class } = names;
    let functions =
        methods.iter().map(|method| format!("-export:{namespace}:{class}/{class}#{}", wit_name(&method.name)));
    quote!(async: [#(#functions),*],)
}

/// What the component exports.
fn exported(abi: Abi, class: &Path, method: &Method) -> TokenStream {
    let bound = rust_name(&wit_name(&method.name));
    let name = &method.name;
    let parameters = method.parameters.iter().map(|Parameter { name, rust, .. }| quote!(#name: #rust));
    let arguments = method.parameters.iter().map(|parameter| &parameter.name);
    let wait = method.is_async.then(|| quote!(.await));
    let head = quote!(#bound(#(#parameters),*));
    let call = quote!(::dohost_guest::__private::object::<#class>().#name(#(#arguments),*)#wait);
    match &method.returned {
        Returned::Nothing => abi.function(head, TokenStream::new(), quote!(#call;)),
        Returned::Value { rust, .. } => abi.function(head, quote!(-> #rust), call),
        Returned::OrText { rust, .. } => {
            let ok = or_unit(rust.as_ref());
            let body = quote! {
                match #call {
                    ::core::result::Result::Ok(value) => ::core::result::Result::Ok(value),
                    ::core::result::Result::Err(error) => {
                        ::core::result::Result::Err(::std::string::ToString::to_string(&error))
                    }
                }
            };
            abi.function(head, quote!(-> ::core::result::Result<#ok, ::std::string::String>), body)
        }
    }
}

/// What callers have.
fn called(method: &Method) -> TokenStream {
    let bound = rust_name(&wit_name(&method.name));
    let name = &method.name;
    let docs = &method.docs;
    let parameters = method.parameters.iter().map(|Parameter { name, rust, .. }| quote!(#name: #rust));
    let arguments = method.parameters.iter().map(|parameter| &parameter.name);
    let (gives, how) = match &method.returned {
        Returned::Nothing => (quote!(()), quote!(nested)),
        Returned::Value { rust, .. } => (quote!(#rust), quote!(nested)),
        Returned::OrText { rust, .. } => (or_unit(rust.as_ref()), quote!(flatten)),
    };
    quote! {
        #(#[doc = #docs])*
        pub async fn #name(&self, #(#parameters),*) -> ::dohost_guest::Result<#gives> {
            ::dohost_guest::__private::#how(host::#bound(self.stub.__bindings(), #(#arguments),*).await)
        }
    }
}

fn or_unit(ty: Option<&syn::Type>) -> TokenStream {
    ty.map_or_else(|| quote!(()), |ty| quote!(#ty))
}

/// A name as the bindings write it.
fn rust_name(wit: &str) -> Ident {
    let name = wit.to_snake_case();
    // Words of Rust get a line after them.
    syn::parse_str(&name).unwrap_or_else(|_| format_ident!("{name}_"))
}
