//! The table of raw requests in `conformance/http1`: what is answered to what no decent client would send.
//!
//! hyper decides most of it. The table pins what we rely on: that a request whose end is in doubt is never two, and that a
//! connection goes on only when both sides agree where they are.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::host::{Host, PATIENCE, Setup};

/// How long nothing must come to say that nothing does.
const QUIET: Duration = Duration::from_millis(300);
/// What is asked on a connection that goes on; the answer shows that both sides agree where a request begins.
const NEXT: &str = "GET /counter/next/value HTTP/1.1\r\nhost: example.com\r\n\r\n";

/// What becomes of the connection.
#[derive(Debug, PartialEq)]
enum End {
    /// The host closes it.
    Closed,
    /// The next request on it is answered.
    Open,
    /// The host waits for more.
    Waits,
}

struct Case {
    name: String,
    statuses: Vec<u16>,
    end: End,
    increments: u64,
    request: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/http1");
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).expect("conformance/http1 is there") {
        let path = entry.expect("an entry of a directory").path();
        if path.extension().is_some_and(|extension| extension == "http") {
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            cases.push(case(name, &fs::read_to_string(&path).expect("a case is text")));
        }
    }
    cases
}

fn case(name: String, text: &str) -> Case {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name} does not say its {key}"))
    };
    let mut words: Vec<&str> = value("answers").split(' ').collect();
    let end = match words.pop() {
        Some("closed") => End::Closed,
        Some("open") => End::Open,
        Some("waits") => End::Waits,
        other => panic!("{name} ends with {other:?}"),
    };
    let statuses = words.iter().map(|status| status.parse().expect("a status")).collect();
    let increments = value("increments").parse().expect("a number");
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    let request = lines.flat_map(|line| bytes(&name, line)).collect();
    Case { name, statuses, end, increments, request }
}

/// A line as bytes: `\r`, `\n` and `\xff` are escapes, `{text}*7` is repeated, and the end of the line is nothing.
fn bytes(name: &str, line: &str) -> Vec<u8> {
    if let Some((before, rest)) = line.split_once('{') {
        let (repeated, rest) = rest.split_once("}*").unwrap_or_else(|| panic!("{name}: {line}"));
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let times = rest[..digits].parse().expect("a number");
        let parts = [bytes(name, before), bytes(name, repeated).repeat(times), bytes(name, &rest[digits..])];
        return parts.concat();
    }
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let (byte, len) = match escape.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b'x', ..] => (u8::from_str_radix(&escape[1..3], 16).expect("two digits"), 3),
            _ => panic!("{name} has an escape that is none: {line}"),
        };
        bytes.push(byte);
        rest = &escape[len..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

/// What came on a connection, split into replies.
struct Client {
    stream: TcpStream,
    came: Vec<u8>,
}

impl Client {
    fn open(host: &Host) -> Client {
        let stream = TcpStream::connect(&host.address).expect("the host takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit of time");
        Client { stream, came: Vec::new() }
    }

    fn send(&mut self, bytes: &[u8]) {
        // Who is refused early may be closed before all is written.
        let _ = self.stream.write_all(bytes);
    }

    /// Reads more; false at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(len) => {
                self.came.extend(&buffer[..len]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// The status of the next reply; none at the end of the connection.
    fn status(&mut self, is_to_head: bool) -> Option<u16> {
        let head = loop {
            if let Some(at) = self.came.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break self.came.drain(..at + 4).collect::<Vec<u8>>();
            }
            if !self.read() {
                assert!(self.came.is_empty(), "a reply broke off: {:?}", String::from_utf8_lossy(&self.came));
                return None;
            }
        };
        let head = String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
        let status: u16 = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|len| len.parse::<usize>());
        let len = len.map_or(0, |len| len.expect("a number"));
        if !is_to_head && status >= 200 {
            while self.came.len() < len {
                assert!(self.read(), "a body broke off after {head}");
            }
            self.came.drain(..len);
        }
        Some(status)
    }

    /// Whether nothing comes for a while.
    fn is_quiet(&mut self) -> bool {
        self.stream.set_read_timeout(Some(QUIET)).expect("a limit of time");
        let quiet = matches!(self.stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        let _ = self.stream.shutdown(Shutdown::Both);
        quiet
    }
}

/// What differs from what the case says.
fn differences(host: &Host, case: &Case) -> Vec<String> {
    let mut client = Client::open(host);
    client.send(&case.request);
    let mut differences = Vec::new();
    for (at, expected) in case.statuses.iter().enumerate() {
        let status = client.status(at == 0 && case.request.starts_with(b"HEAD "));
        if status != Some(*expected) {
            differences.push(format!("answer {} is {status:?}, not {expected}", at + 1));
            return differences;
        }
    }
    match case.end {
        End::Closed => differences.extend(client.status(false).map(|status| format!("another answer: {status}"))),
        End::Open => {
            client.send(NEXT.as_bytes());
            let status = client.status(false);
            if status != Some(200) {
                differences.push(format!("the next request on the connection got {status:?}"));
            }
        }
        End::Waits if !client.is_quiet() => differences.push("the host did not wait".into()),
        End::Waits => {}
    }
    let value = host.get(&format!("/counter/{}/value", case.name)).number();
    if value != case.increments {
        differences.push(format!("the object was told to increment {value} times, not {}", case.increments));
    }
    differences.into_iter().map(|difference| format!("{}: {difference}", case.name)).collect()
}

#[test]
fn raw_requests_are_answered_as_the_table_says() {
    let host = Setup::new().guest("counter").start();
    let cases = cases();
    assert!(cases.len() > 60, "only {} cases", cases.len());
    let host = &host;
    let found: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|case| scope.spawn(|| differences(host, case))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it found out")).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_case_that_is_wrong_is_noticed() {
    let host = Setup::new().guest("counter").start();
    let request = "POST /counter/wrong/increment HTTP/1.1\\r\\nhost: a\\r\\ncontent-length: 0\\r\\n\\r\\n";
    for (answers, increments, difference) in [
        ("400 open", 1, "answer 1 is Some(200), not 400"),
        ("200 200 open", 2, "answer 2 is"),
        ("200 closed", 3, "another answer"),
        ("200 open", 0, "the object was told to increment"),
    ] {
        // One that waits for an answer that never comes would wait long.
        let end = if answers.starts_with("200 ") { "connection: close\\r\\n" } else { "" };
        let is_closed = answers == "200 200 open";
        let request = if is_closed { request.replacen("host", &format!("{end}host"), 1) } else { request.to_owned() };
        let request = if answers == "200 closed" { request.repeat(2) } else { request };
        let text = format!("# answers: {answers}\n# increments: {increments}\n{request}\n");
        let found = differences(&host, &case("wrong".into(), &text));
        assert!(found.iter().any(|found| found.contains(difference)), "{answers}: {found:?}");
    }
}

#[test]
fn escapes_and_repetitions_are_bytes() {
    assert_eq!(bytes("", r"a\r\n\xffb"), b"a\r\n\xffb");
    assert_eq!(bytes("", r"x{a\n}*3\r"), b"xa\na\na\n\r");
}
