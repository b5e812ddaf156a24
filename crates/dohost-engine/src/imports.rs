//! What the functions that a guest imports do, as traits.
//!
//! The engine turns wasm calls into calls of these traits; `dohost-object` implements them. None of them blocks: what may
//! take time is a [`Step::Wait`] or a boxed future, which the engine awaits while the guest is suspended.
//!
//! An error of type [`Fatal`] ends the life of the object: the guest never sees it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dohost_rpc::{Method, Value};

pub use crate::bindings::types::{Request, Response};
use crate::bindings::{alarms, concurrency, namespace, outgoing, storage, websockets};
pub use crate::event::{Body, BodyError};
use crate::mixed::{MixedRequest, MixedResponse};
pub use alarms::{Alarm, Cron, MissedTicks};
pub use concurrency::Error as ConcurrencyError;
pub use namespace::{CallError, Error as NamespaceError};
pub use outgoing::Error as OutgoingError;
pub use storage::{Entry, Error as StorageError, ListOptions};
pub use wasmtime_wasi_http::RequestOptions;
pub use websockets::{
    Accepted, AutoResponse, ConnectError, Connected, Description, Error as WebSocketError, Message,
    Options as WebSocketOptions, State as WebSocketState,
};

/// A future that can be sent between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A host failure that the guest must not see: its instance is dropped and callers get this text.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Fatal(pub String);

/// A task of a guest: an event that it handles, or its construction. Numbers of tasks that are over are given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskId(pub(crate) wasmtime::component::GuestTaskId);

/// Which task called an import; none if it could not be told.
pub type Caller = Option<TaskId>;

/// The answer of an import: at once, or later.
pub enum Step<T> {
    /// The guest goes on without being suspended.
    Ready(T),
    /// The guest is suspended until the future is done.
    Wait(BoxFuture<Result<T, Fatal>>),
}

/// The result of a storage call that the host may refuse.
pub type StorageStep<T> = Step<Result<T, StorageError>>;

/// The imports that only an object has: its identity and its store.
pub trait Inside: Send + 'static {
    /// 64 hexadecimal digits.
    fn id(&self) -> String;
    /// The name, if the object was ever reached by name.
    fn name(&self) -> Option<String>;
    /// The name of the class.
    fn class(&self) -> String;

    /// See `state.abort-with`. With this error the instance ends.
    fn abort(&self, reason: Option<String>, retry_alarm: bool) -> Fatal;

    /// To be called when the guest calls an import that may wait for something else than storage. The future waits until
    /// the object's input gate lets the completion of that import in.
    fn enter(&self, caller: Caller) -> BoxFuture<()>;

    /// The object's websockets.
    fn websockets(&self) -> &dyn WebSockets;

    /// The gates of the object, for streams.
    fn gates(&self) -> Arc<dyn Gates>;

    /// See `transactions.begin`.
    fn begin_transaction(&self, caller: Caller) -> StorageStep<OpenTransaction>;
    /// See `concurrency.block-concurrency`.
    fn block_concurrency(&self, caller: Caller) -> Step<Result<OpenSection, ConcurrencyError>>;

    /// See `storage.get` in `wit/object.wit`, as for all below.
    fn get(&self, key: String) -> StorageStep<Option<Vec<u8>>>;
    /// See `storage.get-many`.
    fn get_many(&self, keys: Vec<String>) -> StorageStep<Vec<Entry>>;
    /// See `storage.put`.
    fn put(&self, key: String, value: Vec<u8>) -> StorageStep<()>;
    /// See `storage.put-many`.
    fn put_many(&self, entries: Vec<Entry>) -> StorageStep<()>;
    /// See `storage.delete`.
    fn delete(&self, key: String) -> StorageStep<bool>;
    /// See `storage.delete-many`.
    fn delete_many(&self, keys: Vec<String>) -> StorageStep<u32>;
    /// See `storage.list`.
    fn list(&self, options: ListOptions) -> StorageStep<Vec<Entry>>;
    /// See `storage.delete-all`.
    fn delete_all(&self) -> StorageStep<()>;
    /// See `storage.put-unconfirmed`.
    fn put_unconfirmed(&self, entries: Vec<Entry>) -> StorageStep<()>;
    /// See `storage.delete-unconfirmed`.
    fn delete_unconfirmed(&self, keys: Vec<String>) -> StorageStep<u32>;
    /// See `storage.sync`.
    fn sync(&self, caller: Caller) -> Step<()>;

    /// See `alarms.set` and `alarms.set-unconfirmed` in `wit/alarms.wit`, as for all below.
    fn set_alarm(&self, name: String, scheduled_time: i64, is_confirmed: bool) -> StorageStep<()>;
    /// See `alarms.set-cron`.
    fn set_cron(&self, name: String, schedule: Cron) -> StorageStep<i64>;
    /// See `alarms.get`.
    fn get_alarm(&self, name: String) -> StorageStep<Option<i64>>;
    /// See `alarms.list`.
    fn list_alarms(&self) -> StorageStep<Vec<Alarm>>;
    /// See `alarms.delete` and `alarms.delete-unconfirmed`.
    fn delete_alarm(&self, name: String, is_confirmed: bool) -> StorageStep<bool>;
}

/// The websockets of an object: see `dohost:object/websockets` in `wit/websockets.wit`.
pub trait WebSockets {
    /// See `accept`, as for all below.
    fn accept(&self, options: WebSocketOptions) -> Result<Accepted, WebSocketError>;
    /// See `connect`.
    fn connect(
        &self,
        caller: Caller,
        request: Request,
        options: WebSocketOptions,
    ) -> BoxFuture<Result<Result<Connected, ConnectError>, Fatal>>;
    /// See `connect-client`.
    fn connect_client(&self, client: &str, options: WebSocketOptions) -> Result<u64, WebSocketError>;
    /// See `set-options`.
    fn set_options(&self, websocket: u64, options: WebSocketOptions) -> Result<(), WebSocketError>;
    /// See `send`.
    fn send(&self, caller: Caller, websocket: u64, message: Message) -> Step<Result<(), WebSocketError>>;
    /// See `close`.
    fn close(&self, websocket: u64, code: Option<u16>, reason: String) -> Result<(), WebSocketError>;
    /// See `sockets`.
    fn sockets(&self, tag: Option<&str>) -> Vec<u64>;
    /// See `describe`.
    fn describe(&self, websocket: u64) -> Result<Description, WebSocketError>;
    /// See `attachment`.
    fn attachment(&self, websocket: u64) -> Result<Option<Vec<u8>>, WebSocketError>;
    /// See `set-attachment`.
    fn set_attachment(&self, websocket: u64, attachment: Option<Vec<u8>>) -> Result<(), WebSocketError>;
    /// See `set-auto-response`.
    fn set_auto_response(&self, auto_response: Option<AutoResponse>) -> Result<(), WebSocketError>;
    /// See `get-auto-response`.
    fn auto_response(&self) -> Option<AutoResponse>;
    /// See `set-event-timeout`.
    fn set_event_timeout(&self, milliseconds: Option<u32>) -> Result<(), WebSocketError>;
    /// See `get-event-timeout`.
    fn event_timeout(&self) -> Option<u32>;
}

/// The gates of an object as the streams of its guest pass them.
pub trait Gates: Send + Sync + 'static {
    /// As [`Inside::enter`]: to be called when the guest begins to wait for a stream.
    fn enter(&self, caller: Caller) -> BoxFuture<()>;
    /// To be called when the guest hands something over that leaves the object. The future waits until that may leave;
    /// none if it may at once.
    fn leave(&self) -> Option<BoxFuture<Result<(), Fatal>>>;
    /// How long the guest waits for a reader that takes nothing; then its stream is given up.
    fn idle_max(&self) -> Duration;
}

/// A transaction as the host holds it; the guest has a handle to it.
pub struct OpenTransaction(pub Box<dyn Transaction>);

/// What a guest can do with a transaction.
pub trait Transaction: Send + Sync {
    /// Keeps what was written in it.
    fn commit(&mut self) -> Result<(), StorageError>;
    /// Undoes what was written in it.
    fn rollback(&mut self) -> Result<(), StorageError>;
    /// The guest dropped its handle. (An instance that goes down does not call this.)
    fn dropped(self: Box<Self>);
}

/// A critical section as the host holds it; the guest has a handle to it.
pub struct OpenSection(pub Box<dyn CriticalSection>);

/// What a guest can do with a critical section.
pub trait CriticalSection: Send + Sync {
    /// Ends it; an error if it cannot end yet.
    fn end(&mut self) -> Result<(), Fatal>;
    /// The guest dropped its handle; an error if the section had not ended. (An instance that goes down does not call this.)
    fn dropped(self: Box<Self>) -> Result<(), Fatal>;
}

/// The imports that objects and Workers share: other objects, and the network.
pub trait Outside: Send + Sync + 'static {
    /// See `namespace.bindings` in `wit/object.wit`, as for all below.
    fn bindings(&self) -> Vec<String>;
    /// See `namespace.id-from-name`.
    fn id_from_name(&self, class: &str, name: &str) -> Result<String, NamespaceError>;
    /// See `namespace.id-from-string`.
    fn id_from_string(&self, class: &str, id: &str) -> Result<String, NamespaceError>;
    /// See `namespace.new-unique-id`.
    fn new_unique_id(&self, class: &str) -> Result<String, NamespaceError>;
    /// See `namespace.get`.
    fn stub(&self, class: &str, id: &str) -> Result<Stub, NamespaceError>;
    /// See `namespace.get-by-name`.
    fn stub_by_name(&self, class: &str, name: &str) -> Result<Stub, NamespaceError>;
    /// See `outgoing.fetch`.
    fn fetch(&self, caller: Caller, request: Request) -> BoxFuture<Result<Result<Response, OutgoingError>, Fatal>>;
    /// Sends a request to the network, bodies streamed both ways. Resolves with the head of the response.
    fn send(&self, caller: Caller, request: http::Request<Body>, options: RequestOptions) -> BoxFuture<Sent>;
}

/// What came of a request to the network.
pub type Sent = Result<Result<http::Response<Body>, BodyError>, Fatal>;
/// What came of a call with streamed bodies.
pub type Called = Result<Result<http::Response<Body>, CallError>, Fatal>;

/// What came of a call with bodies of either kind.
pub type CalledMixed = Result<Result<MixedResponse, CallError>, Fatal>;

/// A stub as the host holds it; the guest has a handle to it.
pub struct Stub(pub Box<dyn ObjectStub>);

/// What a guest can do with a stub.
pub trait ObjectStub: Send + Sync {
    /// 64 hexadecimal digits.
    fn id(&self) -> String;
    /// The name that the stub was made from.
    fn name(&self) -> Option<String>;
    /// Sends the request at once, in call order, and resolves with the reply.
    fn fetch(&self, caller: Caller, request: Request) -> BoxFuture<Result<Result<Response, CallError>, Fatal>>;
    /// The same with streamed bodies; resolves with the head of the reply.
    fn fetch_streamed(&self, caller: Caller, request: http::Request<Body>) -> BoxFuture<Called>;
    /// Either of these, by the request; the reply comes in the form in which the object gave it.
    fn fetch_mixed(&self, caller: Caller, request: MixedRequest) -> BoxFuture<CalledMixed>;
    /// Calls a method with arguments in JSON, like `fetch`; the result is JSON too.
    fn call(
        &self,
        caller: Caller,
        method: &str,
        arguments: &str,
    ) -> BoxFuture<Result<Result<String, CallError>, Fatal>>;
    /// Whether the methods of the object are those of `dohost:object/dynamic`.
    fn is_dynamic(&self) -> bool;
    /// Calls such a method, like `fetch`; arguments and result are structured clones.
    fn call_dynamic(
        &self,
        caller: Caller,
        method: &str,
        arguments: Vec<u8>,
    ) -> BoxFuture<Result<Result<Vec<u8>, CallError>, Fatal>>;
    /// Calls the object's method that this one stands for, if it has one with these types, like `fetch`.
    fn call_typed(
        &self,
        caller: Caller,
        method: &Method,
        arguments: Vec<Value>,
    ) -> BoxFuture<Result<Result<Option<Value>, CallError>, Fatal>>;
}
