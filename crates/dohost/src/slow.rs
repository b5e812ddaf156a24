//! What may take long says so: a first compilation takes seconds, in which nothing else would be seen.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::time::Duration;

/// How long nothing is said.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Does something, and says what that is if it takes long: in the log, or on the terminal of a command that has none.
pub fn told<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(SILENCE_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
                say(what);
            }
        });
        let result = act();
        // Nobody listens if it was said.
        let _ = done.send(());
        result
    })
}

fn say(what: &str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("{what}, which takes a while the first time");
    } else if std::io::stderr().is_terminal() {
        eprintln!("{what}, which takes a while the first time");
    }
}
