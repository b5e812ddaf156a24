//! The limits of an object as an operator sets them: `memory=64MiB`, or `chat:events=100` for one class.

use std::time::Duration;

use bytesize::ByteSize;
use dohost_object::Limits;

/// A limit that somebody set.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSetting {
    /// The class that it is for; all of them if none.
    pub class: Option<String>,
    limit: &'static str,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Bytes(u64),
    Time(Duration),
    Count(u32),
}

/// One that there is.
struct Limit {
    name: &'static str,
    /// What happens when it is hit, for `dohost limits`.
    about: &'static str,
    /// The smallest and the largest value.
    range: (Value, Value),
    get: fn(&Limits) -> Value,
    set: fn(&mut Limits, Value),
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const BYTES: (Value, Value) = (Value::Bytes(1), Value::Bytes(1 << 50));
const TIME: (Value, Value) = (Value::Time(Duration::from_millis(1)), Value::Time(Duration::from_secs(365 * 24 * 3600)));
const COUNT: (Value, Value) = (Value::Count(1), Value::Count(u32::MAX));

/// A row of the table: how to get at a field of [`Limits`].
macro_rules! limit {
    ($name:literal, $kind:ident, $range:expr, $($field:ident).+ : $type:ty, $about:literal) => {
        Limit {
            name: $name,
            about: $about,
            range: $range,
            get: |limits| limit!(@value $kind, limits.$($field).+),
            set: |limits, value| {
                if let Value::$kind(value) = value {
                    limits.$($field).+ = value as $type;
                }
            },
        }
    };
    (@value Bytes, $field:expr) => { Value::Bytes($field as u64) };
    (@value Count, $field:expr) => { Value::Count($field as u32) };
}

/// The same for a time, which cannot be cast.
macro_rules! time_limit {
    ($name:literal, $($field:ident).+, $about:literal) => {
        Limit {
            name: $name,
            about: $about,
            range: TIME,
            get: |limits| Value::Time(limits.$($field).+),
            set: |limits, value| {
                if let Value::Time(value) = value {
                    limits.$($field).+ = value;
                }
            },
        }
    };
}

const LIMITS: &[Limit] = &[
    limit!(
        "memory",
        Bytes,
        (Value::Bytes(64 * KIB), Value::Bytes(4 * GIB)),
        guest.memory_bytes_max: usize,
        "memory of an instance: growing fails in the guest"
    ),
    time_limit!("turn-cpu", guest.turn_cpu_max, "time on the thread without waiting: the object is reset"),
    time_limit!("event-time", event_time_max, "time from the start of an event to its reply: the object is reset"),
    time_limit!(
        "alarm-time",
        alarm_time_max,
        "time that the handler of an alarm takes: the object is reset, the alarm tried again"
    ),
    limit!("alarms", Count, COUNT, alarms_max: usize, "alarms of an object: one more is refused, too-large"),
    limit!(
        "alarm-catch-up",
        Count,
        (Value::Count(1), Value::Count(100_000)),
        alarm_catch_up_max: usize,
        "missed ticks that are made up for: older ones are left out"
    ),
    limit!("websockets", Count, COUNT, websockets_max: usize, "websockets of an object: one more is refused, too-large"),
    limit!(
        "websocket-message",
        Bytes,
        (Value::Bytes(1), Value::Bytes(256 * MIB)),
        websocket_message_bytes_max: usize,
        "message on a websocket: code 1009, or the send is refused"
    ),
    limit!(
        "websocket-buffer",
        Bytes,
        (Value::Bytes(KIB), Value::Bytes(GIB)),
        websocket_buffer_bytes_max: usize,
        "messages that a client has not taken: a send waits over 1/16 of it, over it: code 1013"
    ),
    time_limit!("stream-idle", stream_idle_max, "a streamed body whose reader takes nothing: it is cut off"),
    limit!("body", Bytes, BYTES, body_bytes_max: usize, "body of a request from outside: 413; also for a Worker"),
    limit!("events", Count, COUNT, events_max: usize, "events that run or wait: 503 with retry-after, overloaded"),
    limit!("event-bytes", Bytes, BYTES, event_bytes_max: usize, "requests of the events that wait: the same"),
    limit!("calls", Count, COUNT, calls_max: usize, "calls and requests under way: the call fails, overloaded"),
    limit!("call-bytes", Bytes, BYTES, call_bytes_max: usize, "requests of the calls under way: the same"),
    limit!("call-depth", Count, COUNT, call_depth_max: u32, "objects that call each other in a row: the call fails"),
    limit!("storage", Bytes, BYTES, storage_bytes_max: u64, "keys and values stored: a put is refused, too-large"),
    limit!(
        "turn-writes",
        Bytes,
        (Value::Bytes(1), Value::Bytes(256 * MIB)),
        turn_writes_bytes_max: usize,
        "writes of a turn or a transaction: a put is refused, too-large"
    ),
    limit!("list-bytes", Bytes, BYTES, list_bytes_max: usize, "entries of one list: it is refused, too-large"),
    time_limit!("section-time", section_time_max, "a critical section, transaction or construction: reset, overloaded"),
    limit!(
        "section-depth",
        Count,
        COUNT,
        section_depth_max: usize,
        "critical sections and transactions inside each other: one more is refused"
    ),
    limit!("handles", Count, COUNT, guest.handles_max: usize, "stubs, streams and the like held at once: a trap"),
    limit!(
        "cache",
        Bytes,
        BYTES,
        cache_bytes_max: usize,
        "what is kept in memory of the store: the least used goes"
    ),
];

impl LimitSetting {
    /// Reads `[CLASS:]NAME=VALUE`.
    pub fn parse(text: &str) -> Result<LimitSetting, String> {
        let (name, value) = text.split_once('=').ok_or("expected [CLASS:]NAME=VALUE, such as memory=64MiB")?;
        let (class, name) = match name.split_once(':') {
            Some((class, name)) => (Some(class), name),
            None => (None, name),
        };
        if let Some(class) = class {
            dohost_object::check_class_name(class).map_err(|error| error.to_string())?;
        }
        LimitSetting::new(class, name, value)
    }

    /// The limit of this name; an error says what would be right.
    pub fn new(class: Option<&str>, name: &str, value: &str) -> Result<LimitSetting, String> {
        let limit = LIMITS.iter().find(|limit| limit.name == name).ok_or_else(|| {
            format!("no limit is called {name:?}; there are {}", names().collect::<Vec<_>>().join(", "))
        })?;
        let value = limit.parse(value)?;
        Ok(LimitSetting { class: class.map(String::from), limit: limit.name, value })
    }

    /// Sets it.
    pub fn apply(&self, limits: &mut Limits) {
        let limit = LIMITS.iter().find(|limit| limit.name == self.limit).expect("it was found when it was parsed");
        (limit.set)(limits, self.value);
    }
}

impl Limit {
    fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self.range.0 {
            Value::Bytes(_) => text.parse::<ByteSize>().ok().map(|size| Value::Bytes(size.as_u64())),
            Value::Time(_) => humantime::parse_duration(text).ok().map(Value::Time),
            Value::Count(_) => text.parse().ok().map(Value::Count),
        };
        let is_within = |value: &Value| self.range.0.is_at_most(value) && value.is_at_most(&self.range.1);
        value.filter(is_within).ok_or_else(|| {
            let (least, most) = self.range;
            let kind = match least {
                Value::Bytes(_) => "a size such as 1000 or 64MiB",
                Value::Time(_) => "a time such as 500ms or 30s",
                Value::Count(_) => "a number",
            };
            format!("{} is {kind}, from {least} to {most}, not {text:?}", self.name)
        })
    }
}

impl Value {
    fn is_at_most(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Bytes(this), Value::Bytes(other)) => this <= other,
            (Value::Time(this), Value::Time(other)) => this <= other,
            (Value::Count(this), Value::Count(other)) => this <= other,
            _ => false,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Bytes(bytes) => match [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")]
                .into_iter()
                .find(|(unit, _)| bytes % unit == 0 && *bytes > 0)
            {
                Some((unit, name)) => write!(f, "{}{name}", bytes / unit),
                None => write!(f, "{bytes}"),
            },
            Value::Time(time) => write!(f, "{}", humantime::format_duration(*time)),
            Value::Count(count) => write!(f, "{count}"),
        }
    }
}

/// The names of all limits.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIMITS.iter().map(|limit| limit.name)
}

/// The names of all limits, with a line about each.
pub fn descriptions() -> impl Iterator<Item = (&'static str, String)> {
    let defaults = Limits::default();
    LIMITS.iter().map(move |limit| (limit.name, format!("{}. Default: {}", limit.about, (limit.get)(&defaults))))
}

/// Those that are not what they are by default, as they would be set.
pub fn changed(limits: &Limits) -> Vec<(&'static str, String)> {
    let defaults = Limits::default();
    let is_changed = |limit: &&Limit| (limit.get)(limits) != (limit.get)(&defaults);
    LIMITS.iter().filter(is_changed).map(|limit| (limit.name, (limit.get)(limits).to_string())).collect()
}

/// The table for people: name, default, what happens.
pub fn table() -> String {
    let defaults = Limits::default();
    let mut lines = vec![format!("{:14} {:>8}  {}", "LIMIT", "DEFAULT", "OF WHAT, AND WHEN IT IS HIT")];
    lines.extend(LIMITS.iter().map(|limit| {
        let default = (limit.get)(&defaults).to_string();
        format!("{:14} {default:>8}  {}", limit.name, limit.about)
    }));
    lines.push(String::new());
    lines
        .push("Set them with `dohost serve --limit NAME=VALUE`, for one class with `--limit CLASS:NAME=VALUE`,\nor in dohost.toml under [limits] and [classes.NAME.limits].".into());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Limits {
        let mut limits = Limits::default();
        LimitSetting::parse(text).unwrap().apply(&mut limits);
        limits
    }

    #[test]
    fn a_limit_is_set_by_its_name_for_all_classes_or_for_one() {
        assert_eq!(applied("memory=64MiB").guest.memory_bytes_max, 64 << 20);
        assert_eq!(applied("storage=1000").storage_bytes_max, 1_000);
        assert_eq!(applied("event-time=500ms").event_time_max, Duration::from_millis(500));
        assert_eq!(applied("chat:events=7").events_max, 7);
        assert_eq!(LimitSetting::parse("chat:events=7").unwrap().class.as_deref(), Some("chat"));
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_would_be() {
        for (text, says) in [
            ("memory", "expected [CLASS:]NAME=VALUE"),
            ("speed=1", "there are memory, turn-cpu"),
            ("memory=5GiB", "from 64KiB to 4GiB"),
            ("events=0", "events is a number, from 1"),
            ("events=many", "events is a number"),
            ("event-time=5", "a time such as 500ms"),
            ("a b:events=1", "cannot be the name of a class"),
        ] {
            let error = LimitSetting::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn every_limit_is_written_as_it_is_read() {
        for limit in LIMITS {
            let default = (limit.get)(&Limits::default());
            let text = default.to_string().replace(' ', "");
            assert_eq!(limit.parse(&text), Ok(default), "{}", limit.name);
            let mut limits = Limits::default();
            (limit.set)(&mut limits, limit.range.0);
            assert_eq!((limit.get)(&limits), limit.range.0, "{}", limit.name);
        }
    }
}
