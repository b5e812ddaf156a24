//! Values → JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SAFE_INTEGER_MAX;
use crate::interface::Type;
use crate::value::Value;

/// The result of a method as JSON; `null` for a method that gives nothing.
pub fn result(value: Option<&Value>, ty: Option<&Type>) -> String {
    let mut text = String::new();
    match (value, ty) {
        (Some(value), Some(ty)) => write(value, ty, &mut text),
        _ => text.push_str("null"),
    }
    text
}

/// Appends a value of this type.
///
/// # Panics
///
/// If the value is not one of this type.
pub fn write(value: &Value, ty: &Type, out: &mut String) {
    match (value, ty) {
        (Value::Bool(value), Type::Bool) => out.push_str(if *value { "true" } else { "false" }),
        (Value::S8(value), Type::S8) => push(out, value),
        (Value::U8(value), Type::U8) => push(out, value),
        (Value::S16(value), Type::S16) => push(out, value),
        (Value::U16(value), Type::U16) => push(out, value),
        (Value::S32(value), Type::S32) => push(out, value),
        (Value::U32(value), Type::U32) => push(out, value),
        (Value::S64(value), Type::S64) => integer(out, value, value.unsigned_abs()),
        (Value::U64(value), Type::U64) => integer(out, value, *value),
        (Value::F32(value), Type::F32) => float(out, f64::from(*value), serde_json::to_string(value)),
        (Value::F64(value), Type::F64) => float(out, *value, serde_json::to_string(value)),
        (Value::Char(value), Type::Char) => string(out, value.encode_utf8(&mut [0; 4])),
        (Value::String(value), Type::String) => string(out, value),
        (Value::Bytes(bytes), Type::List(inner)) if **inner == Type::U8 => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        (Value::List(values), Type::List(inner)) => {
            array(out, values.iter(), |value, out| write(value, inner, out));
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            assert_eq!(values.len(), types.len(), "a tuple has as many values as types");
            array(out, values.iter().zip(&**types), |(value, ty), out| write(value, ty, out));
        }
        (Value::Option(None), Type::Option(_)) => out.push_str("null"),
        (Value::Option(Some(value)), Type::Option(inner)) => match **inner {
            Type::Option(_) => object(out, "some", |out| write(value, inner, out)),
            _ => write(value, inner, out),
        },
        (Value::Result(Ok(value)), Type::Result(ty, _)) => object(out, "ok", |out| optional(value, ty.as_deref(), out)),
        (Value::Result(Err(value)), Type::Result(_, ty)) => {
            object(out, "err", |out| optional(value, ty.as_deref(), out));
        }
        (Value::Record(values), Type::Record(record)) => {
            assert_eq!(values.len(), record.fields.len(), "a record has a value for each field");
            out.push('{');
            for (at, (value, field)) in values.iter().zip(&record.fields).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(out, &field.name);
                out.push(':');
                write(value, &field.ty, out);
            }
            out.push('}');
        }
        (Value::Variant(case, value), Type::Variant(variant)) => {
            let case = &variant.cases[*case as usize];
            match &case.ty {
                None => string(out, &case.name),
                Some(ty) => object(out, &case.name, |out| optional(value, Some(ty), out)),
            }
        }
        (Value::Enum(case), Type::Enum(enumeration)) => string(out, &enumeration.cases[*case as usize].name),
        (Value::Flags(set), Type::Flags(flags)) => {
            let set = set.iter().zip(&flags.flags).filter(|(is_set, _)| **is_set);
            array(out, set, |(_, flag), out| string(out, &flag.name));
        }
        (value, ty) => panic!("{value:?} is no {ty}"),
    }
}

fn push(out: &mut String, value: &impl std::fmt::Display) {
    use std::fmt::Write as _;
    write!(out, "{value}").expect("a string takes everything");
}

fn integer(out: &mut String, value: &impl std::fmt::Display, size: u64) {
    if size <= SAFE_INTEGER_MAX {
        push(out, value);
    } else {
        out.push('"');
        push(out, value);
        out.push('"');
    }
}

fn float(out: &mut String, value: f64, digits: serde_json::Result<String>) {
    if value.is_nan() {
        out.push_str("\"NaN\"");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        out.push_str(&digits.expect("a finite number is JSON"));
    }
}

fn string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a string is JSON"));
}

fn object(out: &mut String, name: &str, value: impl FnOnce(&mut String)) {
    out.push('{');
    string(out, name);
    out.push(':');
    value(out);
    out.push('}');
}

fn array<T>(out: &mut String, items: impl Iterator<Item = T>, mut write: impl FnMut(T, &mut String)) {
    out.push('[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

fn optional(value: &Option<Box<Value>>, ty: Option<&Type>, out: &mut String) {
    match (value, ty) {
        (Some(value), Some(ty)) => write(value, ty, out),
        _ => out.push_str("null"),
    }
}
