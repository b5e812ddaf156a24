//! Whom to ask: a host on TCP, the one that runs on the data directory, or the data directory itself.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use dohost_management::client::{Client, ClientError};
use dohost_management::{Service, Token};
use dohost_object::Management;
use dohost_storage::{OpenError, Store, StoreOptions, migration};
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::args::Place;
use crate::config;
use crate::failure::Failure;

/// What stays as it is in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Part of a path.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Somebody who answers.
pub struct Asked {
    client: Client,
    runtime: Runtime,
}

impl Asked {
    /// Finds out whom to ask.
    pub fn connect(place: &Place) -> anyhow::Result<Asked> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if let Some(url) = &place.url {
            let help = "give it as DOHOST_MANAGEMENT_TOKEN in the environment; it has at least 16 characters";
            let token = place.token.clone().and_then(Token::new);
            let token = token.ok_or_else(|| {
                Failure::new("the host at --url needs a token, of 16 characters at least", Some(help.into()))
            })?;
            let client = Client::tcp(url, token).map_err(client_failure)?;
            return Ok(Asked { client, runtime });
        }
        let data_dir = config::data_dir(place.data_dir.as_deref())?;
        if !migration::has_store(&data_dir) {
            let text = format!("there is no data directory {}", data_dir.display());
            let help = "give the one that the host was started with: --data-dir DIR";
            return Err(Failure::new(text, Some(help.into())).into());
        }
        if let Some(client) = connect(&runtime, &data_dir)? {
            return Ok(Asked { client, runtime });
        }
        let service = Service::of_store(Management::of_store(open_alone(&data_dir)?), env!("CARGO_PKG_VERSION"));
        Ok(Asked { client: Client::Here(Box::new(service)), runtime })
    }

    /// Whether no host answers, but the data directory itself.
    pub fn is_alone(&self) -> bool {
        matches!(self.client, Client::Here(_))
    }

    /// Asks for JSON.
    pub fn json(&self, method: Method, target: &str) -> anyhow::Result<Value> {
        let body = self.bytes(method, target, Bytes::new())?;
        serde_json::from_slice(&body).context("the host answered with something else than JSON")
    }

    /// Asks for whatever there is.
    pub fn bytes(&self, method: Method, target: &str, body: Bytes) -> anyhow::Result<Bytes> {
        send(&self.runtime, &self.client, method, target, body)
    }
}

/// The host that runs on a data directory, if one does.
pub fn connect(runtime: &Runtime, data_dir: &Path) -> anyhow::Result<Option<Client>> {
    runtime.block_on(Client::socket(data_dir)).map_err(client_failure)
}

/// Asks, and makes an error of an answer that is one.
pub fn send(runtime: &Runtime, client: &Client, method: Method, target: &str, body: Bytes) -> anyhow::Result<Bytes> {
    let request = Request::builder().method(method).uri(target).body(body);
    let request = request.map_err(|error| Failure::new(format!("this cannot be asked for: {error}"), None))?;
    let response = runtime.block_on(client.send(request)).map_err(client_failure)?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    let status = response.status();
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    let message = text("message").unwrap_or_else(|| format!("the host answered {status}"));
    Err(Failure::new(message, text("help")).into())
}

/// Opens the store of a data directory that no host runs on.
pub fn open_alone(data_dir: &Path) -> anyhow::Result<Store> {
    Store::open(data_dir, StoreOptions::default()).map_err(|error| {
        let text = format!("cannot use the data directory {}: failed to {error}", data_dir.display());
        let help = match error {
            OpenError::InUse => {
                "A host runs on it without a management socket: give its --url, or start it without --no-management."
            }
            _ => error.help(),
        };
        Failure::new(text, Some(help.into())).into()
    })
}

fn client_failure(error: ClientError) -> anyhow::Error {
    let help = match &error {
        ClientError::Unreachable { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Some("only the user of the host may open its socket")
        }
        ClientError::Unreachable { .. } => Some("is the host running, and was it started with --management-listen?"),
        ClientError::Broken(_) | ClientError::BadUrl(_) => None,
    };
    Failure::new(error, help.map(str::to_owned)).into()
}
