//! `dohost call`: one method of one object, over HTTP.

use std::io::Read as _;

use anyhow::Context as _;
use dohost_ingress::CLASS_HEADER;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::args::{Application, Call};
use crate::failure::Failure;
use crate::http_client::{self, SendError};
use crate::{config, listen, output};

/// Where a host, and so whoever calls it, is told otherwise.
const ADDRESS_VARIABLE: &str = "DOHOST_LISTEN";
const WORKER_HELP: &str = "a Worker that gets every request gets calls too, give it others with routes in dohost.toml";
/// What stays as it is in a part of a path.
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Calls and prints the result.
pub fn run(args: &Call) -> anyhow::Result<()> {
    let url = match &args.url {
        Some(url) => url.clone(),
        None => format!("http://{}", address()?),
    };
    let request = request(args, &url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(http_client::send(request)).map_err(|error| unanswered(&url, error))?;
    let is_of_method = answer.headers().contains_key(CLASS_HEADER);
    let (status, body) = (answer.status(), answer.into_body());
    let text = String::from_utf8_lossy(&body);
    match status {
        _ if status.is_success() && !is_of_method => {
            let text = format!(
                "no method has answered, but a Worker that gets this path, and it may have done something: {}",
                text.trim_end()
            );
            Err(Failure::new(text, Some(WORKER_HELP.into())).into())
        }
        StatusCode::OK => {
            output::say(text.trim_end())?;
            Ok(())
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            let error = serde_json::from_slice::<serde_json::Value>(&body).ok();
            let error = error.as_ref().and_then(|body| body.get("error")).map(ToString::to_string);
            Err(Failure::new(error.unwrap_or_else(|| text.into_owned()), None).into())
        }
        _ => {
            let help = match status {
                StatusCode::NOT_FOUND => {
                    Some(format!("dohost describe FILE lists the methods of a component; {WORKER_HELP}"))
                }
                _ => None,
            };
            Err(Failure::new(text.trim_end().replace('\n', ", "), help).into())
        }
    }
}

/// Where a host is that was started here.
fn address() -> anyhow::Result<String> {
    if let Some(address) = std::env::var(ADDRESS_VARIABLE).ok().filter(|address| !address.is_empty()) {
        return Ok(address);
    }
    let listens = config::listen(&Application::default())?.and_then(listen::reached_at);
    Ok(listens.unwrap_or(listen::DEFAULT).to_string())
}

fn request(args: &Call, url: &str) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut arguments = args.arguments.clone();
    if arguments == "-" {
        arguments.clear();
        std::io::stdin().read_to_string(&mut arguments).context("cannot read the arguments from standard input")?;
    }
    let part = |text: &str| utf8_percent_encode(text, &KEPT).to_string();
    let (class, name, method) = (part(&args.class), part(&args.name), part(&args.method));
    let uri: Uri = format!("{}/{class}/{name}/rpc/{method}", url.trim_end_matches('/'))
        .parse()
        .map_err(|error| bad_url(url, &format!("{error}")))?;
    if uri.scheme_str() != Some("http") {
        return Err(bad_url(url, "only http:// is spoken").into());
    }
    let request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
    Ok(request.body(Full::new(arguments.into()))?)
}

fn unanswered(url: &str, error: SendError) -> Failure {
    match error {
        SendError::Unreachable(error) => {
            let help = "start one with dohost serve, or say where it is with --url http://ADDRESS";
            Failure::new(format!("cannot reach a host at {url}: {error}"), Some(help.into()))
        }
        SendError::Broken(error) => Failure::new(format!("the host at {url} gave no whole answer: {error}"), None),
    }
}

fn bad_url(url: &str, reason: &str) -> Failure {
    Failure::new(format!("cannot call {url}: {reason}"), Some("give a URL such as http://127.0.0.1:8787".into()))
}
