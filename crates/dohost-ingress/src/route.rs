//! From a URL to an object: `/{class}/{name}/{path…}`.
//!
//! The name is percent-decoded and must then be UTF-8; an encoded slash belongs to the name. The rest of the path goes to
//! the object as it came.

use dohost_object::{Class, Host};
use http::StatusCode;

use crate::path::{decode, split};
use crate::reply::Refusal;

/// Bytes that a name in a URL may have: an object gets to know its name up to this length.
const NAME_BYTES_MAX: usize = 1_024;

/// Where a request goes.
pub(crate) struct Route {
    pub class: Class,
    pub name: String,
    /// What the object gets to see, beginning with a slash.
    pub path: String,
}

/// The object that a path means.
pub(crate) fn object_of(path: &str, host: &Host) -> Result<Route, Refusal> {
    let (class, name, path) = split(path).ok_or_else(|| not_found(host))?;
    let class = host.class(class).ok_or_else(|| not_found(host))?;
    let name = decode(name).map_err(|reason| Refusal::new(StatusCode::BAD_REQUEST, reason))?;
    if name.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the name of the object is empty: /{class}/{name}/{path}"));
    }
    if name.len() > NAME_BYTES_MAX {
        let text = format!("the name has {} bytes, the most is {NAME_BYTES_MAX}", name.len());
        return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
    }
    Ok(Route { class, name: name.into_owned(), path: path.into() })
}

fn not_found(host: &Host) -> Refusal {
    let paths: Vec<String> = host.class_names().iter().map(|class| format!("/{class}/{{name}}/{{path}}")).collect();
    Refusal::new(StatusCode::NOT_FOUND, format!("no object there; this host serves {}", paths.join(", ")))
}
