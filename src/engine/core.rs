//! What the façades' engines are made of: an executor of blocks, and the life of a block around it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Conduct, Conductor, ExecuteOptions, Execution, Ticket, Timer, Turn, options::Begun};
use crate::{
    context::{Control, StopReason},
    sync::Arc,
};

/// What can happen to a block besides what its executor says.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Stopped before it had begun.
    Stopped(StopReason),
    /// A thread of the engine could not be started.
    NoThread(String),
    /// Something panicked outside of any transaction; what it said.
    Panic(String),
}

/// An engine around an executor. Dropped in the order of its fields: what is queued ends, then the
/// timer, then the workers.
pub(crate) struct Core<X> {
    conductor: Conductor,
    timer: Arc<Timer>,
    executor: Arc<X>,
}

impl<X: Send + Sync + 'static> Core<X> {
    pub(crate) fn new(executor: X) -> Self {
        Self::with_timer(executor, Arc::default())
    }

    /// An engine whose executor has calls made at times as well.
    pub(crate) fn with_timer(executor: X, timer: Arc<Timer>) -> Self {
        Self { conductor: Conductor::new(), timer, executor: Arc::new(executor) }
    }

    pub(crate) fn executor(&self) -> &X {
        &self.executor
    }

    /// Executes a block on the calling thread and the workers.
    pub(crate) fn execute<O, R, E: From<Fate>>(
        &self,
        options: ExecuteOptions<O, R>,
        execute: impl FnOnce(&X, &Conduct<R>) -> Result<O, E>,
    ) -> Result<O, E> {
        match options.begin(&self.timer, false) {
            Ok(begun) => run(&*self.executor, begun, execute),
            Err(error) => Err(Fate::NoThread(error.to_string()).into()),
        }
    }

    /// Queues a block. `ahead` is called if it has to wait for others.
    pub(crate) fn submit<O, R, E>(
        &self,
        options: ExecuteOptions<O, R>,
        ahead: impl FnOnce(),
        execute: impl FnOnce(&X, &Conduct<R>) -> Result<O, E> + Send + 'static,
    ) -> Execution<O, E, R>
    where
        O: Send + 'static,
        R: Send + 'static,
        E: From<Fate> + Send + 'static,
    {
        let ticket = Arc::new(Ticket::default());
        let mut begun = match options.begin(&self.timer, true) {
            Ok(begun) => begun,
            Err(error) => {
                ticket.complete(Err(Fate::NoThread(error.to_string()).into()));
                return Execution::new(ticket, Arc::new(Control::new()), None);
            }
        };
        let outcomes = begun.outcomes.take();
        let control = begun.conduct.control.get_or_insert_default().clone();
        let (executor, done) = (self.executor.clone(), ticket.clone());
        let turn = Turn::new(control.clone(), move |stopped| {
            done.complete(match stopped {
                Some(reason) => Err(Fate::Stopped(reason).into()),
                None => run(&*executor, begun, execute),
            });
        });
        match self.conductor.enqueue(turn) {
            Ok(false) => {}
            Ok(true) => ahead(),
            Err(error) => ticket.complete(Err(Fate::NoThread(error.to_string()).into())),
        }
        Execution::new(ticket, control, outcomes)
    }
}

/// Executes a block, and hands its outcome on. Nothing unwinds out of this.
fn run<X, O, R, E: From<Fate>>(
    executor: &X,
    mut begun: Begun<O, R>,
    execute: impl FnOnce(&X, &Conduct<R>) -> Result<O, E>,
) -> Result<O, E> {
    // Nobody can take from it any more.
    begun.outcomes = None;
    if let Some(reason) = begun.conduct.stopped() {
        return Err(Fate::Stopped(reason).into());
    }
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let outcome = execute(executor, &begun.conduct)?;
        if let Some(apply) = begun.on_commit.take() {
            apply(&outcome);
        }
        Ok(outcome)
    }));
    ran.unwrap_or_else(|panic| Err(Fate::Panic(message(&*panic)).into()))
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_string()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_string()
    }
}
