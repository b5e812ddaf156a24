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
use dohost_engine::{DynamicCall, DynamicValues, MethodCall};
use dohost_object::{Addressee, Class, EventError};
use dohost_rpc::{DynamicMethods, Method, Type, Value, json, openapi};
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::listener::Shared;
use crate::moving::Traffic;
use crate::object::{place_for, place_for_bytes, read_body};
use crate::path::decode;
use crate::reply::{Answer, Refusal, whole};
use crate::route::Route;

/// Where the description of all methods is. No object is there, as a path with one part names none.
pub(crate) const OPENAPI_PATH: &str = "/openapi.json";

/// In the results of methods, the class: who called one is not to take the answer of a Worker for its result.
pub const CLASS_HEADER: &str = "dohost-class";

/// What is before the name of the method in the path that the object would see.
const PREFIX: &str = "/rpc/";

/// Whether a request calls a method.
pub(crate) fn is_call(route: &Route) -> bool {
    let has_methods = |class: &Class| {
        !class.interface().methods.is_empty() || class.dynamic().is_some_and(|methods| methods.has_any())
    };
    route.path.starts_with(PREFIX) && has_methods(&route.class)
}

/// Answers a request by calling a method.
pub(crate) async fn answer(
    shared: &Shared,
    traffic: &Traffic,
    route: Route,
    request: http::Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let Route { class, name, path } = route;
    let object = shared.host.object_named(&class, &name);
    traffic.goes_to(object.executor());
    let interface = class.interface();
    let method = decode(&path[PREFIX.len()..])
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the name of the method is not valid"))?;
    let method = match (interface.method(&method), class.dynamic()) {
        (None, Some(methods)) => {
            return answer_dynamic(shared, object, (&class, &name), method.into_owned(), &methods, request).await;
        }
        (method_of_types, _) => method_of_types.cloned().ok_or_else(|| {
            let names = interface.method_names();
            let text = format!("class {} has no method {method:?}; it has {names}", class.name());
            Refusal::new(StatusCode::NOT_FOUND, text)
        })?,
    };
    check_is_post(&request)?;
    let (parts, body) = request.into_parts();
    let body_bytes_max = class.body_bytes_max();
    let _place = place_for(&body, body_bytes_max, shared)?;
    let body = read_body(body, body_bytes_max, shared.limits.body_timeout).await?;
    let arguments = arguments(&parts.headers, &body, &method)?;
    // A value is larger than its text, and lives until the guest has replied.
    let _values = place_for_bytes(arguments.iter().map(Value::bytes).sum(), shared)?;
    drop((parts, body));
    let call = MethodCall { method: method.clone(), arguments };
    let reply = shared.host.call(object, call).await;
    let value = reply.map_err(|error| Refusal::from_event(&error, class.name(), &name))?;
    Ok(of_class(&class, response(value, &method)))
}

/// The same for a method that only the object knows: what its arguments mean is for the object to say.
async fn answer_dynamic(
    shared: &Shared,
    object: Addressee<'_>,
    (class, name): (&Class, &str),
    method: String,
    methods: &DynamicMethods,
    request: http::Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    check_is_post(&request)?;
    let (parts, body) = request.into_parts();
    let body_bytes_max = class.body_bytes_max();
    let _place = place_for(&body, body_bytes_max, shared)?;
    let body = read_body(body, body_bytes_max, shared.limits.body_timeout).await?;
    let text = json_text(&parts.headers, &body)?;
    let arguments = if text.trim().is_empty() { "[]" } else { text };
    let no_such = methods.no_such(class.name(), &method);
    let call = DynamicCall { method, arguments: DynamicValues::Json(arguments.into()) };
    drop((parts, body));
    match shared.host.call_dynamic(object, call).await {
        Ok(DynamicValues::Json(text)) => Ok(of_class(class, json_response(StatusCode::OK, text))),
        Ok(DynamicValues::Cloned(_)) => unreachable!("the result comes in the form of the arguments"),
        Err(EventError::NotOffered(_)) => Err(Refusal::new(StatusCode::NOT_FOUND, no_such)),
        Err(error) => Err(Refusal::from_event(&error, class.name(), name)),
    }
}

fn check_is_post<B>(request: &http::Request<B>) -> Result<(), Refusal> {
    match request.method() {
        &HttpMethod::POST => Ok(()),
        _ => Err(Refusal::method_not_allowed("POST", "a method is called with POST")),
    }
}

/// Answers with the description of all methods of all classes.
pub(crate) fn openapi<B>(shared: &Shared, request: &http::Request<B>) -> Result<Response<Answer>, Refusal> {
    if request.method() != HttpMethod::GET {
        return Err(Refusal::method_not_allowed("GET", "the description of the methods is read with GET"));
    }
    let classes = shared.host.class_names().into_iter().filter_map(|name| {
        let class = shared.host.class(&name)?;
        let (interface, dynamic) = (class.interface(), class.dynamic());
        let has_methods = !interface.methods.is_empty() || dynamic.as_ref().is_some_and(DynamicMethods::has_any);
        has_methods.then(|| (name.to_string(), (interface, dynamic)))
    });
    let classes: BTreeMap<String, _> = classes.collect();
    if classes.is_empty() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no class of this host has methods"));
    }
    let document = openapi::document("dohost", env!("CARGO_PKG_VERSION"), &classes);
    Ok(json_response(StatusCode::OK, document.to_string()))
}

fn arguments(headers: &HeaderMap, body: &Bytes, method: &Method) -> Result<Vec<Value>, Refusal> {
    let text = json_text(headers, body)?;
    json::arguments(text, method).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))
}

fn json_text<'a>(headers: &HeaderMap, body: &'a Bytes) -> Result<&'a str, Refusal> {
    // Pages of other sites may send a body that is called nothing, and an empty one, but then the browser says where from.
    if !is_json(headers) && (!body.is_empty() || headers.contains_key(header::ORIGIN)) {
        let text = "arguments are JSON: send them with content-type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    str::from_utf8(body).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "not JSON: it is not UTF-8"))
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

/// Says that a method of this class gave the answer.
fn of_class(class: &Class, mut response: Response<Answer>) -> Response<Answer> {
    let name = HeaderValue::try_from(class.name()).expect("names of classes fit into URLs");
    response.headers_mut().insert(CLASS_HEADER, name);
    response
}

fn json_response(status: StatusCode, text: String) -> Response<Answer> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
