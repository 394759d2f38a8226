//! A running closure with its incarnation: one poll, and what it ended in.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{
    BaseError, Key, Transaction, Value, View,
    overlay::Overlay,
    transaction::Running,
    view::{Incarnation, Stop, World},
};
use crate::{engine::message, region::session::Effects};

/// What an incarnation ended in.
pub(crate) enum Ending<T, E> {
    /// The closure returned.
    Returned(Result<T, E>),
    /// It panicked.
    Panic(String),
    /// The base failed.
    Base(String, BaseError),
    /// Shared memory failed.
    Shared(String),
}

/// The end of a task.
pub(crate) enum End<K, V, T, E> {
    /// An outcome, with what was seen and written. Writes stand only with an `Ok`.
    Finished(Overlay<K, V>, Option<Box<Effects>>, Ending<T, E>),
    /// In vain, after that many accesses.
    Abandoned(u64),
}

/// A running closure.
pub(crate) struct Task<K, V, T, E> {
    /// `None` once it has ended.
    running: Option<Running<T, E>>,
    incarnation: Rc<RefCell<Incarnation<K, V>>>,
    waker: Waker,
}

impl<K: Key, V: Value, T: 'static, E: 'static> Task<K, V, T, E> {
    pub(crate) fn new(
        transaction: &Transaction<K, V, T, E>,
        index: usize,
        world: Box<dyn World<K, V>>,
        waker: Waker,
    ) -> Self {
        let incarnation = Incarnation::new(index, transaction.actor(), world, waker.clone());
        let incarnation = Rc::new(RefCell::new(incarnation));
        let running = transaction.start(View::new(incarnation.clone()));
        Self { running: Some(running), incarnation, waker }
    }

    /// Lets the closure go on, unless it is in vain. Panics of the closure end here.
    pub(crate) fn poll(&mut self) -> Poll<End<K, V, T, E>> {
        let (goes_on, others) = {
            let mut incarnation = self.incarnation.borrow_mut();
            (incarnation.goes_on(), incarnation.take_others())
        };
        let mut polled = Ok(Poll::Pending);
        if goes_on && let Some(running) = &mut self.running {
            polled = catch_unwind(AssertUnwindSafe(|| {
                others.into_iter().for_each(Waker::wake);
                running.as_mut().poll(&mut Context::from_waker(&self.waker))
            }));
        }
        let stop = self.incarnation.borrow_mut().stop.take();
        if let (None, Ok(Poll::Pending)) = (&stop, &polled) {
            return Poll::Pending;
        }
        let dropped = self.drop_running();
        let (mut overlay, session) = {
            let mut incarnation = self.incarnation.borrow_mut();
            (std::mem::take(&mut incarnation.overlay), incarnation.session.take())
        };
        let ending = match (stop, polled, dropped) {
            (Some(Stop::Doomed | Stop::Cancelled), ..) => {
                return Poll::Ready(End::Abandoned(overlay.accesses()));
            }
            (Some(Stop::Base(key, error)), ..) => Ending::Base(key, error),
            (Some(Stop::Shared(trouble)), ..) => Ending::Shared(trouble.to_string()),
            (None, Err(panic), _) | (None, Ok(_), Err(panic)) => Ending::Panic(message(&*panic)),
            (None, Ok(Poll::Ready(result)), Ok(())) => Ending::Returned(result),
            (None, Ok(Poll::Pending), Ok(())) => return Poll::Pending,
        };
        let stands = matches!(ending, Ending::Returned(Ok(_)));
        if !stands {
            overlay.roll_back();
        }
        let effects = session.map(|session| Box::new(session.finish(stands)));
        Poll::Ready(End::Finished(overlay, effects, ending))
    }

    /// Drops the closure's future; what it holds may panic at that.
    fn drop_running(&mut self) -> Result<(), Box<dyn Any + Send>> {
        let running = self.running.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(running)));
        self.incarnation.borrow_mut().end();
        dropped
    }

    /// Drops the task wherever it stands.
    pub(crate) fn retire(mut self) {
        // An unneeded incarnation's panic is nobody's outcome.
        let _ = self.drop_running();
    }
}
