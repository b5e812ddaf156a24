//! The object itself, and its variables.

use rquickjs::Result;

use super::Natives;
use crate::dohost::object::state;
use crate::wasi::cli0_3_0::environment;

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("objectId", state::id)?;
    natives.add("objectName", state::name)?;
    natives.add("objectClass", state::class)?;
    natives.add("abort", |reason: Option<String>| state::abort(reason.as_deref()))?;
    natives.add("variables", || {
        environment::get_environment().into_iter().flat_map(|(name, value)| [name, value]).collect::<Vec<_>>()
    })
}
