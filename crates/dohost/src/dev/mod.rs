//! `dohost dev`: serves, looks for changes, builds, and deploys to the host that runs.

mod sources;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::args::{Application, Dev, LogFormat};
use crate::build;
use crate::config;
use crate::deploy::Deployer;
use crate::failure;
use crate::programs::Programs;
use crate::{load, logging, serve};
use sources::Sources;
use watch::Watcher;

/// Serves until a signal asks to stop.
pub fn run(args: Dev) -> anyhow::Result<()> {
    let _logs = logging::start(LogFormat::Text, &args.log)?;
    let application = args.application;
    let mut watcher = Watcher::new(Sources::of(application.clone()));
    let programs = Programs::new();
    while let Err(error) = first(&application, &programs) {
        failure::print(&error);
        eprintln!("waiting for a change");
        watcher.wait();
    }
    watcher.look_again();
    serve::serve(application.clone(), false, programs, |deployer| {
        let runtime = Handle::current();
        std::thread::spawn(move || follow(watcher, &application, &deployer, &runtime));
    })
}

/// Builds and reads everything once. What is compiled here is found compiled afterwards.
fn first(application: &Application, programs: &Programs) -> anyhow::Result<()> {
    build::run_command(application)?;
    programs.forget();
    let plan = config::plan(application, &config::host_environment, &|path| programs.program(path))?;
    load::components(&load::engine(&plan, programs.code_cache())?, &plan, programs, &[])?;
    Ok(())
}

/// Deploys at every change, for as long as the process lives.
fn follow(mut watcher: Watcher, application: &Application, deployer: &Arc<Deployer>, runtime: &Handle) {
    loop {
        let changed = watcher.wait();
        let started = Instant::now();
        eprintln!("{} changed", changed.display());
        let built = build::run_command(application);
        // What was built is no change of its own; what changes from now on is.
        watcher.look_again();
        let deployed = built.and_then(|_| runtime.block_on(deployer.deploy(true)));
        match deployed {
            Ok(summary) => eprintln!("{summary} ({} ms)", started.elapsed().as_millis()),
            Err(error) => {
                failure::print(&error);
                eprintln!("the old code goes on; waiting for a change");
            }
        }
    }
}
