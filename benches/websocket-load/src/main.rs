//! Load on websockets that echo what they are sent.
//!
//! ```text
//! websocket-load echo ADDRESS CONNECTIONS SECONDS       all to /sockets/one/, each sends again when its echo is there
//! websocket-load idle ADDRESS COUNT                     one to each of /sockets/0/, /sockets/1/ …; says `open`, then for each
//!                                                       line `N` that it reads: N messages one after the other
//! ```
//!
//! Answers are lines of JSON: messages, seconds, and microseconds of the median and the 99th percentile.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// What is sent: as long as a line of a chat.
const TEXT: &str = "0123456789012345678901234567890123456789012345678901234567890123";

type Socket = WebSocketStream<TcpStream>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match arguments.as_slice() {
        ["echo", address, connections, seconds] => echo(address, number(connections), number(seconds)).await,
        ["idle", address, count] => idle(address, number(count)).await,
        _ => panic!("echo ADDRESS CONNECTIONS SECONDS, or idle ADDRESS COUNT"),
    }
}

async fn open(address: &str, name: &str) -> Socket {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let config = WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0);
    let url = format!("ws://{address}/sockets/{name}/");
    client_async_with_config(url, stream, Some(config)).await.expect("the server accepts").0
}

async fn ask(socket: &mut Socket) -> Duration {
    let since = Instant::now();
    socket.send(Message::text(TEXT)).await.expect("it is open");
    let echo = socket.next().await.expect("it is open").expect("it is open");
    assert_eq!(echo.to_text().expect("text"), TEXT);
    since.elapsed()
}

async fn echo(address: &str, connections: usize, seconds: usize) {
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(open(address, "one").await);
    }
    let since = Instant::now();
    let until = since + Duration::from_secs(seconds as u64);
    let tasks: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    took.push(ask(&mut socket).await);
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("no connection fails"));
    }
    report(took, since.elapsed());
}

async fn idle(address: &str, count: usize) {
    let mut sockets = Vec::new();
    for number in 0..count {
        sockets.push(open(address, &number.to_string()).await);
    }
    println!("open");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut next = 0;
    while let Some(line) = lines.next_line().await.expect("a pipe") {
        let (since, mut took) = (Instant::now(), Vec::new());
        for _ in 0..line.trim().parse().expect("a number") {
            took.push(ask(&mut sockets[next % count]).await);
            next += 1;
        }
        report(took, since.elapsed());
    }
}

fn report(mut took: Vec<Duration>, all: Duration) {
    took.sort_unstable();
    let micros = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_micros();
    let (messages, seconds, p50, p99) = (took.len(), all.as_secs_f64(), micros(0.5), micros(0.99));
    println!("{{\"messages\":{messages},\"seconds\":{seconds},\"p50\":{p50},\"p99\":{p99}}}");
}
