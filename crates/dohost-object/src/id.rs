//! Ids of objects, computed as Cloudflare's runtime computes them.
//!
//! ```text
//!  0              16              32 bytes, printed as 64 hexadecimal digits
//! ┌───────────────┬───────────────┐
//! │ base          │ MAC           │
//! └───────────────┴───────────────┘
//! key  = SHA-256(unique key of the class)
//! base = first 16 bytes of HMAC-SHA-256(key, name), or 16 random bytes
//! MAC  = first 16 bytes of HMAC-SHA-256(key, base)
//! ```
//!
//! The MAC makes an id of another class, or an invented one, recognisable: it is checked wherever text becomes an id. The
//! unique key is made once for each class and data directory, so ids do not carry over from one directory to another.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// The id of an object within its class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

/// Text that is no id of this class, in the words of Cloudflare's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not 64 hexadecimal digits.
    #[error("Invalid Durable Object ID: must be 64 hex digits")]
    Malformed,
    /// The MAC does not fit.
    #[error("Durable Object ID is not valid for this namespace.")]
    Foreign,
}

/// Makes and checks the ids of one class.
#[derive(Clone)]
pub struct IdKey(Hmac<Sha256>);

impl IdKey {
    /// The key that belongs to a unique key.
    pub fn new(unique_key: &str) -> IdKey {
        let key = Sha256::digest(unique_key.as_bytes());
        IdKey(Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"))
    }

    /// The id of a name, always the same one.
    pub fn id_from_name(&self, name: &str) -> ObjectId {
        self.seal(self.half(name.as_bytes()))
    }

    /// An id that nobody has, from 16 random bytes.
    pub fn id_from_random(&self, random: [u8; 16]) -> ObjectId {
        self.seal(random)
    }

    /// Reads an id and checks that it is one of this class. Upper and lower case digits will do.
    pub fn id_from_string(&self, text: &str) -> Result<ObjectId, InvalidId> {
        let id = parse_hex(text).ok_or(InvalidId::Malformed)?;
        let base: [u8; 16] = id[..16].try_into().expect("16 of 32 bytes");
        match self.seal(base) == ObjectId(id) {
            true => Ok(ObjectId(id)),
            false => Err(InvalidId::Foreign),
        }
    }

    fn seal(&self, base: [u8; 16]) -> ObjectId {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&base);
        id[16..].copy_from_slice(&self.half(&base));
        ObjectId(id)
    }

    fn half(&self, message: &[u8]) -> [u8; 16] {
        let mac = self.0.clone().chain_update(message).finalize().into_bytes();
        mac[..16].try_into().expect("16 of 32 bytes")
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16);
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(id)
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, with Python's hashlib and hmac.
    #[test]
    fn ids_are_those_of_the_reference_formula() {
        let key = IdKey::new("counter0000000000000000000000001");
        let id = "2dfe317e7d69f5a3794f40462b11fd7025f993352f2d1df95dff38ddda5b208a";
        assert_eq!(key.id_from_name("A").to_string(), id);
        assert_eq!(key.id_from_name(""), key.id_from_name(""));
        assert_ne!(key.id_from_name("A"), key.id_from_name("B"));
    }

    #[test]
    fn an_id_survives_its_text_in_either_case() {
        let key = IdKey::new("k");
        let id = key.id_from_random([7; 16]);
        assert_eq!(key.id_from_string(&id.to_string()), Ok(id));
        assert_eq!(key.id_from_string(&id.to_string().to_uppercase()), Ok(id));
    }

    #[test]
    fn an_id_of_another_class_is_foreign() {
        let id = IdKey::new("a").id_from_name("x").to_string();
        assert_eq!(IdKey::new("b").id_from_string(&id), Err(InvalidId::Foreign));
    }

    #[test]
    fn text_that_is_no_hexadecimal_of_the_right_length_is_malformed() {
        let key = IdKey::new("k");
        let id = key.id_from_name("x").to_string();
        for text in ["", "abc", &id[1..], &format!("{id}0"), &id.replace(&id[..1], "g"), &"é".repeat(32)] {
            assert_eq!(key.id_from_string(text), Err(InvalidId::Malformed), "{text}");
        }
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        let key = IdKey::new("k");
        let id = key.id_from_name("x").to_string();
        for at in 0..64 {
            let digit = if &id[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &id[..at], &id[at + 1..]);
            assert_eq!(key.id_from_string(&changed), Err(InvalidId::Foreign), "digit {at}");
        }
    }
}
