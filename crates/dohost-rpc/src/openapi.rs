//! An OpenAPI document of an application: every method of every class as `POST /{class}/{name}/rpc/{method}`.
//!
//! Types with names become schemas of the components, in the words of the mapping of [`json`](crate::json).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::dynamic::DynamicMethods;
use crate::interface::{Interface, Label, Method, Type};
use crate::json::SAFE_INTEGER_MAX;
use crate::named::Named;

/// A class: its methods with types, and those that only it knows.
pub type Class = (std::sync::Arc<Interface>, Option<DynamicMethods>);

/// The document for these classes, each with its methods.
pub fn document(title: &str, version: &str, classes: &BTreeMap<String, Class>) -> Json {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for (class, (interface, dynamic)) in classes {
        for method in dynamic.iter().flat_map(|dynamic| dynamic.names.iter().flatten()) {
            paths.insert(format!("/{class}/{{name}}/rpc/{method}"), dynamic_path(class, method));
        }
        let named = Named::of(interface.methods.iter().map(|method| &**method));
        let schema_name = |name: &str| format!("{class}.{name}");
        let writer = Writer { named: &named, schema_name: &schema_name };
        for ty in &named.types {
            let name = named.name(ty.name().expect("only types with names are collected"));
            schemas.insert(schema_name(name), writer.definition(ty));
        }
        for method in &interface.methods {
            // What stands for a parameter in the path is written in braces, so a name must not have them; none has.
            paths.insert(format!("/{class}/{{name}}/rpc/{}", method.name), writer.path(class, method));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// A method whose types nobody knows.
fn dynamic_path(class: &str, method: &str) -> Json {
    let arguments = json!({ "type": "array", "items": {} });
    json!({ "post": {
        "operationId": format!("{class}.{method}"),
        "tags": [class],
        "parameters": [name_parameter()],
        "requestBody": { "required": false, "content": content(&arguments) },
        "responses": {
            "200": { "description": "what the method gave", "content": content(&json!({})) },
            "400": { "description": "the arguments are not an array of JSON" },
            "404": { "description": "there is no such object or method" },
            "500": { "description": "the object failed" },
            "503": { "description": "the object is overloaded, or cannot be reached now" },
        },
    } })
}

fn name_parameter() -> Json {
    json!({
        "name": "name", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 },
        "description": "the name of the object",
    })
}

struct Writer<'a> {
    named: &'a Named<'a>,
    schema_name: &'a dyn Fn(&str) -> String,
}

impl Writer<'_> {
    fn path(&self, class: &str, method: &Method) -> Json {
        let (ok, err) = match &method.result {
            Some(Type::Result(ok, err)) => {
                (self.optional(ok.as_deref()), Some(err.as_deref().map_or(json!({ "type": "null" }), |ty| self.ty(ty))))
            }
            result => (self.optional(result.as_ref()), None),
        };
        let mut properties = Map::new();
        for (name, ty) in &method.params {
            properties.insert(name.clone(), self.ty(ty));
        }
        let required: Vec<&str> = method.params.iter().filter(|(_, ty)| !is_option(ty)).map(|(n, _)| &**n).collect();
        let mut responses = json!({
            "200": { "description": "what the method gave", "content": content(&ok) },
            "400": { "description": "the arguments do not fit the types" },
            "404": { "description": "there is no such object or method" },
            "500": { "description": "the object failed" },
            "503": { "description": "the object is overloaded, or cannot be reached now" },
        });
        if let Some(err) = err {
            let error = json!({ "type": "object", "properties": { "error": err }, "required": ["error"] });
            responses["422"] = json!({ "description": "the error that the method gave", "content": content(&error) });
        }
        let mut post = json!({
            "operationId": format!("{class}.{}", method.name),
            "tags": [class],
            "parameters": [name_parameter()],
            "responses": responses,
        });
        if !method.params.is_empty() {
            let arguments = json!({
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            });
            post["requestBody"] = json!({ "required": !required.is_empty(), "content": content(&arguments) });
        }
        describe(&mut post, &method.docs);
        json!({ "post": post })
    }

    fn optional(&self, ty: Option<&Type>) -> Json {
        ty.map_or(json!({ "type": "null" }), |ty| self.ty(ty))
    }

    /// A type where it is used.
    fn ty(&self, ty: &Type) -> Json {
        match ty.name() {
            Some(name) => {
                let name = (self.schema_name)(self.named.name(name));
                json!({ "$ref": format!("#/components/schemas/{name}") })
            }
            None => self.anonymous(ty),
        }
    }

    fn anonymous(&self, ty: &Type) -> Json {
        let integer = |min: i64, max: u64| json!({ "type": "integer", "minimum": min, "maximum": max });
        let wide = |format: &str| {
            json!({
                "type": ["integer", "string"], "format": format, "pattern": "^-?[0-9]+$",
                "description": format!("a string of digits beyond {SAFE_INTEGER_MAX}"),
            })
        };
        let float = |format: &str| {
            json!({ "oneOf": [
                { "type": "number", "format": format },
                { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
            ] })
        };
        match ty {
            Type::Bool => json!({ "type": "boolean" }),
            Type::S8 => integer(i8::MIN.into(), i8::MAX as u64),
            Type::U8 => integer(0, u8::MAX.into()),
            Type::S16 => integer(i16::MIN.into(), i16::MAX as u64),
            Type::U16 => integer(0, u16::MAX.into()),
            Type::S32 => integer(i32::MIN.into(), i32::MAX as u64),
            Type::U32 => integer(0, u32::MAX.into()),
            Type::S64 => wide("int64"),
            Type::U64 => wide("uint64"),
            Type::F32 => float("float"),
            Type::F64 => float("double"),
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::List(inner) if **inner == Type::U8 => json!({ "type": "string", "contentEncoding": "base64" }),
            Type::List(inner) => json!({ "type": "array", "items": self.ty(inner) }),
            Type::Option(inner) => {
                let some = match &**inner {
                    Type::Option(_) => self.entry("some", Some(inner)),
                    _ => self.ty(inner),
                };
                json!({ "oneOf": [{ "type": "null" }, some] })
            }
            Type::Result(ok, err) => {
                json!({ "oneOf": [self.entry("ok", ok.as_deref()), self.entry("err", err.as_deref())] })
            }
            Type::Tuple(types) => {
                let items: Vec<Json> = types.iter().map(|ty| self.ty(ty)).collect();
                json!({ "type": "array", "prefixItems": items, "items": false, "minItems": items.len() })
            }
            _ => unreachable!("it has a name"),
        }
    }

    /// A type with a name where it is defined.
    fn definition(&self, ty: &Type) -> Json {
        let (mut schema, docs) = match ty {
            Type::Record(record) => {
                let mut properties = Map::new();
                for field in &record.fields {
                    let mut schema = self.ty(&field.ty);
                    describe(&mut schema, &field.docs);
                    properties.insert(field.name.clone(), schema);
                }
                let required = record.fields.iter().filter(|field| !is_option(&field.ty));
                let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
                let schema = json!({
                    "type": "object", "properties": properties, "required": required, "additionalProperties": false,
                });
                (schema, &record.docs)
            }
            Type::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let mut schema = match &case.ty {
                        Some(ty) => self.entry(&case.name, Some(ty)),
                        None => json!({ "const": case.name }),
                    };
                    describe(&mut schema, &case.docs);
                    schema
                });
                (json!({ "oneOf": cases.collect::<Vec<_>>() }), &variant.docs)
            }
            Type::Enum(enumeration) => {
                (json!({ "type": "string", "enum": names(&enumeration.cases) }), &enumeration.docs)
            }
            Type::Flags(flags) => {
                let items = json!({ "type": "string", "enum": names(&flags.flags) });
                (json!({ "type": "array", "items": items, "uniqueItems": true }), &flags.docs)
            }
            _ => unreachable!("it has a name"),
        };
        describe(&mut schema, docs);
        schema
    }

    /// An object with this entry only.
    fn entry(&self, name: &str, ty: Option<&Type>) -> Json {
        json!({
            "type": "object", "properties": { name: self.optional(ty) }, "required": [name],
            "additionalProperties": false,
        })
    }
}

fn content(schema: &Json) -> Json {
    json!({ "application/json": { "schema": schema } })
}

fn describe(schema: &mut Json, docs: &Option<String>) {
    if let Some(docs) = docs {
        schema["description"] = docs.as_str().into();
    }
}

fn names(labels: &[Label]) -> Vec<&str> {
    labels.iter().map(|label| label.name.as_str()).collect()
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Option(_))
}
