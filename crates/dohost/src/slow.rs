//! What may take long says so: a first compilation takes seconds, in which nothing else would be seen.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::time::Duration;

/// How long nothing is said.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Does something, and says what that is if it takes long: in the log, or on the terminal of a command that has none.
pub fn told<T>(what: &str, act: impl FnOnce() -> T) -> T {
    told_after(SILENCE_MAX, || say(what), act)
}

fn told_after<T>(silence: Duration, tell: impl FnOnce() + Send, act: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(silence) == Err(mpsc::RecvTimeoutError::Timeout) {
                tell();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_told_of_while_it_goes_on_and_nothing_else_is() {
        let (told, is_told) = mpsc::channel();
        let tell = || told.send(()).expect("somebody waits for it");
        told_after(Duration::ZERO, tell, || is_told.recv_timeout(Duration::from_secs(60)).expect("it is told of"));
        told_after(Duration::from_secs(600), || panic!("it took no time"), || ());
    }
}
