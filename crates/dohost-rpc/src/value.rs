//! Values: data without names, which are in the type that belongs to it.

/// A value of some [`Type`](crate::Type). A case is the index of the case in its type, a record has its fields in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of `s8`.
    S8(i8),
    /// Of `u8`.
    U8(u8),
    /// Of `s16`.
    S16(i16),
    /// Of `u16`.
    U16(u16),
    /// Of `s32`.
    S32(i32),
    /// Of `u32`.
    U32(u32),
    /// Of `s64`.
    S64(i64),
    /// Of `u64`.
    U64(u64),
    /// Of `f32`.
    F32(f32),
    /// Of `f64`.
    F64(f64),
    /// Of `char`.
    Char(char),
    /// Of `string`.
    String(String),
    /// Of `list<u8>`.
    Bytes(Vec<u8>),
    /// Of any other list.
    List(Vec<Value>),
    /// Of an option.
    Option(Option<Box<Value>>),
    /// Of a result.
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// Of a tuple.
    Tuple(Vec<Value>),
    /// Of a record: its fields.
    Record(Vec<Value>),
    /// Of a variant: which case, and its value.
    Variant(u32, Option<Box<Value>>),
    /// Of an enum: which case.
    Enum(u32),
    /// Of flags: which of them are set, in order.
    Flags(Vec<bool>),
}

/// Values that one call may take or give, each byte of a `list<u8>` and each 16 bytes of a string counted as one.
pub const VALUES_MAX: usize = 1 << 20;

/// Bytes that the engine takes for a value.
const VALUE_BYTES: usize = 40;

/// Bytes of a string that count as one value.
const STRING_BYTES_PER_VALUE: usize = 16;

/// Counts the values of one call against [`VALUES_MAX`].
#[derive(Debug, Default)]
pub struct Count(std::cell::Cell<usize>);

/// A call takes or gives more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {VALUES_MAX} values (each byte of a list<u8> is one), the most that a call may take or give")]
pub struct TooMany;

impl Count {
    /// Takes so many.
    pub fn take(&self, values: usize) -> Result<(), TooMany> {
        let taken = self.0.get().saturating_add(values);
        self.0.set(taken);
        if taken > VALUES_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// Takes those of a string with so many bytes.
    pub fn take_string(&self, bytes: usize) -> Result<(), TooMany> {
        self.take(1 + bytes / STRING_BYTES_PER_VALUE)
    }
}

impl Value {
    /// What it takes in memory on its way into a guest, about: there each byte of a `list<u8>` is a value of its own.
    pub fn bytes(&self) -> usize {
        let own = VALUE_BYTES;
        let boxed = |value: &Option<Box<Value>>| value.as_ref().map_or(0, |value| value.bytes());
        own + match self {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len() * VALUE_BYTES,
            Value::List(values) | Value::Tuple(values) | Value::Record(values) => {
                values.iter().map(Value::bytes).sum::<usize>()
            }
            Value::Option(value) | Value::Variant(_, value) => boxed(value),
            Value::Result(Ok(value) | Err(value)) => boxed(value),
            Value::Flags(flags) => flags.len() * VALUE_BYTES,
            _ => 0,
        }
    }
}
