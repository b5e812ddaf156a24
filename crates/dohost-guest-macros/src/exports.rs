//! What makes a component an object or a Worker: the exports, written where the class or the function is.
//!
//! Not in `dohost-guest` itself: whatever that exports, every component would that is made with it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Result, Token};

use crate::wit::{interface, package};

const ALARMS: &str = include_str!("../../../wit/alarms.wit");
const WEBSOCKETS: &str = include_str!("../../../wit/websockets.wit");
const OBJECT: &str = include_str!("../../../wit/object.wit");
const CLOCKS: &str = include_str!("../../../wit/deps/clocks.wit");
const HTTP: &str = include_str!("../../../wit/deps/http.wit");

/// Which ABI the functions are exported with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    Async,
    Sync,
}

impl Abi {
    /// How one step of a macro tells the next.
    pub fn word(self) -> TokenStream {
        match self {
            Abi::Async => quote!(async),
            Abi::Sync => quote!(do),
        }
    }

    /// The same the other way round.
    pub fn parse(input: ParseStream) -> Result<Abi> {
        match input.parse::<Option<Token![async]>>()? {
            Some(_) => Ok(Abi::Async),
            None => input.parse::<Token![do]>().map(|_| Abi::Sync),
        }
    }

    /// The option of `generate!` where nothing is imported.
    pub fn option(self) -> TokenStream {
        match self {
            Abi::Async => TokenStream::new(),
            Abi::Sync => quote!(async: false,),
        }
    }

    /// A function with this ABI.
    pub fn function(self, head: TokenStream, gives: TokenStream, body: TokenStream) -> TokenStream {
        match self {
            Abi::Async => quote!(async fn #head #gives { #body }),
            Abi::Sync => {
                quote!(fn #head #gives { ::dohost_guest::__private::wit_bindgen::block_on(async move { #body }) })
            }
        }
    }
}

/// The handler and the construction, which a component exports once however many classes it has. The compiler expands all
/// macros of a crate in one process, so the first class to come writes them.
pub fn object(abi: Abi) -> Result<TokenStream> {
    static WRITTEN: OnceLock<Abi> = OnceLock::new();
    let mut is_first = false;
    let written = WRITTEN.get_or_init(|| {
        is_first = true;
        abi
    });
    if *written != abi {
        let text = "of the classes of a component, either all are `#[durable_object(sync)]` or none is";
        return Err(Error::new(proc_macro2::Span::call_site(), text));
    }
    if !is_first {
        return Ok(TokenStream::new());
    }
    let wit = format!(
        "package dohost:guest-object;\nworld object {{\n\
         export dohost:object/handler@0.1.0;\nexport dohost:object/construction@0.1.0;\n}}\n{}",
        package("dohost:object@0.1.0", &["types", "handler", "construction"].map(|name| interface(OBJECT, name)))
    );
    let option = abi.option();
    let text = quote!(::std::string::String);
    let construct = abi.function(
        quote!(construct()),
        quote!(-> ::core::result::Result<(), #text>),
        quote!(::dohost_guest::__private::construct().await),
    );
    let fetch = abi.function(
        quote!(fetch(request: ::dohost_guest::__private::bindings_types::Request)),
        quote!(-> ::core::result::Result<::dohost_guest::__private::bindings_types::Response, #text>),
        quote!(::dohost_guest::__private::fetch(request).await),
    );
    Ok(quote! {
        #[doc(hidden)]
        #[allow(warnings, clippy::all)]
        mod __dohost_object {
            ::dohost_guest::__private::wit_bindgen::generate!({
                inline: #wit,
                path: [],
                world: "dohost:guest-object/object",
                runtime_path: "::dohost_guest::__private::wit_bindgen::rt",
                with: { "dohost:object/types@0.1.0": ::dohost_guest::__private::bindings_types },
                #option
            });

            struct Exports;
            export!(Exports);

            impl exports::dohost::object::construction::Guest for Exports {
                #construct
            }

            impl exports::dohost::object::handler::Guest for Exports {
                #fetch
            }
        }
    })
}

/// The handler of alarms, which a component exports once, if any of its classes has one.
pub fn alarm(abi: Abi) -> TokenStream {
    static IS_WRITTEN: AtomicBool = AtomicBool::new(false);
    if IS_WRITTEN.swap(true, Ordering::Relaxed) {
        return TokenStream::new();
    }
    let wit = format!(
        "package dohost:guest-alarm;\nworld alarm {{\nexport dohost:object/alarm-handler@0.1.0;\n}}\n{}",
        package("dohost:object@0.1.0", &[interface(OBJECT, "types"), interface(ALARMS, "alarm-handler")])
    );
    let option = abi.option();
    let alarm = abi.function(
        quote!(alarm(info: AlarmInfo)),
        quote!(-> ::core::result::Result<(), ::std::string::String>),
        quote! {
            let AlarmInfo { name, scheduled_time, retry_count, is_retry, cron } = info;
            let scheduled_time = ::dohost_guest::__private::date(scheduled_time);
            let info = ::dohost_guest::AlarmInfo { name, scheduled_time, retry_count, is_retry, cron };
            ::dohost_guest::__private::alarm(info).await
        },
    );
    quote! {
        #[doc(hidden)]
        #[allow(warnings, clippy::all)]
        mod __dohost_alarm {
            ::dohost_guest::__private::wit_bindgen::generate!({
                inline: #wit,
                path: [],
                world: "dohost:guest-alarm/alarm",
                runtime_path: "::dohost_guest::__private::wit_bindgen::rt",
                with: { "dohost:object/types@0.1.0": ::dohost_guest::__private::bindings_types },
                #option
            });

            use exports::dohost::object::alarm_handler::{AlarmInfo, Guest};

            struct Exports;
            export!(Exports);

            impl Guest for Exports {
                #alarm
            }
        }
    }
}

/// The handler of websockets, which a component exports once, if any of its classes has one.
pub fn websocket(abi: Abi) -> TokenStream {
    static IS_WRITTEN: AtomicBool = AtomicBool::new(false);
    if IS_WRITTEN.swap(true, Ordering::Relaxed) {
        return TokenStream::new();
    }
    let wit = format!(
        "package dohost:guest-websocket;\nworld websocket {{\nexport dohost:object/websocket-handler@0.1.0;\n}}\n{}",
        package(
            "dohost:object@0.1.0",
            &[
                interface(OBJECT, "types"),
                interface(OBJECT, "outgoing"),
                interface(WEBSOCKETS, "websockets"),
                interface(WEBSOCKETS, "websocket-handler")
            ]
        )
    );
    let option = abi.option();
    let gives = || quote!(-> ::core::result::Result<(), ::std::string::String>);
    let private = quote!(::dohost_guest::__private);
    let on_message = abi.function(
        quote!(on_message(websocket: u64, message: #private::bindings_websockets::Message)),
        gives(),
        quote! {
            let message = match message {
                #private::bindings_websockets::Message::Text(text) => ::dohost_guest::WebSocketMessage::Text(text),
                #private::bindings_websockets::Message::Binary(bytes) => ::dohost_guest::WebSocketMessage::Binary(bytes),
            };
            #private::websocket_message(#private::websocket(websocket), message).await
        },
    );
    let on_close = abi.function(
        quote!(on_close(websocket: u64, info: CloseInfo)),
        gives(),
        quote! {
            let CloseInfo { code, reason, was_clean } = info;
            let close = ::dohost_guest::WebSocketClose { code, reason, was_clean };
            #private::websocket_close(#private::websocket(websocket), close).await
        },
    );
    let on_error = abi.function(
        quote!(on_error(websocket: u64, reason: ::std::string::String)),
        gives(),
        quote!(#private::websocket_error(#private::websocket(websocket), reason).await),
    );
    quote! {
        #[doc(hidden)]
        #[allow(warnings, clippy::all)]
        mod __dohost_websocket {
            ::dohost_guest::__private::wit_bindgen::generate!({
                inline: #wit,
                path: [],
                world: "dohost:guest-websocket/websocket",
                runtime_path: "::dohost_guest::__private::wit_bindgen::rt",
                with: {
                    "dohost:object/types@0.1.0": ::dohost_guest::__private::bindings_types,
                    "dohost:object/outgoing@0.1.0": ::dohost_guest::__private::bindings_outgoing,
                    "dohost:object/websockets@0.1.0": ::dohost_guest::__private::bindings_websockets,
                },
                #option
            });

            use exports::dohost::object::websocket_handler::{CloseInfo, Guest};

            struct Exports;
            export!(Exports);

            impl Guest for Exports {
                #on_message
                #on_close
                #on_error
            }
        }
    }
}

/// The handler of `wasi:http`, which calls a function in the same module.
pub fn worker(function: &syn::Ident) -> TokenStream {
    let wit = format!(
        "package dohost:guest-worker;\nworld worker {{\nexport wasi:http/handler@0.3.0;\n}}\n{}{}",
        package("wasi:http@0.3.0", &["types", "handler"].map(|name| interface(HTTP, name))),
        package("wasi:clocks@0.3.0", &[interface(CLOCKS, "types")]),
    );
    quote! {
        #[doc(hidden)]
        #[allow(warnings, clippy::all)]
        mod __dohost_worker {
            ::dohost_guest::__private::wit_bindgen::generate!({
                inline: #wit,
                path: [],
                world: "dohost:guest-worker/worker",
                runtime_path: "::dohost_guest::__private::wit_bindgen::rt",
                with: {
                    "wasi:http/types@0.3.0": ::dohost_guest::__private::bindings_http,
                    "wasi:clocks/types@0.3.0": ::dohost_guest::__private::bindings_clocks,
                },
            });

            struct Exports;
            export!(Exports);

            use ::dohost_guest::__private::bindings_http as http;

            impl exports::wasi::http::handler::Guest for Exports {
                async fn handle(request: http::Request) -> ::core::result::Result<http::Response, http::ErrorCode> {
                    ::dohost_guest::__private::handle(request, |request, env, context| {
                        ::std::boxed::Box::pin(super::#function(request, env, context))
                    })
                    .await
                }
            }
        }
    }
}
