//! Waiting, at a contended location, for those who have looked before and will probably change it.
//!
//! ```text
//!  conflict ──► contended ──► the next who looks waits for the one before him, who has looked
//!                  ▲                │                 │
//!                  └─ worth it ─────┴──── in vain ────┴──► contended no more
//! ```
//!
//! Those who wait count as having looked, so they stand in a row, each behind the one before. Where it
//! turns out that few of those who look change anything ([`Contention`](super::contention)), the whole row is told
//! to go on. It is looked at under the lock, so whoever comes to stand in the row afterwards does not;
//! `loom-tests/state_entry.rs` explores that. To be told is a hint: each of them is also woken by the one
//! that it waits for.

use super::{Cell, Entry, TxIndex, inner::Inner};
use crate::sync::weakened;

impl<C: Cell> Entry<C> {
    /// A lower transaction that has looked at this contended location and not published yet, so will
    /// probably change it: better to wait for it than to read what it is about to replace. The reader
    /// itself counts as having looked from now on, which puts later ones behind it.
    ///
    /// `waited` is the rival that the reader waited for before, if it did: whether that was in vain
    /// decides how long the location stays contended. Costs time if wrong, never correctness.
    pub fn rival(
        &self,
        reader: TxIndex,
        waited: Option<TxIndex>,
        has_published: impl Fn(TxIndex) -> bool,
    ) -> Option<TxIndex> {
        if !self.contention.get().is_worth_waiting() {
            return None;
        }
        let mut inner = self.inner.lock();
        // A commit that has found so meanwhile tells those who are in the row by then.
        if inner.contention.is_rarely_changed() && !weakened("rivals.look-again") {
            return None;
        }
        if let Some(rival) = waited.filter(|rival| has_published(*rival)) {
            let changed = inner.last_writer == Some(rival) || inner.pending.has(rival);
            let next = inner.contention.waited(changed);
            self.contention.change(&mut inner.contention, next);
        }
        let queue = inner.rare.as_ref().map_or(&[][..], |rare| rare.queue.as_slice());
        let looked = inner.readers.iter().chain(queue).copied();
        let rival = looked.filter(|other| *other < reader && !has_published(*other)).max();
        let is_new = rival.is_some() && !queue.contains(&reader);
        if is_new && queue.len() >= inner.contention.most_waiting() {
            return None;
        }
        if is_new {
            inner.rare.get_or_insert_default().queue.push(reader);
        }
        rival
    }

    /// A change by `writer` was committed. Appends to `told` whoever need not wait here any longer.
    pub(super) fn note_change(
        &self,
        inner: &mut Inner<C>,
        writer: TxIndex,
        told: &mut Vec<TxIndex>,
    ) {
        let before = inner.last_writer.replace(writer);
        if !inner.contention.is_contended() {
            return;
        }
        // How many looked before the first change does not say how many will before the next.
        if before.is_some() {
            let next = inner.contention.changed_after(inner.looks(writer));
            self.contention.change(&mut inner.contention, next);
        }
        if inner.contention.is_rarely_changed()
            && !weakened("rivals.release")
            && let Some(rare) = &mut inner.rare
        {
            told.extend(rare.queue.drain(..).filter(|waiting| *waiting > writer));
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::state::Read;

    struct Number;

    impl Cell for Number {
        type Key = ();
        type Value = u32;
        type Change = u32;
        type Seen = u32;

        fn apply(value: &mut u32, change: &u32) {
            *value = *change;
        }

        fn holds(value: &u32, seen: &u32) -> bool {
            value == seen
        }
    }

    fn entry() -> Entry<Number> {
        let entry = Entry::default();
        entry.fill(0);
        entry
    }

    fn read(entry: &Entry<Number>, reader: u32) {
        assert!(matches!(entry.read(TxIndex(reader)), Read::Value(_)));
    }

    /// Reads, publishes and commits, and says who is told of it.
    fn change(entry: &Entry<Number>, writer: u32) -> Vec<u32> {
        read(entry, writer);
        let mut told = Vec::new();
        entry.publish(TxIndex(writer), writer, &mut told);
        entry.commit(TxIndex(writer), &mut told);
        told.iter().map(|tx| tx.0).collect()
    }

    /// For whom the reader waits, if none of those from `first` on has published.
    fn rival(entry: &Entry<Number>, reader: u32, first: u32) -> Option<u32> {
        entry.rival(TxIndex(reader), None, |tx| tx.0 < first).map(|tx| tx.0)
    }

    #[test]
    fn after_a_conflict_each_waits_for_the_one_before_it() {
        let entry = entry();
        read(&entry, 3);
        assert_eq!(rival(&entry, 4, 1), None, "nobody has come too late");
        assert_eq!(change(&entry, 1), [3]);
        assert_eq!(rival(&entry, 4, 2), Some(3));
        assert_eq!(rival(&entry, 6, 2), Some(4));
        assert_eq!(rival(&entry, 5, 2), Some(4));
        assert_eq!(rival(&entry, 6, 2), Some(5));
        assert_eq!(rival(&entry, 7, 7), None, "all have published");
    }

    #[test]
    fn while_it_is_unknown_who_changes_it_few_wait() {
        let entry = entry();
        read(&entry, 2);
        change(&entry, 1);
        let waiting = (3..20).filter(|reader| rival(&entry, *reader, 2).is_some());
        assert_eq!(waiting.collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(rival(&entry, 6, 2), Some(5), "who waits already goes on to");
    }

    #[test]
    fn where_all_who_look_change_it_any_number_waits() {
        let entry = entry();
        read(&entry, 2);
        (1..4).for_each(|writer| drop(change(&entry, writer)));
        read(&entry, 4);
        assert_eq!((5..40).filter(|reader| rival(&entry, *reader, 4).is_some()).count(), 35);
    }

    #[test]
    fn where_few_who_look_change_it_those_who_wait_are_told_to_go_on() {
        let entry = entry();
        (2..8).for_each(|reader| read(&entry, reader));
        assert_eq!(change(&entry, 1), [2, 3, 4, 5, 6, 7]);
        (10..12).for_each(|reader| assert!(rival(&entry, reader, 2).is_some()));
        // Seven have looked since it was changed before, the last of whom changes it again.
        assert_eq!(change(&entry, 8), [10, 11]);
        assert_eq!(rival(&entry, 12, 9), None);
    }
}
