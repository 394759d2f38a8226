//! Changes that wait in line for their turn to be committed.
//!
//! Most locations are changed by one transaction at a time, and its change stands here itself. Memory for it
//! from the allocator is taken by the worker that ran the transaction and given back by the one that commits it,
//! which is another every second time: of 1.7 µs that an ERC-20 transfer took on each of two workers 0.1 µs.

use std::collections::VecDeque;

use super::{Cell, TxIndex};

/// A change by an uncommitted transaction.
pub(super) struct Pending<C: Cell> {
    pub(super) writer: TxIndex,
    pub(super) estimate: bool,
    pub(super) change: C::Change,
}

/// Changes by writer. They leave in front, when they are committed.
pub(super) struct Line<C: Cell> {
    first: Option<Pending<C>>,
    /// None unless there is a first. Once there was one, the memory stays: there will be others.
    #[expect(clippy::box_collection, reason = "few entries have others: a word in each")]
    others: Option<Box<VecDeque<Pending<C>>>>,
}

impl<C: Cell> Default for Line<C> {
    fn default() -> Self {
        Self { first: None, others: None }
    }
}

impl<C: Cell> Line<C> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Pending<C>> {
        self.first.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending<C>> {
        self.first.iter().chain(self.others.iter().flat_map(|others| others.iter()))
    }

    /// The writer's change.
    pub(super) fn get_mut(&mut self, writer: TxIndex) -> Option<&mut Pending<C>> {
        let first = self.first.as_mut()?;
        if first.writer == writer {
            return Some(first);
        }
        let others = self.others.as_mut()?;
        let at = position(others, writer).ok()?;
        others.get_mut(at)
    }

    /// Whether the writer has a change here.
    pub(super) fn has(&self, writer: TxIndex) -> bool {
        let among = |others: &VecDeque<_>| position::<C>(others, writer).is_ok();
        self.first.as_ref().is_some_and(|first| {
            first.writer == writer || self.others.as_deref().is_some_and(among)
        })
    }

    /// Puts a change in its place. The one that the writer had there is returned.
    pub(super) fn put(&mut self, change: Pending<C>) -> Option<Pending<C>> {
        let behind = match &mut self.first {
            first @ None => {
                *first = Some(change);
                return None;
            }
            Some(first) if first.writer == change.writer => {
                return Some(std::mem::replace(first, change));
            }
            Some(first) if change.writer < first.writer => std::mem::replace(first, change),
            Some(_) => change,
        };
        let others = self.others.get_or_insert_default();
        match position(others, behind.writer) {
            Ok(at) => Some(std::mem::replace(&mut others[at], behind)),
            Err(at) => {
                others.insert(at, behind);
                None
            }
        }
    }

    /// Takes the writer's change out.
    pub(super) fn take(&mut self, writer: TxIndex) -> Option<Pending<C>> {
        let first = self.first.as_ref()?;
        let others = self.others.as_mut();
        if first.writer == writer {
            let next = others.and_then(|others| others.pop_front());
            return std::mem::replace(&mut self.first, next);
        }
        let others = others?;
        let at = position(others, writer).ok()?;
        others.remove(at)
    }
}

/// Where the writer's change is, or would be.
fn position<C: Cell>(others: &VecDeque<Pending<C>>, writer: TxIndex) -> Result<usize, usize> {
    // Nearly always the last.
    match others.back() {
        None => Err(0),
        Some(last) if last.writer < writer => Err(others.len()),
        Some(last) if last.writer == writer => Ok(others.len() - 1),
        Some(_) => others.binary_search_by_key(&writer, |pending| pending.writer),
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A number by another.
    struct Number;

    impl Cell for Number {
        type Key = u32;
        type Value = u32;
        type Change = u32;
        type Seen = ();

        fn apply(value: &mut u32, change: &u32) {
            *value = *change;
        }

        fn holds(_: &u32, (): &()) -> bool {
            true
        }
    }

    /// Whatever is done to a line comes to what it would come to in a map.
    #[test]
    fn a_line_is_a_map_by_writer() {
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let mut line = Line::<Number>::default();
        let mut map = BTreeMap::new();
        let mut longest = 0;
        for step in 0..20_000u32 {
            let writer = TxIndex(next(6) as u32);
            if next(2) == 0 {
                let put = line.put(Pending { writer, estimate: false, change: step });
                assert_eq!(put.map(|put| put.change), map.insert(writer, step));
            } else {
                assert_eq!(line.take(writer).map(|taken| taken.change), map.remove(&writer));
            }
            let found: Vec<_> = line.iter().map(|one| (one.writer, one.change)).collect();
            assert!(
                found.iter().copied().eq(map.iter().map(|(writer, change)| (*writer, *change)))
            );
            assert_eq!(line.first().map(|first| first.change), map.values().next().copied());
            assert_eq!(
                (line.is_empty(), line.has(writer)),
                (map.is_empty(), map.contains_key(&writer))
            );
            assert_eq!(line.get_mut(writer).map(|one| one.change), map.get(&writer).copied());
            longest = longest.max(map.len());
        }
        assert_eq!(longest, 6);
    }
}
