//! Regions of shared memory, as a closure uses them.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

use ruint::aliases::U256;

use super::{
    Key, Value, View,
    view::{FrameOf, Incarnation},
};
use crate::{
    region::{
        Address, Call, Fault, Handle, MapOptions, Name, Operation, Output, Permissions,
        RegionError, RegionOptions, Session,
        page::{PAGE_BYTES, Page},
        session::Plan,
    },
    sync::Arc,
};

/// Why an operation on a region did not happen. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// The block has no shared memory: the engine has none, or the host has switched it off.
    #[error("the block has no shared memory")]
    Off,
    /// It would change something in a frame that may only look.
    #[error("a static frame may not change anything")]
    StaticViolation,
    /// Not possible.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// Pages are moved whole.
    #[error("{len} bytes at {offset} are not whole pages of {PAGE_BYTES} bytes")]
    NotPages {
        /// Where they begin.
        offset: u64,
        /// How many.
        len: u64,
    },
}

/// The regions of shared memory, as one closure sees them: the effects of all transactions before
/// it, and its own. From [`View::regions`].
///
/// The operations are those of the README's chapter on shared memory. They wait where a transaction
/// before this one is about to change what they depend on.
pub struct Regions<K, V> {
    incarnation: Rc<RefCell<Incarnation<K, V>>>,
}

impl<K, V> Clone for Regions<K, V> {
    fn clone(&self) -> Self {
        Self { incarnation: self.incarnation.clone() }
    }
}

impl<K, V> std::fmt::Debug for Regions<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Regions").finish_non_exhaustive()
    }
}

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

impl<K: Key, V: Value> Incarnation<K, V> {
    /// The session, if the block has shared memory.
    fn session(&mut self) -> Option<&mut Session> {
        if self.session.is_none() {
            self.session = self.world.as_ref()?.session().map(Box::new);
        }
        self.session.as_deref_mut()
    }

    fn poll_operation<R>(
        &mut self,
        operation: &Operation,
        act: impl FnOnce(&mut Session, Plan) -> R,
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
        let mut analysed = Err(Fault::Stop);
        let stop = world.with_regions(&self.waker, &mut |world| {
            analysed = session.analyse(world, &call, operation);
        });
        if let Some(stop) = stop {
            self.stop = Some(stop);
            return Poll::Pending;
        }
        match analysed {
            Ok(plan) => {
                self.overlay.count();
                Poll::Ready(Ok(act(session, plan)))
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

impl<K: Key, V: Value> View<K, V> {
    /// The regions of shared memory. Without shared memory every operation is [`SharedError::Off`].
    #[must_use]
    pub fn regions(&self) -> Regions<K, V> {
        Regions { incarnation: self.incarnation.clone() }
    }
}

impl<K: Key, V: Value> Regions<K, V> {
    async fn act<R>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut Session, Plan) -> R,
    ) -> Result<R, SharedError> {
        let mut act = Some(act);
        poll_fn(|cx| {
            let Some(now) = act.take() else { return Poll::Pending };
            let mut later = Some(now);
            let polled = self.incarnation.borrow_mut().poll_operation(
                &operation,
                |session, plan| later.take().map(|now| now(session, plan)),
                cx,
            );
            act = later;
            match polled {
                Poll::Ready(Ok(Some(result))) => Poll::Ready(Ok(result)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(None)) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Carries out any operation but those that move bytes.
    ///
    /// # Errors
    ///
    /// [`SharedError`], as the operation says.
    pub async fn perform(&self, operation: Operation) -> Result<Output, SharedError> {
        self.act(operation, Session::execute).await
    }

    async fn handle(&self, operation: Operation) -> Result<Option<Handle>, SharedError> {
        match self.perform(operation).await? {
            Output::Handle(handle) => Ok(handle),
            _ => Ok(None),
        }
    }

    /// Creates a region of `size` bytes that belongs to this frame's address. It ends with the
    /// transaction unless the options say [`RegionOptions::PERSISTENT`].
    ///
    /// # Errors
    ///
    /// [`CreateError`](crate::region::error::CreateError).
    pub async fn create(
        &self,
        name: Name,
        size: u64,
        permissions: Permissions,
        options: RegionOptions,
    ) -> Result<Handle, SharedError> {
        let operation = Operation::Create {
            name: *name.bytes(),
            size: U256::from(size),
            permissions: U256::from(permissions.bits()),
            options: U256::from(options.bits()),
        };
        Ok(self.handle(operation).await?.unwrap_or_default())
    }

    /// The region that `owner` calls `name`, if there is one.
    ///
    /// # Errors
    ///
    /// [`SharedError::Off`].
    pub async fn open(&self, owner: Address, name: Name) -> Result<Option<Handle>, SharedError> {
        let owner = U256::from_be_slice(&owner.0);
        self.handle(Operation::Open { owner, name: *name.bytes() }).await
    }

    /// Takes a pool block of at least `size` bytes, of the smallest class that fits.
    ///
    /// # Errors
    ///
    /// [`AllocError`](crate::region::error::AllocError).
    pub async fn alloc(&self, size: u64) -> Result<Handle, SharedError> {
        let operation = Operation::Alloc { size: U256::from(size), class: U256::from(4) };
        Ok(self.handle(operation).await?.unwrap_or_default())
    }

    /// Gives a pool block back.
    ///
    /// # Errors
    ///
    /// [`AllocError`](crate::region::error::AllocError).
    pub async fn free(&self, handle: Handle) -> Result<(), SharedError> {
        self.perform(Operation::Free { handle }).await.map(drop)
    }

    /// Maps a whole region. The number counts the mappings of this frame, from 1.
    ///
    /// # Errors
    ///
    /// [`MapError`](crate::region::error::MapError).
    pub async fn map(&self, handle: Handle, options: MapOptions) -> Result<u64, SharedError> {
        self.map_window(handle, options, 0, 0).await
    }

    /// Maps `size` bytes of a region from `offset` on; 0 bytes: to the end.
    ///
    /// # Errors
    ///
    /// [`MapError`](crate::region::error::MapError).
    pub async fn map_window(
        &self,
        handle: Handle,
        options: MapOptions,
        offset: u64,
        size: u64,
    ) -> Result<u64, SharedError> {
        let options = U256::from(options.bits());
        let (offset, size) = (U256::from(offset), U256::from(size));
        match self.perform(Operation::Map { handle, options, offset, size }).await? {
            Output::Mapping(mapping) => Ok(mapping),
            _ => Ok(0),
        }
    }

    /// Ends a mapping.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn unmap(&self, mapping: u64) -> Result<(), SharedError> {
        self.perform(Operation::Unmap { mapping: U256::from(mapping) }).await.map(drop)
    }

    /// Applies what was written through a copy-on-write mapping to its region.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn publish(&self, mapping: u64) -> Result<(), SharedError> {
        self.perform(Operation::Publish { mapping: U256::from(mapping) }).await.map(drop)
    }

    /// Reads bytes from `offset` on, as many as there are, and says how many.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn read(
        &self,
        mapping: u64,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, SharedError> {
        let operation = Operation::Read {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(into.len()),
        };
        let read = |session: &mut Session, plan| session.read(plan, into);
        self.act(operation, read).await.map(bytes_of)
    }

    /// Reads exactly as many bytes as `into` has, zeros where the mapping has none.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn read_padded(
        &self,
        mapping: u64,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), SharedError> {
        let operation = Operation::ReadPadded {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(into.len()),
        };
        let read = |session: &mut Session, plan: Plan| {
            into[plan.bytes as usize..].fill(0);
            session.read(plan, into);
        };
        self.act(operation, read).await
    }

    /// Writes bytes from `offset` on, as many as fit, and says how many. A region with
    /// [`RegionOptions::AUTO_GROW`] grows first.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn write(
        &self,
        mapping: u64,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, SharedError> {
        let operation = Operation::Write {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(data.len()),
        };
        let write = |session: &mut Session, plan| session.write(plan, data);
        self.act(operation, write).await.map(bytes_of)
    }

    /// Reads whole pages without copying: `count` of them from byte `offset` on, or as many as there
    /// are. `offset` counts from the mapping's begin, which has to be that of a page. If the mapping
    /// ends within a page, that page is a copy with zeros for the rest.
    ///
    /// # Errors
    ///
    /// [`SharedError::NotPages`], or as [`Regions::read`].
    pub async fn read_pages(
        &self,
        mapping: u64,
        offset: u64,
        count: usize,
    ) -> Result<Vec<Arc<Page>>, SharedError> {
        let len = count as u64 * PAGE_BYTES as u64;
        let operation = Operation::Read {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(len),
        };
        self.act(operation, Session::read_pages).await?.ok_or(SharedError::NotPages { offset, len })
    }

    /// Writes whole pages without copying, from byte `offset` on.
    ///
    /// # Errors
    ///
    /// [`SharedError::NotPages`], or as [`Regions::write`].
    pub async fn write_pages(
        &self,
        mapping: u64,
        offset: u64,
        pages: &[Arc<Page>],
    ) -> Result<usize, SharedError> {
        let len = pages.len() as u64 * PAGE_BYTES as u64;
        let operation = Operation::Write {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(len),
        };
        let write = |session: &mut Session, plan| session.write_pages(plan, pages);
        let written = self.act(operation, write).await?;
        written.map(bytes_of).ok_or(SharedError::NotPages { offset, len })
    }

    /// Copies within a mapping; overlapping ranges as if through a buffer.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn copy(
        &self,
        mapping: u64,
        destination: u64,
        source: u64,
        len: u64,
    ) -> Result<(), SharedError> {
        let [mapping, destination, source, len] =
            [mapping, destination, source, len].map(U256::from);
        self.perform(Operation::Copy { mapping, destination, source, len }).await.map(drop)
    }

    /// Makes a region larger.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn grow(&self, handle: Handle, size: u64) -> Result<(), SharedError> {
        self.perform(Operation::Grow { handle, size: U256::from(size) }).await.map(drop)
    }

    /// Sets what an address may do with a region of one's own; nothing revokes.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn grant(
        &self,
        handle: Handle,
        to: Address,
        permissions: Permissions,
    ) -> Result<(), SharedError> {
        let address = U256::from_be_slice(&to.0);
        let permissions = U256::from(permissions.bits());
        self.perform(Operation::Grant { handle, address, permissions }).await.map(drop)
    }

    /// Ends a region of one's own.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn destroy(&self, handle: Handle) -> Result<(), SharedError> {
        self.perform(Operation::Destroy { handle }).await.map(drop)
    }

    /// A region's size in bytes, and what this frame's address may do with it.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn info(&self, handle: Handle) -> Result<(u64, Permissions), SharedError> {
        match self.perform(Operation::Info { handle }).await? {
            Output::Info { size, permissions } => {
                let bits = Permissions::from_operand(U256::from(permissions));
                Ok((size, bits.unwrap_or_default()))
            }
            _ => Ok((0, Permissions::NONE)),
        }
    }

    /// A checkpoint of regions within this frame. What is done with values of the [`View`] is not
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

fn bytes_of(output: Output) -> usize {
    match output {
        Output::Bytes(bytes) => bytes as usize,
        _ => 0,
    }
}
