//! The host that a script runs against: this very program as a child process, on data of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;

/// What comes before the address in the line that says that the host is ready.
const READY: &str = "dohost serves http://";

/// How a host is started.
pub struct Setup {
    /// The arguments of `dohost serve` that say what is served.
    pub served: Vec<std::ffi::OsString>,
    /// Holds the data and the log, both only for this script.
    pub directory: tempfile::TempDir,
}

impl Setup {
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// What hosts have logged so far.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Starts a host and waits until it serves.
    pub fn start(&self) -> anyhow::Result<Host> {
        let mut log = File::options().create(true).append(true).read(true).open(self.log())?;
        let logged_before = log.seek(SeekFrom::End(0))?;
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let mut command = Command::new(program);
        command.arg("serve").args(&self.served).args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(self.data_dir());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = command.spawn().context("cannot start a host")?;
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = address(&line) else {
            let status = child.wait()?;
            let mut said = String::new();
            log.seek(SeekFrom::Start(logged_before))?;
            log.read_to_string(&mut said)?;
            return Err(Failure::new(format!("the host did not start ({status}):\n{}", said.trim_end()), None).into());
        };
        Ok(Host { address: address.to_owned(), child, _stdout: stdout })
    }
}

fn address(ready: &str) -> Option<&str> {
    ready.strip_prefix(READY)?.split(' ').next()
}

/// A host that runs; killed when it is dropped.
pub struct Host {
    pub address: String,
    child: Child,
    /// Open, so that it can print.
    _stdout: BufReader<ChildStdout>,
}

impl Host {
    /// Ends it without letting it finish anything.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it in good order.
    pub fn stop(mut self) -> anyhow::Result<()> {
        terminate(&self.child)?;
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("the host did not stop in good order: {status}"), None).into()),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Nothing can be done if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) -> anyhow::Result<()> {
    kill_process(Pid::from_child(child), Signal::TERM).context("cannot stop the host")
}

/// The scripts of an application: files in `tests` beside its configuration.
pub fn scripts_beside(config: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let directory = config.and_then(Path::parent).unwrap_or(Path::new("")).join("tests");
    let help = || Some("write one, see docs/TESTING.md, or name it: dohost test SCRIPT".to_owned());
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) => {
            let text = format!("there are no scripts: cannot read {}: {error}", directory.display());
            return Err(Failure::new(text, help()).into());
        }
    };
    let mut scripts = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            scripts.push(path);
        }
    }
    if scripts.is_empty() {
        return Err(Failure::new(format!("there are no scripts in {}", directory.display()), help()).into());
    }
    scripts.sort();
    Ok(scripts)
}
