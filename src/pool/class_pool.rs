//! The pool of one class: its slots, and the way of a block out of its slot and back.

use std::mem;

use bytes::BytesMut;
use crossbeam_utils::CachePadded;

use super::{
    Class, ClassStats,
    free_list::{FreeList, Popped, SlotIndex},
    memory::{self, Memory},
    stats::HeapCounters,
};
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, Ordering},
    weakened,
};

/// The blocks of one class.
pub(super) struct ClassPool {
    class: Class,
    slots: Box<[Mutex<Slot>]>,
    /// What each hand-out and return writes, on a cache line of its own.
    free: CachePadded<FreeList>,
    /// Slots whose blocks came back and are held back.
    held: FreeList,
    /// Whether blocks that come back are held back.
    quarantine: AtomicBool,
    high_water: AtomicU32,
    heap: HeapCounters,
}

/// Where a block is when nobody has it.
///
/// The lock is never waited for, statistics aside: whoever popped the slot's number is alone with
/// it. It is there to hand the memory from one thread to the next without `unsafe`, and it makes the
/// count a plain number.
struct Slot {
    place: Place,
    /// The block; nothing if it is handed out.
    bytes: BytesMut,
    /// How often it was handed out.
    uses: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Handed out.
    Out,
    /// Here; the slot's number is on the free list, or about to be.
    Free,
    /// Here; the slot's number is on the held list, or about to be.
    Held,
}

impl ClassPool {
    pub(super) fn new(class: Class, capacity: u32) -> Self {
        let slot = |bytes| Mutex::new(Slot { place: Place::Free, bytes, uses: 0 });
        Self {
            class,
            slots: memory::slab(class, capacity).into_iter().map(slot).collect(),
            free: CachePadded::new(FreeList::full(capacity)),
            held: FreeList::empty(capacity),
            quarantine: AtomicBool::new(false),
            high_water: AtomicU32::new(0),
            heap: HeapCounters::new(),
        }
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// Takes a free block. `wait` is about a list that is being sorted: whether to wait for it, or to
    /// be told that there is no block.
    #[inline]
    pub(super) fn take(&self, wait: bool) -> Option<(SlotIndex, Memory)> {
        loop {
            match self.free.pop() {
                Popped::Slot(index, left) => {
                    self.rise(left);
                    let mut slot = self.slot(index);
                    debug_assert!(slot.place == Place::Free, "a free slot holds a block");
                    slot.place = Place::Out;
                    slot.uses += 1;
                    let blank = slot.uses == 1;
                    return Some((index, Memory { bytes: mem::take(&mut slot.bytes), blank }));
                }
                Popped::Sorting if wait => self.free.wait_until_sorted(),
                Popped::Sorting | Popped::Empty => return None,
            }
        }
    }

    /// Puts a block back into its slot. It cannot fail, so no block is lost on the way.
    #[inline]
    pub(super) fn put(&self, index: SlotIndex, bytes: BytesMut) {
        // Relaxed: a return beside the switch falls to either side of it.
        let (place, list) = if self.quarantine.load(Ordering::Relaxed) {
            (Place::Held, &self.held)
        } else {
            (Place::Free, &*self.free)
        };
        let fill = || {
            let mut slot = self.slot(index);
            slot.place = place;
            slot.bytes = bytes;
        };
        if weakened("pool.put-first") {
            list.push(index);
            fill();
        } else {
            fill();
            list.push(index);
        }
    }

    /// Raises the high-water mark to what is not free, if that is known.
    #[inline]
    fn rise(&self, left: Option<u32>) {
        if let Some(left) = left {
            let taken = (self.slots.len() as u32).saturating_sub(left);
            // Relaxed: a figure, and it only rises. The load spares almost every write.
            if taken > self.high_water.load(Ordering::Relaxed) {
                self.high_water.fetch_max(taken, Ordering::Relaxed);
            }
        }
    }

    fn slot(&self, index: SlotIndex) -> MutexGuard<'_, Slot> {
        self.slots[index.0 as usize].lock()
    }

    /// For blocks of the heap that are handed out under this class.
    pub(super) fn heap(&self) -> &HeapCounters {
        &self.heap
    }

    pub(super) fn set_quarantine(&self, on: bool) {
        self.quarantine.store(on, Ordering::Relaxed);
    }

    /// Frees what is held back, and returns how many blocks that were.
    pub(super) fn release_quarantine(&self) -> usize {
        let held = self.held.take_all();
        for &index in &held {
            self.slot(index).place = Place::Free;
        }
        self.free.push_all(&held);
        held.len()
    }

    /// Orders the free blocks by address, and returns how many they are.
    pub(super) fn compact(&self) -> usize {
        self.free.sort()
    }

    pub(super) fn stats(&self) -> ClassStats {
        let mut stats = ClassStats::empty(self.class, self.slots.len() as u32);
        for slot in &self.slots {
            let slot = slot.lock();
            match slot.place {
                Place::Out => stats.count_in_use(slot.uses),
                Place::Free => stats.count_free(slot.uses),
                Place::Held => stats.count_quarantined(slot.uses),
            }
        }
        stats.high_water = self.high_water.load(Ordering::Relaxed).max(stats.in_use);
        self.heap.add_to(&mut stats);
        stats
    }
}
