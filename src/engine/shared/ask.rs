//! A context's question to the registry, from asking to the answer.
//!
//! ```text
//!  none ──ask──► unsent ──sent──► asked ──reply──► none
//!                  └─ the mailbox is full: the waker is left there
//! ```
//!
//! The context suspends in between, never its thread. One question at a time: an operation looks up
//! one id after another, and asks again where it stopped when it is woken.

use std::task::{Poll, Waker};

use super::{
    block::{SharedBlock, Trouble},
    registry::{Looked, Message},
};
use crate::{
    region::handle::RegionId,
    registry::{ReplyReceiver, reply},
    state::TxIndex,
};

/// The question of one context.
#[derive(Default)]
pub(crate) struct Asker {
    asked: Option<(RegionId, ReplyReceiver<Looked>)>,
    unsent: Option<Message>,
}

impl Asker {
    /// Asks what stands behind an id, or takes the answer. `waker` is woken when it makes sense to
    /// ask again. `first` tells that the transaction is the lowest uncommitted one, which has a place
    /// in the mailbox kept free.
    pub(crate) fn poll_look(
        &mut self,
        shared: &SharedBlock,
        tx: TxIndex,
        id: RegionId,
        first: bool,
        waker: &Waker,
    ) -> Poll<Result<Looked, Trouble>> {
        if self.asked.as_ref().is_none_or(|(asked, _)| *asked != id) {
            let (sender, receiver) = reply();
            let block = shared.regions.clone();
            self.unsent = Some(Message::Look { block, tx, id, reply: sender });
            self.asked = Some((id, receiver));
        }
        if self.unsent.is_some() && self.poll_send(shared, first, waker)?.is_pending() {
            return Poll::Pending;
        }
        let Some((_, receiver)) = &mut self.asked else { return Poll::Pending };
        match receiver.poll_take(waker) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(answer) => {
                self.asked = None;
                Poll::Ready(answer.map_err(|gone| Trouble::Registry(gone.to_string())))
            }
        }
    }

    fn poll_send(
        &mut self,
        shared: &SharedBlock,
        first: bool,
        waker: &Waker,
    ) -> Poll<Result<(), Trouble>> {
        let registry = shared.memory.registry();
        if first && let Some(message) = self.unsent.take() {
            match registry.try_send_reserved(message) {
                Ok(()) => return Poll::Ready(Ok(())),
                // Its own earlier incarnation's question may be in the place.
                Err(refused) => self.unsent = Some(refused.into_message()),
            }
        }
        let sent = registry.poll_send(&mut self.unsent, waker);
        sent.map_err(|stopped| Trouble::Registry(stopped.to_string()))
    }
}
