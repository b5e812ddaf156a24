//! The conformance kit, tried on the real binary, and its cases held against the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use dohost_conformance as kit;
use dohost_conformance::{Ability, Begun, Case, HostError, Message, Outcome, Reply, Request, Stream, Tally, run};
use tokio_tungstenite::tungstenite;

use crate::host::{Host, Setup, dohost};
use crate::http::{Connection, at_once};
use crate::spec;
use crate::websocket::WebSocket;

/// Cases that run at once.
const AT_ONCE: usize = 4;
/// What was begun gets so far before anything else is done. No case of this host depends on it: what waits does so for longer.
const SETTLE: Duration = Duration::from_millis(50);

/// What this host can do. Its clock is the machine's, and its disk does as it is told.
const ABILITIES: [Ability; 7] = [
    Ability::Evict,
    Ability::Restart,
    Ability::Crash,
    Ability::Begin,
    Ability::CallMethods,
    Ability::StreamBodies,
    Ability::WebSockets,
];

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn cases() -> Vec<Case> {
    Case::all(&conformance().join("cases")).unwrap_or_else(|error| panic!("{error}"))
}

/// The binary as the kit sees it.
struct Binary {
    class: String,
    setup: Setup,
    host: Option<Host>,
}

impl Binary {
    fn start(guest: &str) -> Binary {
        let setup = Setup::new().guest(guest).with(["--idle-timeout", "300s"]);
        let host = Some(setup.start());
        Binary { class: guest.into(), setup, host }
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("it runs between two steps")
    }

    fn take(&mut self) -> Host {
        self.host.take().expect("it runs between two steps")
    }

    fn target(&self, request: &Request) -> String {
        format!("/{}/{}{}", self.class, request.object, request.target)
    }
}

fn failed(error: impl std::fmt::Debug) -> HostError {
    HostError(format!("no reply: {error:?}"))
}

fn send(mut connection: Connection, request: &Request, target: &str) -> Result<Reply, HostError> {
    let reply = connection.try_send(&request.method, target, &[], &request.body).map_err(failed)?;
    Ok(Reply { status: reply.status, body: reply.body })
}

impl kit::Host for Binary {
    fn abilities(&self) -> &[Ability] {
        &ABILITIES
    }

    fn requests(&mut self, requests: &[Request]) -> Result<Vec<Reply>, HostError> {
        let one = |at: usize| send(self.host().connect(), &requests[at], &self.target(&requests[at]));
        match requests.len() {
            1 => Ok(vec![one(0)?]),
            several => at_once(several, one).into_iter().collect(),
        }
    }

    fn evict(&mut self, object: &str) -> Result<(), HostError> {
        let object = format!("{}/{object}", self.class);
        let data = self.setup.data().display().to_string();
        let ended = dohost(["objects", "evict", &object, "--data-dir", &data]);
        ended.status.success().then_some(()).ok_or_else(|| HostError(format!("{ended:?}")))
    }

    fn restart(&mut self) -> Result<(), HostError> {
        self.host = Some(self.take().restart());
        Ok(())
    }

    fn crash(&mut self) -> Result<(), HostError> {
        self.host = Some(self.take().kill_and_start());
        Ok(())
    }

    fn begin(&mut self, request: &Request) -> Result<Box<dyn Begun>, HostError> {
        let connection = self.host().connect();
        let stream = connection.writer();
        let (request, target) = (request.clone(), self.target(request));
        let reply = std::thread::spawn(move || send(connection, &request, &target));
        std::thread::sleep(SETTLE);
        Ok(Box::new(UnderWay { reply: Some(reply), stream }))
    }

    fn call(&mut self, object: &str, method: &str, arguments: &str) -> Result<Reply, HostError> {
        let target = format!("/{}/{object}/rpc/{method}", self.class);
        let json = [("content-type", "application/json")];
        let reply = self.host().connect().try_send("POST", &target, &json, arguments.as_bytes()).map_err(failed)?;
        Ok(Reply { status: reply.status, body: reply.body })
    }

    fn open_stream(&mut self, request: &Request) -> Result<Box<dyn Stream>, HostError> {
        let mut connection = self.host().connect();
        connection.begin(&request.method, &self.target(request));
        Ok(Box::new(Streamed { connection, status: None, read: Vec::new(), end: None }))
    }

    fn open_websocket(&mut self, request: &Request) -> Result<(Reply, Option<Box<dyn kit::WebSocket>>), HostError> {
        match WebSocket::try_open(self.host(), &self.target(request), &[]) {
            Err(status) => Ok((Reply { status, body: Vec::new() }, None)),
            Ok(socket) => {
                let open = Socket { socket, next: None, end: None };
                Ok((Reply { status: 101, body: Vec::new() }, Some(Box::new(open))))
            }
        }
    }
}

/// A request in a thread of its own. Dropping it closes the connection.
struct UnderWay {
    reply: Option<JoinHandle<Result<Reply, HostError>>>,
    stream: TcpStream,
}

impl Begun for UnderWay {
    fn is_answered(&mut self) -> Result<bool, HostError> {
        std::thread::sleep(SETTLE);
        Ok(self.reply.as_ref().is_none_or(JoinHandle::is_finished))
    }

    fn reply(mut self: Box<Self>) -> Result<Reply, HostError> {
        let reply = self.reply.take().expect("it is taken once");
        reply.join().expect("a client does not panic")
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // The host may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A request and its reply, chunk by chunk.
struct Streamed {
    connection: Connection,
    status: Option<u16>,
    /// What came and was not asked for yet.
    read: Vec<u8>,
    /// How the body ended: well or not.
    end: Option<bool>,
}

impl Stream for Streamed {
    fn write(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.connection.send_chunk(bytes).map_err(failed)
    }

    fn end(&mut self) -> Result<(), HostError> {
        self.connection.send_chunk(b"").map_err(failed)
    }

    fn read(&mut self, len: Option<usize>) -> Result<Reply, HostError> {
        let status = match self.status {
            Some(status) => status,
            None => {
                let head = self.connection.read_head().map_err(failed)?;
                // One that tells its length comes whole.
                if head.header("transfer-encoding").is_none() {
                    self.read = self.connection.read_body(&head).map_err(failed)?;
                    self.end = Some(true);
                }
                *self.status.insert(head.status)
            }
        };
        while self.end.is_none() && len.is_none_or(|len| self.read.len() < len) {
            match self.connection.read_chunk() {
                Ok(chunk) if chunk.is_empty() => self.end = Some(true),
                Ok(chunk) => self.read.extend(chunk),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(failed(error)),
                Err(_) => self.end = Some(false),
            }
        }
        let is_short = len.is_none_or(|len| self.read.len() < len);
        let rest = self.read.split_off(len.unwrap_or(usize::MAX).min(self.read.len()));
        let body = std::mem::replace(&mut self.read, rest);
        let is_broken_off = is_short && self.end == Some(false);
        Ok(Reply { status: if is_broken_off { 0 } else { status }, body })
    }
}

/// A websocket of a client.
struct Socket {
    socket: WebSocket,
    /// What came and was not received.
    next: Option<Message>,
    end: Option<Message>,
}

impl Socket {
    /// What comes next, if something does in time.
    fn read(&mut self) -> Option<Message> {
        if let Some(end) = &self.end {
            return Some(end.clone());
        }
        let end = loop {
            match self.socket.read() {
                Ok(tungstenite::Message::Text(text)) => return Some(Message::Text(text.to_string())),
                Ok(tungstenite::Message::Binary(bytes)) => return Some(Message::Binary(bytes.to_vec())),
                Ok(tungstenite::Message::Close(Some(frame))) => {
                    break Message::Closed(frame.code.into(), frame.reason.to_string());
                }
                Ok(tungstenite::Message::Close(None)) => break Message::Closed(1005, String::new()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => break Message::Closed(1006, String::new()),
            }
        };
        // The answer to a close frame leaves with the next step of the connection.
        let _ = self.socket.read();
        Some(self.end.insert(end).clone())
    }
}

impl kit::WebSocket for Socket {
    fn send(&mut self, text: &str) -> Result<(), HostError> {
        self.socket.try_send(tungstenite::Message::text(text)).map_err(|error| HostError(error.to_string()))
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<(), HostError> {
        let frame = tungstenite::protocol::CloseFrame { code: code.into(), reason: reason.into() };
        let message = tungstenite::Message::Close(Some(frame));
        self.socket.try_send(message).map_err(|error| HostError(error.to_string()))
    }

    fn receive(&mut self) -> Result<Message, HostError> {
        let message = self.next.take().or_else(|| self.read());
        message.ok_or_else(|| HostError("nothing comes on the websocket".into()))
    }

    fn has_more(&mut self) -> Result<bool, HostError> {
        if self.next.is_none() {
            let patience = self.socket.stream().read_timeout().map_err(failed)?;
            self.socket.stream().set_read_timeout(Some(SETTLE)).map_err(failed)?;
            self.next = self.read();
            self.socket.stream().set_read_timeout(patience).map_err(failed)?;
        }
        Ok(self.next.is_some())
    }
}

#[test]
fn dohost_passes_every_case_that_applies_to_it() {
    let cases = cases();
    assert!(cases.len() > 90, "only {} cases", cases.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new((Tally::default(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(case, &mut Binary::start(&case.guest));
                    let (tally, failed) = &mut *found.lock().expect("nobody panics with it");
                    tally.add(case, &outcome);
                    if matches!(outcome, Outcome::Failed { .. }) {
                        failed.push(format!("{}: {outcome}", case.name));
                    }
                }
            });
        }
    });
    let (tally, failed) = found.into_inner().expect("nobody panicked with it");
    println!("{tally}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let text = std::fs::read_to_string(conformance().join("../docs/CONFORMANCE.md")).expect("docs/CONFORMANCE.md");
    let wrong = tally.differences(&text, "binary");
    assert!(wrong.is_empty(), "docs/CONFORMANCE.md: {}", wrong.join("\n"));
}

/// Rules that are no case for another host, by the reason for that.
fn reasons() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(conformance().join("not-cases.toml")).expect("conformance/not-cases.toml");
    let mut reasons = BTreeMap::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.starts_with('#')) {
        let (reason, rules) = paragraph.split_once("\" = [").unwrap_or_else(|| panic!("no reason: {paragraph}"));
        let rules = rules.split('"').skip(1).step_by(2).map(str::to_string).collect();
        reasons.insert(reason.trim_start_matches('"').to_string(), rules);
    }
    reasons
}

#[test]
fn every_rule_has_a_case_or_a_reason_and_every_case_a_rule() {
    let rules: BTreeSet<String> = spec::rules_of_the_specification().into_iter().collect();
    let mut of_cases = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases() {
        for rule in &case.rules {
            if !rules.contains(rule) {
                wrong.push(format!("{} is about {rule}, which is no rule", case.name));
            }
        }
        of_cases.extend(case.rules);
    }
    let mut of_reasons = BTreeSet::new();
    for rule in reasons().into_values().flatten() {
        if !rules.contains(&rule) {
            wrong.push(format!("{rule} has a reason and is no rule"));
        }
        if of_cases.contains(&rule) {
            wrong.push(format!("{rule} has a case, and a reason for having none"));
        }
        if !of_reasons.insert(rule.clone()) {
            wrong.push(format!("{rule} has two reasons"));
        }
    }
    let bare = rules.iter().filter(|rule| !of_cases.contains(*rule) && !of_reasons.contains(*rule));
    wrong.extend(bare.map(|rule| format!("{rule} has neither a case nor a reason for having none")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
