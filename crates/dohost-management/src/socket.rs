//! The Unix socket in a data directory.
//!
//! The system takes paths of some hundred bytes. Where that is not enough, the directory is opened and the socket reached
//! through it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The name of the socket in a data directory.
pub const SOCKET_NAME: &str = "management.sock";

/// The name that it has until it is ready.
const NEW_SOCKET_NAME: &str = "management.sock.new";

/// Bytes that the path of a socket may have on every system.
const PATH_BYTES_MAX: usize = 100;

/// A path to a file in a directory that is short enough, and what keeps it good.
fn short_path(directory: &Path, name: &str) -> io::Result<(PathBuf, Option<File>)> {
    let path = directory.join(name);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let directory = File::open(directory)?;
    let through = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    match through.exists() {
        true => Ok((through.join(name), Some(directory))),
        false => Err(io::Error::new(io::ErrorKind::InvalidFilename, "the path of the socket is too long")),
    }
}

/// Listens. Whoever calls this has the data directory to itself: a socket that is there is left from an earlier process.
pub(crate) fn bind(directory: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let (path, _open) = short_path(directory, NEW_SOCKET_NAME)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    // Nobody can connect before it has its name, so nobody can who may not.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(directory.join(NEW_SOCKET_NAME), directory.join(SOCKET_NAME))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes it.
pub(crate) fn remove(directory: &Path) {
    // The next process takes a socket that is left for what it is.
    let _ = std::fs::remove_file(directory.join(SOCKET_NAME));
}

/// Connects to the host that runs on a data directory; `None` if there is none, or it has no socket.
pub(crate) async fn connect(directory: &Path) -> io::Result<Option<UnixStream>> {
    if !directory.join(SOCKET_NAME).exists() {
        return Ok(None);
    }
    let (path, _open) = short_path(directory, SOCKET_NAME)?;
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// For the runtime of the caller.
pub(crate) fn on_runtime(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
    UnixListener::from_std(listener)
}
