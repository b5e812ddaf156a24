//! Tables of the file whose keys are not those of a struct: limits, variables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::at::At;
use crate::limit;

/// Text, or what is written without quotes and means its text: a whole number, `true`, `false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a whole number, true or false")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.into()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar(truth.to_string()))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// Of a size: a number of bytes, or text with a unit.
pub fn size_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer", "null"] })
}

/// Limits by their names. Which names and values there are is in [`limit`].
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct LimitsTable(pub BTreeMap<At<String>, At<Scalar>>);

impl JsonSchema for LimitsTable {
    fn schema_name() -> Cow<'static, str> {
        "Limits".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let limits = limit::descriptions().map(|(name, description)| {
            let schema = json_schema!({ "description": description, "type": ["string", "integer"] });
            (name.to_owned(), schema.into())
        });
        let properties: serde_json::Map<String, serde_json::Value> = limits.collect();
        json_schema!({
            "description": "Limits by their names, as `dohost limits` lists them.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}
