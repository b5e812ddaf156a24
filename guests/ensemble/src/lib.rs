//! One component that is several classes and a Worker, for tests of the host.
//!
//! As an object it learns from `state.class` which class it is; as a Worker it has no class. Both do the same deeds:
//!
//! | path | deed |
//! | --- | --- |
//! | `/role` | `object <class> <name>`, or `worker` |
//! | `/environment` | its environment variables, lines `<name>=<value>` |
//! | `/call?class=&name=&path=` | the reply of that object |
//! | `/count` | counts in the store; a Worker has none, and traps |
//! | `/section` | a critical section; the same |
//! | `/wait?ms=` | waits |

use std::borrow::Cow;

use dohost::object::{concurrency, namespace, state, storage, types as object};
use exports::dohost::object::handler::{Exception, Guest as Object};
use exports::wasi::http::handler::Guest as Worker;
use wasi::cli::environment;
use wasi::clocks::monotonic_clock;
use wasi::http::types::{ErrorCode, Fields, Request, Response};

wit_bindgen::generate!({
    inline: "
        package dohost:ensemble;

        /// All that an object and a Worker may be.
        world ensemble {
            include dohost:object/object@0.1.0;
            include dohost:object/worker@0.1.0;
            import wasi:cli/environment@0.3.0;
        }
    ",
    path: "../../wit",
    world: "dohost:ensemble/ensemble",
    generate_all,
});

struct Ensemble;

export!(Ensemble);

impl Object for Ensemble {
    async fn fetch(request: object::Request) -> Result<object::Response, Exception> {
        let role = || format!("object {} {}", state::class(), state::name().unwrap_or_default());
        let query = request.query.unwrap_or_default();
        let (status, body) = reply(deed(&request.path, &query, role).await);
        Ok(object::Response { status, headers: Vec::new(), body: body.into_bytes() })
    }
}

impl Worker for Ensemble {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        // A Worker has its routes in front of the deed.
        let deed_path = path.rfind('/').map_or(path, |slash| &path[slash..]);
        let (status, body) = reply(deed(deed_path, query, || "worker".to_string()).await);

        let (mut body_in, body_out) = wit_stream::new();
        let (_, no_trailers) = wit_future::new(|| Ok(None));
        wit_bindgen::spawn_local(async move {
            body_in.write_all(body.into_bytes()).await;
        });
        let (response, _sent) = Response::new(Fields::new(), Some(body_out), no_trailers);
        response.set_status_code(status).map_err(|()| ErrorCode::InternalError(None))?;
        Ok(response)
    }
}

async fn deed(path: &str, query: &str, role: impl Fn() -> String) -> Result<String, String> {
    let parameter = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let value = pairs.find(|(name, _)| name == wanted).map(|(_, value): (_, Cow<str>)| value.into_owned());
        value.ok_or_else(|| format!("{wanted} is missing"))
    };
    match path {
        "/role" => Ok(role()),
        "/environment" => {
            let variables = environment::get_environment().into_iter();
            Ok(variables.map(|(name, value)| format!("{name}={value}\n")).collect())
        }
        "/call" => call(&parameter("class")?, &parameter("name")?, parameter("path")?).await,
        "/count" => count().await.map_err(|error| error.to_string()),
        "/section" => {
            concurrency::block_concurrency().await.map_err(|error| error.to_string())?.end();
            Ok("done".to_string())
        }
        "/wait" => {
            let ms: u64 = parameter("ms")?.parse().map_err(|_| "ms is no number".to_string())?;
            monotonic_clock::wait_for(ms * 1_000_000).await;
            Ok("waited".to_string())
        }
        _ => Err(format!("no such deed: {path}")),
    }
}

async fn call(class: &str, name: &str, path: String) -> Result<String, String> {
    let stub = namespace::get_by_name(class, name).map_err(|error| error.to_string())?;
    let request = object::Request {
        method: "GET".to_string(),
        scheme: "http".to_string(),
        authority: "ensemble".to_string(),
        path,
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    };
    let reply = stub.fetch(request).await.map_err(|error| error.message)?;
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

async fn count() -> Result<String, storage::Error> {
    let stored = storage::get("count".to_string()).await?;
    let count = stored.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok()).unwrap_or(0) + 1;
    storage::put("count".to_string(), count.to_string().into_bytes()).await?;
    Ok(count.to_string())
}

fn reply(done: Result<String, String>) -> (u16, String) {
    match done {
        Ok(text) => (200, text),
        Err(text) => (400, text),
    }
}
