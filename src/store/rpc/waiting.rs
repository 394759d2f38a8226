//! Who waits for which answer, and what is known already.
//!
//! | a query is | known | asked |
//! |---|---|---|
//! | new | no | no |
//! | asked | no | yes: those who want it are in its list, and join without another call |
//! | known | yes | no |
//!
//! A query goes from new to asked when the first one wants it, from asked to known when the answer
//! comes, and back to new when it fails, or when its call is about to be sent and nobody
//! wants it any more. Each step is one under the lock, so nobody is put on a list that no one will
//! read. Replies are given without the lock.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    store::{Answer, Query, Read, ReadResult},
    sync::Mutex,
};

#[derive(Default)]
pub(super) struct Waiting {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    known: HashMap<Query, Answer>,
    asked: HashMap<Query, Asked>,
    closed: bool,
    tickets: u64,
}

struct Asked {
    ticket: u64,
    /// How many asked with that ticket, and how many of them are gone.
    askers: u32,
    lost: u32,
    reads: Vec<Read>,
    /// The most urgent rank that calls were put down with.
    rank: u32,
    /// Wanted by nobody in particular.
    prefetch: bool,
    /// The asker whose calls are sent.
    sent: Option<u32>,
}

/// A query for which calls are to be put down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) query: Query,
    pub(super) rank: u32,
    /// Tells this time of asking from another after it was given up.
    ticket: u64,
    /// Tells the one who asks from others who ask the same.
    asker: u32,
}

impl Waiting {
    pub(super) fn known(&self, query: Query) -> Option<Answer> {
        self.inner.lock().known.get(&query).cloned()
    }

    /// Answers what is known and lists the rest. Returned is what has to be asked: what nobody asked
    /// for so far, and what is more urgent than when it was asked for and is not sent yet. That is asked
    /// twice then, and the later call is let go.
    pub(super) fn want(&self, reads: Vec<Read>) -> Vec<Wanted> {
        let (mut wanted, mut answered, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        {
            let mut inner = self.inner.lock();
            for read in reads {
                let (query, rank) = (read.query(), read.rank());
                if inner.closed {
                    refused.push(read);
                } else if let Some(answer) = inner.known.get(&query) {
                    answered.push((read, answer.clone()));
                } else {
                    wanted.extend(inner.want(query, rank, Some(read)));
                }
            }
        }
        for (read, answer) in answered {
            read.answer(Ok(answer));
        }
        wanted
    }

    /// Like [`want`](Self::want), for nobody in particular.
    pub(super) fn want_some_time(&self, queries: &[Query]) -> Vec<Wanted> {
        let mut inner = self.inner.lock();
        let mut wanted = Vec::new();
        for query in queries {
            if !inner.closed && !inner.known.contains_key(query) {
                wanted.extend(inner.want(*query, Read::LAST, None));
            }
        }
        wanted
    }

    /// A call is about to be sent: whether it can be left.
    ///
    /// Whoever waits is asked without the lock: in answering they may let go of the last that kept the
    /// store, which closes this.
    pub(super) fn lets_go(&self, wanted: Wanted) -> bool {
        let reads = {
            let mut inner = self.inner.lock();
            let Some(asked) = inner.asked_with(wanted) else { return true };
            if asked.sent.is_some_and(|asker| asker != wanted.asker) {
                return true;
            }
            // Other askers let go from now on, and those who come join.
            asked.sent = Some(wanted.asker);
            if asked.prefetch {
                return false;
            }
            std::mem::take(&mut asked.reads)
        };
        let is_wanted = reads.iter().any(Read::is_wanted);
        let (unwanted, known) = {
            let mut inner = self.inner.lock();
            match inner.asked_with(wanted) {
                Some(asked) if is_wanted || asked.prefetch || !asked.reads.is_empty() => {
                    asked.reads.extend(reads);
                    return false;
                }
                // Dropped without the lock as well.
                Some(_) => (inner.asked.remove(&wanted.query), None),
                // It was answered by the way, or closed.
                None => (None, inner.known.get(&wanted.query).cloned()),
            }
        };
        drop(unwanted);
        if let Some(answer) = known {
            reads.into_iter().for_each(|read| read.answer(Ok(answer.clone())));
        }
        true
    }

    /// An asker ends without an answer. After the last one those who wait have waited in vain.
    pub(super) fn lose(&self, wanted: Wanted) {
        let unanswered = {
            let mut inner = self.inner.lock();
            let Some(asked) = inner.asked_with(wanted) else { return };
            asked.lost += 1;
            if asked.lost < asked.askers {
                return;
            }
            inner.asked.remove(&wanted.query)
        };
        drop(unanswered);
    }

    /// The answer, or the end of hope for one.
    pub(super) fn settle(&self, query: Query, result: ReadResult) {
        let asked = {
            let mut inner = self.inner.lock();
            if let Ok(answer) = &result {
                inner.known.insert(query, answer.clone());
            }
            inner.asked.remove(&query)
        };
        for read in asked.into_iter().flat_map(|asked| asked.reads) {
            read.answer(result.clone());
        }
    }

    /// Something is known that nobody may have asked for.
    pub(super) fn learn(&self, query: Query, answer: Answer) {
        self.settle(query, Ok(answer));
    }

    /// Nobody will want anything any more.
    pub(super) fn close(&self) {
        let asked = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            std::mem::take(&mut inner.asked)
        };
        drop(asked);
    }
}

impl Inner {
    fn asked_with(&mut self, wanted: Wanted) -> Option<&mut Asked> {
        self.asked.get_mut(&wanted.query).filter(|asked| asked.ticket == wanted.ticket)
    }

    /// What has to be asked, if anything.
    fn want(&mut self, query: Query, rank: u32, read: Option<Read>) -> Option<Wanted> {
        let prefetch = read.is_none();
        match self.asked.entry(query) {
            Entry::Vacant(entry) => {
                let ticket = self.tickets;
                self.tickets += 1;
                let reads = read.into_iter().collect();
                entry.insert(Asked {
                    ticket,
                    askers: 1,
                    lost: 0,
                    reads,
                    rank,
                    prefetch,
                    sent: None,
                });
                Some(Wanted { query, rank, ticket, asker: 0 })
            }
            Entry::Occupied(mut entry) => {
                let asked = entry.get_mut();
                asked.reads.extend(read);
                asked.prefetch |= prefetch;
                if rank >= asked.rank {
                    return None;
                }
                asked.rank = rank;
                if asked.sent.is_some() {
                    return None;
                }
                let asker = asked.askers;
                asked.askers += 1;
                Some(Wanted { query, rank, ticket: asked.ticket, asker })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, U256};

    use super::*;
    use crate::store::StoreError;

    const QUERY: Query = Query::Slot(Address::ZERO, U256::ZERO);

    fn answer() -> Answer {
        Answer::Slot(U256::from(7))
    }

    #[test]
    fn those_who_want_the_same_wait_for_one_call() {
        let waiting = Waiting::default();
        let (one, first) = Read::pending(QUERY, 5);
        let (other, second) = Read::pending(QUERY, 6);
        let wanted = waiting.want(vec![one, other]);
        assert!(matches!(wanted[..], [Wanted { query: QUERY, rank: 5, .. }]));
        assert!(!waiting.lets_go(wanted[0]));
        waiting.settle(QUERY, Ok(answer()));
        let store = crate::store::MemoryStore::default();
        assert_eq!(first.wait(&store), Ok(answer()));
        assert_eq!(second.wait(&store), Ok(answer()));
        assert_eq!(waiting.known(QUERY), Some(answer()));
        let (late, third) = Read::pending(QUERY, 0);
        assert!(waiting.want(vec![late]).is_empty());
        assert_eq!(third.wait(&store), Ok(answer()));
    }

    #[test]
    fn a_failure_is_forgotten_and_asked_again() {
        let waiting = Waiting::default();
        let (read, pending) = Read::pending(QUERY, 0);
        waiting.want(vec![read]);
        let error = StoreError::failed(QUERY, "no");
        waiting.settle(QUERY, Err(error.clone()));
        let store = crate::store::MemoryStore::default();
        assert_eq!(pending.wait(&store), Err(error));
        assert_eq!(waiting.want(vec![Read::pending(QUERY, 0).0]).len(), 1);
    }

    #[test]
    fn what_nobody_wants_any_more_is_let_go_but_what_is_prefetched_is_not() {
        let waiting = Waiting::default();
        let (read, pending) = Read::pending(QUERY, 0);
        let gone = waiting.want(vec![read])[0];
        drop(pending);
        assert!(waiting.lets_go(gone));
        let prefetched = waiting.want_some_time(&[QUERY])[0];
        assert!(waiting.want_some_time(&[QUERY]).is_empty());
        assert!(!waiting.lets_go(prefetched));
        // The one that was given up has no say any more.
        assert!(waiting.lets_go(gone));
    }

    #[test]
    fn a_prefetch_becomes_urgent_when_somebody_waits() {
        let waiting = Waiting::default();
        let slow = waiting.want_some_time(&[QUERY])[0];
        let (read, _pending) = Read::pending(QUERY, 3);
        let fast = waiting.want(vec![read])[0];
        assert_eq!((fast.rank, fast.ticket), (3, slow.ticket));
        assert!(!waiting.lets_go(fast));
        assert!(!waiting.lets_go(fast));
        assert!(waiting.lets_go(slow));
        // On its way, it cannot be made faster.
        let (read, _pending) = Read::pending(QUERY, 1);
        assert!(waiting.want(vec![read]).is_empty());
        waiting.settle(QUERY, Ok(answer()));
        assert!(waiting.lets_go(slow));
    }

    #[test]
    fn those_who_wait_fail_when_the_last_asker_is_lost() {
        let waiting = Waiting::default();
        let slow = waiting.want_some_time(&[QUERY])[0];
        let (read, pending) = Read::pending(QUERY, 3);
        let fast = waiting.want(vec![read])[0];
        waiting.lose(slow);
        assert!(!waiting.lets_go(fast));
        waiting.lose(fast);
        let store = crate::store::MemoryStore::default();
        assert_eq!(pending.wait(&store), Err(StoreError::Dropped { query: QUERY }));
        waiting.lose(fast);
    }

    /// Keeps what closes the list, as a run keeps its store.
    struct Last(crate::sync::Mutex<Option<Closer>>);

    struct Closer(crate::sync::Arc<Waiting>);

    impl Drop for Closer {
        fn drop(&mut self) {
            self.0.close();
        }
    }

    impl crate::store::Reply for Last {
        fn answer(self: Box<Self>, _: Query, _: ReadResult) {}

        fn is_wanted(&self) -> bool {
            let closer = self.0.lock().take();
            drop(closer);
            false
        }
    }

    #[test]
    fn asking_who_waits_may_close_the_list() {
        let waiting = crate::sync::Arc::new(Waiting::default());
        let last = Last(crate::sync::Mutex::new(Some(Closer(waiting.clone()))));
        let wanted = waiting.want(vec![Read::new(QUERY, 0, Box::new(last))])[0];
        assert!(waiting.lets_go(wanted));
    }

    #[test]
    fn closing_drops_what_waits() {
        let waiting = Waiting::default();
        let (read, pending) = Read::pending(QUERY, 3);
        waiting.want(vec![read]);
        waiting.close();
        let store = crate::store::MemoryStore::default();
        assert_eq!(pending.wait(&store), Err(StoreError::Dropped { query: QUERY }));
        assert!(waiting.want(vec![Read::pending(QUERY, 0).0]).is_empty());
    }
}
