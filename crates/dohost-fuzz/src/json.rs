//! JSON from outside to values of any type: no text makes the reader panic, and what it takes comes back the same.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use dohost_rpc::{Case, Enum, Field, Flags, Label, Record, Type, TypeName, Value, Variant, json};

/// How deep types nest.
const DEPTH_MAX: usize = 5;

/// See the module.
pub fn run(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let Ok(ty) = any_type(&mut bytes, DEPTH_MAX) else { return };
    // A text that fits, made of the bytes as well: few texts by chance are values.
    if bool::arbitrary(&mut bytes).unwrap_or(false) {
        let Ok(text) = fitting(&mut bytes, &ty) else { return };
        comes_back(&text, &ty);
    } else if let Ok(text) = <&str>::arbitrary_take_rest(bytes) {
        comes_back(text, &ty);
    }
}

/// What is read of a text is written so that it is read the same.
fn comes_back(text: &str, ty: &Type) {
    let Ok(value) = json::value(text, ty) else { return };
    let written = write(&value, ty);
    let again = json::value(&written, ty).unwrap_or_else(|error| panic!("{written} as {ty}: {error}"));
    // As text, since NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"), "{text} as {ty}");
    assert_eq!(write(&again, ty), written, "{text} as {ty}");
}

fn write(value: &Value, ty: &Type) -> String {
    let mut text = String::new();
    json::write(value, ty, &mut text);
    text
}

fn any_type(from: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Type> {
    let plain = [
        Type::Bool,
        Type::S8,
        Type::U8,
        Type::S16,
        Type::U16,
        Type::S32,
        Type::U32,
        Type::S64,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
    ];
    let kinds = if depth == 0 { plain.len() } else { plain.len() + 8 };
    let kind = from.choose_index(kinds)?;
    if let Some(ty) = plain.get(kind) {
        return Ok(ty.clone());
    }
    let name = TypeName { interface: None, name: "n".into() };
    let inner = |from: &mut Unstructured<'_>| any_type(from, depth - 1).map(Arc::new);
    Ok(match kind - plain.len() {
        0 => Type::List(inner(from)?),
        1 => Type::Option(inner(from)?),
        2 => {
            let ok = bool::arbitrary(from)?.then(|| inner(from)).transpose()?;
            let err = bool::arbitrary(from)?.then(|| inner(from)).transpose()?;
            Type::Result(ok, err)
        }
        3 => Type::Tuple(several(from, |from, _| any_type(from, depth - 1))?.into()),
        4 => {
            let fields = several(from, |from, at| {
                Ok(Field { name: format!("f{at}"), ty: any_type(from, depth - 1)?, docs: None })
            })?;
            Type::Record(Arc::new(Record { name, fields, docs: None }))
        }
        5 => {
            let cases = several(from, |from, at| {
                let ty = bool::arbitrary(from)?.then(|| any_type(from, depth - 1)).transpose()?;
                Ok(Case { name: format!("c{at}"), ty, docs: None })
            })?;
            Type::Variant(Arc::new(Variant { name, cases, docs: None }))
        }
        6 => Type::Enum(Arc::new(Enum { name, cases: labels(from)?, docs: None })),
        _ => Type::Flags(Arc::new(Flags { name, flags: labels(from)?, docs: None })),
    })
}

fn labels(from: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Label>> {
    several(from, |_, at| Ok(Label { name: format!("l{at}"), docs: None }))
}

/// One to four.
fn several<T>(
    from: &mut Unstructured<'_>,
    mut make: impl FnMut(&mut Unstructured<'_>, usize) -> arbitrary::Result<T>,
) -> arbitrary::Result<Vec<T>> {
    let count = from.int_in_range(1..=4)?;
    (0..count).map(|at| make(from, at)).collect()
}

/// A text that is a value of the type or nearly so.
fn fitting(from: &mut Unstructured<'_>, ty: &Type) -> arbitrary::Result<String> {
    let list = |parts: Vec<String>| format!("[{}]", parts.join(","));
    let payload = |from: &mut Unstructured<'_>, ty: Option<&Type>| match ty {
        Some(ty) => fitting(from, ty),
        None => Ok("null".into()),
    };
    Ok(match ty {
        Type::Bool => bool::arbitrary(from)?.to_string(),
        Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 | Type::S64 | Type::U64 => {
            let number =
                if bool::arbitrary(from)? { i128::from(i64::arbitrary(from)?) } else { i8::arbitrary(from)?.into() };
            if bool::arbitrary(from)? { number.to_string() } else { format!("\"{number}\"") }
        }
        Type::F32 | Type::F64 => match f64::arbitrary(from)? {
            number if number.is_finite() => format!("{number:?}"),
            number => format!("\"{number}\""),
        },
        Type::Char => quoted(&char::arbitrary(from)?.to_string()),
        Type::String => quoted(<&str>::arbitrary(from)?),
        Type::List(of) => list(several(from, |from, _| fitting(from, of))?),
        Type::Option(of) => {
            if bool::arbitrary(from)? {
                fitting(from, of)?
            } else {
                "null".into()
            }
        }
        Type::Result(ok, err) => match bool::arbitrary(from)? {
            true => format!("{{\"ok\":{}}}", payload(from, ok.as_deref())?),
            false => format!("{{\"err\":{}}}", payload(from, err.as_deref())?),
        },
        Type::Tuple(types) => list(types.iter().map(|ty| fitting(from, ty)).collect::<arbitrary::Result<_>>()?),
        Type::Record(record) => {
            let field = |field: &Field| Ok(format!("{}:{}", quoted(&field.name), fitting(from, &field.ty)?));
            let fields: Vec<String> = record.fields.iter().map(field).collect::<arbitrary::Result<_>>()?;
            format!("{{{}}}", fields.join(","))
        }
        Type::Variant(variant) => {
            let case = from.choose(&variant.cases)?;
            match &case.ty {
                None if bool::arbitrary(from)? => quoted(&case.name),
                ty => format!("{{{}:{}}}", quoted(&case.name), payload(from, ty.as_ref())?),
            }
        }
        Type::Enum(one) => quoted(&from.choose(&one.cases)?.name),
        Type::Flags(flags) => list(several(from, |from, _| Ok(quoted(&from.choose(&flags.flags)?.name)))?),
    })
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if u32::from(char) < 0x20 => quoted += &format!("\\u{:04x}", u32::from(char)),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}
