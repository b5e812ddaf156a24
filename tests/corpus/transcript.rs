//! What a program answered, as text that can be compared line by line.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use crate::http::{Connection, Reply};

use super::program::{Program, Request, Step};
use super::runtime::Runtime;

/// Between the beginnings of requests that run at the same time. Programs that care for the order wait longer than that.
const STAGGER: Duration = Duration::from_millis(20);

/// Headers that are compared, beside those that begin with `x-`.
const HEADERS: [&str; 6] = ["content-type", "location", "set-cookie", "etag", "cache-control", "allow"];

/// Starts each program on a runtime of its own, sends it its requests, and gives what it answers.
pub fn of(program: &Program, runtime: &Runtime) -> String {
    let mut transcript = Transcript::new(program);
    let mut served = match runtime.serve(program) {
        Ok(served) => served,
        Err(error) => return format!("it does not start: {error}\n"),
    };
    while !transcript.go_on(served.address()) {
        served = match served.restart() {
            Ok(served) => served,
            Err(error) => return transcript.text + &format!("it does not start again: {error}\n"),
        };
    }
    transcript.text
}

/// What a program has answered so far.
pub struct Transcript<'a> {
    program: &'a Program,
    steps: std::slice::Iter<'a, Step>,
    pub text: String,
}

impl<'a> Transcript<'a> {
    pub fn new(program: &'a Program) -> Transcript<'a> {
        Transcript { program, steps: program.steps.iter(), text: String::new() }
    }

    /// Sends requests to the end or up to a restart, which the caller has to do then. True if it was the end.
    pub fn go_on(&mut self, address: &str) -> bool {
        for step in self.steps.by_ref() {
            let Step::Send(group) = step else {
                self.text += "! restart\n\n";
                return false;
            };
            for (request, reply) in group.iter().zip(send(address, &self.program.host(), group)) {
                let _ = writeln!(self.text, "> {}", request.line);
                self.text += &reply.map_or_else(|error| format!("no reply: {error}\n"), |reply| rendered(&reply));
                self.text.push('\n');
            }
        }
        true
    }
}

/// Writes the requests in their order, each on a connection of its own, and then reads the replies.
fn send(address: &str, host: &str, group: &[Request]) -> Vec<Result<Reply, String>> {
    let mut connections = Vec::new();
    for request in group {
        if !connections.is_empty() {
            std::thread::sleep(STAGGER);
        }
        connections.push(begin(address, host, request));
    }
    let read = |(connection, request): (io::Result<Connection>, &Request)| {
        let mut connection = connection.map_err(|error| error.to_string())?;
        connection.read_reply(request.method == "HEAD").map_err(|error| format!("{error:?}"))
    };
    connections.into_iter().zip(group).map(read).collect()
}

fn begin(address: &str, host: &str, request: &Request) -> io::Result<Connection> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !request.body.is_empty() {
        let _ = write!(head, "content-length: {}\r\n", request.body.len());
    }
    let mut connection = Connection::open(address)?;
    connection.write(format!("{head}\r\n{}", request.body).as_bytes())?;
    Ok(connection)
}

fn rendered(reply: &Reply) -> String {
    let mut text = format!("< {}\n", reply.status);
    if is_of_the_runtime(reply) {
        return text + "in words of the runtime\n";
    }
    let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| is_compared(name)).collect();
    // Those of one name keep their order.
    headers.sort_by_key(|(name, _)| name);
    for (name, value) in headers {
        let _ = writeln!(text, "< {name}: {value}");
    }
    match str::from_utf8(&reply.body) {
        Ok("") => {}
        Ok(body) => text += &format!("{}\n", body.trim_end_matches('\n')),
        Err(_) => text += &format!("{} bytes: {:02x?}\n", reply.body.len(), reply.body),
    }
    text
}

/// Whether this is for an exception that the Worker left to the runtime. Such a reply of dohost has an id that finds the
/// exception in the log, and others for its words.
fn is_of_the_runtime(reply: &Reply) -> bool {
    let is_of_workerd = reply.header("content-type").is_none() && reply.body == b"Internal Server Error";
    reply.status == 500 && (is_of_workerd || reply.header("x-request-id").is_some())
}

fn is_compared(header: &str) -> bool {
    header.starts_with("x-") || HEADERS.contains(&header)
}
