//! Accepting connections and dealing them out to the executors, and the end of it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dohost_engine::WorkerComponent;
use dohost_object::{Bindings, Host};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::connection;
use crate::limits::HttpLimits;
use crate::pattern::RoutePattern;
use crate::worker::Workers;

/// Connections that may wait in the system's queue to be accepted. One that does not fit tries again a second later.
const BACKLOG: i32 = 4_096;

/// How long to wait after the system refused to accept a connection, out of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is behind the door. Cheap to clone.
#[derive(Clone)]
pub struct Front(pub(crate) Arc<Shared>);

/// A Worker and what it gets.
#[derive(Clone, PartialEq)]
pub struct FrontWorker {
    /// Its name, for the log.
    pub name: String,
    /// What implements it.
    pub component: WorkerComponent,
    /// Under which names it knows classes.
    pub bindings: Bindings,
    /// The requests that it gets. No two Workers have the same pattern.
    pub routes: Vec<RoutePattern>,
    /// Bytes of the body of a request. Over it: 413.
    pub body_bytes_max: usize,
}

/// What all connections share.
pub(crate) struct Shared {
    pub host: Host,
    pub workers: ArcSwap<Workers>,
    pub limits: HttpLimits,
    /// Bytes of bodies that may be in memory; see [`HttpLimits::bodies_bytes_max`].
    pub body_bytes: Semaphore,
    pub is_stopping: watch::Sender<bool>,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

/// Listens. Connections wait in the system's queue until [`serve`].
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, BindError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|source| BindError { address, source })
}

/// Serves until `stop` is done; then takes no new connections and lets those that are open finish the request that they
/// are at, for up to `patience`. Returns how many were cut off.
pub async fn serve(
    listener: std::net::TcpListener,
    front: Front,
    stop: impl Future<Output = ()>,
    patience: Duration,
) -> std::io::Result<usize> {
    let listener = TcpListener::from_std(listener)?;
    let shared = front.0;
    let accepting = async {
        let places = Arc::new(Semaphore::new(shared.limits.connections_max));
        for executor in (0..shared.host.executors().len()).cycle() {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            let stream = accept(&listener).await;
            let shared_by_all = shared.clone();
            // From here on the connection counts as one that a stop waits for.
            let is_stopping = shared.is_stopping.subscribe();
            shared.host.executors().spawn_on(executor, async move {
                if let Some(served) = connection::serve(shared_by_all, executor, is_stopping, place, stream) {
                    served.await;
                }
            });
        }
    };
    tokio::select! {
        () = stop => {}
        () = accepting => {}
    }
    drop(listener);
    shared.is_stopping.send_replace(true);
    // Too late is not an error here: it is what the count says.
    let _ = tokio::time::timeout(patience, shared.is_stopping.closed()).await;
    shared.workers.load().stop();
    Ok(shared.is_stopping.receiver_count())
}

impl Front {
    /// The objects, and Workers, each with the requests that go to it: what goes to none names class and object by its path.
    pub fn new(host: Host, workers: Vec<FrontWorker>, limits: HttpLimits) -> Front {
        let workers = ArcSwap::from_pointee(Workers::new(&host, workers));
        let body_bytes = Semaphore::new(limits.bodies_bytes_max.min(Semaphore::MAX_PERMITS));
        Front(Arc::new(Shared { host, workers, limits, body_bytes, is_stopping: watch::Sender::new(false) }))
    }

    /// Prepares other Workers than those that get the requests now, and sees whether they can start; the name of one that
    /// cannot, with the reason. Must be called on a tokio runtime.
    pub async fn prepare(&self, workers: Vec<FrontWorker>) -> Result<Prepared, (String, String)> {
        let workers = Workers::new(&self.0.host, workers);
        workers.try_start().await?;
        Ok(Prepared(workers))
    }

    /// Whether these Workers get the requests now.
    pub fn has_workers(&self, workers: &[FrontWorker]) -> bool {
        self.0.workers.load().are(workers)
    }

    /// From now on these get the requests; those that are under way stay where they are.
    pub fn set_workers(&self, Prepared(workers): Prepared) {
        self.0.workers.store(Arc::new(workers));
    }
}

/// Workers that can start.
pub struct Prepared(Workers);

/// The next connection, taken off this runtime so that another can have it.
async fn accept(listener: &TcpListener) -> std::net::TcpStream {
    loop {
        match listener.accept().await.and_then(|(stream, _)| TcpStream::into_std(stream)) {
            Ok(stream) => return stream,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
