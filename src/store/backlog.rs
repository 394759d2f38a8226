//! Work that a bounded number of servers does, on whatever threads or tasks there are.
//!
//! [`IoPool`](super::IoPool) has threads of its own. A backlog has none: whoever puts work in is told
//! how many servers to start, and starts them on a runtime that is somebody else's. A server takes
//! work until there is none, and ends.
//!
//! | a server is | counts for the limit | left by |
//! |---|---|---|
//! | due: handed out by [`push`](Backlog::push) | yes | its first [`take`](Server::take), or being dropped |
//! | serving | yes | a `take` that finds nothing, or being dropped |
//! | gone | no | – |
//!
//! Invariants
//!
//! 1. At most `limit` servers are due or serving.
//! 2. Where there is work there is a server: `push` hands one out unless `limit` of them are there, and a
//!    server finds nothing and is gone in one step, so that no work is put in between.
//! 3. A server that is dropped before it found nothing (the runtime was shut down, say) leaves its work
//!    to the others. The last one takes all of it along, and with it whatever that work owes is
//!    dropped, and so answered.
//! 4. No work is dropped under the lock.

use super::ranked::Ranked;
use crate::sync::{Arc, Mutex, weakened};

/// Work by rank, and who is at it.
#[derive(Debug)]
pub struct Backlog<T> {
    inner: Mutex<Inner<T>>,
    limit: usize,
}

#[derive(Debug)]
struct Inner<T> {
    work: Ranked<T>,
    servers: usize,
}

/// The right to take work, and the duty to do so until there is none.
#[derive(Debug)]
pub struct Server<T> {
    backlog: Arc<Backlog<T>>,
    gone: bool,
}

impl<T> Backlog<T> {
    /// At most `limit` servers at a time, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        let inner = Mutex::new(Inner { work: Ranked::default(), servers: 0 });
        Arc::new(Self { inner, limit: limit.max(1) })
    }

    /// Puts in work with its rank. Whoever calls starts each of the servers that it gets.
    #[must_use = "a server that is dropped may take all work along"]
    pub fn push(self: &Arc<Self>, work: impl IntoIterator<Item = (u32, T)>) -> Vec<Server<T>> {
        let work: Vec<_> = work.into_iter().collect();
        let wanted = {
            let mut inner = self.inner.lock();
            let wanted = work.len().min(self.limit - inner.servers);
            for (rank, item) in work {
                inner.work.push(rank, item);
            }
            inner.servers += wanted;
            wanted
        };
        (0..wanted).map(|_| Server { backlog: self.clone(), gone: false }).collect()
    }

    /// How much work waits for a server.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.lock().work.len()
    }
}

impl<T> Server<T> {
    /// The most urgent work, at most `most` pieces. None: there was none, and this server is gone.
    pub fn take(&mut self, most: usize) -> Vec<T> {
        if self.gone {
            return Vec::new();
        }
        let mut inner = self.backlog.inner.lock();
        let taken: Vec<_> = (0..most.max(1)).map_while(|_| inner.work.pop()).collect();
        if taken.is_empty() {
            if weakened("backlog.leave-at-once") {
                drop(inner);
                inner = self.backlog.inner.lock();
            }
            inner.servers -= 1;
            self.gone = true;
        }
        taken
    }
}

impl<T> Drop for Server<T> {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        let abandoned = {
            let mut inner = self.backlog.inner.lock();
            inner.servers -= 1;
            let last = inner.servers == 0 && !weakened("backlog.last-takes-along");
            if last { inner.work.take() } else { Vec::new() }
        };
        drop(abandoned);
    }
}
