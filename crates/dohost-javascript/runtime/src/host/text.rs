//! Text and bytes.

use encoding_rs::{CoderResult, Decoder, Encoding};
use rquickjs::{Ctx, Exception, Result, String as JsString, TypedArray, Value};

use super::Natives;
use super::slab::Slab;
use crate::bytes;

thread_local! {
    static DECODERS: Slab<Decoder> = const { Slab::new() };
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("utf8Encode", utf8_encode)?;
    natives.add("utf8Decode", utf8_decode)?;
    natives.add("jsonDepth", |text: JsString<'_>| text.to_string().map_or(0, |text| json_depth(&text)))?;
    natives.add("encodingName", |label: String| {
        Encoding::for_label_no_replacement(label.as_bytes()).map(|encoding| encoding.name().to_ascii_lowercase())
    })?;
    natives.add("decoderNew", decoder_new)?;
    natives.add("decoderRun", decoder_run)
}

fn utf8_encode<'js>(ctx: Ctx<'js>, text: JsString<'js>) -> Result<Value<'js>> {
    bytes::array(&ctx, text.to_string()?.into_bytes())
}

/// Without a mark at the beginning, if there is one. What is no UTF-8 becomes U+FFFD.
fn utf8_decode(text: TypedArray<'_, u8>) -> String {
    let text = bytes::copied(&text);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    String::from_utf8_lossy(text).into_owned()
}

/// How deep arrays and objects are nested in JSON; anything if it is none.
fn json_depth(text: &str) -> u32 {
    let (mut depth, mut deepest, mut is_in_string) = (0_u32, 0, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_in_string => drop(bytes.next()),
            b'"' => is_in_string = !is_in_string,
            b'[' | b'{' if !is_in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !is_in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A decoder's number; it is gone when its last bytes are decoded.
fn decoder_new(label: String, keeps_mark: bool) -> Option<u32> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    let decoder =
        if keeps_mark { encoding.new_decoder_without_bom_handling() } else { encoding.new_decoder_with_bom_removal() };
    Some(DECODERS.with(|decoders| decoders.insert(decoder)))
}

fn decoder_run(ctx: Ctx<'_>, number: u32, text: TypedArray<'_, u8>, is_fatal: bool, is_last: bool) -> Result<String> {
    let mut decoder = DECODERS.with(|decoders| decoders.take(number)).expect("a decoder is used until its last bytes");
    let text = bytes::copied(&text);
    let mut decoded = String::with_capacity(decoder.max_utf8_buffer_length(text.len()).unwrap_or(text.len() * 3 + 16));
    let (result, _, has_errors) = decoder.decode_to_string(&text, &mut decoded, is_last);
    assert!(result == CoderResult::InputEmpty, "there is room for everything");
    if has_errors && is_fatal {
        return Err(Exception::throw_type(&ctx, "Failed to decode input."));
    }
    if !is_last {
        let same = DECODERS.with(|decoders| decoders.insert(decoder));
        assert!(same == number, "the slot that was free last is taken first");
    }
    Ok(decoded)
}
