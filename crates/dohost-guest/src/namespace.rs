//! Other objects: ids, and stubs to call them.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bindings::dohost::object::namespace;
use crate::{Error, Request, Response, Result};

/// The objects of a class.
#[derive(Clone, Debug)]
pub struct ObjectNamespace {
    class: String,
}

/// The id of an object: of one class, and never of two objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId {
    id: String,
    name: Option<String>,
    /// The class as the namespace was asked for it; none for an object's own.
    class: Option<String>,
}

/// Speaks to one object. Made at once and without asking it; the object starts when it is first called.
#[derive(Debug)]
pub struct Stub {
    stub: namespace::Stub,
}

/// A class whose methods were written with `#[durable_object(methods)]`.
pub trait Methods {
    /// The methods, to be called on another object.
    type Of: From<Stub>;
}

impl ObjectNamespace {
    pub(crate) fn new(class: &str) -> Result<ObjectNamespace> {
        // A class that is not there should be told here, and not at the first call.
        namespace::id_from_name(class, "")?;
        Ok(ObjectNamespace { class: class.to_owned() })
    }

    /// The id of the object with this name, always the same one.
    pub fn id_from_name(&self, name: &str) -> Result<ObjectId> {
        let id = namespace::id_from_name(&self.class, name)?;
        Ok(ObjectId { id, name: Some(name.to_owned()), class: Some(self.class.clone()) })
    }

    /// The id that this text is, if it is one of this class.
    pub fn id_from_string(&self, text: &str) -> Result<ObjectId> {
        let id = namespace::id_from_string(&self.class, text)?;
        Ok(ObjectId { id, name: None, class: Some(self.class.clone()) })
    }

    /// A new id that nobody else has.
    pub fn unique_id(&self) -> Result<ObjectId> {
        let id = namespace::new_unique_id(&self.class)?;
        Ok(ObjectId { id, name: None, class: Some(self.class.clone()) })
    }

    /// The object with this name.
    pub fn get_by_name(&self, name: &str) -> Result<Stub> {
        Ok(Stub { stub: namespace::get_by_name(&self.class, name)? })
    }

    /// The object with this id.
    pub fn get(&self, id: &ObjectId) -> Result<Stub> {
        let stub = match &id.name {
            // The object gets to know its name this way.
            Some(name) if id.class.as_deref() == Some(&self.class) => namespace::get_by_name(&self.class, name)?,
            _ => namespace::get(&self.class, &id.id)?,
        };
        Ok(Stub { stub })
    }
}

impl ObjectId {
    pub(crate) fn own(id: String, name: Option<String>) -> ObjectId {
        ObjectId { id, name, class: None }
    }

    /// The name that it was made from, if it is known.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The object with this id, which a namespace gave.
    pub fn get_stub(&self) -> Result<Stub> {
        let class = self.class.as_deref().ok_or("to get a stub for its own id, an object asks the namespace")?;
        ObjectNamespace { class: class.to_owned() }.get(self)
    }
}

/// 64 hexadecimal digits.
impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}

impl Stub {
    /// The object's id.
    pub fn id(&self) -> String {
        self.stub.id()
    }

    /// The name, if this stub was made from one.
    pub fn name(&self) -> Option<String> {
        self.stub.name()
    }

    /// Calls the object's `fetch`. Calls through one stub arrive in the order in which they were made.
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        Ok(self.stub.fetch(request.into_wire()).await?.into())
    }

    /// The same with a GET of this URL. Which host it names is up to caller and object.
    pub async fn fetch_with_str(&self, url: &str) -> Result<Response> {
        self.fetch(Request::get(url)?).await
    }

    /// The object's methods, with their types.
    ///
    /// The object is one of that class, or of another one with such methods. Types are compared when a call is made.
    pub fn methods<Class: Methods>(self) -> Class::Of {
        self.into()
    }

    /// Calls a method that is known by its name only, such as one of an object in another language.
    ///
    /// `arguments` are a struct or a map with the names of the parameters, or a tuple in their order: `&(1, "a")`, `&(1,)`, `&()`. How
    /// types become JSON is in `docs/RPC.md`. For a method that gives a `result` there is [`Stub::try_call`].
    pub async fn call<T: DeserializeOwned>(&self, method: &str, arguments: &impl Serialize) -> Result<T> {
        let mut arguments = serde_json::to_string(arguments)?;
        // No parameters: `()` of Rust is nothing in JSON.
        if arguments == "null" {
            arguments = "[]".to_owned();
        }
        let reply = self.stub.call(method.to_owned(), arguments).await?;
        Ok(serde_json::from_str(&reply)?)
    }

    /// The same for a method that gives a `result`, as most of those in Rust do. Its error becomes the text of this one.
    pub async fn try_call<T: DeserializeOwned>(&self, method: &str, arguments: &impl Serialize) -> Result<T> {
        match self.call(method, arguments).await? {
            Outcome::Ok(value) => Ok(value),
            Outcome::Err(serde_json::Value::String(text)) => Err(Error::new(text)),
            Outcome::Err(error) => Err(Error::new(error.to_string())),
        }
    }

    #[doc(hidden)]
    pub fn __bindings(&self) -> &namespace::Stub {
        &self.stub
    }
}

/// What a method gave that gives a `result`.
enum Outcome<T> {
    Ok(T),
    Err(serde_json::Value),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Outcome<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut outcome: BTreeMap<String, serde_json::Value> = Deserialize::deserialize(deserializer)?;
        match (outcome.remove("ok"), outcome.remove("err")) {
            (Some(value), None) => T::deserialize(value).map(Outcome::Ok).map_err(D::Error::custom),
            (None, Some(error)) => Ok(Outcome::Err(error)),
            _ => Err(D::Error::custom("the method does not give a result")),
        }
    }
}
