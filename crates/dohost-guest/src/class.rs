//! Classes: the trait that an object implements, and which of a component's classes this instance is of.

use std::any::{Any, type_name};
use std::cell::OnceCell;
use std::pin::Pin;

use crate::bindings::dohost::object::{state, types};
use crate::{AlarmInfo, Env, Error, Request, Response, Result, State, WebSocket, WebSocketClose, WebSocketMessage};

/// A Durable Object: what `#[durable_object]` above a struct makes a class of.
#[expect(async_fn_in_trait, reason = "an object runs on one thread")]
pub trait DurableObject: Sized + 'static {
    /// The object in memory, at the beginning of each of its lives. It cannot wait; [`DurableObject::construct`] can.
    fn new(state: State, env: Env) -> Self;

    /// What a life begins with, before its first event: reading what the object remembers, for example. If it fails, the
    /// life ends and the next event begins a new one.
    async fn construct(&self) -> Result<()> {
        Ok(())
    }

    /// Answers a request. An error is answered with 500, and is in the log.
    ///
    /// A class that has methods only leaves it out.
    async fn fetch(&self, request: Request) -> Result<Response> {
        let _ = request;
        Response::error("This object takes no requests. It may have methods: POST …/rpc/{method}\n", 404)
    }

    /// Called when an alarm is due, if the class is a `#[durable_object(alarm)]`; [`Storage`](crate::Storage) sets them. If it
    /// fails or panics it is called again after 2 seconds, and then after twice as long each time, six times in all.
    async fn alarm(&self, alarm: AlarmInfo) -> Result<()> {
        let _ = alarm;
        Err("this class is a `#[durable_object(alarm)]`, but has no `alarm`".into())
    }

    /// Called when a message has come on a websocket, if the class is a `#[durable_object(websocket)]`;
    /// [`State::accept_websocket`] makes them. An error is in the log, and closes nothing.
    async fn websocket_message(&self, websocket: WebSocket, message: WebSocketMessage) -> Result<()> {
        let _ = (websocket, message);
        Ok(())
    }

    /// Called when a websocket has ended. The host has answered the close frame.
    async fn websocket_close(&self, websocket: WebSocket, close: WebSocketClose) -> Result<()> {
        let _ = (websocket, close);
        Ok(())
    }

    /// Called when a websocket has failed, in place of `websocket_close`.
    async fn websocket_error(&self, websocket: WebSocket, reason: String) -> Result<()> {
        let _ = (websocket, reason);
        Ok(())
    }
}

/// A class of this component.
pub struct Class {
    name: &'static str,
    /// Whether it says that it has a handler for alarms.
    pub(crate) has_alarm: bool,
    /// The same for websockets.
    pub(crate) has_websocket: bool,
    make: fn(State, Env) -> &'static dyn DynObject,
}

inventory::collect!(Class);

impl Class {
    /// The class of a struct with this name.
    pub const fn of<T: DurableObject>(name: &'static str, has_alarm: bool, has_websocket: bool) -> Class {
        // An object lives as long as the instance of its component, which the host throws away as a whole.
        Class { name, has_alarm, has_websocket, make: |state, env| Box::leak(Box::new(T::new(state, env))) }
    }
}

/// An object of any class.
trait DynObject: Any {
    fn construct(&'static self) -> Handled;
    fn fetch(&'static self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response>>>>;
    fn alarm(&'static self, alarm: AlarmInfo) -> Handled;
    fn websocket_message(&'static self, websocket: WebSocket, message: WebSocketMessage) -> Handled;
    fn websocket_close(&'static self, websocket: WebSocket, close: WebSocketClose) -> Handled;
    fn websocket_error(&'static self, websocket: WebSocket, reason: String) -> Handled;
}

/// The future of an event that has no answer.
type Handled = Pin<Box<dyn Future<Output = Result<()>>>>;

impl<T: DurableObject> DynObject for T {
    fn construct(&'static self) -> Handled {
        Box::pin(DurableObject::construct(self))
    }

    fn fetch(&'static self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response>>>> {
        Box::pin(DurableObject::fetch(self, request))
    }

    fn alarm(&'static self, alarm: AlarmInfo) -> Handled {
        Box::pin(DurableObject::alarm(self, alarm))
    }

    fn websocket_message(&'static self, websocket: WebSocket, message: WebSocketMessage) -> Handled {
        Box::pin(DurableObject::websocket_message(self, websocket, message))
    }

    fn websocket_close(&'static self, websocket: WebSocket, close: WebSocketClose) -> Handled {
        Box::pin(DurableObject::websocket_close(self, websocket, close))
    }

    fn websocket_error(&'static self, websocket: WebSocket, reason: String) -> Handled {
        Box::pin(DurableObject::websocket_error(self, websocket, reason))
    }
}

thread_local! {
    /// The object that this instance is.
    static OBJECT: OnceCell<&'static dyn DynObject> = const { OnceCell::new() };
}

/// What a life begins with, as the component exports it.
pub async fn construct() -> Result<(), String> {
    let object = this_object().map_err(|error| error.to_string())?;
    object.construct().await.map_err(|error| error.to_string())
}

/// The handler, as the component exports it.
pub async fn fetch(request: types::Request) -> Result<types::Response, String> {
    let object = this_object().map_err(|error| error.to_string())?;
    match object.fetch(request.into()).await {
        Ok(response) => Ok(response.into_wire()),
        Err(error) => Err(error.to_string()),
    }
}

/// The handler of alarms, as the component exports it.
pub async fn alarm(info: AlarmInfo) -> Result<(), String> {
    let object = this_object().map_err(|error| error.to_string())?;
    object.alarm(info).await.map_err(|error| error.to_string())
}

/// The handler of messages on websockets, as the component exports it.
pub async fn websocket_message(websocket: WebSocket, message: WebSocketMessage) -> Result<(), String> {
    let object = this_object().map_err(|error| error.to_string())?;
    object.websocket_message(websocket, message).await.map_err(|error| error.to_string())
}

/// The handler of their ends.
pub async fn websocket_close(websocket: WebSocket, close: WebSocketClose) -> Result<(), String> {
    let object = this_object().map_err(|error| error.to_string())?;
    object.websocket_close(websocket, close).await.map_err(|error| error.to_string())
}

/// The handler of their failures.
pub async fn websocket_error(websocket: WebSocket, reason: String) -> Result<(), String> {
    let object = this_object().map_err(|error| error.to_string())?;
    object.websocket_error(websocket, reason).await.map_err(|error| error.to_string())
}

/// The object that this instance is. It was made when this life began.
fn this_object() -> Result<&'static dyn DynObject> {
    if let Some(object) = OBJECT.with(|object| object.get().copied()) {
        return Ok(object);
    }
    crate::log::panics_too();
    let class = this_class()?;
    let object = (class.make)(State::new(), Env::new());
    Ok(OBJECT.with(|cell| *cell.get_or_init(|| object)))
}

/// The object that this instance is, for a method of the class `T`. One of another class ends this life of the object: a
/// method must not work on what another class has stored.
pub fn object<T: DurableObject>() -> &'static T {
    let object = this_object().unwrap_or_else(|error| State::new().abort(Some(error.message())));
    let object: &'static dyn Any = object;
    object.downcast_ref().unwrap_or_else(|| {
        let of = type_name::<T>().rsplit("::").next().unwrap_or_default();
        State::new().abort(Some(&format!("This is a method of {of}, and not of {}.", state::class())))
    })
}

/// Of several classes the one that the host says; the only one whatever it is served as.
pub(crate) fn this_class() -> Result<&'static Class> {
    let classes: Vec<&'static Class> = inventory::iter::<Class>.into_iter().collect();
    if let [class] = classes[..] {
        return Ok(class);
    }
    let wanted = state::class();
    classes.iter().copied().find(|class| letters(class.name).eq(letters(&wanted))).ok_or_else(|| {
        let names: Vec<&str> = classes.iter().map(|class| class.name).collect();
        Error::new(format!("this component has no class {wanted} (it has {})", names.join(", ")))
    })
}

/// `ChatRoom`, `chat-room` and `CHAT_ROOM` are the same.
fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|letter| !matches!(letter, b'-' | b'_')).map(|letter| letter.to_ascii_lowercase())
}
