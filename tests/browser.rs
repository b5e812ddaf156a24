//! The chat room of `guests/room` in the tabs of a real browser: `cargo xtask browser`.
//!
//! Chromium is driven by its DevTools protocol, which is JSON on a websocket.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::host::{Host, PATIENCE, Setup, dohost};

/// Names Chromium.
const CHROMIUM: &str = "DOHOST_CHROMIUM";

struct Browser {
    process: Child,
    devtools: WebSocket<TcpStream>,
    last: u64,
}

/// A tab, as the browser calls it.
struct Tab(String);

impl Browser {
    fn start(setup: &Setup) -> Browser {
        let binary = std::env::var(CHROMIUM).expect("cargo xtask browser says where it is");
        let mut process = Command::new(binary)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", setup.directory().join("browser").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("listening on ")?.1.to_string()));
        let url = url.expect("the browser says where its DevTools are");
        let address = url.trim_start_matches("ws://").split('/').next().unwrap().to_string();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (devtools, _) = tungstenite::client(url, stream).expect("the DevTools answer");
        Browser { process, devtools, last: 0 }
    }

    fn call(&mut self, session: Option<&Tab>, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut call = json!({ "id": self.last, "method": method, "params": params });
        if let Some(Tab(session)) = session {
            call["sessionId"] = json!(session);
        }
        self.devtools.send(Message::text(call.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.devtools.read().unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    fn open(&mut self, url: &str) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({ "url": url }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach);
        Tab(session["sessionId"].as_str().unwrap().to_string())
    }

    /// What an expression is in a tab.
    fn value(&mut self, tab: &Tab, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call(Some(tab), "Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in a tab.
    #[track_caller]
    fn wait_for(&mut self, tab: &Tab, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.value(tab, expression) != json!(true) {
            let body = self.value(tab, "document.body?.innerText");
            assert!(Instant::now() < deadline, "{expression} does not come true: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn join(&mut self, host: &Host, name: &str) -> Tab {
        let tab = self.open(&format!("http://{}/room/general/", host.address));
        self.wait_for(&tab, "document.readyState === 'complete' && !!document.getElementById('name')");
        self.value(&tab, &format!("document.getElementById('name').value = {name:?}"));
        self.value(&tab, "document.querySelector('#join button').click()");
        self.wait_for(&tab, "!document.getElementById('speak').hidden");
        tab
    }

    fn say(&mut self, tab: &Tab, text: &str) {
        self.value(tab, &format!("document.getElementById('text').value = {text:?}"));
        self.value(tab, "document.querySelector('#speak button').click()");
    }

    #[track_caller]
    fn sees(&mut self, tab: &Tab, text: &str) {
        self.wait_for(tab, &format!("document.body.innerText.includes({text:?})"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs Chromium: cargo xtask browser"]
fn several_tabs_chat_while_the_room_sleeps_between_messages() {
    let setup = Setup::new().guest("room").with(["--idle-timeout", "1h"]);
    let host = setup.start();
    let data = host.setup.data();
    let evict = || {
        let ended = dohost(["objects", "--data-dir", data.to_str().unwrap(), "evict", "room/general"]);
        assert_eq!(ended.stdout, "evicted\n", "{ended:?}");
    };
    let mut browser = Browser::start(&setup);
    let tabs: Vec<Tab> = ["Ada", "Bob", "Cleo"].iter().map(|name| browser.join(&host, name)).collect();
    for tab in &tabs {
        browser.sees(tab, "Here: Ada, Bob, Cleo");
    }
    for (number, tab) in tabs.iter().enumerate() {
        evict();
        browser.say(tab, &format!("message {number} <b>äöü</b>"));
        for tab in &tabs {
            browser.sees(tab, &format!("message {number} <b>äöü</b>"));
        }
    }
    evict();
    browser.call(Some(&tabs[2]), "Page.close", json!({}));
    browser.sees(&tabs[0], "Here: Ada, Bob");
    browser.wait_for(&tabs[0], "!document.body.innerText.includes('Cleo,')");
    let late = browser.join(&host, "Dan");
    browser.sees(&late, "message 0 <b>äöü</b>");
    let host = host.restart();
    let again = browser.join(&host, "Eve");
    browser.sees(&again, "message 2 <b>äöü</b>");
}
