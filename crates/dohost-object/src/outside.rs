//! What the imports of objects and Workers do beyond the object itself: ids, stubs, calls, requests to the network.
//!
//! What an object sends passes its output gate first: the gate is sampled when the guest makes the call, and the call
//! leaves when the commit it then depended on is durable. Answers pass its input gate before the guest gets them.

use std::sync::Arc;
use std::task::Poll;

use dohost_engine::imports::{
    BoxFuture, CallError, Fatal, NamespaceError, ObjectStub, OutgoingError, Outside, Request, Response, Stub,
};
use rand::RngCore;

use crate::class::Class;
use crate::event::Reply;
use crate::host::{HostInner, Target, TargetError};
use crate::id::ObjectId;
use crate::object::{Gate, Object};

/// The imports of one object.
pub(crate) struct ObjectOutside(pub Arc<Object>);

/// The imports of one instance of a Worker.
pub(crate) struct WorkerOutside(pub Arc<HostInner>);

impl Outside for ObjectOutside {
    fn id_from_name(&self, class: &str, name: &str) -> Result<String, NamespaceError> {
        id_from_name(&self.0.host, class, name)
    }

    fn id_from_string(&self, class: &str, id: &str) -> Result<String, NamespaceError> {
        id_from_string(&self.0.host, class, id)
    }

    fn new_unique_id(&self, class: &str) -> Result<String, NamespaceError> {
        new_unique_id(&self.0.host, class)
    }

    fn stub(&self, class: &str, id: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0.host, Some(&self.0), class, Target::Id(id))
    }

    fn stub_by_name(&self, class: &str, name: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0.host, Some(&self.0), class, Target::Name(name))
    }

    fn fetch(&self, request: Request) -> BoxFuture<Result<Result<Response, OutgoingError>, Fatal>> {
        let object = self.0.clone();
        let gate = object.output_gate();
        Box::pin(async move {
            object.leave(gate).await?;
            let reply = object.host.outgoing.fetch(request).await;
            object.enter().await;
            Ok(reply)
        })
    }
}

impl Outside for WorkerOutside {
    fn id_from_name(&self, class: &str, name: &str) -> Result<String, NamespaceError> {
        id_from_name(&self.0, class, name)
    }

    fn id_from_string(&self, class: &str, id: &str) -> Result<String, NamespaceError> {
        id_from_string(&self.0, class, id)
    }

    fn new_unique_id(&self, class: &str) -> Result<String, NamespaceError> {
        new_unique_id(&self.0, class)
    }

    fn stub(&self, class: &str, id: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0, None, class, Target::Id(id))
    }

    fn stub_by_name(&self, class: &str, name: &str) -> Result<Stub, NamespaceError> {
        stub(&self.0, None, class, Target::Name(name))
    }

    fn fetch(&self, request: Request) -> BoxFuture<Result<Result<Response, OutgoingError>, Fatal>> {
        let reply = self.0.outgoing.fetch(request);
        Box::pin(async move { Ok(reply.await) })
    }
}

impl Object {
    /// Waits until the input gate lets the completion of an import in.
    async fn enter(&self) {
        std::future::poll_fn(|cx| match self.lock().gate.poll_open(cx.waker()) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        })
        .await;
    }
}

/// A stub for one object, held by a guest.
struct StubOf {
    host: Arc<HostInner>,
    caller: Option<Arc<Object>>,
    class: Class,
    id: ObjectId,
    name: Option<Arc<str>>,
}

impl ObjectStub for StubOf {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> Option<String> {
        self.name.as_deref().map(String::from)
    }

    fn fetch(&self, request: Request) -> BoxFuture<Result<Result<Response, CallError>, Fatal>> {
        let send = {
            let (host, class, id, name) = (self.host.clone(), self.class.clone(), self.id, self.name.clone());
            move || host.send(&class, id, name, request)
        };
        let Some(caller) = self.caller.clone() else {
            let reply = send();
            return Box::pin(async move { Ok(call_result(reply.await)) });
        };
        match caller.output_gate() {
            // Nothing to wait for: the call leaves now, and so in call order.
            Gate::Now(commit) if commit.is_none_or(|commit| caller.progress.is_durable(commit) == Some(Ok(()))) => {
                let reply = send();
                Box::pin(async move {
                    let reply = reply.await;
                    caller.enter().await;
                    Ok(call_result(reply))
                })
            }
            gate => Box::pin(async move {
                caller.leave(gate).await?;
                let reply = send().await;
                caller.enter().await;
                Ok(call_result(reply))
            }),
        }
    }
}

fn call_result(reply: Reply) -> Result<Response, CallError> {
    reply.map_err(|error| CallError {
        remote: error.is_remote(),
        retryable: error.is_retryable(),
        overloaded: error.is_overloaded(),
        message: error.to_string(),
    })
}

fn class_of<'a>(host: &'a HostInner, class: &str) -> Result<&'a Class, NamespaceError> {
    host.classes.get(class).ok_or_else(|| NamespaceError::UnknownClass(format!("no class {class:?} is served")))
}

fn id_from_name(host: &HostInner, class: &str, name: &str) -> Result<String, NamespaceError> {
    Ok(class_of(host, class)?.0.ids.id_from_name(name).to_string())
}

fn id_from_string(host: &HostInner, class: &str, id: &str) -> Result<String, NamespaceError> {
    let id = class_of(host, class)?.0.ids.id_from_string(id);
    id.map(|id| id.to_string()).map_err(|error| NamespaceError::InvalidId(error.to_string()))
}

fn new_unique_id(host: &HostInner, class: &str) -> Result<String, NamespaceError> {
    let mut random = [0; 16];
    rand::rng().fill_bytes(&mut random);
    Ok(class_of(host, class)?.0.ids.id_from_random(random).to_string())
}

fn stub(
    host: &Arc<HostInner>,
    caller: Option<&Arc<Object>>,
    class: &str,
    target: Target<'_>,
) -> Result<Stub, NamespaceError> {
    let class = class_of(host, class)?.clone();
    let (id, name) = target.resolve(&class).map_err(|error| match error {
        TargetError::Id(error) => NamespaceError::InvalidId(error.to_string()),
        TargetError::Name(_) => NamespaceError::TooLarge(error.to_string()),
    })?;
    Ok(Stub(Box::new(StubOf { host: host.clone(), caller: caller.cloned(), class, id, name })))
}
