//! New code without downtime: a class gets another component while its objects go on.
//!
//! ```text
//!  deploy ──► on trial ── an object is constructed with it ──► in force: all other objects move to it
//!                │
//!                └────── it is not ──► rejected: the code before is in force again
//! ```
//!
//! An object *moves* between its events: its life takes no more of them, finishes those that it has begun, and ends; the next
//! life begins with the new code. Events that come meanwhile wait. An event that a running one has called for itself is let
//! in all the same, or else both would wait for ever. A life that does not end in time is reset.
//!
//! The first object to start with new code tries it: one that is resident is moved for that, the idlest there is; if none is,
//! the first that is asked. Its events do not notice when the code is rejected: they had not begun, and the next life, with
//! the code before, gets them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::call_graph::Label;
use crate::class::{Class, ClassOptions, Code};
use crate::environment::ask_blocking;
use crate::executor::with_residents;
use crate::host::{Host, HostInner};
use crate::residents::{ObjectKey, Residents};

/// How long a deploy waits for the first object beyond what that may take to move and to be constructed.
const TRIAL_GRACE: Duration = Duration::from_secs(10);

/// What becomes of new code.
pub(crate) struct Trial {
    stage: Mutex<Stage>,
    verdict: watch::Sender<Option<Verdict>>,
}

/// Passed, or why not.
type Verdict = Result<(), String>;

enum Stage {
    /// No object has been constructed with it. Its predecessor takes its place if that fails.
    OnTrial {
        before: Arc<Code>,
    },
    InForce,
    Rejected,
}

impl Trial {
    /// Code that a class begins with.
    pub fn none() -> Trial {
        Trial { stage: Mutex::new(Stage::InForce), verdict: watch::Sender::new(None) }
    }

    fn after(before: Arc<Code>) -> Trial {
        Trial { stage: Mutex::new(Stage::OnTrial { before }), verdict: watch::Sender::new(None) }
    }

    /// An object was constructed with it. Whether it may go on with that.
    pub fn pass(&self) -> bool {
        let mut stage = self.stage.lock();
        if let Stage::OnTrial { .. } = *stage {
            *stage = Stage::InForce;
            self.verdict.send_replace(Some(Ok(())));
        }
        !matches!(*stage, Stage::Rejected)
    }

    /// It takes the place of this code. What it falls back to if it fails: this code, or if nobody has tried that yet, the
    /// one before; `None` if this code was rejected just now, and so is not what its class has any more.
    fn supersede(&self, this: &Arc<Code>) -> Option<Arc<Code>> {
        let mut stage = self.stage.lock();
        match &*stage {
            Stage::InForce => Some(this.clone()),
            Stage::Rejected => None,
            Stage::OnTrial { before } => {
                let before = before.clone();
                *stage = Stage::Rejected;
                Some(before)
            }
        }
    }
}

impl Code {
    /// To be called when a life with this code ended before its object was constructed. If that was the trial, the code
    /// before is what the class has now. Whether the code was rejected: the events of this life then go to the next one.
    pub(crate) fn failed_to_start(&self, class: &Class, reason: &str) -> bool {
        let mut stage = self.trial.stage.lock();
        if let Stage::OnTrial { before } = &*stage {
            class.set_code(before.clone());
            *stage = Stage::Rejected;
            self.trial.verdict.send_replace(Some(Err(reason.to_string())));
            tracing::error!(class = class.name(), "the new code was rejected, the code before serves on: {reason}");
        }
        matches!(*stage, Stage::Rejected)
    }
}

/// What a deploy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    /// The classes that have new code.
    pub changed: Vec<String>,
    /// The objects that tried the new code, one of each class that had any.
    pub tried: Vec<String>,
    /// The classes that had none: the first object of theirs to start decides.
    pub untried: Vec<String>,
    /// Objects that were resident and move.
    pub moved: usize,
}

/// Why everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// An object could not be constructed with the new code.
    #[error("{object} did not start with the new code: {reason}")]
    Rejected {
        /// Class and name.
        object: String,
        /// What happened.
        reason: String,
    },
    /// The object that should have tried the new code did not get to it.
    #[error("{0} did not get to try the new code in time")]
    TooLate(String),
    /// A class that is new could not be registered.
    #[error("failed to {0}")]
    Store(String),
    /// Another deploy is under way.
    #[error("another deploy is under way")]
    Busy,
    /// The host is shutting down.
    #[error("the host is shutting down")]
    ShuttingDown,
}

impl Host {
    /// Gives classes new code, and registers those that are new. All or nothing: if an object of any of these classes cannot
    /// be constructed with it, all of them go on with the code that they have.
    ///
    /// Objects that are resident have begun to move when this returns.
    pub async fn deploy(&self, classes: Vec<ClassOptions>) -> Result<Deployed, DeployError> {
        let host = &self.0;
        let _only_one = host.deploying.try_lock().map_err(|_| DeployError::Busy)?;
        let (known, new): (Vec<_>, Vec<_>) =
            classes.into_iter().partition(|options| self.class(&options.name).is_some());
        let changes: Vec<Change> = known.into_iter().filter_map(|options| self.begin(options)).collect();
        let mut deployed = Deployed::default();
        deployed.changed.extend(changes.iter().map(|change| change.class.name().to_string()));
        for change in &changes {
            match self.try_out(change).await {
                Ok(Some(object)) => deployed.tried.push(object),
                Ok(None) => deployed.untried.push(change.class.name().into()),
                Err(error) => {
                    self.undo(&changes);
                    return Err(error);
                }
            }
        }
        if let Err(error) = self.register(new).await {
            self.undo(&changes);
            return Err(error);
        }
        for change in &changes {
            deployed.moved += self.move_others(&change.class, &change.after).await;
        }
        Ok(deployed)
    }

    /// Serves classes that are new, all or none of them.
    async fn register(&self, classes: Vec<ClassOptions>) -> Result<(), DeployError> {
        let mut new = Vec::new();
        for options in classes {
            let (store, name) = (self.0.store.clone(), options.name.clone());
            let registered = ask_blocking(&self.0.environment, move || store.class(&name)).await;
            let registered = registered.ok_or(DeployError::ShuttingDown)?;
            let registered = registered.map_err(|error| DeployError::Store(error.to_string()))?;
            new.push(Class::new(&registered, options));
        }
        new.into_iter().for_each(|class| self.0.add_class(class));
        Ok(())
    }

    /// Puts new code on trial, if it is new.
    fn begin(&self, options: ClassOptions) -> Option<Change> {
        let class = self.class(&options.name)?;
        if class.code().is_of(&options) {
            return None;
        }
        let before = loop {
            let current = class.code();
            if let Some(before) = current.trial.supersede(&current) {
                break before;
            }
        };
        let after = Arc::new(Code::new(options, Trial::after(before.clone())));
        class.set_code(after.clone());
        Some(Change { class, before, after })
    }

    /// Moves one object to the new code and waits until it is constructed. Gives that object, if there is one.
    async fn try_out(&self, change: &Change) -> Result<Option<String>, DeployError> {
        let class = &change.class;
        let Some(key) = self.idlest(class).await else { return Ok(None) };
        let moving = self.on_executor_of(key, move |residents| residents.start_anew(key)).await;
        let Some(Some(name)) = moving else { return Ok(None) };
        let object = Label { class: class.clone(), id: key.id, name }.to_string();
        tracing::info!("{object} moves to the new code to try it");
        let mut verdict = change.after.trial.verdict.subscribe();
        let patience = self.0.limits.drain_time_max + change.after.limits.section_time_max + TRIAL_GRACE;
        let verdict = tokio::time::timeout(patience, verdict.wait_for(Option::is_some)).await;
        match verdict.ok().and_then(Result::ok).and_then(|verdict| verdict.clone()) {
            Some(Ok(())) => Ok(Some(object)),
            Some(Err(reason)) => Err(DeployError::Rejected { object, reason }),
            None => Err(DeployError::TooLate(object)),
        }
    }

    /// Makes everything as it was.
    fn undo(&self, changes: &[Change]) {
        for Change { class, before, after } in changes {
            *after.trial.stage.lock() = Stage::Rejected;
            class.set_code(before.clone());
            let (host, class, before) = (self.clone(), class.clone(), before.clone());
            // Those that started with it meanwhile. Nobody has to wait for them.
            tokio::spawn(async move { host.move_others(&class, &before).await });
        }
    }

    /// Asks the lives of a class that run other code to end; how many they are.
    async fn move_others(&self, class: &Class, code: &Arc<Code>) -> usize {
        let (class, code) = (class.clone(), code.clone());
        let moved = self.on_all_executors(move |residents| residents.move_all_but(&class, &code)).await;
        moved.into_iter().sum()
    }

    /// The object of a class that has had nothing to do for the longest time; a busy one if all are.
    async fn idlest(&self, class: &Class) -> Option<ObjectKey> {
        let class = class.clone();
        let idlest = self.on_all_executors(move |residents| residents.idlest(&class)).await;
        idlest
            .into_iter()
            .flatten()
            .min_by_key(|(_, idle_since)| (idle_since.is_none(), *idle_since))
            .map(|(key, _)| key)
    }

    async fn on_executor_of<R: Send + 'static>(
        &self,
        key: ObjectKey,
        job: impl FnOnce(&mut Residents) -> R + Send + 'static,
    ) -> Option<R> {
        let (sender, receiver) = oneshot::channel();
        let executors = &self.0.executors;
        executors.run_on(executors.of(&key.id), move || drop(sender.send(with_residents(job))));
        receiver.await.ok()
    }

    async fn on_all_executors<R: Send + 'static>(
        &self,
        job: impl Fn(&mut Residents) -> R + Clone + Send + 'static,
    ) -> Vec<R> {
        let executors = &self.0.executors;
        let mut answers = Vec::new();
        for index in executors.indices() {
            let (sender, receiver) = oneshot::channel();
            let job = job.clone();
            executors.run_on(index, move || drop(sender.send(with_residents(job))));
            answers.push(receiver);
        }
        let mut results = Vec::new();
        for answer in answers {
            // One that has stopped has no objects.
            results.extend(answer.await.ok());
        }
        results
    }
}

/// New code of one class.
struct Change {
    class: Class,
    before: Arc<Code>,
    after: Arc<Code>,
}

impl HostInner {
    /// Serves one more class.
    fn add_class(&self, class: Class) {
        self.classes.rcu(|classes| {
            let mut classes = (**classes).clone();
            classes.insert(class.0.name.clone(), class.clone());
            classes
        });
        self.alarms_changed.notify_one();
    }
}
