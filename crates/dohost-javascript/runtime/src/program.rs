//! Loading a program.

use rquickjs::promise::PromiseState;
use rquickjs::{Ctx, Module, Object, Result, Value};

use crate::Runtime;
use crate::engine::{self, Hook};
use crate::exports::dohost::javascript::program::{self, Class, Exports, Guest, LoadError};
use crate::modules::Modules;

impl Guest for Runtime {
    fn load(modules: Vec<program::Module>) -> std::result::Result<Exports, LoadError> {
        let Some(entry) = modules.first().map(|module| module.specifier.clone()) else {
            return Err(LoadError { message: "Error: there are no modules".to_string(), stack: String::new() });
        };
        // Without this a panic would be a trap that nobody can explain.
        std::panic::set_hook(Box::new(|panic| {
            crate::host::print(&format!("the runtime of JavaScript failed: {panic}"), true)
        }));
        engine::start(Modules::new(modules)).map_err(|message| LoadError { message, stack: String::new() })?;
        let exports = engine::enter(|ctx| {
            evaluate(ctx, &entry).map_err(|error| {
                let (message, stack) = engine::explain(ctx, error);
                LoadError { message, stack }
            })
        })?;
        engine::finish_loading();
        Ok(exports)
    }
}

fn evaluate(ctx: &Ctx<'_>, entry: &str) -> Result<Exports> {
    let imported = Module::import(ctx, entry)?;
    engine::settle(ctx);
    if imported.state() == PromiseState::Pending {
        return Err(rquickjs::Exception::throw_message(
            ctx,
            "The modules wait (a top-level await) for something that does not come before there is an event.",
        ));
    }
    let namespace: Object<'_> = imported.finish()?;
    // Names, methods and handlers of classes, and whether there is a Worker.
    let told: Object<'_> = engine::call(ctx, Hook::program, (namespace,))?;
    let classes = told.get::<_, Vec<Object<'_>>>("classes")?;
    let class = |class: Object<'_>| -> Result<Class> {
        Ok(Class { name: class.get("name")?, methods: class.get("methods")?, handlers: class.get("handlers")? })
    };
    Ok(Exports {
        classes: classes.into_iter().map(class).collect::<Result<_>>()?,
        worker: told.get::<_, Value<'_>>("worker")?.as_bool().unwrap_or(false),
    })
}
