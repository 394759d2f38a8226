//! Calls that wait to be sent, the most urgent first, and how many senders there are.
//!
//! | count | meaning |
//! |---|---|
//! | `senders` | tasks that send; never more than requests may be in flight |
//! | `takers` | those of them that hold no calls and will take some next |
//!
//! A call that is put down finds a taker on its way, or starts one, or all senders are busy and the
//! first to end takes it: a sender goes away only under the lock, finding nothing.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::call::Call;
use crate::sync::Mutex;

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    heap: BinaryHeap<Entry>,
    /// Calls of one rank go out in the order they came in.
    order: u64,
    senders: usize,
    takers: usize,
}

struct Entry {
    call: Call,
    order: u64,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first.
        (other.call.rank, other.order).cmp(&(self.call.rank, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl Queue {
    /// Puts calls down. The caller starts as many senders as are returned, each counted as a taker.
    #[must_use]
    pub(super) fn put(&self, calls: Vec<Call>, most_senders: usize, batch: usize) -> usize {
        let mut inner = self.inner.lock();
        for call in calls {
            let order = inner.order;
            inner.order += 1;
            inner.heap.push(Entry { call, order });
        }
        let mut started = 0;
        while inner.senders < most_senders.max(1) && inner.takers * batch < inner.heap.len() {
            inner.senders += 1;
            inner.takers += 1;
            started += 1;
        }
        started
    }

    /// What a taker sends next. With nothing to send it is counted out.
    pub(super) fn take(&self, batch: usize) -> Vec<Call> {
        let mut inner = self.inner.lock();
        let mut calls = Vec::new();
        while calls.len() < batch.max(1) {
            let Some(entry) = inner.heap.pop() else { break };
            calls.push(entry.call);
        }
        inner.takers -= 1;
        if calls.is_empty() {
            inner.senders -= 1;
        }
        calls
    }

    /// A sender has dealt with what it took and will take again.
    pub(super) fn return_to_take(&self) {
        self.inner.lock().takers += 1;
    }

    /// A sender ends before its time. If it was the last, what waits will never be sent, and is
    /// returned to be dropped.
    pub(super) fn lose_sender(&self, taker: bool) -> Vec<Call> {
        let mut inner = self.inner.lock();
        inner.senders -= 1;
        inner.takers -= usize::from(taker);
        if inner.senders > 0 {
            return Vec::new();
        }
        std::mem::take(&mut inner.heap).into_iter().map(|entry| entry.call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rpc::call::{CallResult, Caller};

    struct Nobody;

    impl Caller for Nobody {
        fn finish(self: Box<Self>, _: CallResult) {}
    }

    fn call(rank: u32, params: &str) -> Call {
        Call::new("m", params.to_owned(), rank, Box::new(Nobody))
    }

    fn params(calls: &[Call]) -> Vec<&str> {
        calls.iter().map(|call| call.params.as_str()).collect()
    }

    #[test]
    fn the_most_urgent_go_first_and_equals_in_order() {
        let queue = Queue::default();
        let calls = vec![call(7, "a"), call(2, "b"), call(7, "c"), call(0, "d")];
        assert_eq!(queue.put(calls, 8, 3), 2);
        assert_eq!(params(&queue.take(3)), ["d", "b", "a"]);
        assert_eq!(params(&queue.take(3)), ["c"]);
    }

    #[test]
    fn senders_are_started_for_what_takers_will_not_take_and_never_too_many() {
        let queue = Queue::default();
        assert_eq!(queue.put(vec![call(0, "a")], 2, 2), 1);
        // The taker has room for one more.
        assert_eq!(queue.put(vec![call(0, "b")], 2, 2), 0);
        assert_eq!(queue.put(vec![call(0, "c")], 2, 2), 1);
        assert_eq!(queue.put(vec![call(0, "d"), call(0, "e")], 2, 2), 0);
        assert_eq!(queue.take(2).len(), 2);
        assert_eq!(queue.take(2).len(), 2);
        queue.return_to_take();
        assert_eq!(queue.take(2).len(), 1);
        queue.return_to_take();
        assert!(queue.take(2).is_empty());
        // One sender is still busy; a second is started at once.
        assert_eq!(queue.put(vec![call(0, "f")], 2, 2), 1);
    }

    #[test]
    fn calls_that_no_sender_is_left_for_are_given_back() {
        let queue = Queue::default();
        assert_eq!(queue.put(vec![call(0, "a"), call(0, "b")], 2, 1), 2);
        assert!(queue.lose_sender(true).is_empty());
        assert_eq!(queue.lose_sender(true).len(), 2);
        assert_eq!(queue.put(vec![call(0, "c")], 2, 1), 1);
    }
}
