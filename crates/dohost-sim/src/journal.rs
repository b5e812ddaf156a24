//! Everything that happened, in order, as lines of text: what clients did and saw, what the disk was made to do, and what
//! the host itself logs. Two runs of a seed have the same journal to the byte.
//!
//! The host's own lines say when an instance starts and when its life is over, so this is also where it is checked that an
//! object never has two.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// See the module. Clones write the same journal.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    text: String,
    /// Set while a host runs: times are counted from here.
    started: Option<Instant>,
    /// The generation that lives, of every object.
    living: BTreeMap<String, String>,
    violations: Vec<String>,
}

impl Journal {
    /// Writes a line.
    pub fn note(&self, line: impl fmt::Display) {
        self.0.lock().note(&line);
    }

    /// A host starts on this thread, at a virtual time of 0.
    pub fn host_starts(&self) {
        self.0.lock().started = Some(Instant::now());
    }

    /// The host is about to go, and with it all its instances. The last that it does has no time.
    pub fn host_ends(&self) {
        let mut pages = self.0.lock();
        // Outside of its runtime time is that of the wall clock.
        pages.started = None;
        pages.living.clear();
    }

    /// Notes that something is not as it must be.
    pub fn violation(&self, text: String) {
        let mut pages = self.0.lock();
        pages.note(&format_args!("VIOLATION: {text}"));
        pages.violations.push(text);
    }

    /// What was written, and the violations among it.
    pub fn read(&self) -> (String, Vec<String>) {
        let pages = self.0.lock();
        (pages.text.clone(), pages.violations.clone())
    }

    /// Runs with what the host logs on this thread going to the journal.
    pub fn listening<R>(&self, run: impl FnOnce() -> R) -> R {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Ear(self.clone())), run)
    }
}

impl Pages {
    fn note(&mut self, line: &dyn fmt::Display) {
        let ms = self.started.map_or(0, |started| started.elapsed().as_millis());
        writeln!(self.text, "{ms:>7} {line}").expect("a string takes every text");
    }

    /// Instances come and go with these lines of the host, and its own defects are among them.
    fn hear(&mut self, heard: &Heard) {
        if heard.message.contains("panicked") {
            self.violations.push(heard.message.clone());
        }
        let (Some(id), Some(generation)) = (heard.fields.get("id"), heard.fields.get("generation")) else { return };
        match heard.message.as_str() {
            "started" => {
                if let Some(before) = self.living.insert(id.clone(), generation.clone()) {
                    let text = format!("object {id} has two instances, of generations {before} and {generation}");
                    self.violations.push(text);
                }
            }
            "evicted" if self.living.get(id) == Some(generation) => drop(self.living.remove(id)),
            _ => {}
        }
    }
}

/// Listens to what the host logs.
struct Ear(Journal);

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("dohost") || *metadata.level() > Level::DEBUG {
            return;
        }
        let mut heard = Heard::default();
        event.record(&mut heard);
        let mut pages = self.0.0.lock();
        pages.hear(&heard);
        // Of many lines the first one says what happened; the rest is the guest's stack.
        let message = heard.message.lines().next().unwrap_or_default();
        let fields: String = heard.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        pages.note(&format_args!("host: {message}{fields}"));
    }
}

#[derive(Default)]
struct Heard {
    message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => drop(self.fields.insert(name, format!("{value:?}"))),
        }
    }
}
