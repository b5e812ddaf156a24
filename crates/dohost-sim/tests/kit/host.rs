//! A host of the kit in this process: the real objects and the real store on a thread of their own, where time is virtual and the disk
//! does as it is told.
//!
//! Time passes only while something is waited for. So what was begun and sleeps stays where it is until somebody advances the clock.
//! The date that guests read is that of the machine, and so is that of the host when it starts; the host's alone goes on with the
//! virtual clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use dohost_conformance::{Ability, Begun, Host, HostError, Message, Reply, Request, WebSocket};
use dohost_engine::{ObjectComponent, Request as Record};
use dohost_object::websockets::CLIENT_HEADER;
use dohost_object::{ClassOptions, Environment, EventError, HostHere, HostLimits, HostOptions, Machine, Target};
use dohost_sim::guests;
use dohost_sim::machine::SimulatedMachine;
use dohost_sim::network::NoNetwork;
use dohost_sim::random::Random;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{Committing, Store, StoreOptions};
use futures_util::future::{FutureExt, LocalBoxFuture, join_all};
use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// What this host can do.
const ABILITIES: [Ability; 8] = [
    Ability::Evict,
    Ability::Restart,
    Ability::Crash,
    Ability::AdvanceClock,
    Ability::FailCommits,
    Ability::HoldCommits,
    Ability::Begin,
    Ability::WebSockets,
];

/// A commit takes so long.
const COMMIT: Duration = Duration::from_millis(1);
/// How far things go that nobody waits for: no further than with a commit or two.
const SETTLE: Duration = Duration::from_millis(20);
/// Nothing takes longer by the virtual clock.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nor by the real one.
const HANG_MAX: Duration = Duration::from_secs(120);
/// What is on its way on a websocket.
const PIPE_BYTES: usize = 64 << 10;

/// See the module.
pub struct InProcess {
    orders: Orders,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Orders(mpsc::Sender<Order>);

/// What the thread of the host is to do.
enum Order {
    Do(Job),
    /// Ends this life and begins the next one on the same disk.
    Next {
        is_crash: bool,
        tell: mpsc::Sender<()>,
    },
    Quit,
}

type Job = Box<dyn FnOnce(Rc<Life>) -> LocalBoxFuture<'static, ()> + Send>;

impl InProcess {
    /// A host with an empty disk that serves this guest.
    pub fn start(guest: &str) -> InProcess {
        let component = guests::component(guest).expect("the guests are built");
        let (orders, received) = mpsc::channel();
        let class = guest.to_string();
        let thread = std::thread::spawn(move || live(&class, &component, &received));
        InProcess { orders: Orders(orders), thread: Some(thread) }
    }

    fn next(&self, is_crash: bool) -> Result<(), HostError> {
        let (tell, told) = mpsc::channel();
        self.orders.give(Order::Next { is_crash, tell })?;
        told.recv_timeout(HANG_MAX).map_err(|_| HostError("the host does not end".into()))
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        let _ = self.orders.give(Order::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the thread of the host panicked");
        }
    }
}

impl Orders {
    fn give(&self, order: Order) -> Result<(), HostError> {
        self.0.send(order).map_err(|_| HostError("the host is gone".into()))
    }

    /// Does something on the thread of the host and waits for what comes of it.
    fn ask<T: Send + 'static, F: Future<Output = T> + 'static>(
        &self,
        act: impl FnOnce(Rc<Life>) -> F + Send + 'static,
    ) -> Result<T, HostError> {
        let (tell, told) = mpsc::channel();
        self.give(Order::Do(Box::new(move |life| {
            async move {
                // Whoever asked may have given up.
                let _ = tell.send(act(life).await);
            }
            .boxed_local()
        })))?;
        told.recv_timeout(HANG_MAX).map_err(|_| HostError("the host hangs".into()))
    }
}

/// One life after the other on one disk.
fn live(class: &str, component: &ObjectComponent, orders: &mpsc::Receiver<Order>) {
    let (mut disk, mut now_ms) = (FaultyDisk::new(), Machine.now_ms());
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output needs nothing");
        let (life, next) = runtime.block_on(async {
            let life = Rc::new(Life::start(class, component, &disk, now_ms));
            let next = serve(&life, orders).await;
            now_ms = life.machine.now_ms();
            (life, next)
        });
        if !matches!(next, Some((false, _))) {
            // Nothing of what is still to be dropped may reach the disk.
            disk.crash_at(disk.operations());
        }
        drop(runtime);
        drop(life);
        let Some((_, tell)) = next else { return };
        disk = disk.after_crash(|| false);
        let _ = tell.send(());
    }
}

/// Does what is ordered until this life is over; whether by a crash, and who waits for the next. None if there is no next one.
async fn serve(life: &Rc<Life>, orders: &mpsc::Receiver<Order>) -> Option<(bool, mpsc::Sender<()>)> {
    loop {
        // This blocks the runtime, and with it time.
        match orders.recv() {
            Ok(Order::Do(job)) => job(life.clone()).await,
            Ok(Order::Next { is_crash: true, tell }) => return Some((true, tell)),
            Ok(Order::Next { is_crash: false, tell }) => {
                assert!(life.here.shut_down(PATIENCE).await, "objects did not end when the host was stopped");
                return Some((false, tell));
            }
            Ok(Order::Quit) | Err(_) => return None,
        }
    }
}

/// A host from its start to its end, and what clients have open with it.
struct Life {
    here: HostHere,
    class: String,
    machine: Arc<SimulatedMachine>,
    disk: Arc<Disk>,
    begun: RefCell<BTreeMap<u64, tokio::task::JoinHandle<Reply>>>,
    sockets: RefCell<BTreeMap<u64, Socket>>,
    last: Cell<u64>,
}

/// How commits go.
#[derive(Default)]
struct Disk {
    is_held: AtomicBool,
    next_fails: AtomicBool,
}

struct Socket {
    stream: WebSocketStream<DuplexStream>,
    /// What came and was not received.
    next: Option<Message>,
    end: Option<Message>,
}

impl Life {
    fn start(class: &str, component: &ObjectComponent, disk: &FaultyDisk, now_ms: u64) -> Life {
        let options = StoreOptions {
            namespace_key: Some([7; 32]),
            created_ms: Some(0),
            committing: Committing::ByHand,
            ..StoreOptions::default()
        };
        let store = Store::open_disk(disk.clone(), options).expect("the store opens");
        let machine = Arc::new(SimulatedMachine::new(Random::new(now_ms), 1, now_ms));
        // Nothing leaves memory by itself.
        let limits = HostLimits { idle_timeout: Duration::from_secs(1_000_000), ..HostLimits::default() };
        let options = HostOptions { executors: 1, limits, outgoing: Arc::new(NoNetwork), environment: machine.clone() };
        let classes = vec![ClassOptions::new(class, component.clone())];
        let here = HostHere::start(store.clone(), classes, options).expect("the host starts");
        let state = Arc::new(Disk::default());
        tokio::spawn(commit(store, disk.clone(), state.clone()));
        Life {
            here,
            class: class.to_string(),
            machine,
            disk: state,
            begun: RefCell::default(),
            sockets: RefCell::default(),
            last: Cell::new(0),
        }
    }

    fn new_number(&self) -> u64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    /// The reply, with headers.
    fn send(
        &self,
        request: Request,
        headers: &[(&str, &str)],
    ) -> impl Future<Output = (Reply, Option<String>)> + use<> {
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path.to_string(), Some(query.to_string())),
            None => (request.target.clone(), None),
        };
        let header = |(name, value): &(&str, &str)| dohost_engine::Header {
            name: name.to_string(),
            value: value.as_bytes().to_vec(),
        };
        let record = Record {
            method: request.method,
            scheme: "http".into(),
            authority: "kit".into(),
            path,
            query,
            headers: headers.iter().map(header).collect(),
            body: request.body,
        };
        let (host, class, object) = (self.here.host().clone(), self.class.clone(), request.object);
        async move {
            let class = host.class(&class).expect("it is served");
            match host.fetch(&class, Target::Name(&object), record).await.expect("a name is no id") {
                Ok(response) => {
                    let client = response.headers.iter().find(|header| header.name == CLIENT_HEADER);
                    let client = client.map(|header| String::from_utf8_lossy(&header.value).into_owned());
                    (Reply { status: response.status, body: response.body }, client)
                }
                // What the texts of the host are is its own affair.
                Err(error) => (Reply { status: status_of(&error), body: Vec::new() }, None),
            }
        }
    }

    async fn open_websocket(&self, request: Request) -> (Reply, Option<u64>) {
        let (reply, client) = self.send(request, &[("connection", "upgrade"), ("upgrade", "websocket")]).await;
        let client = client.filter(|_| reply.status == 101);
        let Some(client) = client.and_then(|name| self.here.host().take_websocket_client(&name)) else {
            return (reply, None);
        };
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        client.connect(theirs, Bytes::new());
        let stream = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let number = self.new_number();
        self.sockets.borrow_mut().insert(number, Socket { stream, next: None, end: None });
        (reply, Some(number))
    }
}

/// Does one commit after the other.
async fn commit(store: Store, disk: FaultyDisk, state: Arc<Disk>) {
    loop {
        sleep(COMMIT).await;
        if state.is_held.load(Ordering::Relaxed) || !store.gather() {
            continue;
        }
        if state.next_fails.swap(false, Ordering::Relaxed) {
            disk.fill_once();
        }
        store.commit_gathered();
        disk.set_full(false);
    }
}

/// As the server says it.
fn status_of(error: &EventError) -> u16 {
    match error {
        EventError::InvalidArguments(_) => 400,
        EventError::NotOffered(_) => 404,
        EventError::Loop(_) => 508,
        EventError::TooLarge(_) | EventError::ResultTooLarge(_) => 502,
        EventError::TimedOut(_) | EventError::NotStarted(_) | EventError::Overloaded(_) | EventError::ShuttingDown => {
            503
        }
        EventError::Exception(_)
        | EventError::Reset(_)
        | EventError::StartFailed(_)
        | EventError::ConstructionFailed(_)
        | EventError::CommitFailed(_) => 500,
    }
}

impl Host for InProcess {
    fn abilities(&self) -> &[Ability] {
        &ABILITIES
    }

    fn requests(&mut self, requests: &[Request]) -> Result<Vec<Reply>, HostError> {
        let requests = requests.to_vec();
        self.orders.ask(move |life| async move {
            let replies = requests.into_iter().map(|request| life.send(request, &[]));
            join_all(replies).await.into_iter().map(|(reply, _)| reply).collect()
        })
    }

    fn wait(&mut self, pause: Duration) {
        // If it is gone, the next request says so.
        let _ = self.orders.ask(move |_| sleep(pause));
    }

    fn evict(&mut self, _: &str) -> Result<(), HostError> {
        let is_done = self.orders.ask(|life| async move { life.here.evict_all(PATIENCE).await })?;
        is_done.then_some(()).ok_or_else(|| HostError("an object stays in memory".into()))
    }

    fn restart(&mut self) -> Result<(), HostError> {
        self.next(false)
    }

    fn crash(&mut self) -> Result<(), HostError> {
        self.next(true)
    }

    fn advance_clock(&mut self, by: Duration) -> Result<(), HostError> {
        self.orders.ask(move |_| sleep(by))
    }

    fn fail_next_commit(&mut self) -> Result<(), HostError> {
        self.orders.ask(|life| async move { life.disk.next_fails.store(true, Ordering::Relaxed) })
    }

    fn hold_commits(&mut self, is_held: bool) -> Result<(), HostError> {
        self.orders.ask(move |life| async move { life.disk.is_held.store(is_held, Ordering::Relaxed) })
    }

    fn begin(&mut self, request: &Request) -> Result<Box<dyn Begun>, HostError> {
        let request = request.clone();
        let number = self.orders.ask(move |life| async move {
            let number = life.new_number();
            let reply = life.send(request, &[]);
            life.begun.borrow_mut().insert(number, tokio::spawn(async move { reply.await.0 }));
            sleep(SETTLE).await;
            number
        })?;
        Ok(Box::new(Open { orders: self.orders.clone(), number }))
    }

    fn open_websocket(&mut self, request: &Request) -> Result<(Reply, Option<Box<dyn WebSocket>>), HostError> {
        let request = request.clone();
        let (reply, number) = self.orders.ask(move |life| async move { life.open_websocket(request).await })?;
        let open = |number| Box::new(Open { orders: self.orders.clone(), number }) as Box<dyn WebSocket>;
        Ok((reply, number.map(open)))
    }
}

/// What a client has begun or opened. Dropping it breaks it off.
struct Open {
    orders: Orders,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        let number = self.number;
        // With the host it is gone as well.
        let _ = self.orders.ask(move |life| async move {
            if let Some(task) = life.begun.borrow_mut().remove(&number) {
                task.abort();
            }
            life.sockets.borrow_mut().remove(&number);
            sleep(SETTLE).await;
        });
    }
}

impl Begun for Open {
    fn is_answered(&mut self) -> Result<bool, HostError> {
        let number = self.number;
        self.orders.ask(move |life| async move {
            sleep(SETTLE).await;
            life.begun.borrow().get(&number).is_none_or(tokio::task::JoinHandle::is_finished)
        })
    }

    fn reply(self: Box<Self>) -> Result<Reply, HostError> {
        let number = self.number;
        let reply = self.orders.ask(move |life| async move {
            let task = life.begun.borrow_mut().remove(&number)?;
            timeout(PATIENCE, task).await.ok()?.ok()
        })?;
        reply.ok_or_else(|| HostError("there is no reply".into()))
    }
}

impl Open {
    fn with<T: Send + 'static, F: Future<Output = (Socket, T)> + 'static>(
        &self,
        act: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Result<T, HostError> {
        let number = self.number;
        let done = self.orders.ask(move |life| async move {
            let socket = life.sockets.borrow_mut().remove(&number)?;
            let (socket, done) = act(socket).await;
            life.sockets.borrow_mut().insert(number, socket);
            Some(done)
        })?;
        done.ok_or_else(|| HostError("the websocket went with its host".into()))
    }

    fn send_message(&self, message: tungstenite::Message) -> Result<(), HostError> {
        let sent = self.with(move |mut socket| async move {
            let sent = socket.stream.send(message).await;
            (socket, sent.map_err(|error| error.to_string()))
        })?;
        sent.map_err(HostError)
    }
}

impl WebSocket for Open {
    fn send(&mut self, text: &str) -> Result<(), HostError> {
        self.send_message(tungstenite::Message::text(text))
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<(), HostError> {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.send_message(tungstenite::Message::Close(Some(frame)))
    }

    fn receive(&mut self) -> Result<Message, HostError> {
        let message = self.with(|mut socket| async move {
            let message = match socket.next.take() {
                Some(message) => Some(message),
                None => timeout(PATIENCE, socket.read()).await.ok(),
            };
            (socket, message)
        })?;
        message.ok_or_else(|| HostError("nothing comes on the websocket".into()))
    }

    fn has_more(&mut self) -> Result<bool, HostError> {
        self.with(|mut socket| async move {
            if socket.next.is_none() {
                socket.next = timeout(SETTLE, socket.read()).await.ok();
            }
            let has_more = socket.next.is_some();
            (socket, has_more)
        })
    }
}

impl Socket {
    async fn read(&mut self) -> Message {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let end = loop {
            match self.stream.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => return Message::Text(text.to_string()),
                Some(Ok(tungstenite::Message::Binary(bytes))) => return Message::Binary(bytes.to_vec()),
                Some(Ok(tungstenite::Message::Close(Some(frame)))) => {
                    break Message::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(tungstenite::Message::Close(None))) => break Message::Closed(1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break Message::Closed(1006, String::new()),
            }
        };
        // The answer to a close frame leaves with the next step of the connection.
        let _ = timeout(SETTLE, self.stream.next()).await;
        self.end.insert(end).clone()
    }
}
