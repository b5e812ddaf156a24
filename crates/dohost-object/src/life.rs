//! One life of an object, from the store to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dohost_engine::{ObjectInstance, Trap};
use futures_util::FutureExt;

use crate::environment::ask_blocking;
use crate::executor::with_residents;
use crate::feed::Feed;
use crate::inside::ObjectInside;
use crate::object::{Abort, EndReason, Object, Residence};
use crate::outside::ObjectOutside;
use crate::residents::{ObjectKey, Residents};

/// Lives one life: loads what the store has, makes the instance, feeds it until it ends, and clears up.
///
/// Runs as a task of the object's executor and is never cancelled but by the end of the host.
pub(crate) async fn live(key: ObjectKey, object: Arc<Object>) {
    let result = AssertUnwindSafe(run(&object)).catch_unwind().await;
    let reason = match result {
        Ok(Ok(())) => None,
        Ok(Err(reason)) => Some(reason),
        Err(_) => {
            tracing::error!(class = object.class.name(), id = %object.id, "the host panicked in a life of an object");
            object.stops_to_start();
            Some(EndReason::Reset("the host failed".into()))
        }
    };
    with_residents(|residents| residents.life_is_ending(key));
    let is_rejected = reason
        .as_ref()
        .is_some_and(|reason| object.is_starting() && object.code.failed_to_start(&object.class, &reason.to_string()));
    if is_rejected {
        with_residents(|residents| residents.hand_on(key, object.name(), object.take_events()));
    }
    // Code that was rejected, or a host that has no room, is no reason for the object to lose its websockets.
    let resets = !is_rejected && reason.as_ref().is_some_and(|reason| !object.could_not_start(reason));
    let last_commit = object.end(reason);
    if resets {
        object.host.websockets.reset(&key);
    }
    if let Some(commit) = last_commit {
        // Failed or not: the next life begins from what the store then has. What was sent behind a commit that failed is lost.
        if object.progress.settled(commit).await.is_err() {
            object.host.websockets.reset(&key);
        }
    }
    object.host.websockets.life_ended(&key);
    object.host.store.end_life(object.life);
    tracing::debug!(class = object.class.name(), id = %object.id, generation = object.generation, "evicted");
    with_residents(|residents: &mut Residents| residents.life_ended(key));
}

async fn run(object: &Arc<Object>) -> Result<(), EndReason> {
    // Boxed: what a start takes should not be kept for the whole life.
    let instance = Box::pin(start(object)).await?;
    let feed = Feed(object.clone());
    tokio::select! {
        biased;
        () = object.doom.notified() => {
            let reason = object.doom_reason();
            if !matches!(reason, EndReason::TimedOut(_) | EndReason::StartFailed(_)) {
                object.stops_to_start();
            }
            tracing::warn!(class = object.class.name(), id = %object.id, "reset: {reason}");
            Err(reason)
        }
        ended = instance.run(&feed) => ended.map_err(|trap| reset(object, &trap)),
    }
}

/// Loads what the store has, and makes the instance.
async fn start(object: &Arc<Object>) -> Result<ObjectInstance, EndReason> {
    object.loaded(load(object).await?);
    let log_name: Arc<str> = match object.name() {
        Some(name) => format!("{}/{name}", object.class.name()).into(),
        None => format!("{}/{}", object.class.name(), object.id).into(),
    };
    let inside = Box::new(ObjectInside(object.clone()));
    let outside = Box::new(ObjectOutside(object.clone()));
    let (limits, variables) = (&object.limits().guest, object.code.variables.clone());
    object.begins_to_start();
    let instance = object.code.component.instantiate(log_name, limits, variables, inside, outside).await;
    let instance = instance.map_err(|trap| start_failed(object, &trap))?;
    tracing::debug!(class = object.class.name(), id = %object.id, generation = object.generation, "started");
    if !object.code.component.has_construction() {
        object.constructed()?;
    }
    Ok(instance)
}

/// Reads the object's record and content. The disk is waited for on another thread.
async fn load(object: &Arc<Object>) -> Result<Residence, EndReason> {
    let reader = object.clone();
    let loaded = ask_blocking(&object.host.environment, move || {
        let bytes_max = reader.limits().whole_content_bytes_max;
        reader.host.store.load(reader.class.0.number, &reader.id.0, bytes_max)
    });
    match loaded.await {
        Some(Ok(loaded)) => Ok(Residence {
            number: loaded.number,
            record: loaded.record,
            overlay: dohost_storage::Overlay::new(loaded.content).with_alarms(loaded.alarms),
            size: loaded.size,
        }),
        Some(Err(error)) => {
            tracing::error!(class = object.class.name(), id = %object.id, "failed to {error}");
            Err(EndReason::HostFailed(format!("failed to {error}")))
        }
        None => Err(EndReason::HostFailed("the host failed to read the store".into())),
    }
}

fn start_failed(object: &Object, trap: &Trap) -> EndReason {
    if trap.is_full {
        object.stops_to_start();
        with_residents(|residents| residents.make_room());
        tracing::warn!(class = object.class.name(), id = %object.id, "no room for another instance: {}", trap.reason);
        return EndReason::Overloaded("no room for another instance".into());
    }
    tracing::warn!(class = object.class.name(), id = %object.id, "start failed: {}", trap.story().unwrap_or(&trap.reason));
    tracing::debug!(class = object.class.name(), id = %object.id, "start failed: {}", trap.detail);
    EndReason::StartFailed(trap.reason.clone())
}

fn reset(object: &Object, trap: &Trap) -> EndReason {
    if trap.is_full {
        with_residents(|residents| residents.make_room());
    }
    if trap.is_full || trap.is_host {
        object.stops_to_start();
    }
    let name = object.name();
    let (class, generation) = (object.class.name(), object.generation);
    let story = trap.story().unwrap_or(&trap.reason);
    tracing::warn!(class, id = %object.id, name = name.as_deref(), generation, "reset: {story}");
    tracing::debug!(class, id = %object.id, name = name.as_deref(), generation, "reset: {}", trap.detail);
    let text = trap.reason.clone();
    match object.lock().abort.take() {
        _ if trap.is_exception => EndReason::ConstructionFailed(text),
        Some(Abort { retry_alarm }) => EndReason::Aborted { text, retry_alarm },
        None if trap.is_host || trap.is_full => EndReason::Reset(text),
        None => EndReason::Trapped(text),
    }
}
