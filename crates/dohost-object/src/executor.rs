//! Executors: the threads that everything runs on.
//!
//! Each is an OS thread with a single-threaded tokio runtime. An object's id picks its executor; its instance, mailbox and
//! place in the directory live there and nowhere else. Connections are dealt out to the same threads, so on two cores half
//! of the requests never cross from one thread to another.
//!
//! What has to cross goes through the inbox of the other executor as a job. Many jobs that arrive together cost one wake.

use std::cell::RefCell;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use dohost_storage::Progress;
use tokio::sync::{mpsc, watch};

use crate::host::HostInner;
use crate::id::ObjectId;
use crate::load::Load;
use crate::residents::Residents;

/// Tasks that run before the runtime looks at sockets again, if there are always more. A task may be a turn of an instance that
/// takes milliseconds, as in JavaScript, and what came meanwhile waits so long.
const TASKS_BETWEEN_SOCKETS: u32 = 16;

/// Which executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutorIndex(usize);

impl ExecutorIndex {
    /// As [`Executors::spawn_on`] counts them.
    pub fn number(self) -> usize {
        self.0
    }
}

/// Something to do on another executor.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// All executors of the host.
pub struct Executors {
    all: Vec<Handle>,
    stop: watch::Sender<bool>,
    /// Where their threads meet when nothing runs on any of them.
    stopped: Arc<Barrier>,
    threads: parking_lot::Mutex<Vec<std::thread::JoinHandle<()>>>,
}

/// How other threads reach an executor.
struct Handle {
    inbox: mpsc::UnboundedSender<Job>,
    runtime: tokio::runtime::Handle,
    progress: Progress,
    load: Arc<Load>,
}

/// What belongs to the executor of the current thread.
struct Local {
    index: ExecutorIndex,
    host: Arc<HostInner>,
    residents: RefCell<Residents>,
}

thread_local! {
    static LOCAL: RefCell<Option<std::rc::Rc<Local>>> = const { RefCell::new(None) };
}

fn local() -> Option<std::rc::Rc<Local>> {
    LOCAL.with_borrow(|local| local.clone())
}

/// An executor that has a runtime and an inbox, but no thread yet.
pub(crate) struct Idle {
    runtime: tokio::runtime::Runtime,
    jobs: Jobs,
}

/// The inbox of an executor.
pub(crate) type Jobs = mpsc::UnboundedReceiver<Job>;

impl Executors {
    /// Prepares `count` executors; [`Executors::start`] sets them going.
    pub(crate) fn prepare(count: usize, progress: impl Fn() -> Progress) -> std::io::Result<(Executors, Vec<Idle>)> {
        assert!(count > 0, "at least one executor");
        let (mut all, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let load = Arc::new(Load::default());
            let (parks, unparks) = (load.clone(), load.clone());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .event_interval(TASKS_BETWEEN_SOCKETS)
                .on_thread_park(move || parks.parks())
                .on_thread_unpark(move || unparks.unparks())
                .build()?;
            let (inbox, jobs) = mpsc::unbounded_channel();
            all.push(Handle { inbox, runtime: runtime.handle().clone(), progress: progress(), load });
            idle.push(Idle { runtime, jobs });
        }
        let (stop, stopped) = (watch::Sender::new(false), Arc::new(Barrier::new(count)));
        let executors = Executors { all, stop, stopped, threads: Default::default() };
        Ok((executors, idle))
    }

    /// One executor that the current thread will be, with [`move_in`].
    pub(crate) fn here(progress: Progress) -> (Executors, Jobs) {
        let (inbox, jobs) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Handle::current();
        let here = Handle { inbox, runtime, progress, load: Arc::default() };
        let (stop, stopped) = (watch::Sender::new(false), Arc::new(Barrier::new(1)));
        (Executors { all: vec![here], stop, stopped, threads: Default::default() }, jobs)
    }

    /// Starts the threads.
    pub(crate) fn start(host: &Arc<HostInner>, idle: Vec<Idle>) -> std::io::Result<()> {
        for (index, idle) in idle.into_iter().enumerate() {
            let host_of_thread = host.clone();
            let stop = host.executors.stop.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("executor-{index}"))
                .spawn(move || run(ExecutorIndex(index), host_of_thread, idle, stop))?;
            host.executors.threads.lock().push(thread);
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Never true; here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Runs a task on one of them. `number` is taken modulo their count.
    pub fn spawn_on(&self, number: usize, task: impl Future<Output = ()> + Send + 'static) {
        self.all[number % self.all.len()].runtime.spawn(task);
    }

    /// Whether one of them has time for one more connection, which then must go there.
    pub fn has_room_on(&self, number: usize) -> bool {
        self.all[number].load.has_room()
    }

    /// Where a connection should go because the executor that it is on has too many, if it should.
    pub fn relief_for(&self, number: usize) -> Option<usize> {
        if !self.all[number].load.is_full() {
            return None;
        }
        self.all.iter().position(|other| other.load.has_relief())
    }

    /// The executor that an object is pinned to. An id is as good as random, so its first bytes will do.
    pub(crate) fn of(&self, id: &ObjectId) -> ExecutorIndex {
        let start = u64::from_be_bytes(id.0[..8].try_into().expect("8 of 32 bytes"));
        ExecutorIndex((start % self.all.len() as u64) as usize)
    }

    /// News of commits for tasks of this executor; any will do for a thread that is none.
    pub(crate) fn progress(&self, index: Option<ExecutorIndex>) -> &Progress {
        &self.all[index.map_or(0, |index| index.0)].progress
    }

    /// Does something on an executor: here and now if this is its thread.
    pub(crate) fn run_on(&self, index: ExecutorIndex, job: impl FnOnce() + Send + 'static) {
        if current() == Some(index) {
            return job();
        }
        // The inbox is closed only when the host is gone, and with it whoever could wait for this.
        drop(self.all[index.0].inbox.send(Box::new(job)));
    }

    /// All of them.
    pub(crate) fn indices(&self) -> impl Iterator<Item = ExecutorIndex> + use<> {
        (0..self.all.len()).map(ExecutorIndex)
    }

    /// Stops the threads and waits for them.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("an executor stopped with a panic");
            }
        }
    }
}

/// The executor whose thread this is.
pub(crate) fn current() -> Option<ExecutorIndex> {
    local().map(|local| local.index)
}

/// Does something where it belongs: on that executor, or here if it does not matter or this thread is none.
pub(crate) fn run_at_home(home: Option<ExecutorIndex>, job: impl FnOnce() + Send + 'static) {
    match (home, local()) {
        (Some(home), Some(local)) if home != local.index => local.host.executors.run_on(home, job),
        _ => job(),
    }
}

/// The directory of the executor whose thread this is.
///
/// # Panics
///
/// On any other thread, and when called from within itself.
pub(crate) fn with_residents<R>(f: impl FnOnce(&mut Residents) -> R) -> R {
    let local = local().expect("on the thread of an executor");
    f(&mut local.residents.borrow_mut())
}

fn run(index: ExecutorIndex, host: Arc<HostInner>, idle: Idle, mut stop: watch::Receiver<bool>) {
    let Idle { runtime, jobs } = idle;
    move_in(index, &host, runtime.handle(), jobs);
    runtime.block_on(async {
        // An error means that the sender is gone, which is as good as a stop.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    // A task that has moved here may have a timer that it began elsewhere: those must not end while anything runs.
    host.executors.stopped.wait();
    // Tasks that are left hold objects and with them the host: they go before the thread's own state does.
    runtime.shutdown_timeout(Duration::from_secs(1));
    move_out();
}

/// Makes the current thread an executor; its tasks begin when the runtime runs.
pub(crate) fn move_in(index: ExecutorIndex, host: &Arc<HostInner>, runtime: &tokio::runtime::Handle, mut jobs: Jobs) {
    let residents = RefCell::new(Residents::new(host));
    let sweep = sweep_interval(host.limits.idle_timeout);
    LOCAL.set(Some(std::rc::Rc::new(Local { index, host: host.clone(), residents })));
    runtime.spawn(host.executors.progress(Some(index)).drive());
    runtime.spawn(async move {
        while let Some(job) = jobs.recv().await {
            survive(job);
        }
    });
    if index == ExecutorIndex(0) {
        runtime.spawn(crate::alarms::scheduler::run(host.clone()));
    }
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(sweep).await;
            survive(|| with_residents(Residents::check_times));
            survive(|| with_residents(Residents::evict_idle));
        }
    });
}

/// The current thread is no executor any more. Its tasks are gone by now.
pub(crate) fn move_out() {
    LOCAL.set(None);
}

/// A job that panics is a defect, but not the end of the executor.
fn survive(job: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
        tracing::error!("the host panicked on an executor");
    }
}

/// Often enough that an idle object goes at most a quarter late.
fn sweep_interval(idle_timeout: Duration) -> Duration {
    (idle_timeout / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}
