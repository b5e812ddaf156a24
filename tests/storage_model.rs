//! Random operations on an object's store, against a `BTreeMap`, with evictions, restarts and kills in between.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::{Host, Setup};
use crate::http::{Connection, encoded};
use crate::random::Random;

type Model = BTreeMap<String, String>;

/// Keys that are near one another in every way: prefixes, neighbours, more than one byte per character.
const PARTS: [&str; 8] = ["a", "b", "aa", "0", "~", "é", "🦀", "A"];

struct Run {
    host: Option<Host>,
    connection: Option<Connection>,
    random: Random,
    model: Model,
    value_len_max: usize,
    /// What was done, for the message of a failure.
    history: Vec<String>,
}

#[test]
fn a_small_store_is_a_map() {
    for seed in 1..=2 {
        Run::start(seed, 12).operate(500);
    }
}

/// Most of the time over 64 KiB, so that reads go to the store.
#[test]
fn a_large_store_is_a_map() {
    for seed in 3..=5 {
        Run::start(seed, 12_000).operate(500);
    }
}

/// Around 64 KiB, so that an object is sometimes held whole and sometimes not.
#[test]
fn a_store_around_the_size_that_is_held_whole_is_a_map() {
    for seed in 6..=7 {
        Run::start(seed, 3_000).operate(500);
    }
}

impl Run {
    fn start(seed: u64, value_len_max: usize) -> Run {
        let host = Setup::new().guest("probe").with(["--idle-timeout", "30ms"]).start();
        let random = Random::new(seed);
        let (model, history) = (Model::new(), Vec::new());
        let mut run = Run { host: None, connection: None, random, model, value_len_max, history };
        run.connect_to(host);
        run
    }

    fn connect_to(&mut self, host: Host) {
        self.connection = Some(host.connect());
        self.host = Some(host);
    }

    fn operate(mut self, operations: usize) {
        for operation in 0..operations {
            match self.random.below(100) {
                0..20 => self.put(),
                20..35 => self.put_many(),
                35..42 => self.delete(),
                42..48 => self.delete_many(),
                48..58 => self.get(),
                58..68 => self.get_many(),
                68..97 => self.list(),
                97 if self.random.one_in(3) => self.delete_all(),
                97 => self.evict(),
                98 if operation % 2 == 0 => self.restart(),
                _ => self.kill(),
            }
        }
        self.compare_list("");
        self.restart();
        self.compare_list("");
    }

    fn put(&mut self) {
        let (key, value) = (self.key(), self.value());
        self.expect(&format!("put?key={}&value={value}", encoded(&key)), "ok");
        self.model.insert(key, value);
    }

    fn put_many(&mut self) {
        let entries: Vec<(String, String)> = (0..self.random.below(8)).map(|_| (self.key(), self.value())).collect();
        let list: Vec<String> = entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if list.is_empty() {
            return self.expect("put-many?keys=&value=x", "ok");
        }
        self.expect(&format!("put-many?entries={}", encoded(&list.join(","))), "ok");
        self.model.extend(entries);
    }

    fn delete(&mut self) {
        let key = self.key();
        let existed = self.model.remove(&key).is_some();
        self.expect(&format!("delete?key={}", encoded(&key)), &existed.to_string());
    }

    fn delete_many(&mut self) {
        let keys = self.keys();
        let existed = keys.iter().filter(|key| self.model.remove(*key).is_some()).count();
        self.expect(&format!("delete-many?keys={}", encoded(&keys.join(","))), &existed.to_string());
    }

    fn get(&mut self) {
        let key = self.key();
        let expected = self.model.get(&key).cloned().unwrap_or_else(|| "no such key".to_string());
        self.expect(&format!("get?key={}", encoded(&key)), &expected);
    }

    fn get_many(&mut self) {
        let keys = self.keys();
        let found = self.model.iter().filter(|(key, _)| keys.contains(key));
        let expected = found.map(|(key, value)| format!("{key}={value}\n")).collect::<String>();
        self.expect(&format!("get-many?keys={}", encoded(&keys.join(","))), &expected);
    }

    fn list(&mut self) {
        let mut options = String::new();
        for (name, times) in [("start", 3), ("end", 3), ("prefix", 4)] {
            if self.random.one_in(times) {
                options += &format!("&{name}={}", encoded(&self.key()));
            }
        }
        if !options.contains("start") && self.random.one_in(3) {
            options += &format!("&start-after={}", encoded(&self.key()));
        }
        if self.random.one_in(2) {
            options += "&reverse=true";
        }
        if self.random.one_in(2) {
            options += &format!("&limit={}", 1 + self.random.below(6));
        }
        self.compare_list(&options);
    }

    /// Compares with a list that is made in the plainest way: all entries, filtered.
    fn compare_list(&mut self, options: &str) {
        let option = |name: &str| {
            let value = options.split('&').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))?;
            Some(decoded(value))
        };
        let (start, after) = (option("start"), option("start-after"));
        let (end, prefix) = (option("end"), option("prefix").unwrap_or_default());
        let mut entries: Vec<String> = self
            .model
            .iter()
            .filter(|(key, _)| start.as_ref().is_none_or(|start| *key >= start))
            .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
            .filter(|(key, _)| end.as_ref().is_none_or(|end| *key < end))
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        if option("reverse").is_some() {
            entries.reverse();
        }
        if let Some(limit) = option("limit") {
            entries.truncate(limit.parse().expect("a limit"));
        }
        self.expect(&format!("list?{}", options.trim_start_matches('&')), &entries.concat());
    }

    fn delete_all(&mut self) {
        self.expect("delete-all", "ok");
        self.model.clear();
    }

    fn evict(&mut self) {
        self.history.push("evict".into());
        std::thread::sleep(Duration::from_millis(80));
    }

    fn restart(&mut self) {
        self.history.push("restart".into());
        self.connection = None;
        let host = self.host.take().expect("there is always one").restart();
        self.connect_to(host);
    }

    fn kill(&mut self) {
        self.history.push("kill".into());
        let host = self.host.take().expect("there is always one");
        let setup = host.setup.clone();
        host.kill();
        self.connect_to(setup.start());
    }

    fn expect(&mut self, call: &str, expected: &str) {
        self.history.push(call.chars().take(120).collect());
        let connection = self.connection.as_mut().expect("there is always one");
        let reply = connection.get(&format!("/probe/A/storage/{call}"));
        if reply.text() != expected {
            let last = &self.history[self.history.len().saturating_sub(30)..];
            panic!("{call}\n gave     {:.2000}\n expected {expected:.2000}\nafter {last:#?}", reply.text());
        }
    }

    fn key(&mut self) -> String {
        (0..1 + self.random.below(2)).map(|_| *self.random.pick(&PARTS)).collect()
    }

    fn keys(&mut self) -> Vec<String> {
        (0..1 + self.random.below(8)).map(|_| self.key()).collect()
    }

    fn value(&mut self) -> String {
        let letter = *self.random.pick(&["x", "y", "z"]);
        letter.repeat(self.random.below(self.value_len_max))
    }
}

/// The reverse of [`encoded`].
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = str::from_utf8(&rest[..2]).expect("digits are text");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("it was text")
}
