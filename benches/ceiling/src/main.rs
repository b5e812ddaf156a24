//! The ceiling: a durable counter with nothing between HTTP and the disk.
//!
//! It answers `/counter/NAME/increment` and `/counter/NAME/value` like the product does, with the same HTTP library,
//! the same store and the same promise (a number leaves once it is on disk), but there is no guest, no object, no gate,
//! and no limit on anything. What dohost costs above this is the price of running objects.
//!
//! Connections live on one thread, commits on a second. Deliberately not done: errors are panics, and the answer to a
//! wrong path is the value 0.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use redb::{Database, ReadableTable, TableDefinition};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

/// Requests that one transaction takes at most.
const BATCH_LEN_MAX: usize = 4_096;

/// One request on its way to the committer.
struct Job {
    name: String,
    adds: u64,
    reply: oneshot::Sender<u64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory] = arguments.as_slice() else {
        eprintln!("usage: ceiling ADDRESS DIRECTORY");
        std::process::exit(2);
    };
    let database = Database::create(PathBuf::from(directory).join("counters.redb")).expect("cannot open the store");
    let (jobs, queue) = mpsc::unbounded_channel();
    std::thread::spawn(move || commit_all(&database, queue));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("cannot start the runtime");
    runtime.block_on(accept_all(address, jobs));
}

async fn accept_all(address: &str, jobs: mpsc::UnboundedSender<Job>) {
    let listener = TcpListener::bind(address).await.expect("cannot listen");
    loop {
        let (stream, _) = listener.accept().await.expect("cannot accept");
        tokio::spawn(serve(stream, jobs.clone()));
    }
}

async fn serve(stream: TcpStream, jobs: mpsc::UnboundedSender<Job>) {
    stream.set_nodelay(true).expect("cannot set an option of a socket");
    let service = service_fn(move |request| answer(jobs.clone(), request));
    // A client that goes away ends its connection with an error; it is no news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    jobs: mpsc::UnboundedSender<Job>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut parts = request.uri().path().split('/').skip(2);
    let name = parts.next().unwrap_or_default().to_owned();
    let adds = u64::from(parts.next() == Some("increment"));
    let (reply, value) = oneshot::channel();
    jobs.send(Job { name, adds, reply }).unwrap_or_else(|_| panic!("the committer is gone"));
    let value = value.await.expect("the committer is gone");
    Ok(Response::new(Full::new(Bytes::from(value.to_string()))))
}

/// Takes whatever has gathered, writes it as one transaction, and answers once that is on disk.
fn commit_all(database: &Database, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut values = HashMap::new();
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH_LEN_MAX) > 0 {
        let answers = commit(database, &mut values, &mut batch).expect("cannot commit");
        for (reply, value) in answers {
            // The connection may be gone; the count stays.
            let _ = reply.send(value);
        }
    }
}

fn commit(
    database: &Database,
    values: &mut HashMap<String, u64>,
    batch: &mut Vec<Job>,
) -> Result<Vec<(oneshot::Sender<u64>, u64)>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut answers = Vec::with_capacity(batch.len());
    {
        let mut counters = transaction.open_table(COUNTERS)?;
        for Job { name, adds, reply } in batch.drain(..) {
            let value = match values.get_mut(&name) {
                Some(value) => value,
                None => {
                    let stored = counters.get(name.as_str())?.map_or(0, |stored| stored.value());
                    values.entry(name.clone()).or_insert(stored)
                }
            };
            *value += adds;
            if adds > 0 {
                counters.insert(name.as_str(), *value)?;
            }
            answers.push((reply, *value));
        }
    }
    transaction.commit()?;
    Ok(answers)
}
