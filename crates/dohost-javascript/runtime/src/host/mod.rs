//! What JavaScript can ask of the host: the functions of the module `dohost:native`, which only the runtime's own modules
//! see. One file for each part.
//!
//! They are plain: checks of arguments and the shapes that programs see are made in `js/`.

mod alarms;
mod bodies;
mod concurrency;
mod console;
mod crypto;
mod data;
mod headers;
mod namespace;
mod outgoing;
mod slab;
mod state;
mod storage;
mod text;
mod timers;
mod url;
mod websockets;

use rquickjs::function::IntoJsFunc;
use rquickjs::{Ctx, Exception, Function, Object, Result};

pub use bodies::{keep as keep_body, keep_of_response as keep_response_body, take as take_body};
pub use console::print;
pub use headers::{joined, split};
pub use outgoing::url_parts;
pub use timers::now_ms;

use crate::engine;

/// Under which name `js/native.js` finds the functions; it takes them away.
const NAME: &str = "__native";

pub fn install(ctx: &Ctx<'_>) -> Result<()> {
    let natives = Natives { object: Object::new(ctx.clone())? };
    alarms::install(&natives)?;
    bodies::install(&natives)?;
    concurrency::install(&natives)?;
    console::install(&natives)?;
    crypto::install(&natives)?;
    data::install(&natives)?;
    namespace::install(&natives)?;
    outgoing::install(&natives)?;
    state::install(&natives)?;
    storage::install(&natives)?;
    text::install(&natives)?;
    timers::install(&natives)?;
    url::install(&natives)?;
    websockets::install(&natives)?;
    ctx.globals().set(NAME, natives.object)
}

struct Natives<'js> {
    object: Object<'js>,
}

impl<'js> Natives<'js> {
    fn add<P>(&self, name: &str, function: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
        self.object.set(name, Function::new(self.object.ctx().clone(), function)?.with_name(name)?)
    }
}

/// Refuses what may not be done while modules are evaluated, as there is no object and no event then.
fn require_event(ctx: &Ctx<'_>) -> Result<()> {
    if engine::is_running() {
        return Ok(());
    }
    Err(Exception::throw_message(
        ctx,
        "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, \
         and generating random values are not allowed within global scope. To fix this error, perform this operation \
         within a handler.",
    ))
}
