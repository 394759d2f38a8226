//! The events of one worker, appended without a lock. `loom-tests/observe_timeline.rs` explores it.

use super::Event;
use crate::sync::{
    OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
    weakened,
};

/// Events in a chunk. Few under an explorer, which tracks each word.
const CHUNK: usize = if cfg!(any(chorus_loom, chorus_shuttle)) { 2 } else { 256 };
/// Events that a lane holds: 32 MiB.
pub const LANE_CAPACITY: usize = if cfg!(any(chorus_loom, chorus_shuttle)) { 4 } else { 1 << 20 };

/// A time and an event. Words of their own rather than one value under a lock: nobody reads them
/// before `len` says that they are there.
type Slot = [AtomicU64; 4];

/// A log with one writer and any number of readers.
#[derive(Debug)]
pub struct Lane {
    /// Slots up to here are written.
    len: AtomicUsize,
    /// Made when first used.
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
    /// Events that found no room.
    dropped: AtomicU64,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            len: AtomicUsize::new(0),
            chunks: (0..LANE_CAPACITY / CHUNK).map(|_| OnceLock::new()).collect(),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Lane {
    /// Appends an event. Called by the lane's worker alone: of two writers at a time one may
    /// overwrite the other's event.
    pub fn push(&self, time: u64, event: Event) {
        // Relaxed: this thread wrote it.
        let len = self.len.load(Ordering::Relaxed);
        let Some(chunk) = self.chunks.get(len / CHUNK) else {
            let dropped = self.dropped.load(Ordering::Relaxed);
            self.dropped.store(dropped + 1, Ordering::Relaxed);
            return;
        };
        let fresh = || (0..CHUNK).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect();
        let slot = &chunk.get_or_init(fresh)[len % CHUNK];
        let [head, more, other] = event.pack();
        for (word, value) in slot.iter().zip([time, head, more, other]) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: whoever sees the length sees the words.
        let order =
            if weakened("lane.push-release") { Ordering::Relaxed } else { Ordering::Release };
        self.len.store(len + 1, order);
    }

    /// The events so far with their times, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<(u64, Event)> {
        let len = self.len.load(Ordering::Acquire);
        let slots = self.chunks.iter().map_while(|chunk| chunk.get()).flatten().take(len);
        let read = |slot: &Slot| {
            let [time, words @ ..]: [u64; 4] =
                std::array::from_fn(|at| slot[at].load(Ordering::Relaxed));
            Some((time, Event::unpack(words)?))
        };
        slots.filter_map(read).collect()
    }

    /// How many events found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_lane_holds_what_it_can_and_counts_the_rest() {
        let lane = Lane::default();
        for number in 0..LANE_CAPACITY as u64 + 3 {
            lane.push(number, Event::Started(number as u32));
        }
        assert_eq!(lane.dropped(), 3);
        let events = lane.events();
        assert_eq!(events.len(), LANE_CAPACITY);
        let expected = |at: usize| (at as u64, Event::Started(at as u32));
        assert!(events.iter().enumerate().all(|(at, event)| *event == expected(at)));
    }
}
