//! All websockets of the host, by object, and their other ends that wait for a client.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dohost_engine::imports::AutoResponse;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::client::WebSocketClient;
use super::socket::{GivenUp, Socket};
use crate::limits::HostLimits;
use crate::residents::ObjectKey;

/// See the module.
pub(crate) struct WebSockets {
    objects: Mutex<HashMap<ObjectKey, OfObject>>,
    clients: Mutex<HashMap<String, WebSocketClient>>,
    count: AtomicUsize,
    last: AtomicU64,
    /// For bytes of large messages that are coming in.
    incoming: Arc<Semaphore>,
    /// Bytes of messages that wait to be taken by clients.
    outgoing: Arc<Budget>,
}

/// Bytes of messages, of which there may be so many.
pub(crate) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes.load(Ordering::Relaxed) + bytes <= self.bytes_max
    }
}

/// What an object has.
#[derive(Default)]
struct OfObject {
    /// In the order in which they were made.
    sockets: BTreeMap<u64, Arc<Socket>>,
    settings: Settings,
}

/// What an object has set for all of its sockets.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub auto_response: Option<Arc<AutoResponse>>,
    pub event_timeout_ms: Option<u32>,
}

impl WebSockets {
    pub fn new(limits: &HostLimits) -> WebSockets {
        WebSockets {
            objects: Mutex::default(),
            clients: Mutex::default(),
            count: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            incoming: Arc::new(Semaphore::new(limits.websocket_incoming_bytes_max.min(Semaphore::MAX_PERMITS))),
            outgoing: Arc::new(Budget { bytes: AtomicUsize::new(0), bytes_max: limits.websocket_outgoing_bytes_max }),
        }
    }

    /// See [`HostLimits::websocket_incoming_bytes_max`].
    pub fn incoming(&self) -> &Arc<Semaphore> {
        &self.incoming
    }

    /// See [`HostLimits::websocket_outgoing_bytes_max`].
    pub fn outgoing(&self) -> &Arc<Budget> {
        &self.outgoing
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A number that no other socket of this process has.
    pub fn new_id(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn len_of(&self, key: &ObjectKey) -> usize {
        self.objects.lock().get(key).map_or(0, |object| object.sockets.len())
    }

    pub fn add(&self, socket: Arc<Socket>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.objects.lock().entry(socket.key).or_default().sockets.insert(socket.id, socket);
    }

    pub fn get(&self, key: &ObjectKey, id: u64) -> Option<Arc<Socket>> {
        self.objects.lock().get(key)?.sockets.get(&id).cloned()
    }

    pub fn all_of(&self, key: &ObjectKey) -> Vec<Arc<Socket>> {
        self.objects.lock().get(key).map_or(Vec::new(), |object| object.sockets.values().cloned().collect())
    }

    pub fn settings(&self, key: &ObjectKey) -> Settings {
        self.objects.lock().get(key).map_or(Settings::default(), |object| object.settings.clone())
    }

    pub fn set(&self, key: ObjectKey, change: impl FnOnce(&mut Settings)) {
        change(&mut self.objects.lock().entry(key).or_default().settings);
    }

    /// The last event of a socket is over, if its object was not reset before. What the object set is kept as long as it has any
    /// other, or is resident.
    pub fn remove(&self, socket: &Socket, is_resident: bool) {
        let mut objects = self.objects.lock();
        let Some(object) = objects.get_mut(&socket.key) else { return };
        if object.sockets.remove(&socket.id).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        if object.sockets.is_empty() && !is_resident {
            objects.remove(&socket.key);
        }
    }

    /// A life of an object has ended well: sockets that do not hibernate end with it. What it set is kept as long as it has any.
    pub fn life_ended(&self, key: &ObjectKey) {
        let mut objects = self.objects.lock();
        let Some(object) = objects.get_mut(key) else { return };
        let awake: Vec<Arc<Socket>> = object.sockets.values().filter(|socket| !socket.hibernates()).cloned().collect();
        for socket in &awake {
            object.sockets.remove(&socket.id);
        }
        self.count.fetch_sub(awake.len(), Ordering::Relaxed);
        if object.sockets.is_empty() {
            objects.remove(key);
        }
        drop(objects);
        close_all(awake, GivenUp { code: 1001, reason: "the object has ended", is_told: false });
    }

    /// An object was reset: it has no websockets any more.
    pub fn reset(&self, key: &ObjectKey) {
        let Some(object) = self.objects.lock().remove(key) else { return };
        self.count.fetch_sub(object.sockets.len(), Ordering::Relaxed);
        close_all(object.sockets.into_values(), GivenUp { code: 1011, reason: "the object was reset", is_told: false });
    }

    /// The host stops.
    pub fn close_all(&self) {
        let objects = std::mem::take(&mut *self.objects.lock());
        let sockets = objects.into_values().flat_map(|object| object.sockets.into_values());
        close_all(sockets, GivenUp { code: 1001, reason: "the host is shutting down", is_told: false });
    }

    /// Nobody has asked for this other end in time.
    pub fn forget_client(&self, name: &str) {
        self.clients.lock().remove(name);
    }

    pub fn add_client(&self, name: String, client: WebSocketClient) {
        self.clients.lock().insert(name, client);
    }

    /// The other end of this name, for the one who asks first.
    pub fn take_client(&self, name: &str) -> Option<WebSocketClient> {
        self.clients.lock().remove(name)
    }
}

fn close_all(sockets: impl IntoIterator<Item = Arc<Socket>>, given_up: GivenUp) {
    for socket in sockets {
        socket.give_up(given_up);
    }
}
