//! One operation, asked for until it is decided.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use super::{Regions, SharedError};
use crate::{
    native::{
        Key, Value,
        view::{FrameOf, Incarnation},
    },
    region::{Call, Fault, Operation, Output, Session, session::Plan, world::World},
};

impl<K: Key, V: Value> Incarnation<K, V> {
    /// The session, if the block has shared memory.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        if self.session.is_none() {
            self.session = self.world.as_ref()?.session().map(Box::new);
        }
        self.session.as_deref_mut()
    }

    fn poll_operation<R>(
        &mut self,
        act: &mut impl FnMut(&mut Session, &mut dyn World, &Call) -> Result<R, Fault>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<R, SharedError>> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        if self.session().is_none() {
            return Poll::Ready(Err(SharedError::Off));
        }
        let (Some(session), Some(world)) = (&mut self.session, &self.world) else {
            return Poll::Pending;
        };
        let Some(FrameOf { actor, is_static }) = self.frames.last().copied() else {
            return Poll::Pending;
        };
        // Closures pay no gas; it is counted all the same.
        let call = Call { frame: session.depth(), actor, is_static, gas: u64::MAX };
        let mut acted = Err(Fault::Stop);
        let stop = world.with_regions(&self.waker, &mut |world| {
            acted = act(session, world, &call);
        });
        if let Some(stop) = stop {
            self.stop = Some(stop);
            return Poll::Pending;
        }
        match acted {
            Ok(result) => {
                self.overlay.count();
                Poll::Ready(Ok(result))
            }
            Err(Fault::Failed { error, .. }) => Poll::Ready(Err(error.into())),
            Err(Fault::Static { .. }) => Poll::Ready(Err(SharedError::StaticViolation)),
            Err(Fault::Wait | Fault::Stop | Fault::OutOfGas) => {
                if !cx.waker().will_wake(&self.waker) {
                    self.others.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl<K: Key, V: Value> Regions<K, V> {
    /// Has the session do something, as often as it takes until that is done or impossible. `act` does
    /// it wholly or returns a [`Fault`] and has done nothing.
    pub(super) async fn act<R>(
        &self,
        mut act: impl FnMut(&mut Session, &mut dyn World, &Call) -> Result<R, Fault>,
    ) -> Result<R, SharedError> {
        poll_fn(|cx| self.incarnation.borrow_mut().poll_operation(&mut act, cx)).await
    }

    /// Analyses an operation, and then has its plan carried out, once.
    pub(super) async fn plan<R>(
        &self,
        operation: Operation,
        mut carry_out: impl FnMut(&mut Session, Plan) -> R,
    ) -> Result<R, SharedError> {
        self.act(|session, world, call| {
            let plan = session.analyse(world, call, &operation)?;
            Ok(carry_out(session, plan))
        })
        .await
    }

    /// Carries out any operation but those that move bytes.
    ///
    /// # Errors
    ///
    /// [`SharedError`], as the operation says.
    pub async fn perform(&self, operation: Operation) -> Result<Output, SharedError> {
        self.plan(operation, Session::execute).await
    }
}
