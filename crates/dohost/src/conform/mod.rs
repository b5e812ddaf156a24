//! `dohost conform`: whether a component, or a program in JavaScript, fits dohost and behaves as an object should.
//!
//! What can be told without running it comes first: is it a component, does it fit the world, does it link. Then it is served, by
//! this very program as a child process, and asked: as often as it takes, on data that is gone afterwards. The probes need
//! nothing of it but that it answers the same requests in the same way.
//!
//! Each finding says what to do. What a probe cannot tell is no success.

mod asked;
mod component;
mod probes;
mod report;
mod session;

use std::process::ExitCode;

use crate::args::{Application, Conform};
use crate::failure::{self, Failures};
use crate::programs::Programs;
use crate::testing::script;

use component::{NotCompiled, NotParsed, Subject};
use probes::Probes;
use report::{Finding, Report, Stage};
use session::Sessions;

/// The exit code for "could not tell".
const COULD_NOT_TELL: u8 = 2;

/// Looks at it and prints what was found. Exit codes: 0 it conforms, 1 it does not, 2 it could not be told.
pub fn run(args: &Conform) -> ExitCode {
    match examine(args) {
        Ok(report) => {
            if let Err(error) = report.print(args.json) {
                let error = anyhow::Error::from(error);
                if !crate::output::nobody_reads(&error) {
                    failure::print(&error);
                }
            }
            report.verdict().exit_code()
        }
        Err(error) => {
            failure::print(&error);
            ExitCode::from(COULD_NOT_TELL)
        }
    }
}

fn examine(args: &Conform) -> anyhow::Result<Report> {
    let steps = args.script.as_deref().map(script::read).transpose()?;
    let mut report = Report::new(&args.file, args.json);
    let programs = Programs::new();
    let Some((application, subject)) = stages(args, &programs, &mut report)? else { return Ok(report) };
    // The hosts below want to have what was compiled.
    drop(programs);
    if args.is_static {
        return Ok(report);
    }

    let sessions = Sessions::new(&application, args.seed)?;
    let requests = asked::requests(steps.as_deref(), &subject)?;
    let started = Probes::start(&sessions, &subject, requests, steps.is_some(), &mut report)?;
    let Some(probes) = started else { return Ok(report) };
    if let Some(steps) = &steps {
        probes.script(steps, &mut report)?;
    }
    probes.run(&mut report)?;
    Ok(report)
}

/// What can be told without running it; none if it is not worth going on.
fn stages(args: &Conform, programs: &Programs, report: &mut Report) -> anyhow::Result<Option<(Application, Subject)>> {
    let binary = match component::parse(&args.file, programs) {
        Ok(binary) => binary,
        Err(NotParsed::Unreadable(failures)) => return Err(failures.into()),
        Err(NotParsed::Wrong(failures)) => {
            report.add(failures_of(Stage::Parse, &failures));
            return Ok(None);
        }
    };
    let application = application(args, &binary);
    let compiled = match component::compile(&args.file, &application, &binary, programs) {
        Ok(compiled) => compiled,
        Err(NotCompiled::Application(failures)) => return Err(failures.into()),
        Err(NotCompiled::Component(failures)) => {
            report.add(failures_of(Stage::Parse, &failures));
            return Ok(None);
        }
    };
    report.add(compiled.finding());
    let world = component::world(&binary).unwrap_or_else(|failures| failures_of(Stage::World, &failures));
    let fits = !world.is_failure();
    report.add(world);
    if !fits {
        return Ok(None);
    }
    match compiled.link() {
        Ok((finding, subject)) => {
            report.add(finding);
            Ok(Some((application, subject)))
        }
        Err(failures) => {
            report.add(failures_of(Stage::Link, &failures));
            Ok(None)
        }
    }
}

/// What is served to look at it.
fn application(args: &Conform, binary: &[u8]) -> Application {
    let mut application = Application { files: args.with.clone(), ..Application::default() };
    if args.worker || component::is_worker_only(binary) {
        application.worker = Some(args.file.clone());
    } else if args.classes.is_empty() {
        application.files.insert(0, args.file.clone());
    } else {
        application.classes = args.classes.iter().map(|name| (name.clone(), args.file.clone())).collect();
    }
    application
}

fn failures_of(stage: Stage, failures: &Failures) -> Finding {
    let mut finding = Finding::fails(stage, failures.to_string());
    for failure in &failures.0 {
        if let Some(place) = failure.place() {
            finding = finding.detail(place.snippet());
        }
        if let Some(help) = failure.help() {
            finding = finding.help(help);
        }
    }
    finding
}
