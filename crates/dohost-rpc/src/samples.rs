//! Types and values of every kind, for tests: chosen by proptest, or written as WIT.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::interface::{Case, Enum, Field, Flags, Interface, Label, Record, Type, TypeName, Variant};
use crate::value::Value;

/// The interface of a component that exports this world.
pub fn interface(wit: &str, world: &str) -> Interface {
    let mut resolve = wit_parser::Resolve { all_features: true, ..Default::default() };
    let package = resolve.push_str("sample.wit", wit).expect("the sample is WIT");
    let world = resolve.select_world(&[package], Some(world)).expect("the sample has the world");
    let mut module = wit_component::dummy_module(
        &resolve,
        world,
        wit_parser::ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync),
    );
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
        .expect("the sample fits into a module");
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .expect("the sample is a component");
    Interface::read(&component).expect("a component has an interface")
}

fn name(name: &str) -> TypeName {
    TypeName { interface: None, name: name.into() }
}

fn labels(count: usize) -> Vec<Label> {
    (0..count).map(|at| Label { name: format!("label-{at}"), docs: None }).collect()
}

/// Any type.
pub fn any_type() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Bool),
        Just(Type::S8),
        Just(Type::U8),
        Just(Type::S16),
        Just(Type::U16),
        Just(Type::S32),
        Just(Type::U32),
        Just(Type::S64),
        Just(Type::U64),
        Just(Type::F32),
        Just(Type::F64),
        Just(Type::Char),
        Just(Type::String),
        (1..5usize).prop_map(|count| Type::Enum(Arc::new(Enum { name: name("e"), cases: labels(count), docs: None }))),
        (1..40usize).prop_map(|count| Type::Flags(Arc::new(Flags {
            name: name("f"),
            flags: labels(count),
            docs: None
        }))),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let optional = || proptest::option::of(inner.clone().prop_map(Arc::new));
        prop_oneof![
            inner.clone().prop_map(|ty| Type::List(Arc::new(ty))),
            inner.clone().prop_map(|ty| Type::Option(Arc::new(ty))),
            (optional(), optional()).prop_map(|(ok, err)| Type::Result(ok, err)),
            vec(inner.clone(), 1..4).prop_map(|types| Type::Tuple(types.into())),
            vec(inner.clone(), 1..4).prop_map(|types| {
                let field = |(at, ty)| Field { name: format!("field-{at}"), ty, docs: None };
                let fields = types.into_iter().enumerate().map(field).collect();
                Type::Record(Arc::new(Record { name: name("r"), fields, docs: None }))
            }),
            vec(proptest::option::of(inner), 1..4).prop_map(|types| {
                let case = |(at, ty)| Case { name: format!("case-{at}"), ty, docs: None };
                let cases = types.into_iter().enumerate().map(case).collect();
                Type::Variant(Arc::new(Variant { name: name("v"), cases, docs: None }))
            }),
        ]
    })
}

/// Any value of this type.
pub fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    let boxed = |ty: &Type| any_value(ty).prop_map(|value| Some(Box::new(value)));
    let optional = |ty: Option<&Type>| match ty {
        Some(ty) => boxed(ty).boxed(),
        None => Just(None).boxed(),
    };
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::S64 => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(Value::S64).boxed(),
        Type::U64 => prop_oneof![any::<u64>(), 0..100u64, Just(u64::MAX)].prop_map(Value::U64).boxed(),
        Type::F32 => any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))).boxed(),
        Type::F64 => any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))).boxed(),
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::List(inner) if **inner == Type::U8 => vec(any::<u8>(), 0..9).prop_map(Value::Bytes).boxed(),
        Type::List(inner) => vec(any_value(inner), 0..3).prop_map(Value::List).boxed(),
        Type::Option(inner) => prop_oneof![Just(None), boxed(inner)].prop_map(Value::Option).boxed(),
        Type::Result(ok, err) => prop_oneof![
            optional(ok.as_deref()).prop_map(|value| Value::Result(Ok(value))),
            optional(err.as_deref()).prop_map(|value| Value::Result(Err(value))),
        ]
        .boxed(),
        Type::Tuple(types) => types.iter().map(any_value).collect::<Vec<_>>().prop_map(Value::Tuple).boxed(),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|field| any_value(&field.ty));
            fields.collect::<Vec<_>>().prop_map(Value::Record).boxed()
        }
        Type::Variant(variant) => {
            let case = |(at, case): (usize, &Case)| {
                optional(case.ty.as_ref()).prop_map(move |value| Value::Variant(at as u32, value)).boxed()
            };
            proptest::strategy::Union::new(variant.cases.iter().enumerate().map(case)).boxed()
        }
        Type::Enum(enumeration) => (0..enumeration.cases.len() as u32).prop_map(Value::Enum).boxed(),
        Type::Flags(flags) => vec(any::<bool>(), flags.flags.len()).prop_map(Value::Flags).boxed(),
    }
}
