//! The modules that there are: the runtime's own, and those of the program.
//!
//! The program's modules see no more of ours than `cloudflare:workers`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Exception, Module, Result};

use crate::exports::dohost::javascript::program;

/// The first of our own.
pub const MAIN: &str = "dohost:main";

/// What is ours begins so, in stack traces too.
const OWN: &str = "dohost:";

/// What a program may import of ours.
const PUBLIC: &str = "cloudflare:workers";

macro_rules! own {
    ($($name:literal),* $(,)?) => {
        /// Name and text, of which the first is `main`.
        const SOURCES: &[(&str, &str)] = &[$((concat!("dohost:", $name), include_str!(concat!("../js/", $name, ".js")))),*];
    };
}

own!(
    "main",
    "abort",
    "base64",
    "blob",
    "body",
    "console",
    "crypto",
    "encoding",
    "errors",
    "event",
    "fetch",
    "form_data",
    "headers",
    "id",
    "inspect",
    "namespace",
    "native",
    "outgoing",
    "request",
    "response",
    "rpc",
    "state",
    "storage",
    "streams",
    "structured",
    "timers",
    "url",
    "websocket",
    "workers"
);

struct Found {
    source: String,
    imports: HashMap<String, String>,
}

/// What the engine loads modules from. Cheap to clone.
#[derive(Clone)]
pub struct Modules(Rc<RefCell<HashMap<String, Found>>>);

impl Modules {
    pub fn new(modules: Vec<program::Module>) -> Modules {
        let found = modules.into_iter().map(|module| {
            let imports = module.imports.into_iter().collect();
            (module.specifier, Found { source: module.source, imports })
        });
        Modules(Rc::new(RefCell::new(found.collect())))
    }
}

pub fn main() -> &'static str {
    SOURCES[0].1
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        // No base has what the host imports itself: the entry.
        if base.is_empty() || base.starts_with(OWN) || base == PUBLIC || name == PUBLIC {
            return Ok(name.to_string());
        }
        let modules = self.0.borrow();
        match modules.get(base).and_then(|module| module.imports.get(name)) {
            Some(specifier) if !specifier.starts_with(OWN) => Ok(specifier.clone()),
            _ => Err(Exception::throw_message(ctx, &format!("No such module \"{name}\", imported from \"{base}\"."))),
        }
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let own = if name == PUBLIC { "dohost:workers" } else { name };
        if let Some((_, source)) = SOURCES.iter().find(|(specifier, _)| *specifier == own) {
            return Module::declare(ctx.clone(), name, *source);
        }
        // Each module is loaded once, and its text is of no use after that.
        let source = self.0.borrow_mut().get_mut(name).map(|module| std::mem::take(&mut module.source));
        match source {
            Some(source) => Module::declare(ctx.clone(), name, source),
            None => Err(Exception::throw_message(ctx, &format!("No such module \"{name}\"."))),
        }
    }
}
