//! The state of each key of a block's reads.
//!
//! Keys that are asked for together mostly have numbers that follow each other: the entries of what one transaction is
//! foreseen to read lie side by side. So do their states, four to a cache line. In a hash table each had a line of
//! its own, which went from the core that asks to the one that lands the answer and back. Keys without a number are few, and
//! stand in a table.

use std::{collections::HashMap, hash::Hash};

use crate::sync::{RandomState, time::Instant};

/// States that are made at a time.
const CHUNK: u32 = 256;

/// What a read is known by.
pub trait Key: Copy + Ord + Hash {
    /// Its number, if it has one. Memory is taken for 256 numbers at a time, 16 bytes for each of them, and 16 bytes for
    /// each 256 up to the highest of a lane.
    fn index(&self) -> Option<Index>;

    /// The key of that number.
    fn at_index(index: Index) -> Self;
}

/// The number of a key, among those of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// From 0 on; there are few.
    pub lane: u8,
    /// From 0 on.
    pub number: u32,
}

/// Numbers are keys of one lane.
impl Key for u32 {
    fn index(&self) -> Option<Index> {
        Some(Index { lane: 0, number: *self })
    }

    fn at_index(index: Index) -> Self {
        index.number
    }
}

/// How far a read has come. In 16 bytes, so that four are in a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has asked, or the answer has landed and lies elsewhere.
    Unknown,
    /// Under this rank and number it stands in the queue. Under any other it is passed over.
    Queued { rank: u32, sequence: u32 },
    /// Since then.
    Started(Instant),
    /// The answer has landed in the flight.
    Kept,
}

/// The states of all keys.
#[derive(Debug)]
pub(super) struct States<K> {
    lanes: Vec<Vec<Option<Box<[State]>>>>,
    /// Of keys without a number, as far as they are known.
    others: HashMap<K, State, RandomState>,
}

impl<K> Default for States<K> {
    fn default() -> Self {
        Self { lanes: Vec::new(), others: HashMap::default() }
    }
}

/// The chunk of a number, and its place there.
fn locate(number: u32) -> (usize, usize) {
    ((number / CHUNK) as usize, (number % CHUNK) as usize)
}

impl<K: Key> States<K> {
    pub(super) fn get(&self, key: &K) -> State {
        let Some(Index { lane, number }) = key.index() else {
            return self.others.get(key).copied().unwrap_or(State::Unknown);
        };
        let (chunk, at) = locate(number);
        let chunk =
            self.lanes.get(usize::from(lane)).and_then(|chunks| chunks.get(chunk)?.as_ref());
        chunk.map_or(State::Unknown, |chunk| chunk[at])
    }

    pub(super) fn set(&mut self, key: &K, state: State) {
        let Some(Index { lane, number }) = key.index() else {
            match state {
                State::Unknown => self.others.remove(key),
                known => self.others.insert(*key, known),
            };
            return;
        };
        let (lane, (chunk, at)) = (usize::from(lane), locate(number));
        if lane >= self.lanes.len() {
            self.lanes.resize_with(lane + 1, Vec::new);
        }
        let chunks = &mut self.lanes[lane];
        if chunk >= chunks.len() {
            chunks.resize_with(chunk + 1, || None);
        }
        let fresh = || std::iter::repeat_n(State::Unknown, CHUNK as usize).collect();
        chunks[chunk].get_or_insert_with(fresh)[at] = state;
    }

    /// The keys of reads that are under way, and since when. Looks at every number.
    pub(super) fn started(&self) -> impl Iterator<Item = (K, Instant)> {
        let since = |state: &State| match state {
            State::Started(since) => Some(*since),
            _ => None,
        };
        let others = self.others.iter().filter_map(move |(key, state)| Some((*key, since(state)?)));
        let numbered = (0..).zip(&self.lanes).flat_map(move |(lane, chunks)| {
            let chunks = (0..).step_by(CHUNK as usize).zip(chunks);
            let states = chunks.flat_map(|(first, chunk)| (first..).zip(chunk.iter().flatten()));
            states.filter_map(move |(number, state)| {
                Some((K::at_index(Index { lane, number }), since(state)?))
            })
        });
        others.chain(numbered)
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    /// Those below 100 have no number.
    impl Key for u16 {
        fn index(&self) -> Option<Index> {
            let number = u32::from(self.checked_sub(100)?);
            Some(Index { lane: (number % 3) as u8, number: number / 3 })
        }

        fn at_index(index: Index) -> Self {
            index.number as u16 * 3 + u16::from(index.lane) + 100
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_state_takes_a_quarter_of_a_cache_line() {
        assert_eq!(size_of::<State>(), 16);
    }

    #[test]
    fn each_key_has_a_state_of_its_own_with_and_without_a_number() {
        let mut states = States::default();
        let mut expected = HashMap::new();
        let now = Instant::now();
        for round in 0..3_u32 {
            for key in (0..5_000_u16).step_by(7) {
                let state = match (u32::from(key) + round) % 4 {
                    0 => State::Unknown,
                    1 => State::Queued { rank: u32::from(key), sequence: round },
                    2 => State::Started(now),
                    _ => State::Kept,
                };
                states.set(&key, state);
                expected.insert(key, state);
            }
            for key in 0..6_000 {
                let known = expected.get(&key).copied().unwrap_or(State::Unknown);
                assert_eq!(states.get(&key), known, "{key}");
            }
            let mut started: Vec<_> = states.started().collect();
            started.sort_unstable();
            let mut all: Vec<_> =
                expected.iter().filter(|(_, state)| **state == State::Started(now)).collect();
            all.sort_unstable_by_key(|(key, _)| **key);
            assert_eq!(started, all.into_iter().map(|(key, _)| (*key, now)).collect::<Vec<_>>());
        }
        let without =
            expected.iter().filter(|(key, state)| **key < 100 && **state != State::Unknown);
        assert_eq!(states.others.len(), without.count(), "of what is not known nothing stays");
    }
}
