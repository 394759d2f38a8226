//! Which slots are free: a stack of their numbers that any thread pushes to and pops from.
//!
//! It is the stack of Treiber (IBM RJ 5118, 1986): a head word that names the top slot, and a link
//! per slot to the one beneath.
//!
//! # The head word
//!
//! ```text
//!   63                              32 31 30                               0
//!  ┌──────────────────────────────────┬──┬──────────────────────────────────┐
//!  │               tag                │ S│   top slot, or all ones: empty   │
//!  └──────────────────────────────────┴──┴──────────────────────────────────┘
//! ```
//!
//! *Tag.* A popper reads the top *A* and what lies beneath it, *B*, and then makes *B* the top if *A*
//! still is. Meanwhile both may have been popped and *A* pushed back: the top is *A* again, but *B*
//! is in use, and would be handed out twice (the ABA problem). So each removal raises the tag, and
//! the popper's exchange fails. A push need not raise it: what is on top again was removed between.
//! The tag wraps after 2³² removals; a popper would have to sleep through exactly that many.
//!
//! *S*, sorting. [`FreeList::sort`] takes the whole stack, puts it in order and puts it back. The
//! list looks empty meanwhile, and `S` tells that it is not: a popper that finds `S` and no top
//! learns [`Popped::Sorting`], never [`Popped::Empty`]. Pushes and pops leave `S` as it is.
//!
//! # The links
//!
//! A link holds the slot beneath and how many slots there are beneath, so that a popper learns how
//! many are left free. That is how the high-water mark is kept without a counter that all threads
//! would write. The depth is the top's plus one, and it is right for the reason that the pushed slot's
//! link is: had the top been removed meanwhile, the tag would have changed.
//!
//! # Orderings
//!
//! A link is written before the exchange (release) that puts its slot on the stack, and read after a
//! load of the head (acquire). Every change of the head is a read-modify-write, so that load is
//! ordered after *all* pushes it builds upon, not only the last. A popper's own exchange publishes
//! nothing and needs no ordering.
//!
//! `loom-tests/pool.rs` explores this.

use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    weakened,
};

/// The number of a slot of one class. A slot's memory lies before that of all higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(pub u32);

/// What a [`FreeList::pop`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Popped {
    /// This slot, which now is the caller's, and how many are left; that is not known while
    /// [`FreeList::sort`] holds some.
    Slot(SlotIndex, Option<u32>),
    /// No slot is free.
    Empty,
    /// None could be had, but [`FreeList::sort`] holds some and puts them back in a moment.
    Sorting,
}

/// The head word, unpacked: `{ tag, sorting, top }`.
#[derive(Clone, Copy)]
struct Head {
    tag: u32,
    sorting: bool,
    /// The top slot's number, or [`NONE`].
    top: u32,
}

/// No slot: the end of the stack.
const NONE: u32 = SORTING - 1;
const SORTING: u32 = 1 << 31;

impl Head {
    fn unpack(word: u64) -> Self {
        let low = word as u32;
        Self { tag: (word >> 32) as u32, sorting: low & SORTING != 0, top: low & NONE }
    }

    fn pack(self) -> u64 {
        let sorting = if self.sorting { SORTING } else { 0 };
        u64::from(self.tag) << 32 | u64::from(sorting | self.top)
    }

    /// After something was removed.
    fn removed(self, top: u32) -> Self {
        let tag = if weakened("pool.tag") { self.tag } else { self.tag.wrapping_add(1) };
        Self { tag, top, ..self }
    }
}

/// A link word, unpacked: `{ depth, beneath }`.
#[derive(Clone, Copy)]
struct Link {
    /// How many slots are beneath.
    depth: u32,
    /// The one directly beneath, or [`NONE`].
    beneath: u32,
}

impl Link {
    fn unpack(word: u64) -> Self {
        Self { depth: (word >> 32) as u32, beneath: word as u32 }
    }

    fn pack(self) -> u64 {
        u64::from(self.depth) << 32 | u64::from(self.beneath)
    }
}

/// A stack of free slots.
///
/// Whoever popped a slot is its only holder until it pushes it. Pushing a slot that one does not hold
/// would hand it out twice.
pub struct FreeList {
    head: AtomicU64,
    /// For each slot on the stack, what is beneath it.
    links: Box<[AtomicU64]>,
    /// Held by a thread that sorts.
    sorting: Mutex<()>,
}

impl FreeList {
    /// Of slots `0..len`, all of them free, the lowest on top. `len` is at most 2³¹ − 1; what is
    /// above is left out.
    #[must_use]
    pub fn full(len: u32) -> Self {
        let len = len.min(NONE);
        let link = |slot| {
            let beneath = if slot + 1 == len { NONE } else { slot + 1 };
            AtomicU64::new(Link { depth: len - slot - 1, beneath }.pack())
        };
        Self::with(if len == 0 { NONE } else { 0 }, (0..len).map(link).collect())
    }

    /// Of slots `0..len`, none of them free.
    #[must_use]
    pub fn empty(len: u32) -> Self {
        Self::with(NONE, (0..len.min(NONE)).map(|_| AtomicU64::new(0)).collect())
    }

    fn with(top: u32, links: Box<[AtomicU64]>) -> Self {
        let head = Head { tag: 0, sorting: false, top };
        Self { head: AtomicU64::new(head.pack()), links, sorting: Mutex::new(()) }
    }

    /// Takes the top slot. Never waits: an exchange fails only because another succeeded.
    pub fn pop(&self) -> Popped {
        let acquire =
            if weakened("pool.pop-acquire") { Ordering::Relaxed } else { Ordering::Acquire };
        let mut word = self.head.load(acquire);
        loop {
            let head = Head::unpack(word);
            if head.top == NONE {
                return if head.sorting { Popped::Sorting } else { Popped::Empty };
            }
            // If the slot is no longer the top, this may be the link of another time; then the tag
            // has changed as well, and the exchange fails.
            let link = self.link(head.top);
            let next = head.removed(link.beneath).pack();
            match self.head.compare_exchange_weak(word, next, Ordering::Relaxed, acquire) {
                Ok(_) => {
                    let left = (!head.sorting).then_some(link.depth);
                    return Popped::Slot(SlotIndex(head.top), left);
                }
                Err(now) => word = now,
            }
        }
    }

    /// Puts a slot on top. The caller popped it, or had it from [`take_all`](Self::take_all).
    pub fn push(&self, slot: SlotIndex) {
        self.put_back(&[slot], false);
    }

    /// Puts several slots on top, the first of them uppermost, in one step.
    pub fn push_all(&self, slots: &[SlotIndex]) {
        self.put_back(slots, false);
    }

    /// Takes every slot, the top one first.
    #[must_use]
    pub fn take_all(&self) -> Vec<SlotIndex> {
        self.take(false)
    }

    /// Orders the free slots by number, and so by address, the lowest on top, and returns how many
    /// they were. Slots that are pushed meanwhile end up beneath them.
    ///
    /// Linear in the number of free slots but for the sorting. Another thread that sorts is waited
    /// for.
    pub fn sort(&self) -> usize {
        let guard = self.sorting.lock();
        let mut slots = self.take(!weakened("pool.sorting-mark"));
        slots.sort_unstable();
        self.put_back(&slots, true);
        drop(guard);
        slots.len()
    }

    /// Waits for a thread that sorts to put the slots back; what to do about [`Popped::Sorting`].
    pub fn wait_until_sorted(&self) {
        drop(self.sorting.lock());
    }

    fn take(&self, sorting: bool) -> Vec<SlotIndex> {
        let acquire =
            if weakened("pool.take-acquire") { Ordering::Relaxed } else { Ordering::Acquire };
        let mut word = self.head.load(Ordering::Relaxed);
        let mut slot = loop {
            let head = Head::unpack(word);
            if head.top == NONE {
                return Vec::new();
            }
            let next = Head { sorting: head.sorting | sorting, ..head.removed(NONE) }.pack();
            match self.head.compare_exchange_weak(word, next, acquire, Ordering::Relaxed) {
                Ok(_) => break head.top,
                Err(now) => word = now,
            }
        };
        // From here on the links of these slots are the caller's alone to write. There are no more
        // of them than slots, so a broken chain could not make this endless.
        let mut slots = Vec::new();
        while slot != NONE && slots.len() < self.links.len() {
            slots.push(SlotIndex(slot));
            slot = self.link(slot).beneath;
        }
        slots
    }

    /// Puts the slots on top, the first uppermost; `sorted` ends what `sort` began.
    #[inline]
    fn put_back(&self, slots: &[SlotIndex], sorted: bool) {
        let Some(&first) = slots.first() else { return };
        let (acquire, release) =
            match (weakened("pool.push-acquire"), weakened("pool.push-release")) {
                (true, _) => (Ordering::Relaxed, Ordering::Release),
                (_, true) => (Ordering::Acquire, Ordering::Relaxed),
                _ => (Ordering::Acquire, Ordering::Release),
            };
        let mut word = self.head.load(acquire);
        loop {
            let head = Head::unpack(word);
            // All of them again if the exchange fails, because their depths have changed. A depth that
            // is not the top's any more may be anything; then the exchange fails.
            let mut beneath = head.top;
            let mut depth =
                if beneath == NONE { 0 } else { self.link(beneath).depth.wrapping_add(1) };
            for slot in slots.iter().rev() {
                let link = Link { depth, beneath }.pack();
                self.links[slot.0 as usize].store(link, Ordering::Relaxed);
                (depth, beneath) = (depth.wrapping_add(1), slot.0);
            }
            let sorting = head.sorting && !sorted && !weakened("pool.mark-kept");
            let next = Head { sorting, top: first.0, ..head }.pack();
            match self.head.compare_exchange_weak(word, next, release, acquire) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    fn link(&self, slot: u32) -> Link {
        Link::unpack(self.links[slot as usize].load(Ordering::Relaxed))
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    fn drain(list: &FreeList) -> Vec<u32> {
        std::iter::from_fn(|| match list.pop() {
            Popped::Slot(slot, _) => Some(slot.0),
            Popped::Empty | Popped::Sorting => None,
        })
        .collect()
    }

    #[test]
    fn the_lowest_slots_come_first_and_the_last_returned_comes_next() {
        let list = FreeList::full(4);
        assert_eq!(list.pop(), Popped::Slot(SlotIndex(0), Some(3)));
        assert_eq!(list.pop(), Popped::Slot(SlotIndex(1), Some(2)));
        list.push(SlotIndex(0));
        assert_eq!(list.pop(), Popped::Slot(SlotIndex(0), Some(2)));
        list.push(SlotIndex(0));
        assert_eq!(drain(&list), [0, 2, 3]);
        assert_eq!(list.pop(), Popped::Empty);
    }

    #[test]
    fn sorting_puts_the_lowest_on_top() {
        let list = FreeList::empty(5);
        for slot in [3, 0, 4, 1] {
            list.push(SlotIndex(slot));
        }
        assert_eq!(list.sort(), 4);
        assert_eq!(drain(&list), [0, 1, 3, 4]);
        assert_eq!(list.sort(), 0, "an empty list is in order");
        assert_eq!(list.pop(), Popped::Empty);
    }

    #[test]
    fn all_slots_can_be_taken_and_put_back_at_once() {
        let list = FreeList::full(3);
        let all = list.take_all();
        assert_eq!(list.pop(), Popped::Empty);
        list.push_all(&all);
        list.push_all(&[]);
        assert_eq!(drain(&list), [0, 1, 2]);
    }

    #[test]
    fn a_list_of_no_slots_is_empty() {
        assert_eq!(FreeList::full(0).pop(), Popped::Empty);
        assert_eq!(FreeList::empty(0).pop(), Popped::Empty);
    }

    #[test]
    fn the_head_word_keeps_its_three_parts_apart() {
        for (tag, sorting, top) in [(0, false, NONE), (u32::MAX, true, 0), (7, true, NONE)] {
            let head = Head::unpack(Head { tag, sorting, top }.pack());
            assert_eq!((head.tag, head.sorting, head.top), (tag, sorting, top));
        }
        let last = Head { tag: u32::MAX, sorting: true, top: 5 }.removed(NONE);
        assert_eq!((last.tag, last.sorting, last.top), (0, true, NONE), "the tag wraps alone");
    }
}
