//! A context's questions to the registry, from asking to the answer.
//!
//! ```text
//!  none ──ask──► unsent ──sent──► asked ──reply──► none
//!                  └─ the mailbox is full: the waker is left there
//! ```
//!
//! The context suspends in between, never its thread. An operation looks up one id after another,
//! and asks again where it stopped when it is woken. A closure can have several operations under way
//! side by side, each of which asks for its own id in turn; so a question stays open while another
//! one is asked, or two of them would cancel each other for ever.

use std::{
    collections::HashMap,
    task::{Poll, Waker},
};

use super::{
    block::{SharedBlock, Trouble},
    registry::{Looked, Message},
};
use crate::{
    region::handle::RegionId,
    registry::{ReplyReceiver, reply},
    state::TxIndex,
    sync::{RandomState, weakened},
};

/// What wakes a context, made when something has to be told.
pub(crate) enum Waking<'a> {
    /// It is there.
    Made(&'a Waker),
    /// Where it is to be kept, and how it is made.
    #[cfg(feature = "evm")]
    Late(&'a mut Option<Waker>, &'a dyn Fn() -> Waker),
}

impl Waking<'_> {
    pub(super) fn get(&mut self) -> &Waker {
        match self {
            Self::Made(waker) => waker,
            #[cfg(feature = "evm")]
            Self::Late(kept, make) => kept.get_or_insert_with(make),
        }
    }
}

/// The open questions of one context, at most one for an id.
#[derive(Default)]
pub(crate) struct Asker {
    questions: HashMap<RegionId, Question, RandomState>,
}

struct Question {
    answer: ReplyReceiver<Looked>,
    /// Until the mailbox has it.
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
        if weakened("ask.side-by-side") {
            self.questions.retain(|other, _| *other == id);
        }
        let question = self.questions.entry(id).or_insert_with(|| {
            let (sender, answer) = reply();
            let block = shared.regions.clone();
            Question { answer, unsent: Some(Message::Look { block, tx, id, reply: sender }) }
        });
        if question.poll_send(shared, first, waker)?.is_pending() {
            return Poll::Pending;
        }
        let waker = if weakened("ask.waker") { Waker::noop() } else { waker };
        let answer = std::task::ready!(question.answer.poll_take(waker));
        self.questions.remove(&id);
        Poll::Ready(answer.map_err(|gone| Trouble::Registry(gone.to_string())))
    }
}

impl Question {
    fn poll_send(
        &mut self,
        shared: &SharedBlock,
        first: bool,
        waker: &Waker,
    ) -> Poll<Result<(), Trouble>> {
        let registry = shared.memory.registry();
        if first
            && !weakened("ask.reserved")
            && let Some(message) = self.unsent.take()
        {
            match registry.try_send_reserved(message) {
                Ok(()) => return Poll::Ready(Ok(())),
                // Another question of its own, or of its earlier incarnation, may be in the place.
                Err(refused) => self.unsent = Some(refused.into_message()),
            }
        }
        let sent = registry.poll_send(&mut self.unsent, waker);
        sent.map_err(|stopped| Trouble::Registry(stopped.to_string()))
    }
}
