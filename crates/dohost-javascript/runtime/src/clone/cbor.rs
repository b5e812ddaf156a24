//! The grammar of CBOR (RFC 8949): heads of items.

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
    Simple = 7,
}

pub const FALSE: u8 = 0xf4;
pub const TRUE: u8 = 0xf5;
pub const NULL: u8 = 0xf6;
pub const UNDEFINED: u8 = 0xf7;
const FLOAT: u8 = 0xfb;

/// Integers that a number holds exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// Writes the head of an item, in its shortest form.
pub fn head(out: &mut Vec<u8>, major: Major, number: u64) {
    let major = (major as u8) << 5;
    if let Ok(byte) = u8::try_from(number) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend([major | 24, byte]);
        }
    } else if let Ok(short) = u16::try_from(number) {
        out.push(major | 25);
        out.extend(short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(number) {
        out.push(major | 26);
        out.extend(word.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend(number.to_be_bytes());
    }
}

/// Writes a number: as an integer if it is one, so that readers without floats can read it.
pub fn number(out: &mut Vec<u8>, number: f64) {
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    if number.fract() != 0.0 || number.abs() > EXACT_MAX || !number.is_finite() || is_negative_zero {
        out.push(FLOAT);
        out.extend(number.to_be_bytes());
    } else if number < 0.0 {
        head(out, Major::Negative, (-1.0 - number) as u64);
    } else {
        head(out, Major::Unsigned, number as u64);
    }
}

/// Reads items.
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes are no clone, or not a whole one.
#[derive(Debug)]
pub struct Malformed;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub fn head(&mut self) -> Result<(Major, u64, u8), Malformed> {
        let byte = self.take(1)?[0];
        let major = match byte >> 5 {
            0 => Major::Unsigned,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => Major::Tag,
            _ => Major::Simple,
        };
        let number = match byte & 31 {
            small @ 0..=23 => small.into(),
            24 => self.take(1)?[0].into(),
            25 => u16::from_be_bytes(self.array()?).into(),
            26 => u32::from_be_bytes(self.array()?).into(),
            27 => u64::from_be_bytes(self.array()?),
            _ => return Err(Malformed),
        };
        Ok((major, number, byte & 31))
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many items as a head announced; none can be smaller than a byte.
    pub fn count(&self, number: u64) -> Result<usize, Malformed> {
        usize::try_from(number).ok().filter(|count| *count <= self.rest.len()).ok_or(Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("as many as were asked for"))
    }
}
