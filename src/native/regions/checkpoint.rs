//! Checkpoints, and frames of a closure's own.

use super::{Regions, SharedError};
use crate::{
    native::{Key, Value, view::FrameOf},
    region::Address,
};

/// A checkpoint to go back to. Dropping it undecided goes back.
#[must_use]
#[derive(Debug)]
pub struct Checkpoint<K: Key, V: Value> {
    regions: Regions<K, V>,
    /// Among all that the incarnation ever opened.
    number: u64,
    /// Frames there were before it.
    frames: usize,
}

impl<K: Key, V: Value> Regions<K, V> {
    /// A checkpoint of regions within this frame. What is done with values of the [`View`](crate::native::View) is not
    /// part of it. A checkpoint also decides those that were taken after it and are still open; a
    /// frame's end decides those that were taken in it.
    ///
    /// # Errors
    ///
    /// [`SharedError::Off`].
    pub fn checkpoint(&self) -> Result<Checkpoint<K, V>, SharedError> {
        self.open_checkpoint(None)
    }

    fn open_checkpoint(&self, frame: Option<FrameOf>) -> Result<Checkpoint<K, V>, SharedError> {
        let mut incarnation = self.incarnation.borrow_mut();
        let frames = incarnation.frames.len();
        let session = incarnation.session().ok_or(SharedError::Off)?;
        session.checkpoint(frame.is_some());
        incarnation.frames.extend(frame);
        let number = incarnation.next_checkpoint;
        incarnation.next_checkpoint += 1;
        incarnation.checkpoints.push(number);
        Ok(Checkpoint { regions: self.clone(), number, frames })
    }

    /// Runs `body` in a frame of its own, as a call would: it acts with the address `actor`, its
    /// mappings end with it, and an `Err` takes back what it did to regions. A frame within a static
    /// one is static. One frame at a time: what a closure does side by side while `body` waits is done
    /// in this frame.
    ///
    /// # Errors
    ///
    /// What `body` returns, or [`SharedError::Off`].
    pub async fn call<R, E: From<SharedError>>(
        &self,
        actor: Address,
        body: impl AsyncFnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        let is_static = self.incarnation.borrow().frames.last().is_some_and(|top| top.is_static);
        self.run(FrameOf { actor, is_static }, body).await
    }

    /// Runs `body` in a frame that may only look.
    ///
    /// # Errors
    ///
    /// What `body` returns, or [`SharedError::Off`].
    pub async fn call_static<R, E: From<SharedError>>(
        &self,
        actor: Address,
        body: impl AsyncFnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        self.run(FrameOf { actor, is_static: true }, body).await
    }

    async fn run<R, E: From<SharedError>>(
        &self,
        frame: FrameOf,
        body: impl AsyncFnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        let checkpoint = self.open_checkpoint(Some(frame))?;
        let result = body().await;
        match &result {
            Ok(_) => checkpoint.commit(),
            Err(_) => checkpoint.revert(),
        }
        result
    }
}

impl<K: Key, V: Value> Checkpoint<K, V> {
    /// Keeps what was done since.
    pub fn commit(mut self) {
        self.close(true);
    }

    /// Takes back what was done since.
    pub fn revert(mut self) {
        self.close(false);
    }

    fn close(&mut self, keep: bool) {
        let incarnation = &mut *self.regions.incarnation.borrow_mut();
        // Not among the open ones: it was decided with one that it lay in, or before.
        let Ok(at) = incarnation.checkpoints.binary_search(&self.number) else { return };
        incarnation.frames.truncate(self.frames);
        let Some(session) = &mut incarnation.session else { return };
        // Those taken later and still open are decided by this one.
        for _ in incarnation.checkpoints.drain(at..) {
            if keep { session.commit() } else { session.revert() }
        }
    }
}

impl<K: Key, V: Value> Drop for Checkpoint<K, V> {
    fn drop(&mut self) {
        self.close(false);
    }
}
