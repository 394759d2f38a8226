//! The world as one incarnation sees it.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{
    Amount, BaseError, Key, Value,
    amount::rank_of,
    cell::Interest,
    overlay::{Overlay, Place, Refusal},
};
use crate::{
    engine::shared::Trouble,
    region::{self, Address, Session},
    state::EntryId,
};

/// Why an incarnation stops before its end.
pub(crate) enum Stop {
    /// Something it saw has changed.
    Doomed,
    /// The block ended.
    Cancelled,
    /// The base failed; the key, and how.
    Base(String, BaseError),
    /// Shared memory failed.
    Shared(Trouble),
}

/// What a read of an outer value came to.
pub(crate) enum Found<V> {
    /// The value, and the location's entry if it has one.
    Value(Option<EntryId>, Option<V>),
    /// A lower transaction is about to write it, and will wake this one.
    Wait,
    /// It was written just now: read again.
    Again,
    /// The incarnation cannot go on.
    Stop(Stop),
}

/// What lies outside of an incarnation: the effects of the transactions before it.
pub(crate) trait World<K, V> {
    /// Why the incarnation has to stop now, if it has to.
    fn check(&self, overlay: &Overlay<K, V>, session: Option<&Session>) -> Option<Stop>;

    /// Reads a location.
    fn read(&self, key: &K, id: Option<EntryId>, interest: Interest<V>) -> Found<V>;

    /// A session for the regions of shared memory; `None` if the block has none.
    fn session(&self) -> Option<Session>;

    /// Calls `f` with the regions, once. What is not there yet wakes `waker`. Says why the
    /// incarnation has to stop, if they said so.
    fn with_regions(
        &self,
        waker: &Waker,
        f: &mut dyn FnMut(&mut dyn region::world::World),
    ) -> Option<Stop>;
}

/// Who acts in a frame.
#[derive(Clone, Copy)]
pub(crate) struct FrameOf {
    pub(crate) actor: Address,
    pub(crate) is_static: bool,
}

/// One incarnation on its way.
pub(crate) struct Incarnation<K, V> {
    pub(crate) overlay: Overlay<K, V>,
    /// Set where the incarnation has to stop. From then on nothing it does has an effect.
    pub(crate) stop: Option<Stop>,
    /// Its regions of shared memory, from the first operation on.
    pub(crate) session: Option<Box<Session>>,
    /// Whose address stands behind each of its frames, and whether the frame may only look.
    pub(crate) frames: Vec<FrameOf>,
    /// The numbers of the open checkpoints, frames included. They are the session's marks.
    pub(super) checkpoints: Vec<u64>,
    /// The number that the next checkpoint gets.
    pub(super) next_checkpoint: u64,
    /// `None` once it has ended.
    pub(super) world: Option<Box<dyn World<K, V>>>,
    index: usize,
    /// What its task is polled with.
    pub(super) waker: Waker,
    /// Others that wait for a location: combinators poll their parts with wakers of their own.
    pub(super) others: Vec<Waker>,
}

impl<K: Key, V: Value> Incarnation<K, V> {
    pub(crate) fn new(
        index: usize,
        actor: Address,
        world: Box<dyn World<K, V>>,
        waker: Waker,
    ) -> Self {
        Self {
            overlay: Overlay::default(),
            stop: None,
            session: None,
            frames: vec![FrameOf { actor, is_static: false }],
            checkpoints: Vec::new(),
            next_checkpoint: 0,
            world: Some(world),
            index,
            waker,
            others: Vec::new(),
        }
    }

    /// Whether it may go on. Called at every access, so that a doomed one does not go on for long.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.stop.is_none()
            && let Some(world) = &self.world
        {
            self.stop = world.check(&self.overlay, self.session.as_deref());
        }
        self.stop.is_none() && self.world.is_some()
    }

    /// Wakers to be called before the task is polled again: what they wait for may be there.
    pub(crate) fn take_others(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.others)
    }

    /// Lets go of the block.
    pub(crate) fn end(&mut self) {
        self.world = None;
        self.others.clear();
    }

    /// Reads the outer value. `Pending` also if the incarnation has to stop, and then for good.
    fn poll_read(&mut self, place: Place, interest: Interest<V>, cx: &mut Context<'_>) -> Poll<()> {
        while self.goes_on() {
            let Some(world) = &self.world else { return Poll::Pending };
            let location = self.overlay.at(place);
            match world.read(&location.key, location.id, interest) {
                Found::Value(id, value) => {
                    if self.overlay.observe(place, id, value, interest).is_ok() {
                        return Poll::Ready(());
                    }
                    self.stop = Some(Stop::Doomed);
                }
                Found::Wait => {
                    if !cx.waker().will_wake(&self.waker) {
                        self.others.push(cx.waker().clone());
                    }
                    return Poll::Pending;
                }
                Found::Again => crate::sync::thread::yield_now(),
                Found::Stop(stop) => self.stop = Some(stop),
            }
        }
        Poll::Pending
    }

    fn poll_get(&mut self, key: &K, cx: &mut Context<'_>) -> Poll<Option<V>> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        let place = self.overlay.locate(key);
        loop {
            if let Some(value) = self.overlay.value(place) {
                self.overlay.count();
                return Poll::Ready(value);
            }
            if self.poll_read(place, Interest::Value, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn set(&mut self, key: &K, value: Option<V>) {
        if self.goes_on() {
            let place = self.overlay.locate(key);
            self.overlay.count();
            self.overlay.set(place, value);
        }
    }
}

impl<K: Key, V: Amount> Incarnation<K, V> {
    fn poll_checkable(&mut self, key: &K, cx: &mut Context<'_>) -> Poll<Place> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        let place = self.overlay.locate(key);
        let interest = Interest::Number(rank_of::<V>);
        if !self.overlay.can_check(place) && self.poll_read(place, interest, cx).is_pending() {
            return Poll::Pending;
        }
        self.overlay.count();
        Poll::Ready(place)
    }
}

/// Why a credit or a debit was refused. The location is as it was.
///
/// The amount that is there is not told: it was not observed, only that it is not enough or too
/// much. Whoever wants to know reads it, and depends on it from then on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Less is there than was to be taken.
    #[error("{key} holds less than {amount}")]
    Insufficient {
        /// The location.
        key: String,
        /// What was to be taken.
        amount: u128,
    },
    /// The sum does not fit the number's type.
    #[error("{key} has no room for {amount} more")]
    Overflow {
        /// The location.
        key: String,
        /// What was to be added.
        amount: u128,
    },
    /// The location holds a value without a number.
    #[error("{key} does not hold a number")]
    NotANumber {
        /// The location.
        key: String,
    },
}

/// The world as a transaction sees it: the effects of all transactions before it, and its own.
///
/// Clones are the same view. It ends with the incarnation it was made for: whatever is still done
/// with it then has no effect, and what is awaited never comes.
pub struct View<K, V> {
    pub(super) incarnation: Rc<RefCell<Incarnation<K, V>>>,
}

impl<K, V> Clone for View<K, V> {
    fn clone(&self) -> Self {
        Self { incarnation: self.incarnation.clone() }
    }
}

impl<K, V> std::fmt::Debug for View<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

impl<K: Key, V: Value> View<K, V> {
    pub(crate) fn new(incarnation: Rc<RefCell<Incarnation<K, V>>>) -> Self {
        Self { incarnation }
    }

    /// Position of this transaction in its block, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.incarnation.borrow().index
    }

    /// The value of `key`, or `None` if there is none.
    ///
    /// Waits where a transaction before this one is known to write the value and has not yet.
    pub async fn get(&self, key: &K) -> Option<V> {
        poll_fn(|cx| self.incarnation.borrow_mut().poll_get(key, cx)).await
    }

    /// Sets the value of `key`. What was there before is not observed.
    pub fn put(&self, key: &K, value: V) {
        self.incarnation.borrow_mut().set(key, Some(value));
    }

    /// Removes the value of `key`, if there is one. What was there before is not observed.
    pub fn delete(&self, key: &K) {
        self.incarnation.borrow_mut().set(key, None);
    }
}

impl<K: Key, V: Amount> View<K, V> {
    /// Adds `amount` to the number at `key`; no value counts as zero, and the location has one
    /// afterwards. Credits and debits of one location by many transactions do not conflict, as
    /// long as each is granted or refused whatever the order of the others.
    ///
    /// # Errors
    ///
    /// [`AmountError::Overflow`] or [`AmountError::NotANumber`].
    pub async fn credit(&self, key: &K, amount: u128) -> Result<(), AmountError> {
        let place = self.checkable(key).await;
        let done = self.incarnation.borrow_mut().overlay.credit(place, amount);
        done.map_err(|refusal| refused(refusal, key, amount))
    }

    /// Subtracts `amount` from the number at `key`, like [`View::credit`].
    ///
    /// # Errors
    ///
    /// [`AmountError::Insufficient`] or [`AmountError::NotANumber`].
    pub async fn debit(&self, key: &K, amount: u128) -> Result<(), AmountError> {
        let place = self.checkable(key).await;
        let done = self.incarnation.borrow_mut().overlay.debit(place, amount);
        done.map_err(|refusal| refused(refusal, key, amount))
    }

    /// Adds `delta` to the number at `key`: a credit, or a debit if it is negative.
    ///
    /// # Errors
    ///
    /// [`AmountError`] if the result would not fit the number's type, or there is no number.
    pub async fn add(&self, key: &K, delta: i128) -> Result<(), AmountError> {
        if delta < 0 {
            self.debit(key, delta.unsigned_abs()).await
        } else {
            self.credit(key, delta.unsigned_abs()).await
        }
    }

    async fn checkable(&self, key: &K) -> Place {
        poll_fn(|cx| self.incarnation.borrow_mut().poll_checkable(key, cx)).await
    }
}

fn refused<K: Key>(refusal: Refusal, key: &K, amount: u128) -> AmountError {
    let key = format!("{key:?}");
    match refusal {
        Refusal::Insufficient => AmountError::Insufficient { key, amount },
        Refusal::Overflow => AmountError::Overflow { key, amount },
        Refusal::NotANumber => AmountError::NotANumber { key },
    }
}
