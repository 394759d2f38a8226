//! Which worker looks after the store.
//!
//! To ask for reads and to land their answers is to write to a dozen tables and queues. Workers that
//! do so in turns take their cache lines from each other with every read. So whoever did it last goes
//! on doing it, and the others execute, unless they have nothing to execute.
//!
//! A transaction that takes long keeps its worker from the store. Another that comes by twice and finds
//! that nobody has been there in between takes over. So answers land as late as a second transaction
//! ends, rather than the first one.

use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The worker that looks after the store. All of it is relaxed: two workers may do so at once, and who has
/// nothing else to do does so in any case.
#[derive(Debug, Default)]
pub(super) struct Tending {
    worker: AtomicUsize,
    looks: AtomicU32,
}

impl Tending {
    /// Whether worker `me` is to look after the store now. `seen` is its own.
    #[inline]
    pub(super) fn is_mine(&self, me: usize, idle: bool, seen: &mut u32) -> bool {
        let looks = self.looks.load(Ordering::Relaxed);
        let mine = self.worker.load(Ordering::Relaxed) == me;
        if !mine && !idle && looks != *seen {
            *seen = looks;
            return false;
        }
        if !mine {
            self.worker.store(me, Ordering::Relaxed);
        }
        self.looks.store(looks.wrapping_add(1), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_goes_on_until_another_is_idle_or_finds_it_gone() {
        let tending = Tending::default();
        let (mut zero, mut one) = (0, 0);
        for _ in 0..3 {
            assert!(tending.is_mine(0, false, &mut zero));
            assert!(!tending.is_mine(1, false, &mut one));
        }
        assert!(tending.is_mine(1, false, &mut one));
        assert!(!tending.is_mine(0, false, &mut zero));
        assert!(tending.is_mine(1, false, &mut one));
        assert!(tending.is_mine(0, true, &mut zero));
        assert!(!tending.is_mine(1, false, &mut one));
    }
}
