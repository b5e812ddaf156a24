//! Values that programs in JavaScript have stored, as one would write them: structured clones, which are CBOR.
//!
//! For people who look: what has no literal is shown as `Map { … }` or `Error(…)`, and nothing is meant to be read back. The
//! form is described in docs/STRUCTURED_CLONE.md.

use std::fmt::Write;

/// What a clone begins with.
const MARK: [u8; 3] = [0xd9, 0xd9, 0xf7];
/// How deep values may lie inside each other.
const DEPTH_MAX: usize = 600;

/// The value, if it is one and is whole.
pub fn as_text(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader { rest: bytes.strip_prefix(&MARK)?, text: String::new() };
    reader.value(0)?;
    reader.rest.is_empty().then_some(reader.text)
}

struct Reader<'a> {
    rest: &'a [u8],
    text: String,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let first = *self.rest.first()?;
        let (major, argument) = self.head()?;
        match major {
            0 => write!(self.text, "{argument}").ok(),
            1 => write!(self.text, "{}", -1 - i128::from(argument)).ok(),
            2 => {
                let bytes = self.take(argument)?;
                write!(self.text, "{}", hex(bytes)).ok()
            }
            3 => {
                let text = str::from_utf8(self.take(argument)?).ok()?;
                write!(self.text, "{}", quoted(text)).ok()
            }
            4 => self.items("[", argument, "]", depth),
            5 => self.entries(argument, ": ", depth),
            6 => self.tagged(argument, depth),
            _ => self.simple(first & 31, argument),
        }
    }

    fn items(&mut self, open: &str, count: u64, close: &str, depth: usize) -> Option<()> {
        self.text.push_str(open);
        for number in 0..count {
            if number > 0 {
                self.text.push_str(", ");
            }
            self.value(depth + 1)?;
        }
        self.text.push_str(close);
        Some(())
    }

    fn entries(&mut self, count: u64, between: &str, depth: usize) -> Option<()> {
        self.text.push_str(if count == 0 { "{" } else { "{ " });
        for number in 0..count {
            if number > 0 {
                self.text.push_str(", ");
            }
            self.value(depth + 1)?;
            self.text.push_str(between);
            self.value(depth + 1)?;
        }
        self.text.push_str(if count == 0 { "}" } else { " }" });
        Some(())
    }

    fn tagged(&mut self, tag: u64, depth: usize) -> Option<()> {
        match tag {
            2 | 3 => {
                let (2, length) = self.head()? else { return None };
                let bytes = self.take(length)?;
                match (<[u8; 16]>::try_from(padded(bytes)), tag) {
                    (Ok(number), 2) => write!(self.text, "{}n", u128::from_be_bytes(number)).ok(),
                    (Ok(number), _) if u128::from_be_bytes(number) < u128::MAX => {
                        write!(self.text, "-{}n", u128::from_be_bytes(number) + 1).ok()
                    }
                    (_, 2) => write!(self.text, "0x{}n", hex(bytes)).ok(),
                    (_, _) => write!(self.text, "-1n - 0x{}n", hex(bytes)).ok(),
                }
            }
            259 => {
                let (5, count) = self.head()? else { return None };
                self.text.push_str("Map ");
                self.entries(count, " => ", depth)
            }
            258 => {
                let (4, count) = self.head()? else { return None };
                self.items("Set { ", count, " }", depth)
            }
            28 => self.value(depth + 1),
            29 => {
                self.text.push_str("(again ");
                self.value(depth + 1)?;
                self.text.push(')');
                Some(())
            }
            tag => {
                let name = match tag {
                    1 => "Date".into(),
                    27 => "Object".into(),
                    64..=87 => "bytes".into(),
                    21066 => "RegExp".into(),
                    tag => format!("tag{tag}"),
                };
                write!(self.text, "{name}(").ok()?;
                self.value(depth + 1)?;
                self.text.push(')');
                Some(())
            }
        }
    }

    fn simple(&mut self, how: u8, argument: u64) -> Option<()> {
        match (how, argument) {
            (20, _) => self.text.push_str("false"),
            (21, _) => self.text.push_str("true"),
            (22, _) => self.text.push_str("null"),
            (23, _) => self.text.push_str("undefined"),
            (26, bits) => self.number(f32::from_bits(u32::try_from(bits).ok()?).into()),
            (27, bits) => self.number(f64::from_bits(bits)),
            (25, bits) => self.number(half(u16::try_from(bits).ok()?)),
            (_, other) => write!(self.text, "simple({other})").ok()?,
        }
        Some(())
    }

    fn number(&mut self, number: f64) {
        let text = match number {
            number if number.is_nan() => "NaN".into(),
            number if number.is_infinite() => (if number > 0.0 { "Infinity" } else { "-Infinity" }).into(),
            number => format!("{number}"),
        };
        self.text.push_str(&text);
    }

    /// The kind of the next thing, and the number that comes with it.
    fn head(&mut self) -> Option<(u8, u64)> {
        let [first] = *self.take(1)? else { return None };
        let argument = match first & 31 {
            small @ 0..24 => small.into(),
            how @ 24..=27 => {
                let bytes = self.take(1 << (how - 24))?;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        Some((first >> 5, argument))
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = vec![0; 16_usize.saturating_sub(bytes.len())];
    padded.extend(bytes);
    padded
}

/// A number with half the bits of a `float`.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let number = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -number } else { number }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Nothing in it does anything to a terminal.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' => "\\\"".to_string(),
        '\\' => "\\\\".to_string(),
        '\n' => "\\n".to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(hex: &str) -> Option<String> {
        as_text(&data_encoding::HEXLOWER.decode(format!("d9d9f7{hex}").as_bytes()).unwrap())
    }

    #[test]
    fn values_are_shown_as_one_would_write_them() {
        for (hex, expected) in [
            ("07", "7"),
            ("3903e7", "-1000"),
            ("fb3ff8000000000000", "1.5"),
            ("f93e00", "1.5"),
            ("f97e00", "NaN"),
            ("f98000", "-0"),
            ("f7", "undefined"),
            ("a16161820102", "{ \"a\": [1, 2] }"),
            ("d90103a1616101", "Map { \"a\" => 1 }"),
            ("d9010282f5f6", "Set { true, null }"),
            ("c249010000000000000000", "18446744073709551616n"),
            ("c34101", "-2n"),
            ("c101", "Date(1)"),
            ("d81c81d81d00", "[(again 0)]"),
            ("d84043010203", "bytes(010203)"),
        ] {
            assert_eq!(text(hex).as_deref(), Some(expected), "{hex}");
        }
    }

    #[test]
    fn what_is_no_whole_clone_is_not_shown_as_one() {
        for hex in ["", "0707", "83", "5903e8", "9f", "a101", "ff", "1c"] {
            assert_eq!(text(hex), None, "{hex}");
        }
        assert_eq!(as_text(b"7"), None);
        assert_eq!(text(&"81".repeat(5_000)), None);
        assert_eq!(text("9b7fffffffffffffff"), None);
    }

    #[test]
    fn nothing_in_a_clone_does_anything_to_a_terminal() {
        assert_eq!(text("631b0a22").as_deref(), Some("\"\\u{1b}\\n\\\"\""));
    }
}
