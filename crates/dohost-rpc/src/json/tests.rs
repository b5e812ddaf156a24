use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::interface::{Method, Type};
use crate::samples::{any_type, any_value, interface};
use crate::value::{VALUES_MAX, Value};

fn text(value: &Value, ty: &Type) -> String {
    let mut text = String::new();
    write(value, ty, &mut text);
    text
}

/// As they are after a copy: there is one NaN only.
fn same(this: &Value, other: &Value) -> bool {
    let all = |this: &[Value], other: &[Value]| {
        this.len() == other.len() && this.iter().zip(other).all(|(this, other)| same(this, other))
    };
    let boxed = |this: &Option<Box<Value>>, other: &Option<Box<Value>>| match (this, other) {
        (Some(this), Some(other)) => same(this, other),
        (this, other) => this.is_none() && other.is_none(),
    };
    match (this, other) {
        (Value::F32(this), Value::F32(other)) => this.to_bits() == other.to_bits() || (this.is_nan() && other.is_nan()),
        (Value::F64(this), Value::F64(other)) => this.to_bits() == other.to_bits() || (this.is_nan() && other.is_nan()),
        (Value::List(this), Value::List(other))
        | (Value::Tuple(this), Value::Tuple(other))
        | (Value::Record(this), Value::Record(other)) => all(this, other),
        (Value::Option(this), Value::Option(other)) => boxed(this, other),
        (Value::Result(Ok(this)), Value::Result(Ok(other))) => boxed(this, other),
        (Value::Result(Err(this)), Value::Result(Err(other))) => boxed(this, other),
        (Value::Variant(case, this), Value::Variant(other_case, other)) => case == other_case && boxed(this, other),
        _ => this == other,
    }
}

fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = any_value(&ty);
        (Just(ty), value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_value_of_any_type_comes_back_from_its_json((ty, original) in typed_value()) {
        let text = text(&original, &ty);
        let read = value(&text, &ty).unwrap_or_else(|error| panic!("{text} as {ty}: {error}"));
        prop_assert!(same(&read, &original), "{text}: {read:?} is not {original:?}");
        serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON for everybody");
    }

    #[test]
    fn json_for_another_type_is_an_error_or_a_value_and_no_panic((ty, other) in typed_value(), wanted in any_type()) {
        let text = text(&other, &ty);
        if let Ok(read) = value(&text, &wanted) {
            super::write(&read, &wanted, &mut String::new());
        }
    }

    #[test]
    fn text_that_is_no_json_is_an_error(wanted in any_type(), garbage: String) {
        let _ = value(&garbage, &wanted);
    }
}

fn list(inner: Type) -> Type {
    Type::List(Arc::new(inner))
}

fn option(inner: Type) -> Type {
    Type::Option(Arc::new(inner))
}

#[test]
fn integers_are_exact_to_the_last_bit() {
    for (ty, digits) in [
        (Type::U64, "18446744073709551615"),
        (Type::S64, "-9223372036854775808"),
        (Type::S64, "9223372036854775807"),
        (Type::U64, "9007199254740993"),
    ] {
        let read = value(digits, &ty).unwrap();
        assert_eq!(text(&read, &ty), format!("\"{digits}\""), "beyond what JavaScript can hold it is a string");
        assert_eq!(value(&format!("\"{digits}\""), &ty), Ok(read));
    }
    assert_eq!(text(&Value::U64(9_007_199_254_740_991), &Type::U64), "9007199254740991");
    assert_eq!(text(&Value::S64(-1), &Type::S64), "-1");
    assert_eq!(value("1e3", &Type::U32), Ok(Value::U32(1000)));
    assert_eq!(value("1.0", &Type::U8), Ok(Value::U8(1)));
}

#[test]
fn what_does_not_fit_says_where_what_and_what_was_there() {
    for (given, ty, says) in [
        ("-1", Type::U32, "args: expected u32, got -1"),
        ("256", Type::U8, "args: expected u8, got 256"),
        ("1.5", Type::S32, "args: expected s32, got 1.5"),
        ("18446744073709551616", Type::U64, "args: expected u64, got 1.8446744073709552e19"),
        ("\"+1\"", Type::U64, "args: expected u64, got \"+1\""),
        ("\"1\"", Type::U32, "args: expected u32, got \"1\""),
        ("true", Type::String, "args: expected string, got true"),
        ("null", Type::String, "args: expected string, got null"),
        ("\"ab\"", Type::Char, "args: expected char, got \"ab\""),
        ("[1, [2]]", list(Type::U16), "args[1]: expected u16, got an array"),
        ("[\"x\", {}]", list(option(Type::String)), "args[1]: expected string, got an object"),
        ("\"?\"", list(Type::U8), "args: expected base64, got \"?\""),
        ("[300]", list(Type::U8), "args[0]: expected u8, got 300"),
        ("1e39", Type::F32, "args: expected f32, got 1e39"),
        ("\"nan\"", Type::F64, "args: expected f64, got \"nan\""),
        ("[1", list(Type::U8), "not JSON: EOF while parsing a list"),
        ("1 2", Type::U8, "not JSON: trailing characters"),
    ] {
        let error = value(given, &ty).unwrap_err().to_string();
        assert!(error.starts_with(says), "{given} as {ty}: {error}");
    }
}

#[test]
fn an_option_in_an_option_keeps_its_levels() {
    let ty = option(option(option(Type::U8)));
    let some = |value| Value::Option(Some(Box::new(value)));
    for (json, expected) in [
        ("null", Value::Option(None)),
        (r#"{"some":null}"#, some(Value::Option(None))),
        (r#"{"some":{"some":null}}"#, some(some(Value::Option(None)))),
        (r#"{"some":{"some":7}}"#, some(some(some(Value::U8(7))))),
    ] {
        assert_eq!(value(json, &ty), Ok(expected.clone()));
        assert_eq!(text(&expected, &ty), json);
    }
}

#[test]
fn a_text_makes_no_more_values_than_it_may() {
    let text = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    assert!(value(&text(VALUES_MAX - 1), &list(Type::U32)).is_ok());
    for ty in [Type::U32, Type::U8, option(Type::U8)] {
        let error = value(&text(VALUES_MAX + 1), &list(ty)).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 values"), "{error}");
    }
    let long = format!("\"{}\"", "A".repeat(VALUES_MAX * 4 / 3 + 4));
    assert!(value(&long, &list(Type::U8)).is_err() && value(&long, &Type::String).is_ok());
}

const SHOP: &str = "
    package acme:shop@1.0.0;
    interface cart {
        record item { sku: string, unit-price: u32, note: option<string> }
        variant discount { none, percent(u8) }
        enum mood { good, bad }
        flags wraps { paper, ribbon }
        add: func(items: list<item>, by: option<u32>) -> u64;
        pay: func(how: discount, mood: mood, wraps: wraps);
        clear: func();
    }
    world shop { export cart; }
";

fn method(name: &str) -> Arc<Method> {
    interface(SHOP, "shop").method(name).expect("there is one").clone()
}

#[test]
fn arguments_come_by_name_or_in_order() {
    let add = method("add");
    let items = r#"[{"unit-price": 3, "sku": "x"}]"#;
    let item = Value::Record(vec![Value::String("x".into()), Value::U32(3), Value::Option(None)]);
    let by = Value::Option(Some(Box::new(Value::U32(2))));
    for (text, by) in [
        (format!(r#"{{"by": 2, "items": {items}}}"#), &by),
        (format!("[{items}, 2]"), &by),
        (format!(r#"{{"items": {items}}}"#), &Value::Option(None)),
        (format!("[{items}]"), &Value::Option(None)),
    ] {
        assert_eq!(arguments(&text, &add), Ok(vec![Value::List(vec![item.clone()]), by.clone()]), "{text}");
    }
    for text in ["", " \n", "{}", "[]"] {
        assert_eq!(arguments(text, &method("clear")), Ok(Vec::new()));
    }
}

#[test]
fn arguments_that_do_not_fit_say_which() {
    for (method_name, text, says) in [
        (
            "add",
            r#"{"items":[{"sku":"a","unit-price":1},{"sku":"a","unit-price":-1}]}"#,
            "args.items[1].unit-price: expected u32, got -1",
        ),
        (
            "add",
            r#"{"items":[{"sku":"a","unitPrice":1}]}"#,
            "args.items[0]: no field \"unitPrice\"; did you mean \"unit-price\"?",
        ),
        (
            "add",
            r#"{"items":[{"sku":"a","price":1}]}"#,
            "args.items[0]: no field \"price\"; there are sku, unit-price, note",
        ),
        ("add", r#"{"items":[{"sku":"a"}]}"#, "args.items[0].unit-price: expected u32, but it is missing"),
        ("add", r#"{"items":[], "items":[]}"#, "args: the parameter \"items\" is there twice"),
        ("add", "", "args.items: expected list<item>, but it is missing"),
        ("add", "[]", "args[0]: expected list<item>, but it is missing"),
        ("add", "[[],1,2]", "args: expected an object or an array with the parameters of add: func("),
        ("add", "5", "args: expected an object or an array with the parameters of add: func("),
        ("pay", r#"{"how":"percent","mood":"good","wraps":[]}"#, "args.how: expected {\"percent\": …}, got"),
        ("pay", r#"{"how":{"percent":300},"mood":"good","wraps":[]}"#, "args.how.percent: expected u8, got 300"),
        ("pay", r#"{"how":{"none":1},"mood":"good","wraps":[]}"#, "args.how.none: expected null, got 1"),
        ("pay", r#"{"how":"none","mood":"sad","wraps":[]}"#, "args.mood: no case \"sad\"; there are good, bad"),
        ("pay", r#"{"how":"none","mood":"bad","wraps":["gold"]}"#, "args.wraps: no flag \"gold\"; there are paper"),
        ("pay", r#"{"how":"none","mood":"bad","wraps":"paper"}"#, "args.wraps: expected wraps, got \"paper\""),
        ("clear", r#"{"all":true}"#, "args: no parameter \"all\"; there are none"),
    ] {
        let error = arguments(text, &method(method_name)).unwrap_err().to_string();
        assert!(error.starts_with(says), "{text}: {error}");
    }
}
