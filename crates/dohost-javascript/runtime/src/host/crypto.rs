//! Random bytes, digests, signatures, encryption.

use std::cell::Cell;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hmac::{Hmac, Mac};
use md5::Md5;
use rquickjs::{Ctx, Exception, Result, TypedArray, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Natives, require_event};
use crate::wasi::random::random;
use crate::{bytes, engine};

thread_local! {
    /// The state of `Math.random`, and whether the program ran already when it was seeded.
    static RANDOM: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("randomBytes", random_bytes)?;
    natives.add("random", next_random)?;
    natives.add("digest", digest)?;
    natives.add("hmac", hmac)?;
    natives.add("aesGcm", aes_gcm)
}

fn random_bytes<'js>(ctx: Ctx<'js>, count: u32) -> Result<Value<'js>> {
    require_event(&ctx)?;
    bytes::array(&ctx, random::get_random_bytes(count.into()))
}

/// `Math.random`: xorshift64*. The engine's own would be the same in all instances, as they begin with the same memory; this one
/// is seeded when an instance first uses it. While the program is loaded it is always the same.
fn next_random() -> f64 {
    let mut state = RANDOM
        .get()
        .filter(|(_, was_running)| *was_running == engine::is_running())
        .map(|(state, _)| state)
        .unwrap_or_else(|| if engine::is_running() { random::get_random_u64() | 1 } else { 0x9e37_79b9_7f4a_7c15 });
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    RANDOM.set(Some((state, engine::is_running())));
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}

fn digest<'js>(ctx: Ctx<'js>, algorithm: String, data: TypedArray<'js, u8>) -> Result<Value<'js>> {
    let data = bytes::copied(&data);
    let digest = match algorithm.as_str() {
        "SHA-1" => Sha1::digest(data).to_vec(),
        "SHA-256" => Sha256::digest(data).to_vec(),
        "SHA-384" => Sha384::digest(data).to_vec(),
        "SHA-512" => Sha512::digest(data).to_vec(),
        _ => Md5::digest(data).to_vec(),
    };
    bytes::array(&ctx, digest)
}

fn hmac<'js>(
    ctx: Ctx<'js>,
    algorithm: String,
    key: TypedArray<'js, u8>,
    data: TypedArray<'js, u8>,
) -> Result<Value<'js>> {
    let (key, data) = (bytes::copied(&key), bytes::copied(&data));
    let sign = match algorithm.as_str() {
        "SHA-1" => sign::<Hmac<Sha1>>,
        "SHA-256" => sign::<Hmac<Sha256>>,
        "SHA-384" => sign::<Hmac<Sha384>>,
        _ => sign::<Hmac<Sha512>>,
    };
    bytes::array(&ctx, sign(&key, &data))
}

fn sign<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("a key may have any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// The text with its tag if it is to be encrypted, or the text of such; null if the tag is wrong.
fn aes_gcm<'js>(
    ctx: Ctx<'js>,
    encrypts: bool,
    key: TypedArray<'js, u8>,
    nonce: TypedArray<'js, u8>,
    data: TypedArray<'js, u8>,
    additional: TypedArray<'js, u8>,
) -> Result<Value<'js>> {
    let (key, nonce) = (bytes::copied(&key), bytes::copied(&nonce));
    let (data, additional) = (bytes::copied(&data), bytes::copied(&additional));
    let payload = Payload { msg: &data, aad: &additional };
    if nonce.len() != 12 {
        return Err(Exception::throw_message(&ctx, "AES-GCM takes an iv of 12 bytes here."));
    }
    let nonce = nonce.as_slice().into();
    let result = match key.len() {
        16 => {
            let cipher = Aes128Gcm::new(key.as_slice().into());
            if encrypts { cipher.encrypt(nonce, payload) } else { cipher.decrypt(nonce, payload) }
        }
        32 => {
            let cipher = Aes256Gcm::new(key.as_slice().into());
            if encrypts { cipher.encrypt(nonce, payload) } else { cipher.decrypt(nonce, payload) }
        }
        _ => return Err(Exception::throw_message(&ctx, "AES-GCM takes a key of 128 or 256 bits here.")),
    };
    match result {
        Ok(result) => bytes::array(&ctx, result),
        Err(_) => Ok(Value::new_null(ctx)),
    }
}
