//! `cargo xtask`: the chores of this workspace that take more than one cargo command.
//!
//! What needs guests gets them built first, so `cargo xtask serve` and `cargo xtask test` work in a fresh checkout. All
//! of it uses the release profile, so that wasmtime is built once, but `cargo xtask dist`.
//!
//! Not here: anything that a user of dohost needs. Those have the `dohost` command and no sources.

mod chores;
mod component;
mod corpus;
mod debian;
mod dist;
mod fuzz;
mod guests;
mod javascript;
mod languages;
mod npm;
mod process;
mod python;
mod toolchain;
mod types;
mod websockets;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use languages::Language;

/// Chores of the dohost workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the guests to components in target/guests/
    ///
    /// Uses the Rust on the PATH if it has the target wasm32-unknown-unknown, or if rustup can add it; on Debian
    /// without such luck, Debian's own Rust, which builds the standard library too (once, some minutes). Set
    /// DOHOST_GUEST_TOOLCHAIN to `rustup` or `debian` to have it one way only.
    Guests,

    /// Build the counters in other languages to components in target/guests/
    ///
    /// Brings compilers and generators from PyPI, npm, crates.io and, for C, Debian to target/languages/tools, in versions that
    /// are pinned. The first time takes some minutes; afterwards only what changed is built again.
    Languages {
        /// All if none is named
        languages: Vec<Language>,
    },

    /// Build the dohost that is installed: target/dist/dohost
    ///
    /// The same as that of the other chores, optimised as one piece: a request takes up to a sixth less CPU. It takes
    /// some twenty minutes the first time, eight after a change, and 5 GiB of memory.
    Dist {
        /// Optimise it by what requests were seen to do, too: another eighth less CPU
        ///
        /// Builds a dohost that counts, lets it answer benches/training.py for a minute, and builds again: half an hour, each time.
        /// Installs wrk, and LLVM's tools if rustup's (llvm-tools) are missing, with apt-get.
        #[arg(long)]
        trained: bool,
    },

    /// Build guests and dohost, then run `dohost serve`
    ///
    /// Serves target/guests/counter.wasm unless the arguments name objects. All arguments go to `dohost serve`.
    Serve {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },

    /// Build the guests, then run all tests
    ///
    /// All arguments go to `cargo test --release --workspace`. Without any, the counters in other languages are built too.
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },

    /// Build the guests, then run the simulation of the whole host
    ///
    /// All arguments go to `dohost-sim`: `--seeds 5000 --jobs 2` runs many seeds, `--from 17 --seeds 1 --journal` repeats one
    /// and tells all that happened in it.
    Sim {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },

    /// Compare the JavaScript programs of tests/corpus on dohost and on workerd
    ///
    /// Installs workerd with npm into target/ (and npm with apt-get, if it is missing). Fails if dohost answers otherwise
    /// than workerd, except for what tests/corpus/differences has, and if workerd answers otherwise than it was recorded.
    Corpus {
        /// Write what workerd answers to tests/corpus/answers, instead of comparing it
        #[arg(long)]
        record: bool,

        /// Compare what workerd answers with what was recorded, and leave dohost out
        #[arg(long, conflicts_with = "record")]
        workerd: bool,

        /// Only programs whose names contain this
        #[arg(default_value = "")]
        only: String,
    },

    /// Fuzz what reads texts from outside, and the store, with libFuzzer
    ///
    /// Needs a C++ compiler. What goes new ways is kept in target/fuzz/corpus and gone on with the next time; an input that fails
    /// is written to target/fuzz/ and ends it. The inputs in fuzz/corpus are run by every `cargo xtask test`.
    Fuzz {
        /// All of json, routes and storage if none is named
        targets: Vec<String>,

        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,

        /// Add the smallest inputs that go ways of their own to fuzz/corpus
        #[arg(long)]
        keep: bool,
    },

    /// Run the Autobahn cases for WebSockets against dohost
    ///
    /// Installs the runner kosoku from PyPI into target/. Each case runs twice, the second time while the object is evicted
    /// over and over.
    Autobahn,

    /// Chat in the tabs of a real browser
    ///
    /// Installs Chromium with apt-get, if it is missing, and talks in the room of guests/room.
    Browser,

    /// Count the instructions of requests, and compare them with benches/instructions.toml
    ///
    /// Installs valgrind and Python with apt-get, if they are missing. Takes a minute, and counts the same on a busy machine.
    /// All arguments go to benches/instructions.py.
    Instructions {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },

    /// Check with TypeScript's own compiler what `dohost types` writes
    ///
    /// Installs it with npm into target/ (and npm with apt-get, if it is missing).
    Types,

    /// Check the formatting and run clippy with warnings as errors, on host and guests
    Lint,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Guests => guests::build().map(drop),
        Chore::Languages { languages } => languages::build(&languages),
        Chore::Dist { trained } => dist::build(trained),
        Chore::Serve { arguments } => chores::serve(&arguments),
        Chore::Test { arguments } => chores::test(&arguments),
        Chore::Sim { arguments } => chores::sim(&arguments),
        Chore::Corpus { record, workerd, only } => corpus::compare(record, workerd, &only),
        Chore::Fuzz { targets, seconds, keep } => fuzz::fuzz(&targets, seconds, keep),
        Chore::Autobahn => websockets::autobahn(),
        Chore::Browser => websockets::browser(),
        Chore::Instructions { arguments } => chores::instructions(&arguments),
        Chore::Types => types::check(),
        Chore::Lint => chores::lint(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
