//! `cargo xtask sim`: runs seeds, and says how to repeat those that fail.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use parking_lot::Mutex;

/// Runs the simulation of the whole host
#[derive(Parser)]
#[command(name = "dohost-sim")]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads that run seeds, each one its own
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Print the journal of every seed, not only that something failed
    #[arg(long)]
    journal: bool,
    /// Run every seed twice and compare the journals
    #[arg(long)]
    twice: bool,
    /// Stop at the first seed that fails
    #[arg(long)]
    first: bool,
}

/// Sums over all seeds.
#[derive(Default)]
struct Sums {
    seeds: u64,
    crashes: usize,
    acts: usize,
    open_acts: usize,
    failed: Vec<u64>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let (next, end) = (AtomicU64::new(arguments.from), arguments.from + arguments.seeds);
    let sums = Mutex::new(Sums::default());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end || (arguments.first && !sums.lock().failed.is_empty()) {
                    return Ok(());
                }
                run(seed, &arguments, &sums)?;
            }
        };
        let threads: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a seed does not panic"))
    })?;
    let Sums { seeds, crashes, acts, open_acts, failed } = sums.into_inner();
    let seconds = started.elapsed().as_secs_f64();
    println!("{seeds} seeds in {seconds:.1} s: {acts} acts, {open_acts} with an open end, {crashes} crashes");
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} seeds failed: {failed:?}", failed.len());
    Ok(ExitCode::FAILURE)
}

fn run(seed: u64, arguments: &Arguments, sums: &Mutex<Sums>) -> Result<()> {
    let mut report = dohost_sim::run(seed)?;
    if arguments.twice && dohost_sim::run(seed)?.journal != report.journal {
        report.violations.push("the second run was another one".into());
    }
    if arguments.journal {
        print!("{}", report.journal);
    }
    for violation in &report.violations {
        println!("seed {seed}: {violation}");
    }
    let mut sums = sums.lock();
    if !report.violations.is_empty() {
        println!("again: {}", dohost_sim::command(seed));
        sums.failed.push(seed);
    }
    sums.seeds += 1;
    sums.crashes += report.crashes;
    sums.acts += report.acts;
    sums.open_acts += report.open_acts;
    Ok(())
}
