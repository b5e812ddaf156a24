//! What a guest prints: its standard output and error become lines of the host's log.
//!
//! Lines are cut at [`LINE_BYTES_MAX`], so that a guest cannot make the host hold an endless one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line that is logged in one piece.
const LINE_BYTES_MAX: usize = 4 << 10;
/// Bytes that a guest may print in one call.
const WRITE_BYTES_MAX: usize = 64 << 10;

#[derive(Clone)]
pub(crate) struct GuestLog {
    guest: Arc<str>,
    is_error: bool,
}

impl GuestLog {
    pub fn stdout(guest: Arc<str>) -> GuestLog {
        GuestLog { guest, is_error: false }
    }

    pub fn stderr(guest: Arc<str>) -> GuestLog {
        GuestLog { guest, is_error: true }
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { log: self.clone(), line: Vec::new() })
    }

    // The default would hand writes to a task and make the guest wait, and a guest that waits ends its turn.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines { log: self.clone(), line: Vec::new() })
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

/// Collects bytes until a line is whole.
struct Lines {
    log: GuestLog,
    line: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() == LINE_BYTES_MAX {
                self.emit();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn emit(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let guest = &*self.log.guest;
        match self.log.is_error {
            false => tracing::info!(target: "guest", guest, "{text}"),
            true => tracing::warn!(target: "guest", guest, "{text}"),
        }
        self.line.clear();
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
    }
}
