//! `dohost dev`: serves, looks for changes, builds, and deploys to the host that runs.

mod sources;
mod watch;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::args::{Application, Dev, LogFormat};
use crate::build;
use crate::config;
use crate::deploy::Deployer;
use crate::failure::{self, Failure};
use crate::programs::Programs;
use crate::{load, logging, serve};
use sources::Sources;
use watch::Watcher;

/// Serves until a signal asks to stop.
pub fn run(args: Dev) -> anyhow::Result<()> {
    let _logs = logging::start(LogFormat::Text, &args.log)?;
    let application = args.application;
    let mut watcher = Watcher::new(Sources::of(application.clone()));
    let mut is_restart = false;
    loop {
        let programs = Programs::new();
        while let Err(error) = first(&application, &programs) {
            // The runtime of the host before still has the signals, so nobody could stop what waits here.
            if is_restart {
                return Err(error);
            }
            failure::print(&error);
            eprintln!("waiting for a change");
            watcher.wait();
        }
        watcher.look_again();
        let (restarts, restart) = oneshot::channel();
        let (is_told, mut following) = (Cell::new(false), None);
        let end = async {
            match restart.await {
                Ok(()) => is_told.set(true),
                // Nobody is left to ask for it.
                Err(_) => std::future::pending().await,
            }
        };
        let served = serve::serve(application.clone(), false, programs, end, |deployer| {
            let (application, runtime) = (application.clone(), Handle::current());
            let follow = move || follow(watcher, &application, &deployer, &runtime, restarts);
            following = Some(std::thread::spawn(follow));
        });
        watcher = match (served, following) {
            (Err(error), _) => return Err(error),
            // If it has asked for nothing it waits for a change, which is of no use any more.
            (Ok(()), Some(following)) if is_told.get() => match following.join() {
                Ok(watcher) => watcher,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            (Ok(()), _) => return Ok(()),
        };
        is_restart = true;
    }
}

/// Builds and reads everything once. What is compiled here is found compiled afterwards.
fn first(application: &Application, programs: &Programs) -> anyhow::Result<()> {
    build::run_command(application)?;
    programs.forget();
    let plan = config::plan(application, &config::host_environment, &|path| programs.program(path))?;
    load::components(&load::engine(&plan, programs.code_cache())?, &plan, programs, &[])?;
    Ok(())
}

/// Deploys at every change, until one needs a restart of the host.
fn follow(
    mut watcher: Watcher,
    application: &Application,
    deployer: &Arc<Deployer>,
    runtime: &Handle,
    restarts: oneshot::Sender<()>,
) -> Watcher {
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
            Err(error) if error.downcast_ref().is_some_and(Failure::is_for_a_restart) => {
                eprintln!("{error}: restarting");
                // Whoever serves may be stopping already.
                let _ = restarts.send(());
                return watcher;
            }
            Err(error) => {
                failure::print(&error);
                eprintln!("the old code goes on; waiting for a change");
            }
        }
    }
}
