//! Alarms: when their handlers are called, what becomes of those that fail, and what survives.
//!
//! `guests/alarms` does in its handlers what it was told, and keeps a line for each call. Delays of retries are minutes in
//! all; those that come after the first are tested in `dohost-sim`, where time is virtual.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::host::{Host, PATIENCE, Setup, dohost};
use crate::http::{at_once, encoded};
use crate::script::line;

/// Steps of an object of the class `alarms`, and their answers.
#[track_caller]
fn steps(host: &Host, name: &str, steps: &[&str]) -> Vec<String> {
    let query: Vec<String> = steps
        .iter()
        .map(|step| match step.split_once('=') {
            Some((step, argument)) => format!("{step}={}", encoded(argument)),
            None => step.to_string(),
        })
        .collect();
    host.get(&format!("/alarms/{name}/do?{}", query.join("&"))).ok().lines().map(str::to_string).collect()
}

#[track_caller]
fn step(host: &Host, name: &str, one: &str) -> String {
    steps(host, name, &[one]).concat()
}

/// Tells an object what the handler of an alarm does.
#[track_caller]
fn handler(host: &Host, name: &str, alarm: &str, steps: &str) {
    host.get(&format!("/alarms/{name}/handler?name={alarm}&do={}", encoded(steps))).ok();
}

/// A call of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    name: String,
    scheduled: u64,
    retry_count: u32,
    is_retry: bool,
    cron: String,
    at: u64,
    /// What `get` says while it runs.
    get: String,
    /// The name of the object.
    object: String,
}

/// The calls that an object has kept.
#[track_caller]
fn calls(host: &Host, name: &str) -> Vec<Call> {
    let reply = host.get(&format!("/alarms/{name}/log"));
    let call = |line: &str| {
        let parts: Vec<&str> = line.split(' ').collect();
        let [name, scheduled, retry_count, is_retry, cron, at, get, object] = parts[..] else { panic!("{line:?}") };
        let [name, cron, get, object] = [name, cron, get, object].map(str::to_string);
        let (scheduled, at) = (scheduled.parse().unwrap(), at.parse().unwrap());
        let (retry_count, is_retry) = (retry_count.parse().unwrap(), is_retry.parse().unwrap());
        Call { name, scheduled, retry_count, is_retry, cron, at, get, object }
    };
    reply.ok().lines().map(call).collect()
}

/// Waits until an object has kept so many calls, and gives them.
#[track_caller]
fn wait_for(host: &Host, name: &str, count: usize) -> Vec<Call> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let calls = calls(host, name);
        if calls.len() >= count {
            return calls;
        }
        assert!(Instant::now() < deadline, "only {} calls: {calls:#?}\n{}", calls.len(), host.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn start() -> Host {
    Setup::new().guest("alarms").guest("probe").start()
}

fn objects(host: &Host, arguments: &[&str]) -> String {
    let data = host.setup.data();
    let mut all = vec!["objects", "--data-dir", data.to_str().unwrap()];
    all.extend(arguments);
    let ended = dohost(all);
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    ended.stdout
}

#[test]
fn an_alarm_fires_once_at_its_time_and_is_gone() {
    let host = start();
    let told = steps(&host, "A", &["now", "set=,300", "get="]);
    let [now, _, time] = &told[..] else { panic!("{told:?}") };
    let (now, time): (u64, u64) = (now.parse().unwrap(), time.parse().unwrap());
    assert!((now + 300..now + 400).contains(&time), "{told:?}");
    let call = &wait_for(&host, "A", 1)[0];
    assert_eq!((call.scheduled, call.name.as_str(), call.cron.as_str()), (time, "", "none"));
    assert_eq!((call.retry_count, call.is_retry), (0, false));
    assert!((time..time + 250).contains(&call.at), "{call:?}: never before its time, and soon after");
    assert_eq!((call.get.as_str(), step(&host, "A", "get=").as_str()), ("none", "none"));
    pause(300);
    assert_eq!(calls(&host, "A").len(), 1);
}

#[test]
fn a_time_that_has_passed_is_now_and_one_that_is_none_is_refused() {
    let host = start();
    let now: u64 = step(&host, "A", "now").parse().unwrap();
    assert_eq!(step(&host, "A", "at=,1"), "ok");
    let call = &wait_for(&host, "A", 1)[0];
    assert!((now..now + 1_000).contains(&call.scheduled), "{call:?} at {now}");
    for time in ["0", "-1", "-9223372036854775808"] {
        assert_eq!(step(&host, "A", &format!("at=,{time}")), "invalid: an alarm cannot be set for a time <= 0");
    }
    let name = "n".repeat(257);
    assert!(step(&host, "A", &format!("set={name},9")).starts_with("too-large: "));
    assert_eq!(step(&host, "A", &format!("set={},90000", &name[1..])), "ok");
    let refused = line(&host, "probe/A", "set-alarm 1000");
    assert_eq!(refused, "not-allowed: the component must export an alarm-handler to set an alarm");
}

#[test]
fn alarms_of_many_names_are_apart() {
    let host = Setup::new().guest("alarms").with(["--limit", "alarms=3"]).start();
    let told = steps(&host, "A", &["set=late,90000", "set=b,250", "set=a,200", "set=another,9", "get=none"]);
    assert_eq!(told[3], "too-large: the object has 3 alarms, the limit alarms");
    assert_eq!(told[4], "none");
    let names =
        |list: String| list.split(' ').map(|one| one.split('@').next().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!(names(step(&host, "A", "list")), ["a", "b", "late"]);
    let fired: Vec<String> = wait_for(&host, "A", 2).into_iter().map(|call| call.name).collect();
    assert_eq!(fired, ["a", "b"]);
    assert_eq!(names(step(&host, "A", "list")), ["late"]);
    assert_eq!(steps(&host, "A", &["delete=late", "delete=late", "list"]), ["true", "false", ""]);
}

#[test]
fn an_alarm_that_is_deleted_does_not_fire_and_one_set_in_its_handler_can_be_deleted_there() {
    let host = start();
    handler(&host, "A", "a", "delete=a&set=a,50&get=a&delete=a&get=a");
    steps(&host, "A", &["set=a,200", "delete=a", "set=a,300"]);
    wait_for(&host, "A", 1);
    pause(500);
    assert_eq!(calls(&host, "A").len(), 1);
    assert_eq!(step(&host, "A", "list"), "");
}

#[test]
fn a_handler_can_set_its_alarm_again() {
    let host = start();
    handler(&host, "A", "a", "set=a,100");
    step(&host, "A", "set=a,1");
    let calls = wait_for(&host, "A", 4);
    assert!(calls.windows(2).all(|two| two[1].scheduled >= two[0].at + 100 && !two[1].is_retry), "{calls:#?}");
}

#[test]
fn an_object_that_was_evicted_wakes_and_knows_its_name() {
    let host = Setup::new().guest("alarms").with(["--idle-timeout", "20ms"]).start();
    step(&host, "my-named-object", "set=,700");
    pause(400);
    assert!(!objects(&host, &["show", "alarms/my-named-object"]).contains("in memory          yes"));
    let data = host.setup.data();
    let deadline = Instant::now() + PATIENCE;
    // Asked of the store, as to ask the object would wake it.
    let read = || dohost(["objects", "--data-dir", data.to_str().unwrap(), "get", "alarms/my-named-object", "log"]);
    while !read().status.success() {
        assert!(Instant::now() < deadline);
        pause(50);
    }
    assert_eq!(calls(&host, "my-named-object")[0].object, "my-named-object");
}

#[test]
fn deleting_everything_deletes_the_alarms() {
    let host = start();
    let told = steps(&host, "A", &["set=,300", "set=other,300", "put=k,v", "delete-all", "list", "read=k"]);
    assert_eq!(told[4..], ["", "none"]);
    assert_eq!(steps(&host, "B", &["set=,300", "delete-all", "set=after,300"]).len(), 3);
    assert_eq!(wait_for(&host, "B", 1)[0].name, "after");
    assert_eq!(calls(&host, "A"), []);
}

#[test]
fn an_object_with_nothing_but_an_alarm_is_kept() {
    let host = start();
    step(&host, "A", "set=,700");
    let host = host.kill_and_start();
    assert_eq!(wait_for(&host, "A", 1).len(), 1);
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_the_alarms_as_they_were() {
    let host = start();
    let time = steps(&host, "A", &["set=kept,60000", "get=kept"])[1].clone();
    let changes = ["begin", "set=kept,1", "set=new,1", "sync", "get=new", "begin", "delete=kept", "commit", "rollback"];
    steps(&host, "A", &changes);
    assert_eq!(steps(&host, "A", &["get=kept", "get=new"]), [&time, "none"]);
    steps(&host, "A", &["begin", "delete=kept", "set=new,1", "commit"]);
    assert_eq!(wait_for(&host, "A", 1)[0].name, "new");
    assert_eq!(step(&host, "A", "list"), "");
    let host = host.kill_and_start();
    assert_eq!((step(&host, "A", "list"), calls(&host, "A").len()), (String::new(), 1));
}

#[test]
fn an_alarm_and_what_its_turn_writes_are_one_commit() {
    let host = start();
    assert_eq!(host.get("/alarms/A/do?put=k,v&set=,1&trap").status, 500);
    assert_eq!(steps(&host, "A", &["read=k", "get="]), ["none", "none"]);
    let times: Vec<String> = (0..20).map(|_| steps(&host, "B", &["now", "set=,100000", "get="])[2].clone()).collect();
    steps(&host, "B", &[&format!("put=k,{}", times[19])]);
    let host = host.kill_and_start();
    let told = steps(&host, "B", &["read=k", "get="]);
    assert_eq!(told[0], told[1]);
}

#[test]
fn alarms_that_came_due_while_the_host_was_down_fire_when_it_is_up() {
    let host = start();
    let time = steps(&host, "A", &["set=,200", "get="])[1].clone();
    step(&host, "later", "set=,5000");
    let setup = host.setup.clone();
    host.kill();
    pause(600);
    let host = setup.start();
    let call = &wait_for(&host, "A", 1)[0];
    assert_eq!((call.scheduled.to_string(), call.is_retry), (time, false));
    let call = &wait_for(&host, "later", 1)[0];
    assert!(call.at >= call.scheduled);
}

#[test]
fn a_handler_that_was_cut_short_is_called_again() {
    let host = start();
    handler(&host, "A", "a", "append=before,x&sync&sleep=600&append=after,x");
    step(&host, "A", "set=a,1");
    wait_for(&host, "A", 1);
    let host = host.kill_and_start();
    let again = wait_for(&host, "A", 2);
    assert!(!again[1].is_retry && again[0].scheduled == again[1].scheduled, "{again:#?}");
    let deadline = Instant::now() + PATIENCE;
    while step(&host, "A", "read=after") == "none" {
        assert!(Instant::now() < deadline);
        pause(20);
    }
    let host = host.kill_and_start();
    pause(300);
    assert_eq!(calls(&host, "A").len(), 2, "it had returned, and that was durable before anyone knew");
}

#[test]
fn a_handler_that_fails_is_called_again_after_two_seconds() {
    let host = start();
    handler(&host, "A", "throws", "append=kept,x&throw-before=1");
    handler(&host, "B", "traps", "append=dropped,x&trap-before=1");
    handler(&host, "C", "aborts", "sync&abort");
    handler(&host, "D", "ends", "sync&abort-without-retry");
    for (object, alarm) in [("A", "throws"), ("B", "traps"), ("C", "aborts"), ("D", "ends")] {
        step(&host, object, &format!("set={alarm},1"));
    }
    let [threw, aborted] = ["A", "C"].map(|object| wait_for(&host, object, 2));
    for calls in [&threw, &aborted] {
        assert_eq!((calls[0].retry_count, calls[0].is_retry), (0, false));
        assert_eq!((calls[1].retry_count, calls[1].is_retry), (1, true));
        assert_eq!(calls[0].scheduled, calls[1].scheduled);
        let delay = calls[1].at - calls[0].at;
        assert!((2_000..3_500).contains(&delay), "{delay} ms, two seconds and up to a quarter more");
    }
    assert_eq!(step(&host, "A", "read=kept"), "xx", "what it wrote before an exception stays");
    let trapped = wait_for(&host, "B", 1);
    assert_eq!((trapped.len(), trapped[0].retry_count), (1, 1), "what it wrote before a trap does not: {trapped:#?}");
    assert_eq!(step(&host, "B", "read=dropped"), "x");
    assert_eq!((calls(&host, "D").len(), step(&host, "D", "list").as_str()), (1, ""), "it did not want another try");
    let runs = objects(&host, &["alarms", "alarms/A"]);
    assert!(runs.contains("not yet") && runs.contains("succeeded"), "{runs}");
}

#[test]
fn an_alarm_is_still_set_while_its_retry_waits_and_a_new_one_takes_its_place() {
    let host = start();
    handler(&host, "A", "a", "put=handler a,&throw=not this time");
    let time = steps(&host, "A", &["set=a,1", "get=a"])[1].clone();
    wait_for(&host, "A", 1);
    assert_eq!(step(&host, "A", "get=a"), time);
    step(&host, "A", "set=a,200");
    let calls = wait_for(&host, "A", 2);
    assert_eq!((calls[1].is_retry, calls[1].at < calls[0].at + 1_500), (false, true), "{calls:#?}");
    handler(&host, "B", "b", "set=b,200&put=handler b,&throw=although it was set anew");
    step(&host, "B", "set=b,1");
    let calls = wait_for(&host, "B", 2);
    assert_eq!((calls[1].is_retry, calls[1].at < calls[0].at + 1_500), (false, true), "{calls:#?}");
    handler(&host, "C", "c", "delete=c&throw=although it is gone");
    step(&host, "C", "set=c,1");
    wait_for(&host, "C", 1);
    pause(2_700);
    assert_eq!(
        [self::calls(&host, "A"), self::calls(&host, "B"), self::calls(&host, "C")].map(|calls| calls.len()),
        [2, 2, 1]
    );
}

#[test]
fn a_retry_that_waits_survives_a_restart_and_is_counted() {
    let host = start();
    handler(&host, "A", "a", "throw-before=1");
    step(&host, "A", "set=a,1");
    wait_for(&host, "A", 1);
    let show = |host: &Host| objects(host, &["show", "alarms/A"]);
    let deadline = Instant::now() + PATIENCE;
    while !show(&host).contains("retry 1") {
        assert!(Instant::now() < deadline, "{}", show(&host));
        pause(10);
    }
    let host = host.kill_and_start();
    let calls = wait_for(&host, "A", 2);
    assert_eq!((calls[1].retry_count, calls[1].is_retry), (1, true));
    assert!(calls[1].at >= calls[0].at + 2_000, "{calls:#?}");
}

#[test]
fn a_handler_interleaves_with_requests_and_other_alarms_but_not_with_itself() {
    let host = start();
    for alarm in ["a", "b"] {
        handler(&host, "A", alarm, "sleep=500&append=done,x");
    }
    steps(&host, "A", &["set=a,1"]);
    let first = wait_for(&host, "A", 1)[0].clone();
    steps(&host, "A", &["set=a,1", "set=a,2", "set=b,1"]);
    let calls = wait_for(&host, "A", 3);
    assert_eq!(calls[1].name, "b", "it does not wait for the other one");
    assert!(calls[1].at < first.at + 450, "{calls:#?}");
    assert_eq!(calls[2].name, "a");
    assert!(calls[2].at >= first.at + 500, "{calls:#?}");
    assert!(host.get("/alarms/A/overlap").number() >= 2);
    pause(700);
    assert_eq!(self::calls(&host, "A").len(), 3, "of those that were set meanwhile the newest came");
}

#[test]
fn an_alarm_of_a_serial_class_waits_for_what_runs() {
    let host = Setup::new().guest("alarms").with(["--serial", "alarms"]).start();
    let told = steps(&host, "A", &["set=,50", "sleep=600", "now"]);
    let call = &wait_for(&host, "A", 1)[0];
    assert!(call.at >= told[1].parse::<u64>().unwrap(), "{told:?} {call:?}");
}

#[test]
fn a_handler_has_a_limit_of_time_of_its_own() {
    let setup = Setup::new().guest("alarms").with(["--limit", "event-time=200ms", "--limit", "alarm-time=1500ms"]);
    let host = setup.with(["--idle-timeout", "80ms"]).start();
    handler(&host, "short", "a", "sleep=600&append=done,x");
    handler(&host, "long", "a", "sync&sleep=20000");
    step(&host, "short", "set=a,1");
    step(&host, "long", "set=a,1");
    host.log_with("the limit alarm-time");
    assert_eq!(step(&host, "short", "read=done"), "x", "longer than an event may take");
    let calls = wait_for(&host, "long", 2);
    assert_eq!((calls[1].retry_count, calls[1].is_retry), (1, true), "it counts as a failure of the handler");
}

#[test]
fn a_schedule_fires_again_and_again_until_it_is_deleted() {
    let host = start();
    let first: u64 = step(&host, "A", "cron=c,fire-once,,* * * * * *").parse().unwrap();
    assert_eq!(first % 1_000, 0);
    let calls = wait_for(&host, "A", 3);
    assert_eq!((calls[0].scheduled, calls[0].cron.as_str()), (first, "*_*_*_*_*_*"));
    for (call, next) in calls.iter().zip(&calls[1..]) {
        assert_eq!(call.get, (call.scheduled + 1_000).to_string(), "in the handler there is the next tick");
        assert!(next.scheduled > call.scheduled && next.scheduled % 1_000 == 0 && next.at >= next.scheduled);
    }
    let listed = step(&host, "A", "list");
    assert_eq!(
        format!("c@{}", step(&host, "A", "cron=c,fire-once,,* * * * * *")),
        step(&host, "A", "list"),
        "{listed}"
    );
    let daily: u64 = step(&host, "A", "cron=daily,skip,Europe/Berlin,30 2 * * *").parse().unwrap();
    assert_eq!(daily % (15 * 60_000), 0);
    let show = objects(&host, &["show", "alarms/A"]);
    assert!(show.contains("30 2 * * * (Europe/Berlin, missed: skip)"), "{show}");
    let host = host.kill_and_start();
    assert_eq!(steps(&host, "A", &["get=daily", "delete=c", "delete=c"]), [&daily.to_string(), "true", "false"]);
    let count = self::calls(&host, "A").len();
    pause(1_500);
    assert!(self::calls(&host, "A").len() <= count + 1, "one may have been under way");
    for (steps, says) in [
        ("cron=x,skip,,61 * * * *", "invalid: the cron expression"),
        ("cron=x,skip,Mars/Base,* * * * *", "invalid: there is no time zone"),
        ("cron=x,skip,,0 0 30 2 *", "never comes to pass"),
    ] {
        assert!(step(&host, "A", steps).contains(says), "{steps}");
    }
}

#[test]
fn ticks_that_passed_while_the_host_was_down_are_made_up_for_as_the_policy_says() {
    let host = start();
    for policy in ["fire-once", "catch-up", "skip"] {
        step(&host, policy, &format!("cron=c,{policy},,* * * * * *"));
    }
    let before = ["fire-once", "catch-up"].map(|policy| wait_for(&host, policy, 1).pop().unwrap());
    let setup = host.setup.clone();
    host.kill();
    pause(4_000);
    let host = setup.start();
    let calls = ["fire-once", "catch-up"]
        .map(|policy| wait_for(&host, policy, 6).into_iter().map(|call| call.scheduled).collect::<Vec<_>>());
    let gaps = |times: &[u64]| times.windows(2).map(|two| (two[1] - two[0]) / 1_000).collect::<Vec<_>>();
    assert!(
        gaps(&calls[0]).iter().any(|gap| *gap >= 3),
        "one call for all that were missed: {:?} {before:?}",
        calls[0]
    );
    assert!(gaps(&calls[1]).iter().all(|gap| *gap == 1), "one for each: {:?}", calls[1]);
}

#[test]
fn a_thousand_alarms_at_once_fire_once_each_a_few_at_a_time() {
    let host = Setup::new().guest("alarms").with(["--max-alarms", "8"]).start();
    let now: u64 = step(&host, "0", "now").parse().unwrap();
    at_once(8, |thread| {
        let mut connection = host.connect();
        for number in (thread..1_000).step_by(8) {
            connection.get(&format!("/alarms/{number}/do?at=,{}", now + 1_500)).ok();
        }
    });
    let deadline = Instant::now() + PATIENCE;
    let stats = || -> Value {
        let data = host.setup.data();
        serde_json::from_str(&dohost(["stats", "--json", "--data-dir", data.to_str().unwrap()]).stdout).unwrap()
    };
    loop {
        let stats = stats();
        assert!(stats["alarmsUnderWay"].as_u64().unwrap() <= 8, "{stats}");
        if stats["alarmsSucceeded"] == 1_000 {
            assert_eq!((&stats["alarmsPending"], &stats["alarmsFailed"]), (&0.into(), &0.into()));
            break;
        }
        assert!(Instant::now() < deadline, "{stats}");
        pause(50);
    }
    for number in 0..1_000 {
        let calls = calls(&host, &number.to_string());
        assert!(calls.len() == 1 && calls[0].at >= calls[0].scheduled, "{number}: {calls:?}");
    }
}

#[test]
fn alarms_are_seen_and_deleted_from_outside() {
    let host = start();
    handler(&host, "A", "a", "throw=it is broken");
    steps(&host, "A", &["set=a,1", "set=,90000", "cron=c,catch-up,,@daily"]);
    wait_for(&host, "A", 1);
    let deadline = Instant::now() + PATIENCE;
    let json = || -> Value { serde_json::from_str(&objects(&host, &["--json", "alarms", "alarms/A"])).unwrap() };
    while json()["runs"].as_array().unwrap().is_empty() {
        assert!(Instant::now() < deadline);
        pause(10);
    }
    let seen = json();
    let names: Vec<&str> =
        seen["alarms"].as_array().unwrap().iter().map(|alarm| alarm["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["", "a", "c"]);
    assert_eq!((&seen["alarms"][1]["retryCount"], &seen["alarms"][2]["cron"]), (&1.into(), &"@daily".into()));
    let run = &seen["runs"][0];
    assert_eq!((&run["outcome"], &run["error"], &run["name"]), (&"failed".into(), &"it is broken".into(), &"a".into()));
    let text = objects(&host, &["alarms", "alarms/A"]);
    assert!(text.contains("(without name)") && text.contains("it is broken"), "{text}");
    objects(&host, &["delete", "alarms/A", "--yes"]);
    assert_eq!(step(&host, "A", "list"), "");
    let setup = host.setup.clone();
    host.stop();
    let data = setup.data();
    let ended = dohost(["stats", "--json", "--data-dir", data.to_str().unwrap()]);
    let stats: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&stats["alarmsPending"], &stats["alarmsFailed"]), (&0.into(), &Value::Null));
}

#[test]
fn code_without_a_handler_keeps_the_alarms_for_code_that_has_one() {
    let setup = Setup::new();
    let with = |guest: &str| setup.clone().class("app", guest);
    let host = with("alarms").start();
    host.get("/app/A/do?set=,400").ok();
    host.kill();
    pause(500);
    let host = with("counter").start();
    host.log_with("no handler for alarms");
    host.kill();
    let host = with("alarms").start();
    let deadline = Instant::now() + PATIENCE;
    while host.get("/app/A/log").ok().is_empty() {
        assert!(Instant::now() < deadline, "{}", host.log());
        pause(50);
    }
}

#[test]
fn a_class_that_is_renamed_keeps_its_alarms_and_one_that_is_deleted_does_not() {
    let setup = Setup::new();
    let config = |text: String| {
        setup.file("dohost.toml", text);
        setup.clone().with_config()
    };
    let file = crate::host::guest("alarms").display().to_string();
    let host = config(format!("[classes]\nOld.component = {file:?}\nGone.component = {file:?}\n")).start();
    host.get("/Old/A/do?set=,1500").ok();
    host.get("/Gone/A/do?set=,1500").ok();
    host.stop();
    let migrations = "[[migrations]]\ntag = \"v1\"\nrenamed_classes = [{ from = \"Old\", to = \"New\" }]\ndeleted_classes = [\"Gone\"]\n";
    let host = config(format!("[classes]\nNew.component = {file:?}\n{migrations}")).with(["--allow-delete"]).start();
    let deadline = Instant::now() + PATIENCE;
    while host.get("/New/A/log").ok().is_empty() {
        assert!(Instant::now() < deadline, "{}", host.log());
        pause(50);
    }
    let data = host.setup.data();
    let stats: Value =
        serde_json::from_str(&dohost(["stats", "--json", "--data-dir", data.to_str().unwrap()]).stdout).unwrap();
    assert_eq!((&stats["alarmsPending"], &stats["alarmsSucceeded"]), (&0.into(), &1.into()));
}
