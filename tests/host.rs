//! The binary as a child process: started on a free port, spoken to, stopped, killed, started again on the same data.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{Connection, Reply};
use crate::small_disk::SmallDisk;

/// How long anything may take that should take milliseconds. Only a test that fails waits so long, so it allows for a
/// machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What comes before the address in the line that says that the host is ready.
const READY: &str = "dohost serves http://";

/// How a host is started. Kept, it starts another one on the same data.
#[derive(Clone)]
pub struct Setup {
    subcommand: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    is_in_its_directory: bool,
    directory: Arc<TempDir>,
    data: Option<PathBuf>,
    disk: Option<Arc<SmallDisk>>,
    files_max: Option<u32>,
    start_max: Duration,
}

impl Setup {
    /// Serves nothing yet.
    pub fn new() -> Setup {
        let directory = tempfile::Builder::new().prefix("dohost-e2e-").tempdir().expect("a temporary directory");
        Setup {
            subcommand: "serve",
            arguments: Vec::new(),
            environment: Vec::new(),
            is_in_its_directory: false,
            directory: Arc::new(directory),
            data: None,
            disk: None,
            files_max: None,
            start_max: PATIENCE,
        }
    }

    /// Serves `target/guests/{name}.wasm` under its own name.
    pub fn guest(self, name: &str) -> Setup {
        self.with([guest(name)])
    }

    /// Serves `target/guests/{name}.wasm` as a class of another name.
    pub fn class(self, class: &str, name: &str) -> Setup {
        let value = format!("{class}={}", guest(name).display());
        self.with(["--class".to_string(), value])
    }

    pub fn worker(self, name: &str) -> Setup {
        self.with([Path::new("--worker"), &guest(name)])
    }

    /// Serves what `dohost.toml` in its directory says.
    pub fn with_config(self) -> Setup {
        let file = self.directory().join("dohost.toml");
        self.with([Path::new("--config"), &file])
    }

    /// Runs where its files are, and is told neither where to listen nor where its data is, nor of a configuration.
    pub fn in_its_directory(mut self) -> Setup {
        self.is_in_its_directory = true;
        self.arguments.clear();
        self
    }

    /// Runs `dohost dev`.
    pub fn dev(mut self) -> Setup {
        self.subcommand = "dev";
        self
    }

    /// Sets a variable of the environment that it runs in.
    pub fn environment(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds arguments as they are.
    pub fn with<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Setup {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn data_dir(mut self, data: impl Into<PathBuf>) -> Setup {
        self.data = Some(data.into());
        self
    }

    /// Keeps the data on a file system of its own.
    pub fn on(mut self, disk: Arc<SmallDisk>) -> Setup {
        self.disk = Some(disk);
        self
    }

    /// The system lets it open so many files, sockets among them.
    pub fn with_files_max(mut self, files_max: u32) -> Setup {
        self.files_max = Some(files_max);
        self
    }

    /// Waits so long for the host to be ready: to compile a large component takes its time.
    pub fn ready_within(mut self, start_max: Duration) -> Setup {
        self.start_max = start_max;
        self
    }

    /// Where the data is.
    pub fn data(&self) -> PathBuf {
        match (&self.data, &self.disk) {
            (Some(data), _) => data.clone(),
            (None, Some(disk)) => disk.directory().join("data"),
            (None, None) => self.directory.path().join("data"),
        }
    }

    /// A file that lives as long as this set-up.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file in the temporary directory");
        path
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The command line as it is run.
    pub fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_dohost");
        let mut command = match (&self.disk, self.files_max) {
            (Some(disk), _) => disk.command(binary),
            (None, Some(files_max)) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={files_max}:{files_max}")).arg(binary);
                command
            }
            (None, None) => Command::new(binary),
        };
        command.arg(self.subcommand).envs(self.environment.iter().cloned());
        match self.is_in_its_directory {
            true => command.current_dir(self.directory()),
            false => command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(self.data()),
        };
        command.args(&self.arguments);
        command
    }

    /// Runs another subcommand with the same arguments and in the same environment, to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dohost"));
        command.args(arguments).args(&self.arguments).envs(self.environment.iter().cloned());
        run(command)
    }

    /// The small disk that its data is on.
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_deref()
    }

    /// Starts the host and waits until it is ready.
    pub fn start(&self) -> Host {
        self.try_start().unwrap_or_else(|ended| panic!("no ready line; {}; its log:\n{}", ended.status, ended.stderr))
    }

    /// Starts the host and waits until it is ready, or has ended.
    pub fn try_start(&self) -> Result<Host, Ended> {
        let mut process = Process::spawn(self.command());
        let line = process.first_line(self.start_max).unwrap_or_default();
        match address_in(&line) {
            Some(address) => Ok(Host { setup: self.clone(), process, address: address.to_string(), ready_line: line }),
            None => Err(process.wait()),
        }
    }

    /// Starts a host that should refuse to start.
    pub fn fail(&self) -> Ended {
        Process::spawn(self.command()).wait()
    }
}

/// Where hosts keep what can be made again.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-cache")
}

/// Runs the binary with these arguments only, to its end.
pub fn dohost<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dohost"));
    command.args(arguments.into_iter().map(Into::into));
    Process::spawn(command).wait()
}

/// Runs any command to its end.
pub fn run(command: Command) -> Ended {
    Process::spawn(command).wait()
}

/// The same for one that may take so long.
pub fn run_within(patience: Duration, command: Command) -> Ended {
    Process::spawn(command).wait_within(patience)
}

/// A component of `guests/`.
pub fn guest(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/guests/{name}.wasm"));
    path.canonicalize().unwrap_or_else(|_| panic!("there is no {}: run `cargo xtask guests` first", path.display()))
}

fn address_in(ready_line: &str) -> Option<&str> {
    ready_line.strip_prefix(READY)?.split(' ').next()
}

/// A host that serves. Dropping it kills it.
pub struct Host {
    pub setup: Setup,
    pub address: String,
    pub ready_line: String,
    process: Process,
}

impl Host {
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address).expect("the host takes connections")
    }

    /// One request on a connection of its own.
    pub fn get(&self, path: &str) -> Reply {
        self.connect().get(path)
    }

    pub fn process_id(&self) -> u32 {
        self.process.child.id()
    }

    /// The most memory that it ever held at a time, in bytes.
    pub fn memory_peak(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// The memory that it holds now, in bytes.
    pub fn memory(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB")).map(str::trim);
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("the system counts in KiB") << 10
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until a text is in the log, and gives the log.
    pub fn log_with(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.log()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.process_id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("there is a kill command");
        assert!(status.success(), "kill -{name} {id}: {status}");
    }

    /// Stops it as an operator would, and waits for its end.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    pub fn wait(self) -> Ended {
        self.process.wait()
    }

    /// Waits until the process serves once more, after a restart that it makes itself.
    pub fn is_ready_again(&mut self) {
        self.ready_line = self.process.first_line(PATIENCE).expect("a ready line");
        self.address = address_in(&self.ready_line).expect("an address").to_string();
    }

    /// Kills it at once, so that it can do nothing any more.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Kills it and starts another one on the same data.
    pub fn kill_and_start(self) -> Host {
        let setup = self.setup.clone();
        self.kill();
        setup.start()
    }

    /// Stops it and starts another one on the same data.
    pub fn restart(self) -> Host {
        let setup = self.setup.clone();
        let ended = self.stop();
        assert!(ended.status.success(), "{ended:?}");
        setup.start()
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Asserts that it gave up with exit code 1, and that the error says all these texts.
    pub fn says(&self, texts: &[&str]) {
        assert_eq!(self.status.code(), Some(1), "{self:#?}");
        assert_eq!(self.stdout, "", "stdout is for the ready line: {self:#?}");
        assert!(self.stderr.lines().any(|line| line.starts_with("error: ")), "{self:#?}");
        for text in texts {
            assert!(self.stderr.contains(text), "it does not say {text:?}: {}", self.stderr);
        }
    }
}

struct Process {
    child: Child,
    lines: Mutex<mpsc::Receiver<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    has_ended: bool,
}

impl Process {
    fn spawn(mut command: Command) -> Process {
        // What the environment of the developer says must not reach the tests.
        for name in ["DOHOST_LISTEN", "DOHOST_DATA_DIR", "DOHOST_LOG", "DOHOST_LOG_FORMAT"] {
            command.env_remove(name);
        }
        // All hosts of the tests together, unless a test has its own, and none of the developer.
        if command.get_envs().all(|(name, _)| name != "DOHOST_CACHE_DIR") {
            command.env("DOHOST_CACHE_DIR", cache());
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let read_stdout = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let (mut pipe, log) = (child.stderr.take().expect("stderr is a pipe"), stderr.clone());
        let read_stderr = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len @ 1..) = pipe.read(&mut bytes) {
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..len]));
            }
        });
        Process { child, lines: Mutex::new(lines), stderr, readers: vec![read_stdout, read_stderr], has_ended: false }
    }

    /// None if it ended without one.
    fn first_line(&mut self, patience: Duration) -> Option<String> {
        self.lines.lock().unwrap().recv_timeout(patience).ok()
    }

    fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    fn wait(self) -> Ended {
        self.wait_within(PATIENCE)
    }

    fn wait_within(mut self, patience: Duration) -> Ended {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        };
        self.has_ended = true;
        self.join_readers();
        let stdout = self.lines.lock().unwrap().try_iter().map(|line| line + "\n").collect();
        Ended { status, stdout, stderr: self.log() }
    }

    fn kill(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.join_readers();
    }

    fn join_readers(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the log of the host:\n{}", self.log());
        }
    }
}
