//! What can be told of a component without running it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use dohost_engine::{GuestComponent, LoadError};
use dohost_rpc::{Interface, Program, world};

use super::report::{Finding, Stage};
use crate::args::Application;
use crate::config::plan::{ClassPlan, WorkerPlan, exposed};
use crate::config::{self, Plan};
use crate::failure::{Failure, Failures};
use crate::load;
use crate::programs::Programs;

/// Why there is nothing to look at.
pub enum NotParsed {
    /// Nothing is known about it.
    Unreadable(Failures),
    /// It is no component, and cannot be made one.
    Wrong(Failures),
}

/// The component that a file is, or that is made of it.
pub fn parse(file: &Path, programs: &Programs) -> Result<Arc<[u8]>, NotParsed> {
    if let Err(error) = std::fs::metadata(file) {
        let text = format!("cannot read {}: {error}", file.display());
        return Err(NotParsed::Unreadable(Failure::new(text, None).into()));
    }
    match programs.component(file) {
        Ok(Some(component)) => return Ok(component),
        Ok(None) => {}
        Err(failures) => return Err(NotParsed::Wrong(failures)),
    }
    match dohost_engine::component::read(file) {
        Ok(component) => Ok(component.into()),
        Err(error @ LoadError::Unreadable { .. }) => Err(NotParsed::Unreadable(failure(error))),
        Err(error) => Err(NotParsed::Wrong(failure(error))),
    }
}

/// Why it was not compiled.
pub enum NotCompiled {
    /// It cannot be served here, whatever it is: its name is none for a class, say.
    Application(Failures),
    /// The engine refuses it.
    Component(Failures),
}

/// A component that was compiled under the limits of a class.
pub struct Compiled {
    file: PathBuf,
    component: GuestComponent,
    plan: Plan,
    bytes: usize,
    took: Duration,
    interface: Interface,
}

/// Whether it can be served as a Worker only: it handles requests as WASI 0.2 has it, and nothing else.
pub fn is_worker_only(binary: &[u8]) -> bool {
    let Ok(interface) = Interface::read(binary) else { return false };
    let exports = |prefix: &str| interface.exports.iter().any(|name| name.starts_with(prefix));
    exports("wasi:http/incoming-handler@") && !world::HANDLERS.iter().any(|handler| exports(handler))
}

/// Compiles it as `dohost serve` would.
pub fn compile(
    file: &Path,
    application: &Application,
    binary: &Arc<[u8]>,
    programs: &Programs,
) -> Result<Compiled, NotCompiled> {
    let plan = config::plan(application, &config::host_environment, &|path| programs.program(path));
    let plan = plan.map_err(NotCompiled::Application)?;
    let engine = load::engine(&plan, programs.code_cache());
    let engine = engine.map_err(|error| NotCompiled::Application(Failure::new(format!("{error:#}"), None).into()))?;
    let started = Instant::now();
    let component = engine.load_binary(file, binary, &[]).map_err(|error| NotCompiled::Component(failure(error)))?;
    let interface = Interface::read(binary);
    let interface = interface.map_err(|error| NotCompiled::Component(Failure::new(error, None).into()))?;
    let (bytes, took) = (binary.len(), started.elapsed());
    Ok(Compiled { file: file.to_owned(), component, plan, bytes, took, interface })
}

/// What is served of it, and how it can be asked.
pub struct Subject {
    /// The classes that are served, those of other files too.
    pub classes: Vec<Class>,
    /// All requests go to a Worker.
    pub has_worker: bool,
    /// It has a handler for alarms.
    pub has_alarms: bool,
    /// Bytes of memory that an instance of it may have.
    pub memory_bytes_max: u64,
}

/// A class, and how it can be asked.
pub struct Class {
    pub name: String,
    /// It is what is looked at, and not of another file.
    pub is_this: bool,
    pub has_handler: bool,
    /// Methods that take nothing.
    pub methods: Vec<String>,
}

impl Compiled {
    pub fn finding(&self) -> Finding {
        let (size, code) = (ByteSize(self.bytes as u64), ByteSize(self.component.compiled_bytes() as u64));
        let ms = self.took.as_millis();
        Finding::ok(
            Stage::Parse,
            format!("a component of {}, compiled to {} in {ms} ms", size.display().iec(), code.display().iec()),
        )
    }

    /// Links it on the linker of the host.
    pub fn link(&self) -> Result<(Finding, Subject), Failures> {
        let (about, has_alarms) = match self.plan.workers.iter().find(|worker| self.is_worker_of(worker)) {
            Some(worker) => {
                self.component.worker(worker.limits.guest.clone(), exposed(&worker.variables)).map_err(failure)?;
                ("as a Worker".to_owned(), false)
            }
            None => self.link_object()?,
        };
        let subject = Subject {
            classes: self.plan.classes.iter().map(|class| self.class(class)).collect(),
            has_worker: !self.plan.workers.is_empty(),
            has_alarms,
            memory_bytes_max: load::memory_bytes_max(&self.plan) as u64,
        };
        Ok((Finding::ok(Stage::Link, format!("links on this host ({about})")), subject))
    }

    /// A program is a Worker and classes at once, and is linked as what has more.
    fn is_worker_of(&self, worker: &WorkerPlan) -> bool {
        self.program().is_none() && worker.component.path == self.file
    }

    fn link_object(&self) -> Result<(String, bool), Failures> {
        let object = self.component.object().map_err(failure)?;
        let mut about = vec![if object.interleaves() { "asynchronous ABI" } else { "synchronous ABI" }];
        if object.streams() {
            about.push("streams bodies");
        }
        if object.has_construction() {
            about.push("has a construction");
        }
        let has_alarms = match self.program() {
            Some(program) => {
                let mut handlers = program.classes.iter().flat_map(|class| &class.handlers);
                handlers.any(|handler| handler == "alarm")
            }
            None => object.has_alarm_handler(),
        };
        if has_alarms {
            about.push("has a handler for alarms");
        }
        Ok((about.join(", "), has_alarms))
    }

    fn program(&self) -> Option<&Program> {
        self.interface.dynamic.as_ref().and_then(|dynamic| dynamic.program.as_ref())
    }

    fn class(&self, class: &ClassPlan) -> Class {
        let own = self.program().and_then(|program| program.classes.iter().find(|own| own.name == class.own_name));
        let is_this = class.component.path == self.file;
        let methods = self.interface.methods.iter().filter(|method| is_this && method.params.is_empty());
        Class {
            name: class.name.clone(),
            is_this,
            has_handler: match own {
                Some(own) => own.handlers.iter().any(|name| name == "fetch"),
                None => self.interface.exports.iter().any(|name| world::HANDLERS.iter().any(|it| name.starts_with(it))),
            },
            methods: methods.map(|method| method.name.clone()).collect(),
        }
    }
}

/// Compares it with the world.
pub fn world(binary: &[u8]) -> Result<Finding, Failures> {
    let fit = world::fit(binary, &dohost_engine::component::is_offered)
        .map_err(|error| Failures::from(Failure::new(error, None)))?;
    let Some(first) = fit.misfits.first() else {
        let (imports, exports) = (fit.imports.len(), fit.exports.join(", "));
        return Ok(Finding::ok(Stage::World, format!("exports {exports}; all of its {imports} imports are on offer")));
    };
    let mut finding = match fit.misfits.len() {
        1 => Finding::fails(Stage::World, &first.text),
        several => Finding::fails(Stage::World, format!("{several} things do not fit")),
    };
    for misfit in &fit.misfits {
        if fit.misfits.len() > 1 {
            finding = finding.detail(&misfit.text);
        }
        let lines =
            |who: &str, lines: &[String]| lines.iter().map(|line| format!("  {who} {line}")).collect::<Vec<_>>();
        finding = finding.details(lines("component:", &misfit.component)).details(lines("dohost:   ", &misfit.host));
    }
    Ok(finding.help("build it for a world of the WIT package dohost:object@0.1.0, which is in wit/"))
}

fn failure(error: LoadError) -> Failures {
    let help = error.help();
    Failure::new(error, help).into()
}
