//! A file system of a few MiB, so that a disk can be full.
//!
//! A tmpfs in a mount namespace of its own, which a sleeping process holds open. Hosts enter the namespace and so
//! survive one another; the test looks in through `/proc`. Needs root or user namespaces.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub struct SmallDisk {
    holder: Child,
    directory: TempDir,
    in_user_namespace: bool,
}

impl SmallDisk {
    /// None, with the reason on stderr, if the system does not let us have one.
    pub fn new(bytes: usize) -> Option<SmallDisk> {
        let directory = tempfile::Builder::new().prefix("dohost-e2e-disk-").tempdir().expect("a temporary directory");
        [false, true]
            .into_iter()
            .find_map(|in_user_namespace| hold(bytes, directory.path(), in_user_namespace))
            .map(|(holder, in_user_namespace)| SmallDisk { holder, directory, in_user_namespace })
    }

    /// Its path for those who are in the namespace.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its path for those who are not.
    pub fn outside_path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.directory.path().strip_prefix("/").expect("an absolute path"))
    }

    /// A command that runs a program inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        if self.in_user_namespace {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--mount", "--target", &self.holder.id().to_string(), program]);
        command
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file on the small disk");
        for len in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![0; len]).is_ok() {}
        }
    }

    /// Gives that room back.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled before");
    }

    fn filler(&self) -> PathBuf {
        self.outside_path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn hold(bytes: usize, directory: &Path, in_user_namespace: bool) -> Option<(Child, bool)> {
    let mount = "mount -t tmpfs -o size=$1 tmpfs \"$2\" && echo mounted && exec sleep 600";
    let mut command = Command::new("unshare");
    if in_user_namespace {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", mount, "sh", &bytes.to_string()]).arg(directory);
    let mut holder = match command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
        Ok(holder) => holder,
        Err(error) => {
            eprintln!("skipped: cannot run unshare: {error}");
            return None;
        }
    };
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("stdout is a pipe");
    let is_mounted = BufReader::new(stdout).read_line(&mut line).is_ok() && line == "mounted\n";
    if is_mounted {
        return Some((holder, in_user_namespace));
    }
    eprintln!("skipped: the system mounts no tmpfs for this user (user namespace: {in_user_namespace})");
    let _ = holder.wait();
    None
}
