//! JSON → values, straight from the text.

use std::cell::Cell;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::JsonError;
use super::path::Path;
use crate::interface::{Field, Label, Method, Type};
use crate::value::{Count, Value};

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Characters of the text that an error repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// The arguments of a method: an object by the names of its parameters, or an array of them in order. An empty text is an
/// object with nothing in it.
pub fn arguments(text: &str, method: &Method) -> Result<Vec<Value>, JsonError> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let context = Context { count: Count::default(), problem: Cell::new(None) };
    read(text, &context, Arguments { method, context: &context })
}

/// A value of this type.
pub fn value(text: &str, ty: &Type) -> Result<Value, JsonError> {
    let context = Context { count: Count::default(), problem: Cell::new(None) };
    read(text, &context, Seed { ty, path: Path::Root, context: &context })
}

fn read<'a, S: DeserializeSeed<'a>>(text: &'a str, context: &Context, seed: S) -> Result<S::Value, JsonError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = seed.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    read.map_err(|error| match context.problem.take() {
        Some(problem) => JsonError(problem),
        None => JsonError(format!("not JSON: {error}")),
    })
}

/// What all parts of one text share.
struct Context {
    count: Count,
    /// What is wrong with the values, to be told without the position that the parser adds.
    problem: Cell<Option<String>>,
}

impl Context {
    fn fail<T, E: Error>(&self, text: String) -> Result<T, E> {
        self.problem.set(Some(text));
        Err(E::custom("see problem"))
    }
}

/// One value that is to come.
#[derive(Clone, Copy)]
struct Seed<'a> {
    ty: &'a Type,
    path: Path<'a>,
    context: &'a Context,
}

impl<'a> Seed<'a> {
    fn wrong<T, E: Error>(self, got: impl fmt::Display) -> Result<T, E> {
        self.context.fail(format!("{}: expected {}, got {got}", self.path, self.ty))
    }

    fn take<E: Error>(self, values: usize) -> Result<(), E> {
        self.context.count.take(values).or_else(|error| self.context.fail(format!("{}: {error}", self.path)))
    }

    /// The seed of what stands here if it is not `null`, for an option that is not wrapped.
    fn inner(self) -> Option<Seed<'a>> {
        match self.ty {
            Type::Option(inner) if !matches!(**inner, Type::Option(_)) => Some(Seed { ty: inner, ..self }),
            _ => None,
        }
    }

    fn integer<E: Error>(self, value: i128, given: impl fmt::Display) -> Result<Value, E> {
        let value = match self.ty {
            Type::S8 => i8::try_from(value).ok().map(Value::S8),
            Type::U8 => u8::try_from(value).ok().map(Value::U8),
            Type::S16 => i16::try_from(value).ok().map(Value::S16),
            Type::U16 => u16::try_from(value).ok().map(Value::U16),
            Type::S32 => i32::try_from(value).ok().map(Value::S32),
            Type::U32 => u32::try_from(value).ok().map(Value::U32),
            Type::S64 => i64::try_from(value).ok().map(Value::S64),
            Type::U64 => u64::try_from(value).ok().map(Value::U64),
            Type::F32 => Some(Value::F32(value as f32)),
            Type::F64 => Some(Value::F64(value as f64)),
            _ => None,
        };
        self.take(1)?;
        value.map_or_else(|| self.wrong(given), Ok)
    }

    fn float<E: Error>(self, value: f64) -> Result<Value, E> {
        match self.ty {
            Type::F64 => self.take(1).map(|()| Value::F64(value)),
            Type::F32 if (value as f32).is_finite() => self.take(1).map(|()| Value::F32(value as f32)),
            Type::F32 => self.wrong(format_args!("{value:e}")),
            // What is written as `1e3` or `1.0` is an integer all the same, if no digit of it can have been lost.
            _ if value.fract() == 0.0 && value.abs() <= super::SAFE_INTEGER_MAX as f64 => {
                self.integer(value as i128, format_args!("{value}"))
            }
            _ => self.wrong(format_args!("{value:?}")),
        }
    }

    fn string<E: Error>(self, text: &str) -> Result<Value, E> {
        self.context.count.take_string(text.len()).or_else(|error| self.context.fail(error.to_string()))?;
        let shown = Shown(text);
        match self.ty {
            Type::String => Ok(Value::String(text.into())),
            Type::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Ok(Value::Char(char)),
                    _ => self.wrong(shown),
                }
            }
            Type::S64 => integer_text(text).map_or_else(|| self.wrong(shown), |text| Ok(Value::S64(text))),
            Type::U64 => integer_text(text).map_or_else(|| self.wrong(shown), |text| Ok(Value::U64(text))),
            Type::F32 | Type::F64 => {
                let value = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => return self.wrong(shown),
                };
                Ok(if *self.ty == Type::F32 { Value::F32(value as f32) } else { Value::F64(value) })
            }
            Type::List(inner) if **inner == Type::U8 => {
                self.take(text.len() / 4 * 3)?;
                match BASE64.decode(text) {
                    Ok(bytes) => Ok(Value::Bytes(bytes)),
                    Err(error) => self.context.fail(format!("{}: expected base64, got {shown}: {error}", self.path)),
                }
            }
            Type::Enum(enumeration) => match position(&enumeration.cases, text) {
                Some(case) => Ok(Value::Enum(case)),
                None => self.no_such(text, "case", enumeration.cases.iter().map(|case| &case.name)),
            },
            Type::Variant(variant) => {
                let case = variant.cases.iter().position(|case| case.name == text);
                match case.map(|at| (at, &variant.cases[at])) {
                    Some((at, case)) if case.ty.is_none() => Ok(Value::Variant(at as u32, None)),
                    Some((_, case)) => {
                        self.context.fail(format!("{}: expected {{\"{}\": …}}, got {shown}", self.path, case.name))
                    }
                    None => self.no_such(text, "case", variant.cases.iter().map(|case| &case.name)),
                }
            }
            _ => self.wrong(shown),
        }
    }

    /// There is something of that kind, but not of that name.
    fn no_such<'b, T, E: Error>(
        self,
        name: &str,
        what: &str,
        there_are: impl Iterator<Item = &'b String> + Clone,
    ) -> Result<T, E> {
        let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let wanted: String = plain(name);
        let help = match there_are.clone().find(|other| plain(other) == wanted) {
            Some(other) => format!("did you mean \"{other}\"?"),
            None => {
                let names: Vec<&str> = there_are.map(String::as_str).collect();
                format!("there are {}", if names.is_empty() { "none".into() } else { names.join(", ") })
            }
        };
        self.context.fail(format!("{}: no {what} {}; {help}", self.path, Shown(name)))
    }

    fn array<'de, A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.take(1)?;
        match self.ty {
            Type::List(inner) if **inner == Type::U8 => {
                let mut bytes = Vec::new();
                while let Some(value) = items.next_element_seed(self.item(inner, bytes.len()))? {
                    let Value::U8(byte) = value else { unreachable!("the seed of a u8 gives one") };
                    bytes.push(byte);
                }
                Ok(Value::Bytes(bytes))
            }
            Type::List(inner) => {
                let mut values = Vec::new();
                while let Some(value) = items.next_element_seed(self.item(inner, values.len()))? {
                    values.push(value);
                }
                Ok(Value::List(values))
            }
            Type::Tuple(types) => {
                let mut values = Vec::new();
                for ty in &**types {
                    match items.next_element_seed(self.item(ty, values.len()))? {
                        Some(value) => values.push(value),
                        None => return self.wrong(format_args!("an array of {}", values.len())),
                    }
                }
                match items.next_element::<serde::de::IgnoredAny>()? {
                    None => Ok(Value::Tuple(values)),
                    Some(_) => self.wrong(format_args!("an array of more than {}", types.len())),
                }
            }
            Type::Flags(flags) => {
                let mut set = vec![false; flags.flags.len()];
                while let Some(name) = items.next_element_seed(Name(self))? {
                    match position(&flags.flags, &name) {
                        Some(at) => set[at as usize] = true,
                        None => return self.no_such(&name, "flag", flags.flags.iter().map(|flag| &flag.name)),
                    }
                }
                Ok(Value::Flags(set))
            }
            _ => self.wrong("an array"),
        }
    }

    fn object<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.take(1)?;
        match self.ty {
            Type::Record(record) => {
                let fields: Vec<(&str, &Type)> =
                    record.fields.iter().map(|Field { name, ty, .. }| (name.as_str(), ty)).collect();
                self.fields(&fields, "field", entries).map(Value::Record)
            }
            Type::Variant(variant) => {
                let Some(name) = entries.next_key_seed(Name(self))? else { return self.wrong("{}") };
                let Some(at) = variant.cases.iter().position(|case| case.name == name) else {
                    return self.no_such(&name, "case", variant.cases.iter().map(|case| &case.name));
                };
                let value = self.only_entry(&name, variant.cases[at].ty.as_ref(), &mut entries)?;
                Ok(Value::Variant(at as u32, value))
            }
            Type::Result(ok, err) => match entries.next_key_seed(Name(self))?.as_deref() {
                Some("ok") => Ok(Value::Result(Ok(self.only_entry("ok", ok.as_deref(), &mut entries)?))),
                Some("err") => Ok(Value::Result(Err(self.only_entry("err", err.as_deref(), &mut entries)?))),
                _ => self.wrong("an object without \"ok\" or \"err\""),
            },
            Type::Option(inner) => match entries.next_key_seed(Name(self))?.as_deref() {
                Some("some") => Ok(Value::Option(self.only_entry("some", Some(&**inner), &mut entries)?)),
                _ => self.wrong("an object without \"some\" (an option in an option is null or {\"some\": …})"),
            },
            _ => self.wrong("an object"),
        }
    }

    /// The value of an entry whose name has been read, and which is the only one of its object.
    fn only_entry<'de, A: MapAccess<'de>>(
        self,
        name: &str,
        ty: Option<&Type>,
        entries: &mut A,
    ) -> Result<Option<Box<Value>>, A::Error> {
        let path = Path::Field(&self.path, name);
        let value = match ty {
            Some(ty) => Some(entries.next_value_seed(Seed { ty, path, context: self.context })?),
            None => {
                entries.next_value_seed(Null { path, context: self.context })?;
                None
            }
        };
        match entries.next_key_seed(Name(self))? {
            None => Ok(value.map(Box::new)),
            Some(more) => self.wrong(format_args!("an object with \"{name}\" and {}", Shown(&more))),
        }
    }

    /// Values that have names, in the order of these.
    fn fields<'de, A: MapAccess<'de>>(
        self,
        fields: &[(&str, &Type)],
        what: &str,
        mut entries: A,
    ) -> Result<Vec<Value>, A::Error> {
        let mut values: Vec<Option<Value>> = vec![None; fields.len()];
        while let Some(name) = entries.next_key_seed(Name(self))? {
            let Some(at) = fields.iter().position(|(field, _)| *field == name) else {
                let names: Vec<String> = fields.iter().map(|(name, _)| name.to_string()).collect();
                return self.no_such(&name, what, names.iter());
            };
            if values[at].is_some() {
                return self.context.fail(format!("{}: the {what} \"{name}\" is there twice", self.path));
            }
            values[at] = Some(entries.next_value_seed(self.field(fields[at].1, fields[at].0))?);
        }
        let or_missing = |(value, (name, ty)): (Option<Value>, &(&str, &Type))| match (value, ty) {
            (Some(value), _) => Ok(value),
            (None, Type::Option(_)) => Ok(Value::Option(None)),
            (None, ty) => {
                let path = Path::Field(&self.path, name);
                self.context.fail(format!("{path}: expected {ty}, but it is missing"))
            }
        };
        values.into_iter().zip(fields).map(or_missing).collect()
    }
}

impl<'a> Seed<'a> {
    fn item<'b>(&'b self, ty: &'b Type, at: usize) -> Seed<'b> {
        Seed { ty, path: Path::Item(&self.path, at), context: self.context }
    }

    fn field<'b>(&'b self, ty: &'b Type, name: &'b str) -> Seed<'b> {
        Seed { ty, path: Path::Field(&self.path, name), context: self.context }
    }

    /// Hands on to what the option holds.
    fn or_inner<E>(self, read: impl Fn(Seed<'a>) -> Result<Value, E>) -> Result<Value, E> {
        match self.inner() {
            Some(inner) => Ok(Value::Option(Some(Box::new(read(inner)?)))),
            None => read(self),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.or_inner(|seed| match seed.ty {
            Type::Bool => seed.take(1).map(|()| Value::Bool(value)),
            _ => seed.wrong(value),
        })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.or_inner(|seed| seed.integer(value.into(), value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.or_inner(|seed| seed.integer(value.into(), value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.or_inner(|seed| seed.float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.or_inner(|seed| seed.string(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        match self.ty {
            Type::Option(_) => self.take(1).map(|()| Value::Option(None)),
            _ => self.wrong("null"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        match self.inner() {
            Some(inner) => Ok(Value::Option(Some(Box::new(inner.array(items)?)))),
            None => self.array(items),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        match self.inner() {
            Some(inner) => Ok(Value::Option(Some(Box::new(inner.object(entries)?)))),
            None => self.object(entries),
        }
    }
}

/// The arguments of a method.
struct Arguments<'a> {
    method: &'a Method,
    context: &'a Context,
}

impl<'a> Arguments<'a> {
    fn params(&self) -> Vec<(&'a str, &'a Type)> {
        self.method.params.iter().map(|(name, ty)| (name.as_str(), ty)).collect()
    }

    /// A seed of nothing in particular, for what it knows about objects and arrays.
    fn seed(&self) -> Seed<'a> {
        Seed { ty: &Type::Bool, path: Path::Root, context: self.context }
    }

    fn wrong<T, E: Error>(&self, got: impl fmt::Display) -> Result<T, E> {
        let method = self.method;
        let text = format!("args: expected an object or an array with the parameters of {method}, got {got}");
        self.context.fail(text)
    }
}

impl<'de> DeserializeSeed<'de> for Arguments<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Value>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Arguments<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Vec<Value>, A::Error> {
        self.seed().fields(&self.params(), "parameter", entries)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::new();
        for (at, (_, ty)) in self.params().into_iter().enumerate() {
            let path = Path::Item(&Path::Root, at);
            match (items.next_element_seed(Seed { ty, path, context: self.context })?, ty) {
                (Some(value), _) => values.push(value),
                (None, Type::Option(_)) => values.push(Value::Option(None)),
                (None, ty) => return self.context.fail(format!("{path}: expected {ty}, but it is missing")),
            }
        }
        match items.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(values),
            Some(_) => self.wrong(format_args!("an array of more than {}", values.len())),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<Value>, E> {
        self.wrong(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<Value>, E> {
        self.wrong(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<Value>, E> {
        self.wrong(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Vec<Value>, E> {
        self.wrong(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Value>, E> {
        self.wrong(Shown(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<Value>, E> {
        self.wrong("null")
    }
}

/// A name: of a field, a case, a flag.
struct Name<'a>(Seed<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        self.0.context.count.take_string(text.len()).or_else(|error| self.0.context.fail(error.to_string()))?;
        Ok(text.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
        self.0.wrong(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
        self.0.wrong(format_args!("{value} in it"))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
        self.0.wrong(format_args!("{value} in it"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<String, E> {
        self.0.wrong(format_args!("{value} in it"))
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        self.0.wrong("null in it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.0.wrong("an array in it")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.0.wrong("an object in it")
    }
}

/// Where there is no type, there is `null`.
struct Null<'a> {
    path: Path<'a>,
    context: &'a Context,
}

impl Null<'_> {
    fn wrong<T, E: Error>(self, got: impl fmt::Display) -> Result<T, E> {
        self.context.fail(format!("{}: expected null, got {got}", self.path))
    }
}

impl<'de> DeserializeSeed<'de> for Null<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Null<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.wrong(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.wrong(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.wrong(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.wrong(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.wrong(Shown(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.wrong("an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.wrong("an object")
    }
}

fn position(labels: &[Label], name: &str) -> Option<u32> {
    labels.iter().position(|label| label.name == name).map(|at| at as u32)
}

/// Digits, perhaps after a minus; not the plus that Rust would read too.
fn integer_text<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// A string from the text, cut where it becomes too long for an error.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN_CHARS_MAX) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}
