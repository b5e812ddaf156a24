//! Values of methods ⇄ values of wasmtime, as the type says.

use dohost_rpc::value::{Count, TooMany};
use dohost_rpc::{Label, Type, Value};
use wasmtime::component::Val;

/// A value for the guest.
///
/// # Panics
///
/// If the value is not one of this type.
pub(crate) fn to_val(value: Value, ty: &Type) -> Val {
    let boxed = |value: Option<Box<Value>>, ty: Option<&Type>| match (value, ty) {
        (Some(value), Some(ty)) => Some(Box::new(to_val(*value, ty))),
        _ => None,
    };
    let all = |values: Vec<Value>, ty: &Type| values.into_iter().map(|value| to_val(value, ty)).collect();
    match (value, ty) {
        (Value::Bool(value), Type::Bool) => Val::Bool(value),
        (Value::S8(value), Type::S8) => Val::S8(value),
        (Value::U8(value), Type::U8) => Val::U8(value),
        (Value::S16(value), Type::S16) => Val::S16(value),
        (Value::U16(value), Type::U16) => Val::U16(value),
        (Value::S32(value), Type::S32) => Val::S32(value),
        (Value::U32(value), Type::U32) => Val::U32(value),
        (Value::S64(value), Type::S64) => Val::S64(value),
        (Value::U64(value), Type::U64) => Val::U64(value),
        (Value::F32(value), Type::F32) => Val::Float32(value),
        (Value::F64(value), Type::F64) => Val::Float64(value),
        (Value::Char(value), Type::Char) => Val::Char(value),
        (Value::String(value), Type::String) => Val::String(value),
        (Value::Bytes(bytes), Type::List(_)) => Val::List(bytes.into_iter().map(Val::U8).collect()),
        (Value::List(values), Type::List(inner)) => Val::List(all(values, inner)),
        (Value::Option(value), Type::Option(inner)) => Val::Option(boxed(value, Some(inner))),
        (Value::Result(Ok(value)), Type::Result(ty, _)) => Val::Result(Ok(boxed(value, ty.as_deref()))),
        (Value::Result(Err(value)), Type::Result(_, ty)) => Val::Result(Err(boxed(value, ty.as_deref()))),
        (Value::Tuple(values), Type::Tuple(types)) => {
            Val::Tuple(values.into_iter().zip(&**types).map(|(value, ty)| to_val(value, ty)).collect())
        }
        (Value::Record(values), Type::Record(record)) => {
            let fields = values.into_iter().zip(&record.fields);
            Val::Record(fields.map(|(value, field)| (field.name.clone(), to_val(value, &field.ty))).collect())
        }
        (Value::Variant(case, value), Type::Variant(variant)) => {
            let case = &variant.cases[case as usize];
            Val::Variant(case.name.clone(), boxed(value, case.ty.as_ref()))
        }
        (Value::Enum(case), Type::Enum(enumeration)) => Val::Enum(enumeration.cases[case as usize].name.clone()),
        (Value::Flags(set), Type::Flags(flags)) => {
            let set = set.into_iter().zip(&flags.flags).filter(|(is_set, _)| *is_set);
            Val::Flags(set.map(|(_, flag)| flag.name.clone()).collect())
        }
        (value, ty) => panic!("{value:?} is no {ty}"),
    }
}

/// A value of the guest, unless it and what was counted before are more than a call may have.
///
/// # Panics
///
/// If the value is not one of this type.
pub(crate) fn from_val(val: &Val, ty: &Type, count: &Count) -> Result<Value, TooMany> {
    count.take(1)?;
    let boxed = |val: &Option<Box<Val>>, ty: Option<&Type>| match (val, ty) {
        (Some(val), Some(ty)) => Ok(Some(Box::new(from_val(val, ty, count)?))),
        _ => Ok(None),
    };
    Ok(match (val, ty) {
        (Val::Bool(value), Type::Bool) => Value::Bool(*value),
        (Val::S8(value), Type::S8) => Value::S8(*value),
        (Val::U8(value), Type::U8) => Value::U8(*value),
        (Val::S16(value), Type::S16) => Value::S16(*value),
        (Val::U16(value), Type::U16) => Value::U16(*value),
        (Val::S32(value), Type::S32) => Value::S32(*value),
        (Val::U32(value), Type::U32) => Value::U32(*value),
        (Val::S64(value), Type::S64) => Value::S64(*value),
        (Val::U64(value), Type::U64) => Value::U64(*value),
        (Val::Float32(value), Type::F32) => Value::F32(*value),
        (Val::Float64(value), Type::F64) => Value::F64(*value),
        (Val::Char(value), Type::Char) => Value::Char(*value),
        (Val::String(value), Type::String) => {
            count.take_string(value.len())?;
            Value::String(value.clone())
        }
        (Val::List(vals), Type::List(inner)) if **inner == Type::U8 => {
            count.take(vals.len())?;
            let byte = |val: &Val| if let Val::U8(byte) = val { *byte } else { panic!("{val:?} is no u8") };
            Value::Bytes(vals.iter().map(byte).collect())
        }
        (Val::List(vals), Type::List(inner)) => {
            Value::List(vals.iter().map(|val| from_val(val, inner, count)).collect::<Result<_, _>>()?)
        }
        (Val::Option(val), Type::Option(inner)) => Value::Option(boxed(val, Some(inner))?),
        (Val::Result(Ok(val)), Type::Result(ty, _)) => Value::Result(Ok(boxed(val, ty.as_deref())?)),
        (Val::Result(Err(val)), Type::Result(_, ty)) => Value::Result(Err(boxed(val, ty.as_deref())?)),
        (Val::Tuple(vals), Type::Tuple(types)) => {
            let vals = vals.iter().zip(&**types);
            Value::Tuple(vals.map(|(val, ty)| from_val(val, ty, count)).collect::<Result<_, _>>()?)
        }
        (Val::Record(vals), Type::Record(record)) => {
            let fields = vals.iter().zip(&record.fields);
            Value::Record(fields.map(|((_, val), field)| from_val(val, &field.ty, count)).collect::<Result<_, _>>()?)
        }
        (Val::Variant(name, val), Type::Variant(variant)) => {
            let at = variant.cases.iter().position(|case| case.name == *name).expect("a case of the variant");
            Value::Variant(at as u32, boxed(val, variant.cases[at].ty.as_ref())?)
        }
        (Val::Enum(name), Type::Enum(enumeration)) => Value::Enum(position(&enumeration.cases, name)),
        (Val::Flags(names), Type::Flags(flags)) => {
            let mut set = vec![false; flags.flags.len()];
            names.iter().for_each(|name| set[position(&flags.flags, name) as usize] = true);
            Value::Flags(set)
        }
        (val, ty) => panic!("{val:?} is no {ty}"),
    })
}

fn position(labels: &[Label], name: &str) -> u32 {
    labels.iter().position(|label| label.name == name).expect("a name that the type has") as u32
}
