//! Requests, responses and their bodies.

use std::str::FromStr;

use crate::wasi::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use crate::{wit_future, wit_stream};

/// The two ends of a body, as the bindings call them.
pub type Writer = wit_bindgen::StreamWriter<u8>;
pub type Reader = wit_bindgen::StreamReader<u8>;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// The decoded parameters of a URL.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(name: &str, value: &str) -> Query {
        Query(vec![(name.to_string(), value.to_string())])
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }
}

pub fn path_and_query(request: &Request) -> (String, Query) {
    let target = request.get_path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    (path.to_string(), Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
}

/// What there is to see of a request.
pub fn seen(request: &Request) -> String {
    let method = match request.get_method() {
        Method::Other(method) => method,
        method => format!("{method:?}").trim_start_matches("Method::").to_uppercase(),
    };
    let scheme = if matches!(request.get_scheme(), Some(Scheme::Http)) { "http" } else { "?" };
    let authority = request.get_authority().unwrap_or_default();
    let target = request.get_path_with_query().unwrap_or_default();
    let mut text = format!("{method} {scheme}://{authority}{target}\n");
    for (name, value) in request.get_headers().copy_all() {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
    }
    text
}

/// A response with a body that is written after it was returned; the future is whether the body was read to its end.
pub fn response(status: u16, headers: Fields) -> (Response, Body) {
    let (writer, contents) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, _read) = Response::new(headers, Some(contents), trailers);
    response.set_status_code(status).expect("a status");
    (response, Body { writer, end })
}

/// A body that is written bit by bit. Dropped, it ends well.
pub struct Body {
    pub writer: Writer,
    end: wit_bindgen::FutureWriter<Result<Option<Fields>, ErrorCode>>,
}

impl Body {
    /// Whether somebody still reads.
    pub async fn write(&mut self, bytes: Vec<u8>) -> bool {
        self.writer.write_all(bytes).await.is_empty()
    }

    /// Ends it with an error.
    pub async fn fail(self, code: ErrorCode) {
        let Body { writer, end } = self;
        drop(writer);
        let _ = end.write(Err(code)).await;
    }

    /// Ends it with trailers.
    pub async fn end_with(self, name: &str, value: &str) {
        let Body { writer, end } = self;
        drop(writer);
        let trailers = Fields::from_list(&[(name.to_string(), value.as_bytes().to_vec())]).expect("trailers");
        let _ = end.write(Ok(Some(trailers))).await;
    }
}

/// A reply of plain text.
pub fn text(status: u16, text: impl ToString) -> Response {
    let bytes = text.to_string().into_bytes();
    let headers = [
        ("content-type".to_string(), b"text/plain".to_vec()),
        ("content-length".to_string(), bytes.len().to_string().into_bytes()),
    ];
    let (response, mut body) = response(status, Fields::from_list(&headers).expect("headers"));
    wit_bindgen::spawn_local(async move {
        body.write(bytes).await;
    });
    response
}

/// A body that is read; the second is how it ended.
pub struct Incoming {
    pub reader: Reader,
    pub end: wit_bindgen::FutureReader<Result<Option<Fields>, ErrorCode>>,
}

impl Incoming {
    pub fn of_request(request: Request) -> Incoming {
        let (_, received) = wit_future::new(|| Ok(()));
        let (reader, end) = Request::consume_body(request, received);
        Incoming { reader, end }
    }

    /// The next bytes; none at the end.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        let (_, bytes) = self.reader.read(Vec::with_capacity(READ_BYTES)).await;
        (!bytes.is_empty()).then_some(bytes)
    }

    /// All that comes.
    pub async fn read_all(mut self) -> Result<Vec<u8>, ErrorCode> {
        let mut all = Vec::new();
        while let Some(bytes) = self.read().await {
            all.extend(bytes);
        }
        self.end.await.map(|_| all)
    }
}
