//! Write sets, group commit, and how waiters learn of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use dohost_storage::{
    CommitError, Content, KeyRange, LIST_PAGE_BYTES_MAX, LIST_PAGE_LEN_MAX, ListOptions, PENDING_BYTES_MAX, StoreError,
    WriteSet,
};

use crate::{CLASS, WHOLE, commit, content, faulty_store, id, object, open, outcome, puts, record};

#[test]
fn a_write_set_replaces_deletes_and_leaves_the_rest() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("a", "1"), ("b", "2"), ("c", "3")])).unwrap();
    let mut set = puts(number, life, &[("a", "4")]);
    set.writes.push((Arc::from("b"), None));
    set.writes.push((Arc::from("never there"), None));
    commit(&store, set).unwrap();
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("a", "4"), ("c", "3")]);
    assert_eq!(store.get(number, "a").unwrap(), Some(Bytes::from("4")));
    let keys = [Arc::from("c"), Arc::from("b"), Arc::from("a")];
    let values: Vec<_> = store.get_many(number, &keys).unwrap().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [Some(Bytes::from("3")), None, Some(Bytes::from("4"))]);
}

#[test]
fn clearing_an_object_leaves_its_neighbours() {
    let (_disk, store) = faulty_store();
    let objects = [object(&store, 1), object(&store, 2), object(&store, 3)];
    assert_eq!([objects[1].0.0 - objects[0].0.0, objects[2].0.0 - objects[1].0.0], [1, 1], "they are neighbours");
    for (number, life) in objects {
        let keys: Vec<_> = (0..300).map(|key| (Arc::from(format!("{key}")), Some(Bytes::from("x")))).collect();
        let mut set = WriteSet::new(number, life);
        set.writes = keys;
        set.writes.push((Arc::from(""), Some(Bytes::from("empty key"))));
        set.writes.push((Arc::from("\u{10ffff}"), Some(Bytes::from("last key"))));
        commit(&store, set).unwrap();
    }
    let mut set = puts(objects[1].0, objects[1].1, &[("after", "1")]);
    set.clear = true;
    commit(&store, set).unwrap();
    let len = |number| content(&store.load(CLASS, &id(number), WHOLE).unwrap()).len();
    assert_eq!([len(1), len(2), len(3)], [302, 1, 302]);
}

#[test]
fn a_forgotten_object_is_gone_and_its_number_does_not_come_back() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let mut set = WriteSet::new(number, life);
    (set.clear, set.forget) = (true, Some((CLASS, id(1))));
    commit(&store, set).unwrap();
    let again = store.load(CLASS, &id(1), WHOLE).unwrap();
    assert_eq!(again.record, None);
    assert!(again.number > number);
    store.close();
    let store = open(&disk);
    assert!(store.load(CLASS, &id(1), WHOLE).unwrap().number > number);
}

#[test]
fn a_large_object_is_loaded_without_its_content() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("key", "value"), ("k2", "")])).unwrap();
    assert!(matches!(store.load(CLASS, &id(1), 10).unwrap().content, Content::Whole(_)));
    assert_eq!(store.load(CLASS, &id(1), 9).unwrap().content, Content::Partial);
}

#[test]
fn a_list_page_stops_at_its_limits() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let mut set = WriteSet::new(number, life);
    set.writes = (0..LIST_PAGE_LEN_MAX + 1).map(|n| (Arc::from(format!("k{n:05}")), Some(Bytes::new()))).collect();
    commit(&store, set).unwrap();
    let page = store.list(number, &KeyRange::all()).unwrap();
    assert_eq!((page.entries.len(), page.more), (LIST_PAGE_LEN_MAX, true));
    let options = ListOptions { start_after: Some(&page.entries.last().unwrap().0), ..Default::default() };
    let page = store.list(number, &KeyRange::compile(options).unwrap().unwrap()).unwrap();
    assert_eq!((page.entries.len(), page.more), (1, false));

    let (number, life) = object(&store, 2);
    let mut set = WriteSet::new(number, life);
    let half = Bytes::from(vec![0; LIST_PAGE_BYTES_MAX / 2]);
    set.writes = (0..4).map(|n| (Arc::from(format!("k{n}")), Some(half.clone()))).collect();
    commit(&store, set).unwrap();
    let page = store.list(number, &KeyRange::all()).unwrap();
    assert_eq!((page.entries.len(), page.more), (2, true));
}

#[test]
fn objects_of_a_class_are_listed_page_by_page() {
    let (_disk, store) = faulty_store();
    for number in [3, 1, 2] {
        object(&store, number);
    }
    let first = store.objects(CLASS, None, 2).unwrap();
    assert_eq!(first.iter().map(|(id, _)| id[0]).collect::<Vec<_>>(), [1, 2]);
    let rest = store.objects(CLASS, Some(first[1].0), 2).unwrap();
    assert_eq!(rest.iter().map(|(id, _)| id[0]).collect::<Vec<_>>(), [3]);
    assert_eq!(store.objects(dohost_storage::ClassNumber(2), None, 2).unwrap(), []);
}

#[test]
fn what_comes_while_a_commit_is_on_its_way_shares_the_next_one() {
    let (disk, store) = faulty_store();
    let objects: Vec<_> = (0..10).map(|number| object(&store, number)).collect();
    let (transactions, syncs) = (store.stats().transactions, disk.syncs());
    let held = disk.hold_syncs();
    let first = store.submit(puts(objects[0].0, objects[0].1, &[("k", "0")]));
    held.wait_for_sync();
    let mut last = first;
    for round in 0..10 {
        for (number, life) in &objects {
            last = store.submit(puts(*number, *life, &[("k", &round.to_string())]));
        }
    }
    let progress = store.progress();
    assert_eq!(progress.is_durable(first), None, "nothing is durable before its sync");
    assert_eq!(store.pending_bytes(), 101 * 2);
    drop(held);
    outcome(&progress, last).unwrap();
    assert_eq!(progress.is_durable(first), Some(Ok(())));
    assert_eq!(store.stats().transactions - transactions, 2);
    assert_eq!(disk.syncs() - syncs, 2, "one sync for each transaction");
    assert_eq!(store.pending_bytes(), 0);
    for (number, _) in &objects {
        assert_eq!(store.get(*number, "k").unwrap(), Some(Bytes::from("9")));
    }
}

#[test]
fn pending_bytes_tell_the_caller_when_to_hold_back() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let held = disk.hold_syncs();
    store.submit(puts(number, life, &[("k", "1")]));
    held.wait_for_sync();
    let value = Bytes::from(vec![0; 1024 * 1024]);
    let mut last = None;
    while store.pending_bytes() <= PENDING_BYTES_MAX {
        let mut set = WriteSet::new(number, life);
        set.writes = vec![(Arc::from("k"), Some(value.clone()))];
        last = Some(store.submit(set));
    }
    drop(held);
    outcome(&store.progress(), last.unwrap()).unwrap();
    assert_eq!(store.pending_bytes(), 0);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_commit_wakes_an_executor_once_and_no_executor_that_does_not_wait() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (busy, idle) = (store.progress(), store.progress());
    let (driver_count, waiter_count) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (driver_waker, waiter_waker) = (Waker::from(driver_count.clone()), Waker::from(waiter_count.clone()));
    let mut driver = Box::pin(busy.drive());
    assert!(driver.as_mut().poll(&mut Context::from_waker(&driver_waker)).is_pending());

    let held = disk.hold_syncs();
    store.submit(puts(number, life, &[("k", "0")]));
    held.wait_for_sync();
    let numbers: Vec<_> = (0..100).map(|_| store.submit(puts(number, life, &[("k", "1")]))).collect();
    let mut waiters: Vec<_> = numbers.iter().map(|number| Box::pin(busy.durable(*number))).collect();
    for waiter in &mut waiters {
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waiter_waker)).is_pending());
    }
    assert_eq!(busy.waiting(), 100);
    drop(held);
    outcome(&store.progress(), numbers[99]).unwrap();

    assert_eq!(driver_count.0.load(Ordering::SeqCst), 1);
    assert_eq!((busy.notified(), idle.notified()), (1, 0));
    assert_eq!(waiter_count.0.load(Ordering::SeqCst), 0, "the committer wakes no waiter itself");
    assert!(driver.as_mut().poll(&mut Context::from_waker(&driver_waker)).is_pending());
    assert_eq!(waiter_count.0.load(Ordering::SeqCst), 100);
    for waiter in &mut waiters {
        assert!(matches!(waiter.as_mut().poll(&mut Context::from_waker(&waiter_waker)), Poll::Ready(Ok(()))));
    }
    assert_eq!(busy.waiting(), 0);
}

#[test]
fn a_waiter_that_gives_up_leaves_nothing_behind() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let progress = store.progress();
    let held = disk.hold_syncs();
    let commit = store.submit(puts(number, life, &[("k", "0")]));
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(progress.durable(commit))).collect();
    for waiter in &mut waiters {
        // Twice, as a task that is woken for another reason does.
        assert!(waiter.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(waiter.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(progress.waiting(), 3);
    waiters.pop();
    assert_eq!(progress.waiting(), 2);
    drop(waiters);
    assert_eq!(progress.waiting(), 0);
    drop(held);
    outcome(&progress, commit).unwrap();
}

#[test]
fn waiters_on_many_threads_all_hear_of_their_commits() {
    let (_disk, store) = faulty_store();
    let objects: Vec<_> = (0..4).map(|number| object(&store, number)).collect();
    std::thread::scope(|scope| {
        for (number, life) in objects {
            let store = store.clone();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let tasks = tokio::task::LocalSet::new();
                tasks.block_on(&runtime, async {
                    let progress = store.progress();
                    tokio::task::spawn_local(progress.drive());
                    let turns = (0..200).map(|turn| {
                        let (store, progress) = (store.clone(), progress.clone());
                        tokio::task::spawn_local(async move {
                            for round in 0..5 {
                                let value = format!("{turn}.{round}");
                                let commit = store.submit(puts(number, life, &[("k", &value)]));
                                progress.durable(commit).await.unwrap();
                            }
                        })
                    });
                    for turn in turns.collect::<Vec<_>>() {
                        turn.await.unwrap();
                    }
                    assert_eq!(progress.waiting(), 0);
                });
            });
        }
    });
}

#[test]
fn everything_submitted_before_a_close_is_durable_and_nothing_after_it() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let progress = store.progress();
    let before: Vec<_> = (0..50).map(|n| store.submit(puts(number, life, &[("k", &n.to_string())]))).collect();
    store.close();
    for commit in before {
        assert_eq!(progress.is_durable(commit), Some(Ok(())));
    }
    let after = store.submit(puts(number, life, &[("k", "late")]));
    assert_eq!(progress.is_durable(after), Some(Err(CommitError::Closed)));
    assert_eq!(store.get(number, "k"), Err(StoreError::Closed));
    assert_eq!(open(&disk).get(number, "k").unwrap(), Some(Bytes::from("49")));
}

#[test]
fn a_life_that_began_too_early_cannot_replace_the_record() {
    let (_disk, store) = faulty_store();
    let early = store.load(CLASS, &id(1), WHOLE).unwrap();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "1")])).unwrap();
    let early_life = store.new_life();
    let mut set = puts(early.number, early_life, &[("k", "2")]);
    set.record = Some((CLASS, id(1), record(early.number)));
    assert_eq!(commit(&store, set), Err(CommitError::RecordExists));
    assert_eq!(commit(&store, puts(early.number, early_life, &[("k", "3")])), Err(CommitError::EarlierFailed));
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("k", "1")]);
    assert_eq!(store.get(early.number, "k").unwrap(), None);
}
