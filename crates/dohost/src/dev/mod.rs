//! `dohost dev`: serves, looks for changes, builds, and deploys to the host that runs.

mod sources;
mod watch;

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::args::{Application, Dev, LogFormat};
use crate::config;
use crate::config::plan::BuildPlan;
use crate::deploy::Deployer;
use crate::failure::{self, Failure};
use crate::{load, logging, serve};
use sources::Sources;
use watch::Watcher;

/// Serves until a signal asks to stop.
pub fn run(args: Dev) -> anyhow::Result<()> {
    let _logs = logging::start(LogFormat::Text, &args.log)?;
    let application = args.application;
    let mut watcher = Watcher::new(Sources::of(application.clone()));
    while let Err(error) = first(&application) {
        failure::print(&error);
        eprintln!("waiting for a change");
        watcher.wait();
    }
    watcher.look_again();
    serve::serve(application.clone(), false, |deployer| {
        let runtime = Handle::current();
        std::thread::spawn(move || follow(watcher, &application, &deployer, &runtime));
    })
}

/// Builds and reads everything once. What is compiled here is found compiled afterwards.
fn first(application: &Application) -> anyhow::Result<()> {
    build(application)?;
    let plan = config::plan(application, &config::host_environment)?;
    load::components(&load::engine(&plan)?, &plan, &[])?;
    Ok(())
}

/// Deploys at every change, for as long as the process lives.
fn follow(mut watcher: Watcher, application: &Application, deployer: &Arc<Deployer>, runtime: &Handle) {
    loop {
        let changed = watcher.wait();
        let started = Instant::now();
        eprintln!("{} changed", changed.display());
        let deployed = build(application).and_then(|()| runtime.block_on(deployer.deploy(true)));
        // What was built is no change of its own.
        watcher.look_again();
        match deployed {
            Ok(summary) => eprintln!("{summary} ({} ms)", started.elapsed().as_millis()),
            Err(error) => {
                failure::print(&error);
                eprintln!("the old code goes on; waiting for a change");
            }
        }
    }
}

/// Runs the command that builds the components, if there is one.
pub fn build(application: &Application) -> anyhow::Result<()> {
    let Some(BuildPlan { command, directory, .. }) = config::build(application)? else { return Ok(()) };
    eprintln!("building: {command}");
    let status = Command::new("sh").args(["-c", &command]).current_dir(&directory).status();
    let status = status
        .map_err(|error| Failure::new(format!("cannot run {command:?} in {}: {error}", directory.display()), None))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new(format!("the build failed: {command}: {status}"), None).into()),
    }
}
