//! What a program answered, as text that can be compared line by line.

use std::fmt::Write as _;
use std::time::Duration;

use crate::http::{Connection, Reply};

use super::program::{Program, Request, Step};
use super::runtime::Runtime;

/// Between the beginnings of requests that run at the same time. Programs that care for the order wait longer than that.
const STAGGER: Duration = Duration::from_millis(20);

/// Headers that are compared, beside those that begin with `x-`.
const HEADERS: [&str; 6] = ["content-type", "location", "set-cookie", "etag", "cache-control", "allow"];

/// Starts the program, sends it its requests, and writes down what it answers.
pub fn of(program: &Program, runtime: &Runtime) -> String {
    let mut text = String::new();
    let mut served = match runtime.serve(program) {
        Ok(served) => served,
        Err(error) => return format!("it does not start: {error}\n"),
    };
    for step in &program.steps {
        match step {
            Step::Restart => {
                text += "! restart\n\n";
                served = match served.restart() {
                    Ok(served) => served,
                    Err(error) => return text + &format!("it does not start again: {error}\n"),
                };
            }
            Step::Send(group) => {
                for (request, reply) in group.iter().zip(send(served.address(), group)) {
                    let _ = writeln!(text, "> {}", request.line);
                    text += &reply.map_or_else(|error| format!("no reply: {error}\n"), |reply| rendered(&reply));
                    text.push('\n');
                }
            }
        }
    }
    text
}

fn send(address: &str, group: &[Request]) -> Vec<Result<Reply, String>> {
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for request in group {
            if !threads.is_empty() {
                std::thread::sleep(STAGGER);
            }
            threads.push(scope.spawn(move || send_one(address, request)));
        }
        threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).collect()
    })
}

fn send_one(address: &str, request: &Request) -> Result<Reply, String> {
    let mut connection = Connection::open(address).map_err(|error| error.to_string())?;
    let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let reply = connection.try_send(&request.method, &request.target, &headers, request.body.as_bytes());
    reply.map_err(|error| format!("{error:?}"))
}

fn rendered(reply: &Reply) -> String {
    let mut text = format!("< {}\n", reply.status);
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

fn is_compared(header: &str) -> bool {
    header.starts_with("x-") || HEADERS.contains(&header)
}
