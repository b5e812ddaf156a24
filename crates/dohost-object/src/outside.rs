//! What the imports of objects and Workers do beyond the object itself: ids, stubs, calls, requests to the network.
//!
//! What an object sends passes its output gate first: the gate is sampled when the guest makes the call, and the call
//! leaves when the commit it then depended on is durable. Answers pass its input gate before the guest gets them.

use std::sync::Arc;

use dohost_engine::imports::{
    BoxFuture, CallError, Called, CalledMixed, Caller, Fatal, NamespaceError, ObjectStub, OutgoingError, Outside,
    Request, RequestOptions, Response, Sent, Stub,
};
use dohost_engine::{Body, BodyError, DynamicCall, DynamicValues, Input, MethodCall, Mixed, MixedRequest, Output};
use dohost_rpc::{Interface, Method, Value, json};
use parking_lot::Mutex;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::bindings::Bindings;
use crate::call_graph::Label;
use crate::calls::CallPlace;
use crate::class::Class;
use crate::event::{Reply, arguments_bytes, dynamic_bytes, request_bytes, streamed_bytes};
use crate::feed::Enter;
use crate::host::{HostInner, Target};
use crate::object::Object;
use crate::streams::{hold, input_for, mixed_reply, streamed_reply, whole_reply};

/// The imports of one object.
pub(crate) struct ObjectOutside(pub Arc<Object>);

/// The imports of one instance of a Worker.
pub(crate) struct WorkerOutside {
    pub host: Arc<HostInner>,
    pub bindings: Bindings,
}

impl Outside for ObjectOutside {
    fn bindings(&self) -> Vec<String> {
        self.0.code.bindings.names()
    }

    fn id_from_name(&self, class: &str, name: &str) -> Result<String, NamespaceError> {
        id_from_name(&self.0.host, &self.0.code.bindings, class, name)
    }

    fn id_from_string(&self, class: &str, id: &str) -> Result<String, NamespaceError> {
        id_from_string(&self.0.host, &self.0.code.bindings, class, id)
    }

    fn new_unique_id(&self, class: &str) -> Result<String, NamespaceError> {
        new_unique_id(&self.0.host, &self.0.code.bindings, class)
    }

    fn stub(&self, class: &str, id: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0.host, &self.0.code.bindings, Some(&self.0), class, Target::Id(id))
    }

    fn stub_by_name(&self, class: &str, name: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0.host, &self.0.code.bindings, Some(&self.0), class, Target::Name(name))
    }

    fn fetch(&self, caller: Caller, request: Request) -> BoxFuture<Result<Result<Response, OutgoingError>, Fatal>> {
        let object = self.0.clone();
        let place = match object.begin_call(request_bytes(&request)) {
            Ok(place) => place,
            Err(text) => return Box::pin(async move { Ok(Err(OutgoingError::TooLarge(text))) }),
        };
        let (gate, entered) = (object.output_gate(), object.enter(caller));
        Box::pin(async move {
            object.leave(gate).await?;
            let reply = object.host.outgoing.fetch(Some(object.id), request).await;
            drop(place);
            entered.await;
            Ok(reply)
        })
    }

    fn send(&self, caller: Caller, request: http::Request<Body>, options: RequestOptions) -> BoxFuture<Sent> {
        let object = self.0.clone();
        let Ok(place) = object.begin_call(streamed_bytes(&request)) else {
            return Box::pin(async { Ok(Err(BodyError::ConnectionLimitReached)) });
        };
        let (gate, entered) = (object.output_gate(), object.enter(caller));
        Box::pin(async move {
            object.leave(gate).await?;
            let reply = object.host.outgoing.send(Some(object.id), request, options).await;
            entered.await;
            Ok(reply.map(|response| hold(Some(place), response)))
        })
    }
}

impl Outside for WorkerOutside {
    fn bindings(&self) -> Vec<String> {
        self.bindings.names()
    }

    fn id_from_name(&self, class: &str, name: &str) -> Result<String, NamespaceError> {
        id_from_name(&self.host, &self.bindings, class, name)
    }

    fn id_from_string(&self, class: &str, id: &str) -> Result<String, NamespaceError> {
        id_from_string(&self.host, &self.bindings, class, id)
    }

    fn new_unique_id(&self, class: &str) -> Result<String, NamespaceError> {
        new_unique_id(&self.host, &self.bindings, class)
    }

    fn stub(&self, class: &str, id: &str) -> Result<Stub, NamespaceError> {
        stub(&self.host, &self.bindings, None, class, Target::Id(id))
    }

    fn stub_by_name(&self, class: &str, name: &str) -> Result<Stub, NamespaceError> {
        stub(&self.host, &self.bindings, None, class, Target::Name(name))
    }

    fn fetch(&self, _: Caller, request: Request) -> BoxFuture<Result<Result<Response, OutgoingError>, Fatal>> {
        let reply = self.host.outgoing.fetch(None, request);
        Box::pin(async move { Ok(reply.await) })
    }

    fn send(&self, _: Caller, request: http::Request<Body>, options: RequestOptions) -> BoxFuture<Sent> {
        let reply = self.host.outgoing.send(None, request, options);
        Box::pin(async move { Ok(reply.await) })
    }
}

/// A stub for one object, held by a guest.
struct StubOf {
    host: Arc<HostInner>,
    caller: Option<Arc<Object>>,
    callee: Label,
    /// Done when the last call that had to wait has left, so that a later one does not overtake it.
    last_waiting: Mutex<Option<oneshot::Receiver<Left>>>,
}

/// Never sent: dropped when the call has left, or was given up.
enum Left {}

impl ObjectStub for StubOf {
    fn id(&self) -> String {
        self.callee.id.to_string()
    }

    fn name(&self) -> Option<String> {
        self.callee.name.as_deref().map(String::from)
    }

    fn fetch(&self, task: Caller, request: Request) -> BoxFuture<Result<Result<Response, CallError>, Fatal>> {
        let bytes = request_bytes(&request);
        let bytes_max = self.reply_bytes_max();
        let called = self.send(task, bytes, Calling::Now(Input::Fetch(request)));
        Box::pin(async move {
            let Replied { reply, place, entered } = called.await?;
            let reply = whole_reply(reply, bytes_max).await;
            drop(place);
            enter(entered).await;
            Ok(call_result(reply))
        })
    }

    fn fetch_streamed(&self, task: Caller, request: http::Request<Body>) -> BoxFuture<Called> {
        let called = self.send_streamed(task, request);
        Box::pin(async move {
            let Replied { reply, mut place, entered } = called.await?;
            if let Some(place) = &mut place {
                place.replied();
            }
            let reply = streamed_reply(reply).map(|response| hold(place, response));
            enter(entered).await;
            Ok(call_result(reply))
        })
    }

    fn fetch_mixed(&self, task: Caller, request: MixedRequest) -> BoxFuture<CalledMixed> {
        let called = match request {
            Mixed::Whole(request) => {
                let bytes = request_bytes(&request);
                self.send(task, bytes, Calling::Now(Input::Fetch(request)))
            }
            Mixed::Streamed(request) => self.send_streamed(task, request),
        };
        Box::pin(async move {
            let Replied { reply, mut place, entered } = called.await?;
            let reply = match mixed_reply(reply) {
                Ok(Mixed::Streamed(response)) => {
                    if let Some(place) = &mut place {
                        place.replied();
                    }
                    Ok(Mixed::Streamed(hold(place, response)))
                }
                whole => {
                    drop(place);
                    whole
                }
            };
            enter(entered).await;
            Ok(call_result(reply))
        })
    }

    fn call(&self, task: Caller, method: &str, arguments: &str) -> BoxFuture<Result<Result<String, CallError>, Fatal>> {
        let interface = self.callee.class.interface();
        let method = match interface.method(method) {
            Some(method) => method.clone(),
            None if interface.dynamic.is_some() => return self.call_with_json(task, method, arguments),
            None => return not_made(no_such_method(&self.callee.class, &interface, method)),
        };
        let arguments = match json::arguments(arguments, &method) {
            Ok(arguments) => arguments,
            Err(error) => return not_made(error.to_string()),
        };
        let input = Input::Method(MethodCall { method: method.clone(), arguments });
        self.send_call(task, input, move |output| json::result(output.into_value().as_ref(), method.result.as_ref()))
    }

    fn is_dynamic(&self) -> bool {
        self.callee.class.dynamic().is_some()
    }

    fn call_dynamic(
        &self,
        task: Caller,
        method: &str,
        arguments: Vec<u8>,
    ) -> BoxFuture<Result<Result<Vec<u8>, CallError>, Fatal>> {
        let class = &self.callee.class;
        if class.dynamic().is_none() {
            let class = class.name();
            return not_made(format!("the methods of class {class} have types, and are called with values of JSON"));
        }
        let call = DynamicCall { method: method.into(), arguments: DynamicValues::Cloned(arguments) };
        self.send_call(task, Input::Dynamic(call), |output| match output.into_dynamic() {
            DynamicValues::Cloned(bytes) => bytes,
            DynamicValues::Json(_) => unreachable!("the result comes in the form of the arguments"),
        })
    }

    fn call_typed(
        &self,
        task: Caller,
        wanted: &Method,
        arguments: Vec<Value>,
    ) -> BoxFuture<Result<Result<Option<Value>, CallError>, Fatal>> {
        let interface = self.callee.class.interface();
        let method = match interface.method_for(wanted) {
            Some(method) if method.fits(wanted) => method.clone(),
            Some(method) => {
                let class = self.callee.class.name();
                return not_made(format!("the method of class {class} is {method}, the call was made for {wanted}"));
            }
            None => return not_made(no_such_method(&self.callee.class, &interface, &wanted.name)),
        };
        self.send_call(task, Input::Method(MethodCall { method, arguments }), Output::into_value)
    }
}

/// What a call brings.
enum Calling {
    Now(Input),
    /// To an object that takes no streams.
    WhenCollected(http::Request<Body>),
}

/// A call that has come back. If an object made it, it still has its place, and must wait for the input gate.
struct Replied {
    reply: Reply<Output>,
    place: Option<CallPlace>,
    entered: Option<Enter>,
}

async fn enter(entered: Option<Enter>) {
    if let Some(entered) = entered {
        entered.await;
    }
}

impl StubOf {
    /// Calls a method that only the object knows.
    fn call_with_json(
        &self,
        task: Caller,
        method: &str,
        arguments: &str,
    ) -> BoxFuture<Result<Result<String, CallError>, Fatal>> {
        let call = DynamicCall { method: method.into(), arguments: DynamicValues::Json(arguments.into()) };
        self.send_call(task, Input::Dynamic(call), |output| match output.into_dynamic() {
            DynamicValues::Json(text) => text,
            DynamicValues::Cloned(_) => unreachable!("the result comes in the form of the arguments"),
        })
    }

    /// Calls a method; `finish` makes of its result what the caller gets.
    fn send_call<R: Send + 'static>(
        &self,
        task: Caller,
        input: Input,
        finish: impl FnOnce(Output) -> R + Send + 'static,
    ) -> BoxFuture<Result<Result<R, CallError>, Fatal>> {
        let bytes = match &input {
            Input::Method(call) => arguments_bytes(&call.arguments),
            Input::Dynamic(call) => dynamic_bytes(call),
            _ => unreachable!("a call of a method"),
        };
        let called = self.send(task, bytes, Calling::Now(input));
        Box::pin(async move {
            let Replied { reply, place, entered } = called.await?;
            drop(place);
            enter(entered).await;
            Ok(call_result(reply.map(finish)))
        })
    }

    /// Sends a request with a streamed body.
    fn send_streamed(&self, task: Caller, request: http::Request<Body>) -> BoxFuture<Result<Replied, Fatal>> {
        let bytes = streamed_bytes(&request);
        let calling = match self.callee.class.streams() {
            true => Calling::Now(Input::Http(request)),
            false => Calling::WhenCollected(request),
        };
        self.send(task, bytes, calling)
    }

    /// Bytes that a reply may have which is collected for the caller.
    fn reply_bytes_max(&self) -> usize {
        match &self.caller {
            Some(caller) => caller.limits().body_bytes_max,
            None => self.callee.class.body_bytes_max(),
        }
    }

    /// Sends a call on its way, in call order.
    fn send(&self, task: Caller, bytes: usize, calling: Calling) -> BoxFuture<Result<Replied, Fatal>> {
        let Label { class, id, name } = self.callee.clone();
        let host = self.host.clone();
        let begun = self.caller.as_ref().map(|caller| caller.begin_call_to(&self.callee, task, bytes));
        let (place, chain) = match begun.transpose() {
            Ok(begun) => begun.unzip(),
            Err(error) => {
                let replied = Replied { reply: Err(error), place: None, entered: None };
                return Box::pin(async move { Ok(replied) });
            }
        };
        let (gate, entered) = match &self.caller {
            Some(caller) => (Some((caller.clone(), caller.output_gate())), Some(caller.enter(task))),
            None => (None, None),
        };
        let mut last_waiting = self.last_waiting.lock();
        let still_waiting = |left: &mut oneshot::Receiver<Left>| matches!(left.try_recv(), Err(TryRecvError::Empty));
        let before = last_waiting.take().and_then(|mut left| still_waiting(&mut left).then_some(left));
        let is_open = gate.as_ref().is_none_or(|(caller, gate)| caller.is_open(gate));
        let calling = match calling {
            Calling::Now(input) if before.is_none() && is_open => {
                // Nothing to wait for: the call leaves now, and so in call order.
                let reply = host.send(&class, id, name, input, chain);
                return Box::pin(async move { Ok(Replied { reply: reply.await, place, entered }) });
            }
            calling => calling,
        };
        let (leaves, left) = oneshot::channel::<Left>();
        *last_waiting = Some(left);
        Box::pin(async move {
            if let Some((caller, gate)) = gate {
                caller.leave(gate).await?;
            }
            if let Some(before) = before {
                // An error is what it ends with: nothing is ever sent.
                let _ = before.await;
            }
            let input = match calling {
                Calling::Now(input) => Ok(input),
                Calling::WhenCollected(request) => input_for(&class, request).await,
            };
            let reply = input.map(|input| host.send(&class, id, name, input, chain));
            drop(leaves);
            let reply = match reply {
                Ok(reply) => reply.await,
                Err(error) => Err(error),
            };
            Ok(Replied { reply, place, entered })
        })
    }
}

/// A call that the host does not make, since it would fail every time.
fn not_made<R: Send + 'static>(message: String) -> BoxFuture<Result<Result<R, CallError>, Fatal>> {
    Box::pin(async move { Ok(Err(CallError { message, remote: false, retryable: false, overloaded: false })) })
}

fn no_such_method(class: &Class, interface: &Interface, method: &str) -> String {
    format!("class {} has no method {method:?}; it has {}", class.name(), interface.method_names())
}

fn call_result<T>(reply: Reply<T>) -> Result<T, CallError> {
    reply.map_err(|error| CallError {
        remote: error.is_remote(),
        retryable: error.is_retryable(),
        overloaded: error.is_overloaded(),
        message: error.to_string(),
    })
}

/// The class that a guest with these bindings means.
fn class_of(host: &HostInner, bindings: &Bindings, class: &str) -> Result<Class, NamespaceError> {
    let served = host.classes.load().get(bindings.class(class)).cloned();
    served
        .ok_or_else(|| NamespaceError::UnknownClass(format!("no class {class:?} is served, and no binding means one")))
}

fn id_from_name(host: &HostInner, bindings: &Bindings, class: &str, name: &str) -> Result<String, NamespaceError> {
    Ok(class_of(host, bindings, class)?.0.ids.id_from_name(name).to_string())
}

fn id_from_string(host: &HostInner, bindings: &Bindings, class: &str, id: &str) -> Result<String, NamespaceError> {
    let id = class_of(host, bindings, class)?.0.ids.id_from_string(id);
    id.map(|id| id.to_string()).map_err(|error| NamespaceError::InvalidId(error.to_string()))
}

fn new_unique_id(host: &HostInner, bindings: &Bindings, class: &str) -> Result<String, NamespaceError> {
    Ok(class_of(host, bindings, class)?.0.ids.id_from_random(host.environment.random_bytes()).to_string())
}

fn stub(
    host: &Arc<HostInner>,
    bindings: &Bindings,
    caller: Option<&Arc<Object>>,
    class: &str,
    target: Target<'_>,
) -> Result<Stub, NamespaceError> {
    let class = class_of(host, bindings, class)?;
    let resolved = target.resolve(&class.0.ids);
    let (id, name) = resolved.map_err(|error| NamespaceError::InvalidId(error.to_string()))?;
    Ok(Stub(Box::new(StubOf {
        host: host.clone(),
        caller: caller.cloned(),
        callee: Label { class, id, name },
        last_waiting: Mutex::new(None),
    })))
}
