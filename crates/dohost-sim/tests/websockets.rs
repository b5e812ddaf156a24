//! WebSockets where time is virtual and the disk fails on demand: peers that read nothing, hosts that are overloaded, and what was sent
//! behind a commit that failed.

use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dohost_engine::imports::{BoxFuture, OutgoingError, RequestOptions};
use dohost_engine::{Body, BodyError, Header, Request, Response};
use dohost_object::websockets::WebSocketClient;
use dohost_object::{
    ClassOptions, EventError, HostHere, HostLimits, HostOptions, Limits, ObjectId, OutgoingFetch, Target,
    UpgradedConnection,
};
use dohost_sim::guests;
use dohost_sim::machine::{START_MS, SimulatedMachine};
use dohost_sim::network::NoNetwork;
use dohost_sim::random::Random;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{Committing, Store, StoreOptions};
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// What is on its way between a host and its peer, each way.
const WIRE_BYTES: usize = 4 << 10;

/// How long an answer takes to agree to a websocket.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// How long a client waits for an end.
const END_MAX: Duration = Duration::from_secs(100);

/// A server that agrees to every websocket and then does what the test says.
#[derive(Default)]
struct Server {
    connections: Mutex<Vec<DuplexStream>>,
}

impl OutgoingFetch for Server {
    fn fetch(&self, caller: Option<ObjectId>, request: Request) -> BoxFuture<Result<Response, OutgoingError>> {
        NoNetwork.fetch(caller, request)
    }

    fn send(
        &self,
        caller: Option<ObjectId>,
        request: http::Request<Body>,
        options: RequestOptions,
    ) -> BoxFuture<Result<http::Response<Body>, BodyError>> {
        NoNetwork.send(caller, request, options)
    }

    fn upgrade(
        &self,
        _: Option<ObjectId>,
        _: Request,
    ) -> BoxFuture<Result<(Response, Option<UpgradedConnection>), OutgoingError>> {
        let (here, there) = duplex(WIRE_BYTES);
        self.connections.lock().unwrap().push(here);
        Box::pin(async {
            sleep(HANDSHAKE).await;
            let response = Response { status: 101, headers: Vec::new(), body: Vec::new() };
            Ok((response, Some(UpgradedConnection { io: Box::new(there), read_ahead: Default::default() })))
        })
    }
}

/// A host with objects of the class `sockets`.
struct World {
    here: HostHere,
    disk: FaultyDisk,
    server: Arc<Server>,
    commits_are_held: Arc<AtomicBool>,
}

impl World {
    /// Does something with a host of virtual time, in which commits take a few milliseconds.
    fn run<F: Future<Output = ()>>(host_limits: HostLimits, limits: Limits, act: impl FnOnce(Rc<World>) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = runtime.block_on(async {
            let disk = FaultyDisk::new();
            let options = StoreOptions {
                namespace_key: Some([7; 32]),
                created_ms: Some(0),
                committing: Committing::ByHand,
                ..StoreOptions::default()
            };
            let store = Store::open_disk(disk.clone(), options).unwrap();
            let server = Arc::new(Server::default());
            let options = HostOptions {
                executors: 1,
                limits: host_limits,
                outgoing: server.clone(),
                environment: Arc::new(SimulatedMachine::new(Random::new(1), 1, START_MS)),
            };
            let component = guests::component("sockets").expect("the guests are built");
            let class = ClassOptions { limits, ..ClassOptions::new("sockets", component) };
            let here = HostHere::start(store.clone(), vec![class], options).unwrap();
            let commits_are_held = Arc::new(AtomicBool::new(false));
            let is_held = commits_are_held.clone();
            tokio::spawn(async move {
                loop {
                    sleep(Duration::from_millis(5)).await;
                    if !is_held.load(Ordering::Relaxed) && store.gather() {
                        store.commit_gathered();
                    }
                }
            });
            let world = Rc::new(World { here, disk, server, commits_are_held });
            act(world.clone()).await;
            world
        });
        drop(runtime);
        drop(world);
    }

    async fn fetch(&self, object: &str, path: &str, headers: Vec<Header>, body: &[u8]) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: "GET".into(),
            scheme: "http".into(),
            authority: "test".into(),
            path: path.into(),
            query: Some(query.into()),
            headers,
            body: body.into(),
        };
        let host = self.here.host();
        let class = host.class("sockets").unwrap();
        for _ in 0..100 {
            match host.fetch(&class, Target::Name(object), request.clone()).await.unwrap() {
                Err(EventError::Overloaded(_)) => sleep(Duration::from_millis(10)).await,
                reply => return reply.expect("the object answers"),
            }
        }
        panic!("the host stays overloaded");
    }

    async fn get(&self, object: &str, path: &str) -> String {
        String::from_utf8(self.fetch(object, path, Vec::new(), b"").await.body).unwrap()
    }

    /// A websocket that an object has accepted, before its client is connected.
    async fn accept(&self, object: &str) -> WebSocketClient {
        let upgrade = Header { name: "upgrade".into(), value: b"websocket".into() };
        let response = self.fetch(object, "/", vec![upgrade], b"").await;
        let name = response.headers.iter().find(|header| header.name == "dohost-websocket").unwrap();
        let name = std::str::from_utf8(&name.value).unwrap();
        self.here.host().take_websocket_client(name).unwrap()
    }

    /// The same by its client, before the first frame.
    async fn connect(&self, object: &str) -> DuplexStream {
        connect(self.accept(object).await)
    }

    async fn open(&self, object: &str) -> Client {
        Client::on(self.connect(object).await).await
    }

    /// Opens a websocket of the object `A` towards the server; the other end.
    async fn open_to_server(&self) -> DuplexStream {
        assert!(self.get("A", "/connect?url=server/x&tags=out").await.contains(" 101 "));
        self.server.connections.lock().unwrap().pop().unwrap()
    }

    /// Waits until the object `A` has heard of an end, and tells after how many seconds.
    async fn end_is_heard(&self, end: &str, seconds_max: u64) -> f64 {
        let since = Instant::now();
        loop {
            let log = self.get("A", "/log").await;
            if log.contains(end) {
                return since.elapsed().as_secs_f64();
            }
            assert!(since.elapsed() < Duration::from_secs(seconds_max), "{end:?} is not in {log:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn connect(client: WebSocketClient) -> DuplexStream {
    let (here, there) = duplex(WIRE_BYTES);
    client.connect(there, Default::default());
    here
}

struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn on(stream: DuplexStream) -> Client {
        Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The code that it is closed with, before which no message may come.
    async fn end(&mut self) -> Option<u16> {
        match timeout(END_MAX, self.0.next()).await.expect("it ends") {
            Some(Ok(Message::Close(frame))) => frame.map(|frame| frame.code.into()),
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// An object goes to sleep while its last write is not durable yet; what comes on a second websocket waits for its next life, and the
/// write fails.
async fn a_commit_fails_after_eviction(world: &World) -> [Client; 2] {
    let (mut writer, mut other) = (world.open("A").await, world.open("A").await);
    assert_eq!((writer.ask("there").await, other.ask("there").await), ("there".into(), "there".into()));
    world.commits_are_held.store(true, Ordering::Relaxed);
    writer.send("!write 10").await;
    sleep(Duration::from_secs(5)).await;
    other.send("anybody?").await;
    sleep(Duration::from_secs(1)).await;
    // Reads go on as if nothing had happened, so the next life begins at once.
    world.disk.fail_next_sync(std::io::ErrorKind::Other);
    world.commits_are_held.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    [writer, other]
}

fn soon_idle() -> HostLimits {
    HostLimits { idle_timeout: Duration::from_secs(1), ..HostLimits::default() }
}

#[test]
fn a_commit_that_fails_after_the_object_fell_asleep_closes_its_websockets() {
    World::run(soon_idle(), Limits::default(), async |world| {
        let mut all = a_commit_fails_after_eviction(&world).await;
        for client in &mut all {
            assert_eq!(client.end().await, Some(1011));
        }
        assert_eq!(world.get("A", "/list").await, "");
    });
}

#[test]
fn a_client_that_is_still_being_connected_when_its_object_is_reset_is_told_why_it_is_closed() {
    World::run(HostLimits::default(), Limits::default(), async |world| {
        let late = world.accept("A").await;
        let mut other = world.open("A").await;
        other.send("!trap").await;
        assert_eq!(other.end().await, Some(1011));
        assert_eq!(Client::on(connect(late)).await.end().await, Some(1011));
    });
}

#[test]
fn what_came_on_a_websocket_that_was_closed_with_a_life_is_nothing_to_the_next_one() {
    World::run(soon_idle(), Limits::default(), async |world| {
        let _all = a_commit_fails_after_eviction(&world).await;
        assert_eq!(world.get("A", "/life").await, "1", "it is the first event of this life");
    });
}

#[test]
fn websockets_that_are_opened_at_once_are_no_more_than_the_limit() {
    let limits = Limits { websockets_max: 3, ..Limits::default() };
    World::run(HostLimits::default(), limits, async |world| {
        let all = join_all((0..30).map(|_| world.get("A", "/connect?url=server/x"))).await;
        let refused = all.iter().filter(|answer| answer.contains("the object has 3 websockets, the limit websockets"));
        assert_eq!(refused.count(), 27, "{all:?}");
        assert_eq!(world.get("A", "/list").await.lines().count(), 3);
    });
}

#[test]
fn a_peer_that_reads_nothing_for_a_minute_is_given_up() {
    World::run(HostLimits::default(), Limits::default(), async |world| {
        let _stuck = world.open_to_server().await;
        let sent = world.fetch("A", "/send?tag=out", Vec::new(), &[b'x'; 12_000_000]);
        let (sent, seconds) = tokio::join!(sent, world.end_is_heard("close 1006", 120));
        assert_eq!(sent.status, 200, "who waited for room waits no more");
        assert!((59.0..62.0).contains(&seconds), "{seconds} s");
        assert_eq!(world.get("A", "/list").await, "");
    });
}

#[test]
fn what_was_sent_before_a_close_comes_to_a_slow_reader_as_long_as_it_reads() {
    World::run(HostLimits::default(), Limits::default(), async |world| {
        let mut slow = world.open_to_server().await;
        world.fetch("A", "/send?tag=out", Vec::new(), &[b'x'; 500_000]).await;
        world.get("A", "/close?tag=out&code=4000").await;
        let (mut piece, mut read) = (vec![0; 50_000], Vec::new());
        for _ in 0..10 {
            slow.read_exact(&mut piece).await.unwrap();
            read.extend_from_slice(&piece);
            // Longer than a close frame may take to be answered.
            sleep(Duration::from_secs(20)).await;
        }
        // What is left are heads of frames and the close frame, which has a mask.
        slow.read_to_end(&mut read).await.unwrap();
        let [.., first, second, _, _, _, _, _, _] = read[..] else { panic!("only {} bytes", read.len()) };
        assert_eq!((first, second, read.len() > 500_000), (0x88, 0x82, true));
    });
}

#[test]
fn who_sends_no_frame_reads_why_it_is_closed_although_much_was_on_its_way() {
    World::run(HostLimits::default(), Limits::default(), async |world| {
        let mut client = world.connect("A").await;
        let command = b"!big 1000000";
        let head = [0x81, 0x80 | command.len() as u8, 0, 0, 0, 0];
        client.write_all(&[&head[..], &command[..]].concat()).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        client.write_all(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        let reason = b"not a WebSocket frame";
        let close = [&[0x88, 2 + reason.len() as u8, 0x03, 0xea][..], &reason[..]].concat();
        assert!(read.ends_with(&close), "{:?}", read.last_chunk::<40>());
    });
}

fn room_for_one() -> HostLimits {
    HostLimits { residents_max: 1, idle_timeout: Duration::from_secs(3_600), ..HostLimits::default() }
}

/// An object that has the only place in the host for so many seconds.
async fn busy(world: &World, seconds: u64) -> Client {
    let mut busy = world.open("B").await;
    busy.send(&format!("!sleep {}", seconds * 1_000)).await;
    sleep(Duration::from_millis(100)).await;
    busy
}

#[test]
fn a_message_waits_for_a_host_that_is_overloaded_and_not_for_ever() {
    World::run(room_for_one(), Limits::default(), async |world| {
        let mut client = world.open("A").await;
        assert_eq!(client.ask("there").await, "there");
        let _busy = busy(&world, 8).await;
        let since = Instant::now();
        assert_eq!(client.ask("there").await, "there");
        let seconds = since.elapsed().as_secs_f64();
        assert!((7.0..12.0).contains(&seconds), "{seconds} s");
        let _busy = busy(&world, 60).await;
        client.send("too late").await;
        let since = Instant::now();
        assert_eq!(client.end().await, Some(1013));
        let seconds = since.elapsed().as_secs_f64();
        assert!((30.0..34.0).contains(&seconds), "{seconds} s");
    });
}

#[test]
fn what_an_object_has_set_for_its_websockets_goes_with_the_last_of_them() {
    World::run(room_for_one(), Limits::default(), async |world| {
        let first = world.open("A").await;
        assert_eq!(world.get("A", "/auto?request=ping&response=pong").await, "ok");
        drop(first);
        world.end_is_heard("close 1006", 10).await;
        assert_eq!(world.get("A", "/settings").await, "ping -> pong, None", "the object has not slept");
        let mut second = world.open("A").await;
        let busy = busy(&world, 60).await;
        assert_eq!(second.ask("ping").await, "pong", "it sleeps, and has a websocket");
        // Nobody can tell the object in time.
        drop(second);
        sleep(Duration::from_secs(70)).await;
        drop(busy);
        assert_eq!(world.get("A", "/settings").await, "none, None");
    });
}
