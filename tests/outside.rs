//! A server outside that answers when the test says so.
//!
//! A guest that asks it for `/key` waits until the test releases that key. So a test knows where a guest is, holds it
//! there as long as it likes, and needs no clock for it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use crate::host::{PATIENCE, Setup};

pub struct Outside {
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What was asked for, in order.
    arrived: Vec<String>,
    released: BTreeSet<String>,
    is_over: bool,
}

impl Outside {
    pub fn new() -> Outside {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let outside = Outside { address, shared: Arc::default() };
        let shared = outside.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.state.lock().unwrap().is_over {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        outside
    }

    /// Lets guests reach it.
    pub fn allowed(&self, setup: Setup) -> Setup {
        setup.with(["--allow-outgoing", &self.address])
    }

    /// Waits until a guest has asked for this.
    #[track_caller]
    pub fn wait_for(&self, key: &str) {
        let state = self.shared.state.lock().unwrap();
        let is_missing = |state: &mut State| !state.arrived.iter().any(|arrived| arrived == key);
        let (state, result) = self.shared.changed.wait_timeout_while(state, PATIENCE, is_missing).unwrap();
        let arrived = state.arrived.clone();
        drop(state);
        assert!(!result.timed_out(), "nobody asked for {key:?}, but for {arrived:?}");
    }

    /// What guests have asked for, in order.
    pub fn arrived(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().arrived.clone()
    }

    pub fn has_arrived(&self, key: &str) -> bool {
        self.arrived().iter().any(|arrived| arrived == key)
    }

    /// Answers everybody who asks for this, now and later.
    pub fn release(&self, key: &str) {
        self.shared.state.lock().unwrap().released.insert(key.to_string());
        self.shared.changed.notify_all();
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().is_over = true;
        self.shared.changed.notify_all();
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(&self.address);
    }
}

impl Shared {
    /// Answers the requests of one connection, one after the other.
    fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if !matches!(stream.read_line(&mut head), Ok(1..)) {
                    return;
                }
            }
            let path = head.split(' ').nth(1).unwrap_or_default();
            let key = path.trim_start_matches('/').to_string();
            let mut state = self.state.lock().unwrap();
            state.arrived.push(key.clone());
            self.changed.notify_all();
            let state = self.changed.wait_while(state, |state| !state.released.contains(&key) && !state.is_over);
            drop(state);
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{key}", key.len());
            if stream.get_mut().write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }
}
