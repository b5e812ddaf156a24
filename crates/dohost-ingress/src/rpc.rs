//! Methods over HTTP: `POST /{class}/{name}/rpc/{method}`, arguments and result in JSON.
//!
//! Only where the class has methods: the objects of one that has none get these paths like all others.
//!
//! | status | body |
//! | --- | --- |
//! | 200 | the result; the `ok` of a method that gives a `result` |
//! | 422 | `{"error": …}`: the `err` of a method that gives a `result` |
//! | others | a text of the host: see `reply` |

use std::collections::BTreeMap;

use bytes::Bytes;
use dohost_engine::MethodCall;
use dohost_object::Target;
use dohost_rpc::{Interface, Method, Type, Value, json, openapi};
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::listener::Shared;
use crate::object::{place_for, place_for_bytes, read_body};
use crate::reply::{Answer, Refusal, whole};
use crate::route::{Route, decode};

/// Where the description of all methods is. No object is there, as a path with one part names none.
pub(crate) const OPENAPI_PATH: &str = "/openapi.json";

/// What is before the name of the method in the path that the object would see.
const PREFIX: &str = "/rpc/";

/// Whether a request calls a method.
pub(crate) fn is_call(route: &Route) -> bool {
    route.path.starts_with(PREFIX) && !route.class.interface().methods.is_empty()
}

/// Answers a request by calling a method.
pub(crate) async fn answer(
    shared: &Shared,
    route: Route,
    request: http::Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let Route { class, name, path } = route;
    let interface = class.interface();
    let method = method(&interface, class.name(), &path[PREFIX.len()..])?;
    if request.method() != HttpMethod::POST {
        return Err(Refusal::method_not_allowed("POST", "a method is called with POST"));
    }
    let (parts, body) = request.into_parts();
    let body_bytes_max = class.body_bytes_max();
    let _place = place_for(&body, body_bytes_max, shared)?;
    let body = read_body(body, body_bytes_max, shared.limits.body_timeout).await?;
    let arguments = arguments(&parts.headers, &body, &method)?;
    // A value is larger than its text, and lives until the guest has replied.
    let _values = place_for_bytes(arguments.iter().map(Value::bytes).sum(), shared)?;
    drop((parts, body));
    let call = MethodCall { method: method.clone(), arguments };
    let reply = shared.host.call(&class, Target::Name(&name), call).await;
    let reply = reply.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let value = reply.map_err(|error| Refusal::from_event(&error, class.name(), &name))?;
    Ok(response(value, &method))
}

/// Answers with the description of all methods of all classes.
pub(crate) fn openapi<B>(shared: &Shared, request: &http::Request<B>) -> Result<Response<Answer>, Refusal> {
    if request.method() != HttpMethod::GET {
        return Err(Refusal::method_not_allowed("GET", "the description of the methods is read with GET"));
    }
    let classes = shared.host.class_names().into_iter().filter_map(|name| {
        let interface = shared.host.class(&name)?.interface();
        Some((name.to_string(), interface)).filter(|(_, interface)| !interface.methods.is_empty())
    });
    let classes: BTreeMap<String, _> = classes.collect();
    if classes.is_empty() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no class of this host has methods"));
    }
    let document = openapi::document("dohost", env!("CARGO_PKG_VERSION"), &classes);
    Ok(json_response(StatusCode::OK, document.to_string()))
}

fn method(interface: &Interface, class: &str, name: &str) -> Result<std::sync::Arc<Method>, Refusal> {
    let name =
        decode(name).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the name of the method is not valid"))?;
    interface.method(&name).cloned().ok_or_else(|| {
        let names = interface.method_names();
        Refusal::new(StatusCode::NOT_FOUND, format!("class {class} has no method {name:?}; it has {names}"))
    })
}

fn arguments(headers: &HeaderMap, body: &Bytes, method: &Method) -> Result<Vec<Value>, Refusal> {
    // Pages of other sites may send a body that is called nothing, and an empty one, but then the browser says where from.
    if !is_json(headers) && (!body.is_empty() || headers.contains_key(header::ORIGIN)) {
        let text = "arguments are JSON: send them with content-type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let bad = |text: String| Refusal::new(StatusCode::BAD_REQUEST, text);
    let text = str::from_utf8(body).map_err(|_| bad("not JSON: it is not UTF-8".into()))?;
    json::arguments(text, method).map_err(|error| bad(error.to_string()))
}

/// A browser sends no other site's JSON without asking first, so what is not called JSON is not taken for it.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn response(value: Option<Value>, method: &Method) -> Response<Answer> {
    match (value, &method.result) {
        (Some(Value::Result(Ok(value))), Some(Type::Result(ty, _))) => {
            json_response(StatusCode::OK, json::result(value.as_deref(), ty.as_deref()))
        }
        (Some(Value::Result(Err(value))), Some(Type::Result(_, ty))) => {
            let error = json::result(value.as_deref(), ty.as_deref());
            json_response(StatusCode::UNPROCESSABLE_ENTITY, format!("{{\"error\":{error}}}"))
        }
        (value, ty) => json_response(StatusCode::OK, json::result(value.as_ref(), ty.as_ref())),
    }
}

fn json_response(status: StatusCode, text: String) -> Response<Answer> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
