//! `dohost check`: everything that `dohost serve` would find out before it serves, and what it comes to.

mod report;

use crate::args::Check;
use crate::config::{self, Plan, file};
use crate::failure::Failure;
use crate::load;
use crate::management;
use crate::output;
use crate::programs::Programs;

use report::Report;

/// Prints the plan if it can be served, or else why not.
pub fn run(args: &Check) -> anyhow::Result<()> {
    if args.schema {
        output::say(file::schema())?;
        return Ok(());
    }
    let programs = Programs::new();
    let plan = config::plan(&args.application, &config::host_environment, &|path| programs.program(path))?;
    could_be_served(&plan, &programs)?;
    let (changes, destroys) = management::changes(&plan)?;
    let refused = destroys.clone().filter(|_| !args.allow_delete);
    let report = Report::of(&plan).with_changes(changes, destroys);
    match args.json {
        true => output::say(serde_json::to_string_pretty(&report)?)?,
        false => output::say(report.to_string().trim_end())?,
    }
    match refused {
        None => Ok(()),
        Some(text) => {
            let help = "if that is meant, start the host with --allow-delete".to_string();
            Err(Failure::new(format!("a start would be refused, as it destroys what is stored: {text}"), Some(help))
                .into())
        }
    }
}

/// Loads all that would be loaded, and lets it go.
fn could_be_served(plan: &Plan, programs: &Programs) -> anyhow::Result<()> {
    let engine = load::engine(plan, programs.code_cache())?;
    load::components(&engine, plan, programs, &[])?;
    load::outgoing(plan)?;
    management::token(plan)?;
    Ok(())
}
