//! The Worker in front of the objects: a wasi:http component, 0.3 or 0.2.
//!
//! wasmtime-wasi-http's own handler drives it: it starts instances as requests come, gives an instance that waits further
//! requests, and lets it go after a while. A Worker has no identity, so there may be many instances of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use crate::event::{Body, BodyError};
use wasmtime::component::{GuestTaskId, InstancePre};
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, InstantiationError, ProxyHandler, ProxyPre, ShouldAccept,
    WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::config::Engine;
use crate::guest::{self, GuestLimits, GuestState};
use crate::imports::Outside;
use crate::instance::Trap;
use crate::variables::Variables;

/// Requests that one instance of a Worker handles at a time.
const REQUESTS_AT_ONCE_MAX: usize = 16;
/// Requests that one instance of a Worker handles in its life.
const REQUESTS_PER_LIFE_MAX: usize = 10_000;
/// How long an instance of a Worker without work is kept.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// How long a Worker may take to begin its response to a request.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// How long a Worker may go on after that, streaming the body for one.
const STREAM_MAX: Duration = Duration::from_secs(15 * 60);

/// A component that is a Worker, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct WorkerComponent {
    engine: Engine,
    pre: Arc<ProxyPre<GuestState>>,
    limits: GuestLimits,
    variables: Variables,
    /// SHA-256 of its binary form.
    digest: [u8; 32],
}

/// Whether they do the same, loaded from wherever.
impl PartialEq for WorkerComponent {
    fn eq(&self, other: &WorkerComponent) -> bool {
        (self.digest, &self.limits, &self.variables) == (other.digest, &other.limits, &other.variables)
    }
}

impl WorkerComponent {
    /// Checks that it has one of the handlers.
    pub(crate) fn new(
        engine: &Engine,
        pre: InstancePre<GuestState>,
        limits: GuestLimits,
        variables: Variables,
        digest: [u8; 32],
    ) -> wasmtime::Result<WorkerComponent> {
        let p3 = wasmtime_wasi_http::p3::bindings::ServicePre::new(pre.clone()).map(ProxyPre::P3);
        let pre = p3.or_else(|p3_error| {
            wasmtime_wasi_http::p2::bindings::ProxyPre::new(pre).map(ProxyPre::P2).map_err(|_| p3_error)
        })?;
        Ok(WorkerComponent { engine: engine.clone(), pre: Arc::new(pre), limits, variables, digest })
    }
}

/// Answers requests with a Worker. Each executor has its own. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    handler: ProxyHandler<Instances>,
    is_stopping: Arc<AtomicBool>,
}

impl Worker {
    /// `name` is for the log; `outside` makes the imports of one instance.
    pub fn new(
        name: Arc<str>,
        component: WorkerComponent,
        outside: impl Fn() -> Box<dyn Outside> + Send + Sync + 'static,
    ) -> Worker {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let instances = Instances { name, component, outside: Box::new(outside), is_stopping: is_stopping.clone() };
        Worker { handler: ProxyHandler::new(instances), is_stopping }
    }

    /// Says that instances which end from now on do so because the host stops.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Makes an instance and drops it, to see whether it can be made; must be called on a tokio runtime.
    pub async fn try_start(&self) -> Result<(), Trap> {
        self.handler.state().instantiate().await.map(drop).map_err(|error| Trap::of(&error))
    }

    /// Hands one request to the Worker; must be called on a tokio runtime.
    pub async fn handle(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Trap> {
        self.handler.handle((), request).await.map_err(|error| {
            if error.is::<ExpirationError>() {
                return Trap::of_limit(format!("the Worker did not answer within {} s", REQUEST_MAX.as_secs()));
            }
            match error.downcast_ref::<InstantiationError<()>>() {
                Some(failed) => Trap::of(&failed.error),
                None => Trap::of(&error),
            }
        })
    }
}

/// Makes instances.
struct Instances {
    name: Arc<str>,
    component: WorkerComponent,
    outside: Box<dyn Fn() -> Box<dyn Outside> + Send + Sync>,
    is_stopping: Arc<AtomicBool>,
}

impl HandlerState for Instances {
    type StoreData = GuestState;
    type WorkerExpiration = Expiration;
    type WorkerState = Life;

    async fn instantiate(&self) -> wasmtime::Result<Instance<GuestState, Expiration, Life>> {
        let WorkerComponent { engine, pre, limits, variables, digest: _ } = &self.component;
        let (mut store, _) = guest::store(engine, self.name.clone(), limits, variables.clone(), None, (self.outside)());
        let proxy = pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: GuestState::http,
            expiration: Expiration { sleep: Box::pin(tokio::time::sleep(IDLE_MAX)) },
            state: Life { name: self.name.clone(), is_stopping: self.is_stopping.clone() },
        })
    }
}

/// How many requests an instance takes, and how long each may take.
struct Life {
    name: Arc<str>,
    is_stopping: Arc<AtomicBool>,
}

impl WorkerState for Life {
    type StoreData = GuestState;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, in_all: usize) -> ShouldAccept {
        if in_all >= REQUESTS_PER_LIFE_MAX {
            ShouldAccept::Never
        } else if at_once >= REQUESTS_AT_ONCE_MAX {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, GuestState>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        store.data().slice.end_turn();
        Box::pin(tokio::time::sleep(REQUEST_MAX))
    }

    fn drop(&self, store: Store<GuestState>, result: wasmtime::Result<()>) {
        drop(store);
        if let Err(error) = result
            && !self.is_stopping.load(Ordering::Relaxed)
        {
            tracing::warn!(target: "worker", worker = %self.name, "an instance of the worker went down: {error:?}");
        }
    }
}

/// When an instance is let go.
struct Expiration {
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, since: Instant) -> Poll<()> {
        let max = match status {
            WorkerStatus::Idle => IDLE_MAX,
            WorkerStatus::Requests => REQUEST_MAX,
            WorkerStatus::PostReturn => STREAM_MAX,
        };
        let deadline = (since + max).into();
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}
