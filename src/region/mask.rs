//! Sets of words and of bytes within one page.
//!
//! | set | of | used for |
//! |---|---|---|
//! | [`WordMask`] | the 128 words | what a transaction read or wrote; conflicts and merging at commit |
//! | [`ByteMask`] | the 4096 bytes | what a copy-on-write mapping wrote; `publish` applies exactly these |
//!
//! Byte ranges are offsets within the page. What lies past its end is cut off, so no range is an
//! error, and a range that ends before it begins is empty.

use std::ops::{BitOr, BitOrAssign, Range};

use super::page::{PAGE_BYTES, WORD_BYTES, WORDS_PER_PAGE};

/// A set of words of a page. Bit `i` stands for the bytes `32 * i .. 32 * i + 32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WordMask(pub u128);

const _: () = assert!(WORDS_PER_PAGE == u128::BITS as usize);

impl WordMask {
    /// No word.
    pub const EMPTY: Self = Self(0);
    /// Every word.
    pub const FULL: Self = Self(u128::MAX);

    /// The words that hold any byte of the range.
    #[inline]
    #[must_use]
    pub fn covering(bytes: Range<usize>) -> Self {
        let Range { start, end } = clip(bytes);
        Self::words(start / WORD_BYTES..end.div_ceil(WORD_BYTES))
    }

    /// The words of which the range holds every byte.
    #[inline]
    #[must_use]
    pub fn full(bytes: Range<usize>) -> Self {
        let Range { start, end } = clip(bytes);
        Self::words(start.div_ceil(WORD_BYTES)..end / WORD_BYTES)
    }

    /// The words of which the range holds some bytes but not all: a write of the range reads them.
    #[inline]
    #[must_use]
    pub fn partial(bytes: Range<usize>) -> Self {
        Self(Self::covering(bytes.clone()).0 & !Self::full(bytes).0)
    }

    /// The words with these numbers; a range that is not ascending has none.
    #[inline]
    fn words(words: Range<usize>) -> Self {
        // A shift by all 128 bits leaves none, which `unbounded_shl` says and `<<` does not.
        let below = |word: usize| !u128::MAX.unbounded_shl(word as u32);
        Self(below(words.end) & !below(words.start))
    }

    /// Whether it has no word.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many words it has.
    #[inline]
    #[must_use]
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it has this word. A page has no word from 128 on.
    #[inline]
    #[must_use]
    pub fn contains(self, word: usize) -> bool {
        word < WORDS_PER_PAGE && self.0 >> word & 1 == 1
    }

    /// Whether it has every word of the other.
    #[inline]
    #[must_use]
    pub fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The words in either.
    #[inline]
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words in both.
    #[inline]
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The words in this one and not in the other.
    #[inline]
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The numbers of its words, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let word = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(word)
        })
    }

    /// The byte ranges it makes up: as few, and thus as long, as there can be, ascending.
    pub fn runs(self) -> impl Iterator<Item = Range<usize>> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let start = (left != 0).then(|| left.trailing_zeros())?;
            let words = (left >> start).trailing_ones();
            left &= u128::MAX.unbounded_shl(start + words);
            Some(start as usize * WORD_BYTES..(start + words) as usize * WORD_BYTES)
        })
    }
}

impl BitOr for WordMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for WordMask {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

/// The part of a byte range that lies in the page. An empty one begins at a word, since it holds
/// no byte of any.
#[inline]
fn clip(bytes: Range<usize>) -> Range<usize> {
    let end = bytes.end.min(PAGE_BYTES);
    if bytes.start < end { bytes.start..end } else { 0..0 }
}

/// Bits of one part of a [`ByteMask`].
const PART_BITS: usize = u64::BITS as usize;

/// A set of bytes of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteMask {
    /// Bit `i` of part `p` stands for byte `64 * p + i`.
    parts: [u64; PAGE_BYTES / PART_BITS],
}

impl Default for ByteMask {
    fn default() -> Self {
        Self { parts: [0; PAGE_BYTES / PART_BITS] }
    }
}

impl ByteMask {
    /// No byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the bytes of the range.
    #[inline]
    pub fn insert(&mut self, bytes: Range<usize>) {
        let Range { start, end } = clip(bytes);
        let mut at = start;
        while at < end {
            let (part, first) = (at / PART_BITS, at % PART_BITS);
            let bits = (end - at).min(PART_BITS - first);
            self.parts[part] |= !u64::MAX.unbounded_shl(bits as u32) << first;
            at += bits;
        }
    }

    /// Adds the bytes of another set.
    pub fn union_with(&mut self, other: &Self) {
        for (part, other) in self.parts.iter_mut().zip(&other.parts) {
            *part |= other;
        }
    }

    /// Whether it has this byte. A page has no byte from 4096 on.
    #[must_use]
    pub fn contains(&self, byte: usize) -> bool {
        byte < PAGE_BYTES && self.parts[byte / PART_BITS] >> (byte % PART_BITS) & 1 == 1
    }

    /// Whether it has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| *part == 0)
    }

    /// How many bytes it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parts.iter().map(|part| part.count_ones() as usize).sum()
    }

    /// The byte ranges it makes up: as few, and thus as long, as there can be, ascending.
    pub fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.next(at, 0)?;
            at = self.next(start, u64::MAX).unwrap_or(PAGE_BYTES);
            Some(start..at)
        })
    }

    /// The first byte from `from` on that is in the set; with all bits flipped, that is not in it.
    #[inline]
    fn next(&self, from: usize, flip: u64) -> Option<usize> {
        let mut part = from / PART_BITS;
        let mut bits = (self.parts.get(part)? ^ flip) & (u64::MAX << (from % PART_BITS));
        while bits == 0 {
            part += 1;
            bits = self.parts.get(part)? ^ flip;
        }
        Some(part * PART_BITS + bits.trailing_zeros() as usize)
    }

    /// The words that hold any of its bytes.
    #[must_use]
    pub fn words(&self) -> WordMask {
        self.select(|word| word != 0)
    }

    /// The words of which it has every byte.
    #[must_use]
    pub fn full_words(&self) -> WordMask {
        self.select(|word| word == u32::MAX)
    }

    fn select(&self, chosen: impl Fn(u32) -> bool) -> WordMask {
        let mut words = 0;
        for (i, part) in self.parts.iter().enumerate() {
            let low = u128::from(chosen(*part as u32));
            let high = u128::from(chosen((part >> WORD_BYTES) as u32));
            words |= (low | high << 1) << (2 * i);
        }
        WordMask(words)
    }
}

// A part holds two words, and a word's bits are a `u32`: what `select` rests on.
const _: () = assert!(PART_BITS == 2 * WORD_BYTES && WORD_BYTES == u32::BITS as usize);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A range that may be empty, reversed, or beyond the page.
    fn ranges() -> impl Strategy<Value = Range<usize>> {
        let offset =
            || prop_oneof![8 => 0..=PAGE_BYTES, 1 => Just(usize::MAX), 1 => 4000..5000usize];
        (offset(), offset()).prop_map(|(start, end)| start..end)
    }

    fn runs(set: &BTreeSet<usize>) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for &byte in set {
            match runs.last_mut() {
                Some(run) if run.end == byte => run.end += 1,
                _ => runs.push(byte..byte + 1),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn the_words_of_a_range_are_those_that_a_look_at_each_byte_finds(range in ranges()) {
            let inside = |word: usize| {
                let held = |byte: &usize| range.contains(byte);
                (word * WORD_BYTES..(word + 1) * WORD_BYTES).filter(held).count()
            };
            for word in 0..WORDS_PER_PAGE {
                let held = inside(word);
                prop_assert_eq!(WordMask::covering(range.clone()).contains(word), held > 0);
                prop_assert_eq!(WordMask::full(range.clone()).contains(word), held == WORD_BYTES);
                let partial = held > 0 && held < WORD_BYTES;
                prop_assert_eq!(WordMask::partial(range.clone()).contains(word), partial);
            }
        }

        #[test]
        fn a_word_mask_is_a_set_of_words(a: u128, b: u128, sparse: u128) {
            for (a, b) in [(a, b), (a & b & sparse, a), (a | b | sparse, 0), (u128::MAX, a), (0, b)] {
                let (a, b) = (WordMask(a), WordMask(b));
                let [words, others] = [a, b].map(|mask| {
                    (0..WORDS_PER_PAGE).filter(|word| mask.contains(*word)).collect::<BTreeSet<_>>()
                });
                prop_assert!(a.iter().eq(words.iter().copied()));
                prop_assert_eq!(a.count(), words.len());
                prop_assert_eq!(a.is_empty(), words.is_empty());
                prop_assert!((a | b).iter().eq(words.union(&others).copied()));
                prop_assert!(a.intersection(b).iter().eq(words.intersection(&others).copied()));
                prop_assert!(a.without(b).iter().eq(words.difference(&others).copied()));
                prop_assert_eq!(a.contains_all(b), words.is_superset(&others));
                let bytes = words.iter().flat_map(|word| word * WORD_BYTES..(word + 1) * WORD_BYTES);
                prop_assert_eq!(a.runs().collect::<Vec<_>>(), runs(&bytes.collect()));
            }
        }

        #[test]
        fn a_byte_mask_is_a_set_of_bytes(
            inserted in prop::collection::vec((0..4200usize, 0..200usize), 0..12),
            other in ranges(),
        ) {
            let mut mask = ByteMask::new();
            let mut model = BTreeSet::new();
            for (start, len) in inserted {
                mask.insert(start..start + len);
                model.extend((start..start + len).filter(|byte| *byte < PAGE_BYTES));
            }
            let mut second = ByteMask::new();
            second.insert(other.clone());
            mask.union_with(&second);
            model.extend(other.start.min(PAGE_BYTES)..other.end.min(PAGE_BYTES));

            prop_assert_eq!(mask.runs().collect::<Vec<_>>(), runs(&model));
            prop_assert_eq!(mask.count(), model.len());
            prop_assert_eq!(mask.is_empty(), model.is_empty());
            for byte in 0..PAGE_BYTES + 10 {
                prop_assert_eq!(mask.contains(byte), model.contains(&byte));
            }
            let mut covering = WordMask::EMPTY;
            let mut full = WordMask::EMPTY;
            for run in runs(&model) {
                covering |= WordMask::covering(run.clone());
                full |= WordMask::full(run);
            }
            prop_assert_eq!(mask.words(), covering);
            prop_assert_eq!(mask.full_words(), full);
        }
    }

    #[test]
    fn the_whole_page_is_every_word() {
        assert_eq!(WordMask::covering(0..PAGE_BYTES), WordMask::FULL);
        assert_eq!(WordMask::full(0..usize::MAX), WordMask::FULL);
        assert_eq!(WordMask::covering(PAGE_BYTES..usize::MAX), WordMask::EMPTY);
    }
}
