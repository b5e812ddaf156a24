//! Variables of dohost.toml, which guests find in their environment.

use crate::wasi::cli::environment;

/// A variable that is a number, 1 or more.
pub fn number(name: &str, default: u32) -> u32 {
    let variables = environment::get_environment();
    let value = variables.into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
    value.and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
}
