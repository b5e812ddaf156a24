//! The ceiling: what is measured with nothing between HTTP and the disk.
//!
//! It answers what the guests `counter` and `bench` answer, with the same HTTP library, the same store and the same promise (a
//! reply leaves once what it tells is on disk), but there is no guest, no object, no gate, and no limit on anything. What dohost
//! costs above this is the price of running objects.
//!
//! | request | what it takes |
//! | --- | --- |
//! | `/counter/NAME/increment` | a place in the next commit, which counters share |
//! | `/counter/NAME/value` | a read of the store |
//! | `/bench/NAME/echo` | nothing: hyper alone |
//! | `/bench/NAME/store` | the body in the next commit |
//! | `/bench/NAME/stored` | a read of the store |
//!
//! Connections live on one thread, commits on a second. Deliberately not done: errors are panics, and the answer to a
//! wrong path is the value 0.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
const VALUES: TableDefinition<&str, &[u8]> = TableDefinition::new("values");

/// Requests that one transaction takes at most.
const BATCH_LEN_MAX: usize = 4_096;

/// One request on its way to the committer.
struct Job {
    name: String,
    write: Write,
    reply: oneshot::Sender<u64>,
}

enum Write {
    /// Adds one to a counter.
    Add,
    Value(Bytes),
}

/// What connections share.
#[derive(Clone)]
struct Server {
    database: Arc<Database>,
    jobs: mpsc::UnboundedSender<Job>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory] = arguments.as_slice() else {
        eprintln!("usage: ceiling ADDRESS DIRECTORY");
        std::process::exit(2);
    };
    let database = Database::create(PathBuf::from(directory).join("counters.redb")).expect("cannot open the store");
    let database = Arc::new(database);
    make_tables(&database).expect("cannot make the tables");
    let (jobs, queue) = mpsc::unbounded_channel();
    let server = Server { database: database.clone(), jobs };
    std::thread::spawn(move || commit_all(&database, queue));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("cannot start the runtime");
    runtime.block_on(accept_all(address, server));
}

async fn accept_all(address: &str, server: Server) {
    let listener = TcpListener::bind(address).await.expect("cannot listen");
    loop {
        let (stream, _) = listener.accept().await.expect("cannot accept");
        tokio::spawn(serve(stream, server.clone()));
    }
}

async fn serve(stream: TcpStream, server: Server) {
    stream.set_nodelay(true).expect("cannot set an option of a socket");
    let service = service_fn(move |request| answer(server.clone(), request));
    // A client that goes away ends its connection with an error; it is no news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(server: Server, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut parts = request.uri().path().split('/').skip(2);
    let name = parts.next().unwrap_or_default().to_owned();
    let body = match parts.next().unwrap_or_default() {
        "echo" => Bytes::from_static(b"ok"),
        "increment" => Bytes::from(commit_one(&server, name, Write::Add).await.to_string()),
        "store" => {
            let value = request.into_body().collect().await.expect("cannot read a body").to_bytes();
            commit_one(&server, name, Write::Value(value)).await;
            Bytes::from_static(b"ok")
        }
        "stored" => stored(&server.database, &name).expect("cannot read"),
        _ => Bytes::from(count(&server.database, &name).expect("cannot read").to_string()),
    };
    Ok(Response::new(Full::new(body)))
}

async fn commit_one(server: &Server, name: String, write: Write) -> u64 {
    let (reply, value) = oneshot::channel();
    server.jobs.send(Job { name, write, reply }).unwrap_or_else(|_| panic!("the committer is gone"));
    value.await.expect("the committer is gone")
}

fn count(database: &Database, name: &str) -> Result<u64, redb::Error> {
    let counters = database.begin_read()?.open_table(COUNTERS)?;
    Ok(counters.get(name)?.map_or(0, |count| count.value()))
}

fn stored(database: &Database, name: &str) -> Result<Bytes, redb::Error> {
    let values = database.begin_read()?.open_table(VALUES)?;
    Ok(values.get(name)?.map_or_else(Bytes::new, |value| Bytes::copy_from_slice(value.value())))
}

/// So that they can be read before anything was written.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(COUNTERS)?;
    transaction.open_table(VALUES)?;
    Ok(transaction.commit()?)
}

/// Takes whatever has gathered, writes it as one transaction, and answers once that is on disk.
fn commit_all(database: &Database, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut counts = HashMap::new();
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH_LEN_MAX) > 0 {
        let answers = commit(database, &mut counts, &mut batch).expect("cannot commit");
        for (reply, value) in answers {
            // The connection may be gone; the count stays.
            let _ = reply.send(value);
        }
    }
}

fn commit(
    database: &Database,
    counts: &mut HashMap<String, u64>,
    batch: &mut Vec<Job>,
) -> Result<Vec<(oneshot::Sender<u64>, u64)>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut answers = Vec::with_capacity(batch.len());
    {
        let mut counters = transaction.open_table(COUNTERS)?;
        let mut values = None;
        for Job { name, write, reply } in batch.drain(..) {
            match write {
                Write::Add => {
                    let count = match counts.get_mut(&name) {
                        Some(count) => count,
                        None => {
                            let stored = counters.get(name.as_str())?.map_or(0, |stored| stored.value());
                            counts.entry(name.clone()).or_insert(stored)
                        }
                    };
                    *count += 1;
                    counters.insert(name.as_str(), *count)?;
                    answers.push((reply, *count));
                }
                Write::Value(value) => {
                    let table = match &mut values {
                        Some(table) => table,
                        none => none.insert(transaction.open_table(VALUES)?),
                    };
                    table.insert(name.as_str(), &value[..])?;
                    answers.push((reply, 0));
                }
            }
        }
    }
    transaction.commit()?;
    Ok(answers)
}
