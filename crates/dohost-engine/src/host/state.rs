//! `dohost:object/state`.

use super::trap;
use crate::bindings::state;
use crate::guest::GuestState;
use crate::imports::Inside;

impl state::Host for &mut GuestState {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(inside(self)?.id())
    }

    fn name(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(inside(self)?.name())
    }

    fn class(&mut self) -> wasmtime::Result<String> {
        Ok(inside(self)?.class())
    }

    fn abort(&mut self, reason: Option<String>) -> wasmtime::Result<()> {
        Err(trap(inside(self)?.abort(reason, true)))
    }

    fn abort_with(&mut self, reason: Option<String>, retry_alarm: bool) -> wasmtime::Result<()> {
        Err(trap(inside(self)?.abort(reason, retry_alarm)))
    }
}

fn inside(state: &GuestState) -> wasmtime::Result<&dyn Inside> {
    super::inside(state, "state")
}
