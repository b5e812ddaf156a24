//! Answers as text for people.

use serde_json::{Value, json};

use super::clone;

/// Above a list of objects.
pub const OBJECTS_HEAD: &str = "ID                                                                    BYTES    KEYS  LAST ACTIVE               MEMORY  NAME";

/// The classes.
pub fn classes(answer: &Value) -> String {
    let mut lines = vec!["   OBJECTS  SERVED  CLASS".to_owned()];
    for class in answer["classes"].as_array().into_iter().flatten() {
        let served = match class["served"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        lines.push(format!("{:>10}  {served:6}  {}", text(&class["objects"]), text(&class["name"])));
    }
    lines.join("\n")
}

/// One line of a list of objects.
pub fn object_line(object: &Value) -> String {
    let memory = if object["resident"] == Value::Bool(true) { "yes" } else { "-" };
    let (id, bytes, keys) = (text(&object["id"]), text(&object["bytes"]), text(&object["keys"]));
    let line = format!("{id:64} {bytes:>10} {keys:>7}  {:24}  {memory:6}", text(&object["lastActive"]));
    format!("{line}  {}", text(&object["name"]))
}

/// All that is known of an object.
pub fn object(class: &str, object: &Value) -> String {
    let mut lines = vec![fact("class", class)];
    let names = [
        ("name", "name"),
        ("id", "id"),
        ("created", "created"),
        ("last active", "lastActive"),
        ("bytes", "bytes"),
        ("keys", "keys"),
    ];
    lines.extend(names.map(|(label, name)| fact(label, &text(&object[name]))));
    let memory = match object["resident"].as_bool() {
        Some(true) => format!("yes, {} events", text(&object["events"])),
        _ => "no".into(),
    };
    lines.push(fact("in memory", &memory));
    if let Some(count) = object["websockets"].as_u64().filter(|count| *count > 0) {
        lines.push(fact("websockets", &count.to_string()));
    }
    for alarm in object["alarms"].as_array().into_iter().flatten() {
        lines.push(fact("alarm", &alarm_text(alarm)));
    }
    lines.join("\n")
}

/// The alarms of an object, and its last runs.
pub fn alarms(answer: &Value) -> String {
    let mut lines = vec!["ALARMS".to_owned()];
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    lines.extend(list("alarms").iter().map(|alarm| format!("  {}", alarm_text(alarm))));
    lines.push("LAST RUNS".into());
    lines.extend(list("runs").iter().map(|run| {
        let (started, took) = (text(&run["started"]), text(&run["tookMs"]));
        let mut line = format!("  {started}  {took:>7} ms  {:9}  {}", text(&run["outcome"]), alarm_name(run));
        if run["error"].is_string() {
            line += &format!(": {}", text(&run["error"]));
        }
        line
    }));
    if answer["runs"].is_null() {
        lines.push("  are remembered by the host, and none is running".into());
    }
    lines.join("\n")
}

/// An alarm that is set: when it is due, its name, and what else is to be said.
fn alarm_text(alarm: &Value) -> String {
    let mut line = format!("{}  {}", text(&alarm["due"]), alarm_name(alarm));
    if alarm["cron"].is_string() {
        let zone = alarm["timeZone"].as_str().unwrap_or("UTC");
        line += &format!("  {} ({zone}, missed: {})", text(&alarm["cron"]), text(&alarm["missed"]));
    }
    if alarm["due"] != alarm["scheduled"] {
        line += &format!("  set for {}, retry {}", text(&alarm["scheduled"]), text(&alarm["retryCount"]));
    }
    line
}

/// The one without a name is shown as something, too.
fn alarm_name(alarm: &Value) -> String {
    match alarm["name"].as_str() {
        Some("") => "(without name)".into(),
        _ => text(&alarm["name"]),
    }
}

/// One line of a list of keys.
pub fn key_line(key: &Value) -> String {
    format!("{:>10}  {}", text(&key["bytes"]), text(&key["key"]))
}

/// Figures.
pub fn stats(stats: &Value) -> String {
    let names = [
        ("version", "version"),
        ("uptime, seconds", "uptimeSeconds"),
        ("objects in memory", "residentObjects"),
        ("events", "events"),
        ("objects stored", "storedObjects"),
        ("bytes stored", "storedBytes"),
        ("commits", "commits"),
        ("write sets", "writeSets"),
        ("pending bytes", "pendingBytes"),
        ("websockets", "websockets"),
        ("alarms set", "alarmsPending"),
        ("alarms under way", "alarmsUnderWay"),
        ("alarms succeeded", "alarmsSucceeded"),
        ("alarms failed", "alarmsFailed"),
    ];
    names.map(|(label, name)| fact(label, &text(&stats[name]))).join("\n")
}

/// A value on a terminal: as one would write it if it is of a program in JavaScript, as it is if it is text that does nothing to the terminal.
pub fn value(value: &[u8]) -> String {
    if let Some(text) = clone::as_text(value) {
        return text;
    }
    let is_plain = |text: &&str| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    match std::str::from_utf8(value).ok().filter(is_plain) {
        Some(text) => text.to_owned(),
        None => value.escape_ascii().to_string(),
    }
}

/// A value as JSON: as text if it is text.
pub fn value_as_json(key: &str, value: &[u8]) -> Value {
    if let Some(text) = clone::as_text(value) {
        return json!({ "key": key, "javascript": text, "base64": data_encoding::BASE64.encode(value) });
    }
    match std::str::from_utf8(value) {
        Ok(text) => json!({ "key": key, "text": text }),
        Err(_) => json!({ "key": key, "base64": data_encoding::BASE64.encode(value) }),
    }
}

fn fact(label: &str, value: &str) -> String {
    format!("{label:18} {value}")
}

/// Names and keys are whatever somebody chose: what could do something to the terminal is escaped.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => {
            text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_something_to_a_terminal_is_escaped() {
        assert_eq!(value(b"two\nlines\tof text"), "two\nlines\tof text");
        assert_eq!(value(b"\x1b[2J"), "\\x1b[2J");
        assert_eq!(value(b"\xff\0"), "\\xff\\x00");
        assert_eq!(text(&json!("a\u{1b}[2Jü")), "a\\u{1b}[2Jü");
        assert_eq!(text(&Value::Null), "-");
    }

    #[test]
    fn a_value_is_text_in_json_if_it_is_text() {
        assert_eq!(value_as_json("k", b"x"), json!({ "key": "k", "text": "x" }));
        assert_eq!(value_as_json("k", b"\xff"), json!({ "key": "k", "base64": "/w==" }));
    }
}
