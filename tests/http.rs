//! A small HTTP/1.1 client: keep-alive, one request at a time, and raw bytes for what no decent client would send.
//!
//! It is strict about what a reply looks like, and tells a connection that closed before a reply began from a reply that
//! broke off: the first may happen when a host goes, the second must not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::Duration;

use crate::host::PATIENCE;

/// A connection that is kept alive.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in the order of the wire.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Debug)]
pub enum NoReply {
    /// The connection was closed or reset before the first byte of one.
    Closed(io::Error),
    /// It began and did not end, or is not HTTP.
    Broken(String),
}

impl Connection {
    pub fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the reply.
    pub fn try_send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, NoReply> {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nhost: example.com\r\n");
        for (name, value) in headers {
            bytes += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            bytes += &format!("content-length: {}\r\n", body.len());
        }
        bytes += "\r\n";
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        self.write(&bytes).map_err(NoReply::Closed)?;
        self.read_reply(method == "HEAD")
    }

    pub fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.try_send(method, target, headers, body).unwrap_or_else(|error| panic!("{method} {target}: {error:?}"))
    }

    pub fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, &[], b"")
    }

    pub fn post(&mut self, target: &str, body: &[u8]) -> Reply {
        self.send("POST", target, &[], body)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads the next reply. One to HEAD has no body, whatever its headers say.
    pub fn read_reply(&mut self, is_to_head: bool) -> Result<Reply, NoReply> {
        match self.stream.fill_buf() {
            Ok([]) => return Err(NoReply::Closed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Err(NoReply::Closed(error)),
        }
        self.read_begun_reply(is_to_head).map_err(|error| NoReply::Broken(error.to_string()))
    }

    fn read_begun_reply(&mut self, is_to_head: bool) -> io::Result<Reply> {
        let mut reply = self.read_head()?;
        if !is_to_head && reply.status != 204 && reply.status != 304 {
            reply.body = self.read_body(&reply)?;
        }
        Ok(reply)
    }

    /// Begins a request whose body is sent in chunks; one of GET has none.
    pub fn begin(&mut self, method: &str, target: &str) {
        let framing = if method == "GET" { "" } else { "transfer-encoding: chunked\r\n" };
        let head = format!("{method} {target} HTTP/1.1\r\nhost: example.com\r\n{framing}\r\n");
        self.write(head.as_bytes()).expect("the host reads what it is sent");
    }

    /// Sends a part of the body; an empty one ends it.
    pub fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.write(&chunk)
    }

    /// Another handle to the connection, to write and read at the same time.
    pub fn writer(&self) -> TcpStream {
        self.stream.get_ref().try_clone().expect("a handle")
    }

    /// Reads the next part of a body that comes in chunks; an empty one is its end.
    pub fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.read_line()?;
        let len = usize::from_str_radix(&line, 16).map_err(|_| not_http(&line))?;
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes)?;
        let end = self.read_line()?;
        if end.is_empty() { Ok(bytes) } else { Err(not_http(&end)) }
    }

    /// The same as text that must come.
    #[track_caller]
    pub fn chunk(&mut self) -> String {
        String::from_utf8(self.read_chunk().expect("another chunk")).expect("text")
    }

    /// Reads a reply up to its body.
    pub fn read_head(&mut self) -> io::Result<Reply> {
        let line = self.read_line()?;
        let status = line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(|| not_http(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| not_http(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        Ok(Reply { status, headers, body: Vec::new() })
    }

    /// Reads a body whose head was read.
    pub fn read_body(&mut self, reply: &Reply) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if reply.header("transfer-encoding") == Some("chunked") {
            loop {
                let chunk = self.read_chunk()?;
                if chunk.is_empty() {
                    return Ok(body);
                }
                body.extend_from_slice(&chunk);
            }
        }
        match reply.header("content-length") {
            Some(len) => {
                body.resize(len.parse().map_err(|_| not_http(len))?, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => drop(self.stream.read_to_end(&mut body)?),
        }
        Ok(body)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.strip_suffix("\r\n").map(str::to_string).ok_or_else(|| not_http(&line))
    }

    /// Whether the host closes the connection, without another byte on it.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.read_reply(false), Err(NoReply::Closed(error)) if error.kind() != io::ErrorKind::WouldBlock)
    }
}

impl Reply {
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or_else(|_| panic!("a body that is not text: {self:?}"))
    }

    /// The body of a reply that must be 200.
    pub fn ok(&self) -> &str {
        assert_eq!(self.status, 200, "{}", self.text());
        self.text()
    }

    /// The number in a reply that must be 200.
    pub fn number(&self) -> u64 {
        self.ok().parse().unwrap_or_else(|_| panic!("no number: {:?}", self.text()))
    }

    /// The lines of a reply that must be 200.
    pub fn lines(&self) -> Vec<&str> {
        self.ok().lines().collect()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Asserts a status and a part of the text.
    #[track_caller]
    pub fn says(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert!(self.text().contains(text), "it does not say {text:?}: {}", self.text());
    }
}

/// Text as a part of a path or a query.
pub fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// How long a connection must be quiet after a reply to say that no other one comes. That no reply is missing never
/// hangs on it, only how sure a test is that there is not one too many.
const QUIET: Duration = Duration::from_millis(200);

/// Writes bytes on a new connection and reads all replies, until the host closes it or says no more.
pub fn raw(address: &str, bytes: &[u8]) -> Vec<Reply> {
    let mut connection = Connection::open(address).expect("the host takes connections");
    // Who is told off may close before it has read everything.
    let _ = connection.write(bytes);
    let mut replies = Vec::new();
    loop {
        match connection.read_reply(false) {
            Ok(reply) => {
                replies.push(reply);
                connection.stream.get_ref().set_read_timeout(Some(QUIET)).expect("it is not zero");
            }
            Err(NoReply::Closed(_)) => return replies,
            Err(NoReply::Broken(reason)) => panic!("a broken reply after {replies:?}: {reason}"),
        }
    }
}

/// Does something on many threads that begin together; each has its number.
pub fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, work) = (&Barrier::new(threads), &work);
    std::thread::scope(|scope| {
        let run = |number| {
            scope.spawn(move || {
                start.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..threads).map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).collect()
    })
}

fn not_http(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {text:?}"))
}
