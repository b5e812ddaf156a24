//! A disk that does not answer: giving up, and going on once it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use dohost_storage::CommitError;

use crate::{commit, faulty_store, object, outcome, puts};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_commit_that_was_given_up_stays_so_and_the_truth_comes_later() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (progress, other) = (store.progress(), store.progress());
    let settled = store.submit(puts(number, life, &[("k", "settled")]));
    outcome(&progress, settled).unwrap();
    let held = disk.hold_syncs();
    let on_the_way = store.submit(puts(number, life, &[("k", "on the way")]));
    held.wait_for_sync();
    let queued = store.submit(puts(number, life, &[("k", "queued")]));
    assert_eq!(store.last_submitted(), queued);

    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut context = Context::from_waker(&waker);
    let mut waiters = [Box::pin(progress.durable(on_the_way)), Box::pin(progress.durable(queued))];
    let mut truths = [Box::pin(progress.settled(on_the_way)), Box::pin(progress.settled(queued))];
    assert!(waiters.iter_mut().all(|waiter| waiter.as_mut().poll(&mut context).is_pending()));
    assert!(truths.iter_mut().all(|waiter| waiter.as_mut().poll(&mut context).is_pending()));
    progress.give_up(store.last_submitted());
    assert_eq!(count.0.load(Ordering::SeqCst), 4, "all who wait are woken");
    for waiter in &mut waiters {
        assert_eq!(waiter.as_mut().poll(&mut context), Poll::Ready(Err(CommitError::Stalled)));
    }
    assert!(truths.iter_mut().all(|waiter| waiter.as_mut().poll(&mut context).is_pending()));
    assert_eq!(progress.is_durable(settled), Some(Ok(())), "what was settled is not given up");
    assert_eq!(progress.is_durable(queued), Some(Err(CommitError::Stalled)));
    assert_eq!(other.is_durable(queued), None, "the other executor has not given up");
    let later = store.submit(puts(number, store.new_life(), &[("k2", "later")]));
    assert_eq!(progress.is_durable(later), None, "what came later is not given up");
    drop((waiters, truths));
    assert_eq!(progress.waiting(), 0);

    drop(held);
    outcome(&progress, later).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in [on_the_way, queued] {
        assert_eq!(runtime.block_on(progress.settled(number)), Ok(()));
        assert_eq!(runtime.block_on(progress.durable(number)), Err(CommitError::Stalled));
        assert_eq!(other.is_durable(number), Some(Ok(())));
    }
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("queued")));
    commit(&store, puts(number, store.new_life(), &[("k", "new")])).unwrap();
}

#[test]
fn who_waits_for_the_truth_is_woken_by_it_after_giving_up() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let progress = store.progress();
    let held = disk.hold_syncs();
    let given_up = store.submit(puts(number, life, &[("k", "1")]));
    held.wait_for_sync();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        tokio::task::spawn_local(progress.drive());
        let truth = tokio::task::spawn_local(progress.settled(given_up));
        let waiter = tokio::task::spawn_local(progress.durable(given_up));
        tokio::task::yield_now().await;
        progress.give_up(store.last_submitted());
        assert_eq!(waiter.await.unwrap(), Err(CommitError::Stalled));
        assert!(!truth.is_finished());
        drop(held);
        assert_eq!(truth.await.unwrap(), Ok(()));
    });
}

#[test]
fn a_commit_that_was_given_up_and_fails_later_stays_given_up() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let progress = store.progress();
    let held = disk.hold_syncs();
    let first = store.submit(puts(number, life, &[("k", "1")]));
    held.wait_for_sync();
    let second = store.submit(puts(number, life, &[("k", "2")]));
    progress.give_up(second);
    disk.fill_once();
    drop(held);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let truth = runtime.block_on(async {
        tokio::select! {
            () = progress.drive() => unreachable!("a driver never ends"),
            truth = progress.settled(second) => truth,
        }
    });
    assert!(matches!(truth, Err(CommitError::NoSpace { .. })), "{truth:?}");
    assert_eq!(progress.is_durable(first), Some(Err(CommitError::Stalled)));
    assert_eq!(progress.is_durable(second), Some(Err(CommitError::Stalled)));
    assert!(!CommitError::Stalled.is_permanent());
}

#[test]
fn giving_up_and_settling_at_once_leave_no_waiter_asleep() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let progress = store.progress();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    std::thread::scope(|scope| {
        let (watch, watched) = (progress.clone(), store.clone());
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                watch.give_up(watched.last_submitted());
                std::thread::yield_now();
            }
        });
        tasks.block_on(&runtime, async {
            tokio::task::spawn_local(progress.drive());
            for round in 0..500 {
                let commit = store.submit(puts(number, life, &[("k", &round.to_string())]));
                let waiters = [progress.durable(commit), progress.durable(commit)];
                let truth = tokio::task::spawn_local(progress.settled(commit));
                for waiter in waiters {
                    let told = tokio::task::spawn_local(waiter).await.unwrap();
                    assert!(matches!(told, Ok(()) | Err(CommitError::Stalled)), "{told:?}");
                }
                assert_eq!(truth.await.unwrap(), Ok(()));
            }
        });
        drop(done);
    });
}
