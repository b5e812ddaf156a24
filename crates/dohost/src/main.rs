//! The `dohost` command: arguments, wiring, exit codes.
//!
//! Exit codes: 0 after a stop by signal or a command that did what it should, 1 for an error (said on stderr, with what to do about it), 2 for arguments that
//! make no sense, or if `dohost conform` cannot tell.

#![forbid(unsafe_code)]

mod args;
mod build;
mod call;
mod check;
mod config;
mod conform;
mod deploy;
mod describe;
mod dev;
mod failure;
mod http_client;
mod limit;
mod listen;
mod load;
mod logging;
mod management;
mod new;
mod objects;
mod open_files;
mod output;
mod place;
mod programs;
mod serve;
mod size;
mod slow;
mod testing;
mod types;

use std::process::ExitCode;

use clap::Parser;

/// Measured against the system's on the path of a request: a twentieth to a tenth less CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let result = match args.command {
        args::Command::Serve(serve) => serve::run(*serve),
        args::Command::Build(build) => build::run(&build),
        args::Command::Call(call) => call::run(&call),
        args::Command::Describe(describe) => describe::run(&describe),
        args::Command::Check(check) => check::run(&check),
        args::Command::Objects(objects) => objects::run(*objects),
        args::Command::Stats(stats) => objects::stats(stats),
        args::Command::Deploy(deploy) => objects::deploy(&deploy),
        args::Command::New(new) => new::run(&new),
        args::Command::Dev(dev) => dev::run(*dev),
        args::Command::Test(test) => testing::run(&test),
        args::Command::Types(types) => types::run(&types),
        // It has an exit code of its own.
        args::Command::Conform(conform) => return conform::run(&conform),
        args::Command::Limits => output::say(limit::table()).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::nobody_reads(&error) => ExitCode::SUCCESS,
        Err(error) => {
            failure::print(&error);
            ExitCode::FAILURE
        }
    }
}
