//! Headers cross as one string, `name\nvalue\nname\nvalue\n`: a header has no line breaks, and most programs never look at
//! them. Bytes of values are characters up to U+00FF, as the web has it.

use crate::dohost::object::types::Header;

pub fn joined<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        text.push_str(name);
        text.push('\n');
        text.extend(value.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text
}

pub fn split(text: &str) -> Vec<Header> {
    let mut lines = text.split('\n');
    let mut headers = Vec::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let value = value.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect();
        headers.push(Header { name: name.to_string(), value });
    }
    headers
}
