//! Events that do several things, made of the steps of `guests/probe`, and events that are begun without waiting for
//! their end, so that one test can hold several of them.

use crate::host::{Host, Setup};
use crate::http::{Connection, Reply, encoded};
use crate::outside::Outside;

/// A host with the class `probe`, which may reach what is outside.
pub fn start() -> (Outside, Host) {
    start_with([])
}

/// The same with arguments.
pub fn start_with<const N: usize>(arguments: [&str; N]) -> (Outside, Host) {
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().guest("probe").with(arguments)).start();
    (outside, host)
}

/// What an object shall do in one event.
pub struct Script {
    target: String,
    parameters: Vec<(&'static str, String)>,
}

impl Script {
    /// For the object at `/{class}/{name}`.
    pub fn of(object: &str) -> Script {
        Script { target: format!("/{object}/steps"), parameters: Vec::new() }
    }

    /// Steps in order.
    pub fn does(self, steps: &[&str]) -> Script {
        self.with("do", steps)
    }

    /// Steps concurrently with those.
    pub fn beside(self, steps: &[&str]) -> Script {
        self.with("beside", steps)
    }

    /// Steps after the reply.
    pub fn after(self, steps: &[&str]) -> Script {
        self.with("after", steps)
    }

    /// The server that `fetch` asks.
    pub fn outside(self, outside: &Outside) -> Script {
        self.with("outside", &[&outside.address])
    }

    fn with(mut self, name: &'static str, values: &[&str]) -> Script {
        self.parameters.extend(values.iter().map(|value| (name, value.to_string())));
        self
    }

    /// Where it is sent.
    pub fn path(&self) -> String {
        let parameters = self.parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        format!("{}?{}", self.target, parameters.collect::<Vec<_>>().join("&"))
    }

    /// The same as a step of another script: no step may have spaces but between its words.
    pub fn as_call(&self) -> String {
        let path = self.path();
        let mut parts = path[1..].splitn(3, '/');
        let mut part = || parts.next().expect("a path of an object has three parts");
        format!("call {}/{} /{}", part(), part(), part())
    }

    pub fn run(&self, host: &Host) -> Reply {
        host.get(&self.path())
    }

    pub fn ask(&self, host: &Host) -> Asked {
        ask(host, &self.path())
    }
}

/// Runs steps on an object and gives their lines.
#[track_caller]
pub fn lines(host: &Host, object: &str, steps: &[&str]) -> Vec<String> {
    Script::of(object).does(steps).run(host).lines().into_iter().map(str::to_string).collect()
}

/// Runs a step on an object and gives its line.
#[track_caller]
pub fn line(host: &Host, object: &str, step: &str) -> String {
    lines(host, object, &[step]).concat()
}

/// What the instance of an object has noted, in order.
#[track_caller]
pub fn notes(host: &Host, object: &str) -> Vec<String> {
    host.get(&format!("/{object}/notes")).lines().into_iter().map(str::to_string).collect()
}

/// A request that is under way.
pub struct Asked(Connection);

/// Sends a request and does not wait for the reply.
pub fn ask(host: &Host, path: &str) -> Asked {
    let mut connection = host.connect();
    let request = format!("GET {path} HTTP/1.1\r\nhost: example.com\r\n\r\n");
    connection.write(request.as_bytes()).expect("the host reads what it is sent");
    Asked(connection)
}

impl Asked {
    /// Waits for the reply.
    #[track_caller]
    pub fn reply(mut self) -> Reply {
        self.0.read_reply(false).unwrap_or_else(|error| panic!("no reply: {error:?}"))
    }

    /// Waits for the lines of the reply.
    #[track_caller]
    pub fn lines(self) -> Vec<String> {
        self.reply().lines().into_iter().map(str::to_string).collect()
    }
}

/// Gives requests that were sent time to reach their objects, by round trips to other objects on every thread of the
/// host. That something does not happen never hangs on it, only how sure a test is that it would have seen it.
pub fn let_arrive(host: &Host) {
    for round in 0..16 {
        assert_eq!(host.get(&format!("/probe/bystander-{}/storage/get?key=none", round % 4)).status, 404);
    }
}
