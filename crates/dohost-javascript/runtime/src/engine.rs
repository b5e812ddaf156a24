//! QuickJS: its one context, how JavaScript is entered, and how it comes to rest.
//!
//! Whoever enters runs the queue of jobs (what promises do next) to its end before leaving, so nothing that could go on is left lying
//! when the guest waits.

use std::cell::{Cell, OnceCell};

use rquickjs::function::IntoArgs;
use rquickjs::{Context, Ctx, FromJs, Function, Module, Object, Persistent, Runtime, Value};

use crate::modules::{self, Modules};

/// How deep JavaScript may recurse, by what it takes of the stack in memory. Deeper is a `RangeError`.
///
/// A call takes about 290 bytes there. What the stack that wasmtime has for compiled code takes is up to sixteen times as much, and a
/// trap at its end: the host gives it 5 MiB, so this comes before it.
const STACK_BYTES_MAX: usize = 256 << 10;

/// Garbage in circles is looked for when the heap has grown by so much since the program was loaded. A search touches all
/// of the heap, which then is no longer shared with other instances.
const GARBAGE_BYTES: usize = 1 << 20;

struct Engine {
    context: Context,
    hooks: Hooks,
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $field:ident = $name:literal;)*) => {
        /// What `js/main.js` exports for us to call.
        struct Hooks { $(#[allow(dead_code)] $field: Persistent<Function<'static>>,)* }

        /// Names one of [`Hooks`].
        #[derive(Clone, Copy, Debug)]
        #[allow(non_camel_case_types)]
        pub enum Hook { $($(#[$doc])* $field,)* }

        impl Hooks {
            fn find<'js>(ctx: &Ctx<'js>, exports: &Object<'js>) -> rquickjs::Result<Hooks> {
                Ok(Hooks { $($field: Persistent::save(ctx, exports.get::<_, Function<'_>>($name)?),)* })
            }

            fn get(&self, hook: Hook) -> &Persistent<Function<'static>> {
                match hook { $(Hook::$field => &self.$field,)* }
            }
        }
    };
}

hooks! {
    /// Takes the namespace of the entry module, tells what it exports.
    program = "program";
    construct = "construct";
    fetch = "fetch";
    call = "call";
    alarm = "alarm";
    worker = "worker";
    /// The next bytes of a response's body.
    next_chunk = "nextChunk";
    /// Nobody reads a response's body any more.
    drop_stream = "dropStream";
    websocket_message = "webSocketMessage";
    websocket_close = "webSocketClose";
    websocket_error = "webSocketError";
    timer = "timer";
    /// A promise was rejected with nobody to hear of it, or somebody came to hear.
    #[allow(dead_code)]
    rejection = "rejection";
    /// Tells of the promises that are still unheard.
    report_rejections = "reportRejections";
    /// Name, message and stack of an exception.
    explain = "explain";
    /// The program is loaded: sees to it that memory is not handed back and forth.
    keep_arenas = "keepArenas";
}

thread_local! {
    static ENGINE: OnceCell<Engine> = const { OnceCell::new() };
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
    static HAS_REJECTIONS: Cell<bool> = const { Cell::new(false) };
}

/// Makes the context and evaluates the runtime's own modules.
pub fn start(modules: Modules) -> Result<(), String> {
    let started = Engine::new(modules)?;
    if ENGINE.with(|engine| engine.set(started).is_err()) {
        return Err("a program was loaded already".to_string());
    }
    Ok(())
}

impl Engine {
    fn new(modules: Modules) -> Result<Engine, String> {
        let runtime = Runtime::new().expect("there is memory to start with");
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        // No search for garbage while loading.
        runtime.set_gc_threshold(usize::MAX);
        runtime.set_loader(modules.clone(), modules);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(|ctx, promise, reason, is_handled| {
            let hook = ENGINE.with(|engine| engine.get().map(|engine| engine.hooks.rejection.clone()));
            let Some(hook) = hook.and_then(|hook| hook.restore(&ctx).ok()) else { return };
            HAS_REJECTIONS.set(true);
            let _ = hook.call::<_, ()>((promise, reason, is_handled));
        })));
        let context = Context::full(&runtime).expect("there is memory to start with");
        let hooks = context.with(|ctx| {
            let start = || -> rquickjs::Result<Hooks> {
                crate::host::install(&ctx)?;
                let (main, done) = Module::declare(ctx.clone(), modules::MAIN, modules::main())?.eval()?;
                done.finish::<()>()?;
                Hooks::find(&ctx, &main.namespace()?)
            };
            start().map_err(|error| format!("the runtime's own modules fail: {error}: {}", described(&ctx)))
        })?;
        Ok(Engine { context, hooks })
    }
}

fn described(ctx: &Ctx<'_>) -> String {
    let thrown = ctx.catch();
    match thrown.as_exception() {
        Some(exception) => {
            format!("{}\n{}", exception.message().unwrap_or_default(), exception.stack().unwrap_or_default())
        }
        None => format!("{thrown:?}"),
    }
}

/// Enters JavaScript, and runs what promises do next until all of it waits.
pub fn enter<R>(run: impl for<'js> FnOnce(&Ctx<'js>) -> R) -> R {
    ENGINE.with(|engine| {
        let engine = engine.get().expect("a program was loaded before anything runs");
        engine.context.with(|ctx| {
            let result = run(&ctx);
            settle(&ctx);
            result
        })
    })
}

/// Runs the queue of jobs to its end.
pub fn settle(ctx: &Ctx<'_>) {
    loop {
        while ctx.execute_pending_job() {}
        if !HAS_REJECTIONS.replace(false) {
            return;
        }
        let _ = call::<_, ()>(ctx, Hook::report_rejections, ());
    }
}

/// Calls one of the functions of `js/main.js`.
pub fn call<'js, A: IntoArgs<'js>, R: FromJs<'js>>(ctx: &Ctx<'js>, hook: Hook, arguments: A) -> rquickjs::Result<R> {
    let hook =
        ENGINE.with(|engine| engine.get().expect("hooks are called once there are some").hooks.get(hook).clone());
    hook.restore(ctx)?.call(arguments)
}

/// Takes what was thrown and says what it is: name and message, and the stack.
pub fn explain(ctx: &Ctx<'_>, error: rquickjs::Error) -> (String, String) {
    if !error.is_exception() {
        return (error.to_string(), String::new());
    }
    explain_value(ctx, ctx.catch())
}

pub fn explain_value<'js>(ctx: &Ctx<'js>, thrown: Value<'js>) -> (String, String) {
    match call::<_, Vec<String>>(ctx, Hook::explain, (thrown,)) {
        Ok(words) => {
            let mut words = words.into_iter();
            (words.next().unwrap_or_default(), words.next().unwrap_or_default())
        }
        Err(_) => {
            ctx.catch();
            ("an exception that cannot be described".to_string(), String::new())
        }
    }
}

/// The program is loaded: from here on there are events.
pub fn finish_loading() {
    ENGINE.with(|engine| {
        let engine = engine.get().expect("a program was loaded");
        let runtime = engine.context.runtime();
        runtime.run_gc();
        engine.context.with(|ctx| {
            if call::<_, ()>(&ctx, Hook::keep_arenas, ()).is_err() {
                // A program that leaves no room for that, and will say so itself.
                ctx.catch();
            }
        });
        let used = runtime.memory_usage().malloc_size;
        runtime.set_gc_threshold(usize::try_from(used).unwrap_or(0) + GARBAGE_BYTES);
    });
    IS_RUNNING.set(true);
}

/// Whether the program runs; it is being loaded before.
pub fn is_running() -> bool {
    IS_RUNNING.get()
}
