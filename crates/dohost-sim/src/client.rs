//! Clients: each sends its operations one after the other and writes down what it saw.
//!
//! They outlive the host. When it crashes, what a client was waiting for stays in the history with an open end, and the
//! client goes on with its next operation when the host is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dohost_object::{EventError, Host, Reply, Target};
use tokio::time::{sleep, timeout};

use crate::operation::{Operation, Understood};
use crate::random::Random;
use crate::world::World;

/// No operation may take longer, whatever happens to the disk meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// So long after the disk was full everything must work again: a stalled commit may come in between.
const RECOVERY: Duration = Duration::from_secs(6);

/// An impatient client waits up to so long.
const IMPATIENT_MS_MAX: u64 = 40;

/// How often the last look is repeated if the object has no room for it.
const LOOKS_MAX: usize = 100;

/// What a client is about to do.
pub struct Client {
    /// The object that it mostly talks to.
    pub home: usize,
    /// Operations that are left to it.
    pub left: u64,
    /// Its own stream.
    pub random: Random,
}

/// The work of a client for as long as the host lives and takes requests.
pub async fn work(world: Arc<World>, host: Host, number: usize, is_stopping: Arc<AtomicBool>) {
    while let Some((operation, pause, patience)) = next(&world, number) {
        sleep(pause).await;
        if is_stopping.load(Ordering::Relaxed) {
            return;
        }
        perform(&world, &host, &format!("client {number}"), &operation, patience).await;
    }
}

/// Looks at everything once more; each look must succeed.
pub async fn look_at_everything(world: &World, host: &Host) {
    for (object, subject) in world.subjects.iter().enumerate() {
        for look in Operation::looks(subject, object) {
            let mut understood = Understood::Never;
            for _ in 0..LOOKS_MAX {
                understood = perform(world, host, "last look", &look, PATIENCE).await;
                if understood != Understood::Never {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
            if !matches!(understood, Understood::Done(_)) {
                world.journal.violation(format!("in the end {} does not answer {}", subject.name, look.url));
            }
        }
    }
}

fn next(world: &World, number: usize) -> Option<(Operation, Duration, Duration)> {
    let mut client = world.clients[number].lock();
    client.left = client.left.checked_sub(1)?;
    let home = client.home;
    let random = &mut client.random;
    let traps = random.one_in(world.plan.traps_one_in);
    let value = world.new_value();
    let operation = Operation::draw(random, &world.subjects, home, value, world.plan.filler_bytes, traps);
    let pause = Duration::from_millis(random.between(0, world.plan.think_ms_max));
    let patience = match random.one_in(world.plan.impatient_one_in) {
        true => Duration::from_millis(random.between(1, IMPATIENT_MS_MAX)),
        false => PATIENCE,
    };
    Some((operation, pause, patience))
}

async fn perform(world: &World, host: &Host, who: &str, operation: &Operation, patience: Duration) -> Understood {
    let subject = &world.subjects[operation.target];
    let acts: Vec<_> = {
        let mut all = world.acts.lock();
        operation.acts().into_iter().map(|(place, act)| all.begin(place, act)).collect()
    };
    world.journal.note(format_args!("{who}: {}{}", subject.name, operation.url));
    let class = host.class(subject.class).expect("the host has the classes of the world");
    let sent = host.fetch(&class, Target::Name(&subject.name), operation.request());
    let understood = match timeout(patience, sent).await {
        Ok(reply) => {
            let reply = reply.expect("a name is a target");
            world.journal.note(format_args!("{who}: {}{} gave {}", subject.name, operation.url, show(&reply)));
            if let Err(error @ (EventError::StartFailed(_) | EventError::CommitFailed(_))) = &reply
                && world.has_room_for() > RECOVERY
            {
                let text = format!("long after the disk has room again, {} says: {error}", subject.name);
                world.journal.violation(text);
            }
            operation.understand(&reply)
        }
        Err(_) => {
            world.journal.note(format_args!("{who}: gave up {}{}", subject.name, operation.url));
            if patience == PATIENCE {
                world.journal.violation(format!("{}{} got no reply", subject.name, operation.url));
            }
            Understood::Unknown
        }
    };
    let mut all = world.acts.lock();
    match &understood {
        Understood::Done(outcomes) => {
            for (number, outcome) in acts.into_iter().zip(outcomes) {
                if let Some(act) = outcome {
                    all.done(number, act.clone());
                }
            }
        }
        Understood::Never => acts.into_iter().for_each(|number| all.never(number)),
        Understood::Unknown => {}
        Understood::Wrong(text) => {
            world.journal.violation(format!("{}{} was answered with {text}", subject.name, operation.url));
        }
    }
    understood
}

fn show(reply: &Reply) -> String {
    match reply {
        Ok(response) => {
            let text = String::from_utf8_lossy(&response.body);
            format!("{} {}", response.status, text.trim_end().replace('\n', ", "))
        }
        Err(error) => format!("{error:?}"),
    }
}
