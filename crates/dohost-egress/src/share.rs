//! A fair share of the way out: how many requests each object may have under way.
//!
//! Without it one object that floods the network would hold every place there is, and the others would wait for their time
//! limit. Over its share an object's requests wait for one another, in the order in which they came.
//!
//! Invariant: an object has an entry exactly as long as a request of it is under way or waits.

use std::collections::HashMap;
use std::sync::Arc;

use dohost_object::ObjectId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The shares of all objects that send something now.
pub(crate) struct Shares {
    places_each: usize,
    open: Mutex<HashMap<ObjectId, Share>>,
}

struct Share {
    places: Arc<Semaphore>,
    /// Requests that are under way or wait.
    requests: usize,
}

/// A request of an object; has its place when [`Shares::take`] is done, and gives it back when it is dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    object: ObjectId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Shares {
    pub fn new(places_each: usize) -> Shares {
        Shares { places_each, open: Mutex::default() }
    }

    /// Waits for a place. Dropping the future gives up waiting.
    pub async fn take(self: &Arc<Self>, object: ObjectId) -> Place {
        let places = {
            let mut open = self.open.lock();
            let share = open
                .entry(object)
                .or_insert_with(|| Share { places: Arc::new(Semaphore::new(self.places_each)), requests: 0 });
            share.requests += 1;
            share.places.clone()
        };
        // Made before the wait, so that who gives up is no longer counted.
        let mut place = Place { shares: self.clone(), object, permit: None };
        place.permit = Some(places.acquire_owned().await.expect("the semaphore is never closed"));
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut open = self.shares.open.lock();
        let share = open.get_mut(&self.object).expect("it is counted");
        share.requests -= 1;
        if share.requests == 0 {
            open.remove(&self.object);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const A: ObjectId = ObjectId([1; 32]);
    const B: ObjectId = ObjectId([2; 32]);

    #[test]
    fn an_object_over_its_share_waits_and_others_do_not() {
        let shares = Arc::new(Shares::new(2));
        let (one, _two) = (shares.take(A).now_or_never().unwrap(), shares.take(A).now_or_never().unwrap());
        let mut third = Box::pin(shares.take(A));
        assert!((&mut third).now_or_never().is_none());
        assert!(shares.take(B).now_or_never().is_some());
        drop(one);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_waiting_leaves_no_trace() {
        let shares = Arc::new(Shares::new(1));
        let held = shares.take(A).now_or_never().unwrap();
        for _ in 0..10 {
            assert!(shares.take(A).now_or_never().is_none());
        }
        drop(held);
        assert!(shares.open.lock().is_empty());
        assert!(shares.take(A).now_or_never().is_some());
    }
}
