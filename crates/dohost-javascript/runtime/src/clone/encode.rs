//! From values to bytes.

use std::collections::HashSet;

use rquickjs::object::Filter;
use rquickjs::{Array, Ctx, Exception, Object, Result, TypedArray, Value};

use super::cbor::{self, Major};
use super::{DEPTH_MAX, MARK, help, tag};
use crate::bytes;

/// What becomes of objects whose class the program made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// They lose their class, as structured clones do.
    AsPlain,
    /// They cannot be cloned, as in arguments of methods.
    Refused,
}

/// The clone of a value, or a `DataCloneError` that is thrown.
pub fn encode<'js>(ctx: &Ctx<'js>, value: &Value<'js>, instances: Instances) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(ctx, instances, Vec::new());
    encoder.value(value, 0)?;
    if !encoder.shared.is_empty() {
        // Something comes twice. Only now is it known what, and that has to be marked where it comes first.
        encoder = Encoder::new(ctx, instances, encoder.shared);
        encoder.marks = true;
        encoder.value(value, 0)?;
    }
    Ok(encoder.out)
}

/// Objects that were seen, by identity. Most values have a handful.
#[derive(Default)]
struct Seen {
    few: Vec<u64>,
    many: HashSet<u64>,
}

const FEW: usize = 16;

impl Seen {
    /// False if it was there.
    fn insert(&mut self, object: u64) -> bool {
        if self.few.len() < FEW {
            let is_new = !self.few.contains(&object);
            if is_new {
                self.few.push(object);
            }
            return is_new;
        }
        !self.few.contains(&object) && self.many.insert(object)
    }
}

struct Encoder<'a, 'js> {
    ctx: &'a Ctx<'js>,
    instances: Instances,
    out: Vec<u8>,
    seen: Seen,
    /// Objects that come more than once.
    shared: Vec<u64>,
    /// Whether those are known already.
    marks: bool,
    /// Those that were written, in the order of their marks.
    marked: Vec<u64>,
}

impl<'a, 'js> Encoder<'a, 'js> {
    fn new(ctx: &'a Ctx<'js>, instances: Instances, shared: Vec<u64>) -> Encoder<'a, 'js> {
        let mut out = Vec::with_capacity(64);
        out.extend(MARK);
        Encoder { ctx, instances, out, seen: Seen::default(), shared, marks: false, marked: Vec::new() }
    }

    fn value(&mut self, value: &Value<'js>, depth: usize) -> Result<()> {
        if let Some(number) = value.as_number() {
            cbor::number(&mut self.out, number);
        } else if let Some(text) = value.as_string() {
            match text.to_string() {
                Ok(text) => self.text(&text),
                // Half a surrogate pair, which UTF-8 cannot say.
                Err(_) => {
                    let wtf8: TypedArray<'_, u8> = help(self.ctx, "wtf8", (value.clone(),))?;
                    self.tag(tag::WTF8);
                    self.bytes(&bytes::copied(&wtf8));
                }
            }
        } else if let Some(is) = value.as_bool() {
            self.out.push(if is { cbor::TRUE } else { cbor::FALSE });
        } else if value.is_null() {
            self.out.push(cbor::NULL);
        } else if value.is_undefined() {
            self.out.push(cbor::UNDEFINED);
        } else if value.is_object() && !value.is_function() {
            return self.object(value, depth);
        } else {
            // Functions and symbols, which throw; and big integers.
            return self.exotic(value, depth);
        }
        Ok(())
    }

    fn object(&mut self, value: &Value<'js>, depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(Exception::throw_range(self.ctx, "The value is nested too deep to be cloned."));
        }
        let identity = identity(value);
        if self.marks {
            if let Some(number) = self.marked.iter().position(|marked| *marked == identity) {
                self.tag(tag::REFERENCE);
                cbor::head(&mut self.out, Major::Unsigned, number as u64);
                return Ok(());
            }
            if self.shared.contains(&identity) {
                self.marked.push(identity);
                self.tag(tag::SHARED);
            }
        } else if !self.seen.insert(identity) {
            if !self.shared.contains(&identity) {
                self.shared.push(identity);
            }
            return Ok(());
        }

        if let Some(array) = value.as_array() {
            return self.array(array, depth);
        }
        // A number says what it is: 0 a plain object, 1 something that has to be taken apart, 2 an instance of a class of the
        // program.
        let kind: i32 = help(self.ctx, "kind", (value.clone(),))?;
        match kind {
            0 => self.plain(value.as_object().expect("it is one"), depth),
            2 if self.instances == Instances::AsPlain => self.plain(value.as_object().expect("it is one"), depth),
            2 => help(self.ctx, "refuseInstance", (value.clone(),)),
            _ => self.exotic(value, depth),
        }
    }

    fn plain(&mut self, object: &Object<'js>, depth: usize) -> Result<()> {
        let keys = object.own_keys::<String>(Filter::new().string().enum_only()).collect::<Result<Vec<_>>>()?;
        cbor::head(&mut self.out, Major::Map, keys.len() as u64);
        for key in keys {
            self.text(&key);
            self.value(&object.get(key.as_str())?, depth + 1)?;
        }
        Ok(())
    }

    fn array(&mut self, array: &Array<'js>, depth: usize) -> Result<()> {
        let keys = array.as_object().own_keys::<Value<'js>>(Filter::new().string().enum_only()).len();
        if keys != array.len() {
            // Holes, or properties with names.
            return self.exotic(array.as_value(), depth);
        }
        cbor::head(&mut self.out, Major::Array, array.len() as u64);
        for index in 0..array.len() {
            self.value(&array.get(index)?, depth + 1)?;
        }
        Ok(())
    }

    /// What `js/structured.js` has to take apart.
    fn exotic(&mut self, value: &Value<'js>, depth: usize) -> Result<()> {
        let parts: Array<'js> = help(self.ctx, "dissect", (value.clone(),))?;
        let tag: u32 = parts.get(0)?;
        let content: Value<'js> = parts.get(1)?;
        self.tag(tag.into());
        match u64::from(tag) {
            tag::MAP => {
                let flat: Array<'js> = content.get()?;
                cbor::head(&mut self.out, Major::Map, flat.len() as u64 / 2);
                for index in 0..flat.len() {
                    self.value(&flat.get(index)?, depth + 1)?;
                }
            }
            tag::BIG | tag::BIG_NEGATIVE => self.bytes(&bytes::copied(&content.get()?)),
            // Bytes, of which tags from 64 on tell what kind of array they are.
            64..=87 => self.bytes(&bytes::copied(&content.get()?)),
            tag::SECONDS => cbor::number(&mut self.out, content.get()?),
            // Parts, each of them a value, in an array that is not part of the value itself.
            _ => {
                let parts: Array<'js> = content.get()?;
                cbor::head(&mut self.out, Major::Array, parts.len() as u64);
                for index in 0..parts.len() {
                    let part: Value<'js> = parts.get(index)?;
                    match bytes::in_array(&part) {
                        Some(content) if u64::from(tag) == tag::OBJECT => self.bytes(&content),
                        _ => self.value(&part, depth + 1)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn tag(&mut self, tag: u64) {
        cbor::head(&mut self.out, Major::Tag, tag);
    }

    fn text(&mut self, text: &str) {
        cbor::head(&mut self.out, Major::Text, text.len() as u64);
        self.out.extend(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        cbor::head(&mut self.out, Major::Bytes, bytes.len() as u64);
        self.out.extend(bytes);
    }
}

/// Two values are the same object exactly when this is the same.
fn identity(value: &Value<'_>) -> u64 {
    value.as_raw()
}
