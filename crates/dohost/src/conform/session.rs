//! Hosts that serve what is looked at, each on data of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::asked::{Answer, Asked};
use crate::args::Application;
use crate::objects;
use crate::testing::host::{Host, Setup};

/// How long objects may take to leave memory.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// So many lines of the log are shown.
const WARNINGS_SHOWN_MAX: usize = 5;

/// Starts sessions.
pub struct Sessions {
    served: Vec<OsString>,
    pub seed: u64,
    pub runtime: Runtime,
}

impl Sessions {
    pub fn new(application: &Application, seed: u64) -> anyhow::Result<Sessions> {
        let mut served: Vec<OsString> = Vec::new();
        if let Some(worker) = &application.worker {
            served.extend(["--worker".into(), worker.into()]);
        }
        for (name, file) in &application.classes {
            let mut class = OsString::from(format!("{name}="));
            class.push(file);
            served.extend(["--class".into(), class]);
        }
        served.extend(application.files.iter().map(OsString::from));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Sessions { served, seed, runtime })
    }

    /// New data, and how to start a host on it with more arguments than usual.
    pub fn setup(&self, more: &[&str]) -> anyhow::Result<Setup> {
        let directory = tempfile::Builder::new().prefix("dohost-conform-").tempdir()?;
        let mut served = self.served.clone();
        served.extend(more.iter().map(OsString::from));
        Ok(Setup { served, directory })
    }

    /// A host on new data.
    pub fn start(&self, more: &[&str]) -> anyhow::Result<Session<'_>> {
        let setup = self.setup(more)?;
        let started = Instant::now();
        let host = setup.start()?;
        Ok(Session { runtime: &self.runtime, setup, host: Some(host), start_took: started.elapsed() })
    }
}

/// A host and its data.
pub struct Session<'a> {
    pub runtime: &'a Runtime,
    setup: Setup,
    host: Option<Host>,
    /// How long the host took until it served.
    pub start_took: Duration,
}

impl Session<'_> {
    pub fn address(&self) -> &str {
        &self.host.as_ref().expect("it runs between two calls").address
    }

    pub fn ask(&self, asked: &Asked) -> Answer {
        self.runtime.block_on(Answer::to(asked, self.address()))
    }

    pub fn ask_all(&self, asked: &[Asked]) -> Vec<Answer> {
        asked.iter().map(|asked| self.ask(asked)).collect()
    }

    /// What its hosts have logged.
    pub fn logged(&self) -> String {
        self.setup.logged()
    }

    /// The warnings and errors among that.
    pub fn warned(&self) -> Vec<String> {
        let log = self.logged();
        let bad = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
        bad.take(WARNINGS_SHOWN_MAX).map(str::to_owned).collect()
    }

    /// Kills the host and starts another one on the same data.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.host.take().expect("it runs between two calls").kill()?;
        self.host = Some(self.setup.start()?);
        Ok(())
    }

    /// Stops the host in good order. The data is nobody's then.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.host.take().map_or(Ok(()), Host::stop)
    }

    /// Starts a host on the data that was left.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.host = Some(self.setup.start()?);
        Ok(())
    }

    pub fn data_dir(&self) -> PathBuf {
        self.setup.data_dir()
    }

    /// Sends a request and kills the host a while after; what came of it by then, if anything did.
    pub fn crash_while(&mut self, asked: &Asked, after: Duration) -> anyhow::Result<Option<Answer>> {
        let host = self.host.take().expect("it runs between two calls");
        let address = host.address.clone();
        let answer = self.runtime.block_on(async {
            let request = Answer::to(asked, &address);
            let answer = tokio::time::timeout(after, request).await.ok();
            host.kill().map(|()| answer)
        })?;
        self.host = Some(self.setup.start()?);
        Ok(answer.filter(|answer| !answer.is_nothing()))
    }

    /// Whether the host runs and answers for itself.
    pub fn is_alive(&self) -> bool {
        self.figures().is_ok()
    }

    /// Waits until no object is in memory; false if some stay.
    pub fn wait_until_nobody_is_in_memory(&self) -> anyhow::Result<bool> {
        let deadline = Instant::now() + LEAVE_MAX;
        while self.figures()?["residentObjects"] != 0 {
            if Instant::now() > deadline {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(true)
    }

    /// What `dohost stats` says.
    pub fn figures(&self) -> anyhow::Result<Value> {
        self.managed(Method::GET, "/v1/stats")
    }

    /// What the host answers to an operator.
    pub fn managed(&self, method: Method, target: &str) -> anyhow::Result<Value> {
        let client = objects::connect(self.runtime, &self.setup.data_dir())?.context("the host has no socket")?;
        let answer = objects::send(self.runtime, &client, method, target, Bytes::new())?;
        serde_json::from_slice(&answer).context("the host answered with something else than JSON")
    }
}
