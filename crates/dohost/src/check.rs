//! `dohost check`: everything that `dohost serve` would find out before it serves, and what it comes to.

mod report;

use crate::args::Check;
use crate::config::{self, Plan, file};
use crate::load;
use crate::management;

use report::Report;

/// Prints the plan if it can be served, or else why not.
pub fn run(args: &Check) -> anyhow::Result<()> {
    if args.schema {
        println!("{}", file::schema());
        return Ok(());
    }
    let plan = config::plan(&args.application, &config::host_environment)?;
    could_be_served(&plan)?;
    let (changes, destroys) = management::changes(&plan)?;
    let report = Report::of(&plan).with_changes(changes, destroys);
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{report}"),
    }
    Ok(())
}

/// Loads all that would be loaded, and lets it go.
fn could_be_served(plan: &Plan) -> anyhow::Result<()> {
    let engine = load::engine(plan)?;
    load::components(&engine, plan, &[])?;
    load::outgoing(plan)?;
    management::token(plan)?;
    Ok(())
}
