//! From bytes to values.

use rquickjs::{Array, Ctx, Exception, Object, Result, String as JsString, TypedArray, Value};

use super::cbor::{Major, Malformed, Reader};
use super::{DEPTH_MAX, MARK, help, tag};
use crate::bytes;

/// The value that was cloned.
pub fn decode<'js>(ctx: &Ctx<'js>, encoded: &[u8]) -> Result<Value<'js>> {
    let Some(encoded) = encoded.strip_prefix(&MARK) else {
        return Err(malformed(ctx, Malformed));
    };
    Decoder { ctx, reader: Reader::new(encoded), shared: Vec::new() }.value(0, None)
}

struct Decoder<'a, 'js> {
    ctx: &'a Ctx<'js>,
    reader: Reader<'a>,
    /// Objects that may be referred to, in the order of their marks; none yet while they are read.
    shared: Vec<Option<Value<'js>>>,
}

impl<'js> Decoder<'_, 'js> {
    /// Reads a value. If it is marked as number `mark`, it has to be known under it before what lies inside is read.
    fn value(&mut self, depth: usize, mark: Option<usize>) -> Result<Value<'js>> {
        if depth > DEPTH_MAX + 2 {
            return Err(self.malformed(Malformed));
        }
        let (major, number, additional) = self.head()?;
        match major {
            Major::Unsigned => Ok(Value::new_number(self.ctx.clone(), number as f64)),
            Major::Negative => Ok(Value::new_number(self.ctx.clone(), -1.0 - number as f64)),
            Major::Text => self.text(number),
            Major::Bytes => {
                let buffer = rquickjs::ArrayBuffer::new(self.ctx.clone(), self.bytes(number)?)?.into_value();
                self.keep(mark, &buffer);
                Ok(buffer)
            }
            Major::Array => {
                let array = Array::new(self.ctx.clone())?;
                self.keep(mark, array.as_value());
                for index in 0..self.count(number)? {
                    array.set(index, self.value(depth + 1, None)?)?;
                }
                Ok(array.into_value())
            }
            Major::Map => self.object(number, depth, mark),
            Major::Tag => self.tagged(number, depth, mark),
            Major::Simple => self.simple(number, additional),
        }
    }

    fn simple(&mut self, number: u64, additional: u8) -> Result<Value<'js>> {
        let ctx = self.ctx.clone();
        match (additional, number) {
            (20, _) => Ok(Value::new_bool(ctx, false)),
            (21, _) => Ok(Value::new_bool(ctx, true)),
            (22, _) => Ok(Value::new_null(ctx)),
            (23, _) => Ok(Value::new_undefined(ctx)),
            (27, bits) => Ok(Value::new_float(ctx, f64::from_bits(bits))),
            (26, bits) => Ok(Value::new_float(ctx, f32::from_bits(bits as u32).into())),
            _ => Err(self.malformed(Malformed)),
        }
    }

    fn object(&mut self, number: u64, depth: usize, mark: Option<usize>) -> Result<Value<'js>> {
        let object = Object::new(self.ctx.clone())?;
        self.keep(mark, object.as_value());
        for _ in 0..self.count(number)? {
            let key = self.value(depth + 1, None)?;
            let value = self.value(depth + 1, None)?;
            match key.as_string().and_then(|key| key.to_string().ok()) {
                Some(key) if key == "__proto__" => help(self.ctx, "define", (object.clone(), key, value))?,
                _ => object.set(key, value)?,
            }
        }
        Ok(object.into_value())
    }

    fn tagged(&mut self, tag: u64, depth: usize, mark: Option<usize>) -> Result<Value<'js>> {
        match tag {
            tag::SHARED => {
                self.shared.push(None);
                let mark = self.shared.len() - 1;
                let value = self.value(depth, Some(mark))?;
                self.keep(Some(mark), &value);
                Ok(value)
            }
            tag::REFERENCE => {
                let (_, number, _) = self.head()?;
                let shared = usize::try_from(number).ok().and_then(|number| self.shared.get(number)?.clone());
                shared.ok_or_else(|| self.malformed(Malformed))
            }
            tag::WTF8 => {
                let content = self.tagged_bytes()?;
                help(self.ctx, "fromWtf8", (content,))
            }
            tag::BIG | tag::BIG_NEGATIVE | 64..=87 => {
                let content = self.tagged_bytes()?;
                help(self.ctx, "assemble", (tag as u32, content))
            }
            tag::SECONDS => {
                let seconds = self.value(depth + 1, None)?;
                help(self.ctx, "assemble", (tag as u32, seconds))
            }
            tag::MAP | tag::SET => {
                let (_, number, _) = self.head()?;
                let made: Value<'js> = help(self.ctx, "empty", (tag as u32,))?;
                self.keep(mark, &made);
                let items = if tag == tag::MAP { 2 } else { 1 };
                for _ in 0..self.count(number)? {
                    let key = self.value(depth + 1, None)?;
                    let value = if items == 2 { self.value(depth + 1, None)? } else { key.clone() };
                    help::<_, ()>(self.ctx, "insert", (made.clone(), key, value))?;
                }
                Ok(made)
            }
            tag::OBJECT => {
                let (_, number, _) = self.head()?;
                let count = self.count(number)?;
                let name = self.value(depth + 1, None)?;
                let made: Value<'js> = help(self.ctx, "named", (name.clone(),))?;
                self.keep(mark, &made);
                let parts = Array::new(self.ctx.clone())?;
                for index in 1..count {
                    parts.set(index - 1, self.value(depth + 1, None)?)?;
                }
                help(self.ctx, "complete", (made, name, parts))
            }
            tag::REGEXP => {
                let parts = self.value(depth + 1, None)?;
                help(self.ctx, "assemble", (tag as u32, parts))
            }
            _ => Err(self.malformed(Malformed)),
        }
    }

    fn keep(&mut self, mark: Option<usize>, value: &Value<'js>) {
        if let Some(mark) = mark
            && self.shared[mark].is_none()
        {
            self.shared[mark] = Some(value.clone());
        }
    }

    fn text(&mut self, number: u64) -> Result<Value<'js>> {
        let text = self.bytes(number)?;
        let text = String::from_utf8(text).map_err(|_| self.malformed(Malformed))?;
        Ok(JsString::from_str(self.ctx.clone(), &text)?.into_value())
    }

    fn tagged_bytes(&mut self) -> Result<TypedArray<'js, u8>> {
        let (_, number, _) = self.head()?;
        let content = self.bytes(number)?;
        bytes::array(self.ctx, content)?.get()
    }

    fn bytes(&mut self, number: u64) -> Result<Vec<u8>> {
        let count = self.count(number)?;
        self.reader.take(count).map(<[u8]>::to_vec).map_err(|error| malformed(self.ctx, error))
    }

    fn head(&mut self) -> Result<(Major, u64, u8)> {
        self.reader.head().map_err(|error| malformed(self.ctx, error))
    }

    fn count(&self, number: u64) -> Result<usize> {
        self.reader.count(number).map_err(|error| malformed(self.ctx, error))
    }

    fn malformed(&self, error: Malformed) -> rquickjs::Error {
        malformed(self.ctx, error)
    }
}

fn malformed(ctx: &Ctx<'_>, _: Malformed) -> rquickjs::Error {
    Exception::throw_message(ctx, "The stored bytes are no structured clone.")
}
