//! wasmtime for dohost: the engine's configuration, components, instances, and the functions that guests import.
//!
//! The only crate that names wasmtime. It knows how to run a guest and how to hand its imports on; what an import *does*
//! (store, ids, calls to other objects) comes in through the traits of [`imports`], which `dohost-object` implements.
//!
//! Reading order: [`config`] (one [`Engine`] for the process) → [`component`] (a file becomes a checked component) →
//! [`instance`] (an object's instance and its event loop) or [`worker`] (the Worker in front) → `host/` (one file for each
//! WIT interface).

#![deny(unsafe_code)]

pub mod bindings;
pub mod code_cache;
pub mod component;
mod componentize;
pub mod config;
mod dynamic;
pub mod event;
mod guest;
mod guest_log;
mod host;
pub mod imports;
pub mod instance;
pub mod kept;
mod methods;
mod mixed;
pub mod program;
mod slice;
pub mod streams;
mod value;
pub mod variables;
pub mod worker;

pub use bindings::types::{Header, Request, Response};
pub use code_cache::CodeCache;
pub use component::{GuestComponent, LoadError, ObjectComponent};
pub use config::{Engine, EngineError, EngineOptions};
pub use event::{
    AlarmInfo, Body, BodyError, CloseInfo, DynamicCall, DynamicValues, Input, MethodCall, Output, WebSocketEvent,
    WebSocketInput,
};
pub use guest::GuestLimits;
pub use instance::{Call, Events, ObjectInstance, Trap};
pub use kept::KeptFiles;
pub use mixed::{Mixed, MixedRequest, MixedResponse};
pub use variables::Variables;
pub use worker::{Worker, WorkerComponent};
