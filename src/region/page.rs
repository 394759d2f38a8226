//! A page: 4096 bytes that never change once anybody else can see them.
//!
//! ```text
//!  Arc<Page> ──► counts, 4096 bytes      one block on the heap
//!  Arc<Page> ──┘                         shared by reference count: a snapshot is a clone of the Arc
//! ```
//!
//! # Why a shared page cannot change
//!
//! By ownership, not by a protocol. A [`Page`] has no interior mutability and no method that writes,
//! and the only way to its bytes is [`page_mut`] on an `&mut Arc<Page>`. If the count says that there
//! is another `Arc` of this page, `page_mut` replaces the caller's with one of a copy; if not, nobody
//! else *can* reach the page, because another `Arc` could only come from the one that is borrowed
//! mutably here. The reference count is [`Arc::make_mut`]'s business; std promises that it orders the
//! writer after everybody who has let go of the page. Under loom a [`Witness`] stands for the bytes,
//! so that `loom-tests/region_pages.rs` sees a read that is not ordered after the page's last write.
//!
//! # Where the bytes live
//!
//! In the block of their `Arc`, with the alignment that the allocator gives, because measurement
//! rejected the others (a fault in nanoseconds, glibc 2.36: the copy freed at once, 64 kept, and 1,024
//! kept and then freed together, which is what a checkpoint does; those aligned by hand were measured
//! earlier, beside a box that took 70):
//!
//! | storage | one in use | 64 kept | 1,024 kept |
//! |---|---|---|---|
//! | in the `Arc`, as built | 77 | 104 | 180 |
//! | `Box<[u8; 4096]>`, copied by halves | 68, sometimes 146 | 116 | 225 |
//! | in the `Arc`, copied by halves | 121 | 122 | |
//! | in the `Arc`, aligned to 64 | 132 | | |
//! | box aligned to 64 | 125 | | |
//! | box aligned to 4096 | 94 | | 3,374 for 256 kept |
//! | in the `Arc`, aligned to 4096 | 8 KiB per page | | |
//!
//! An aligned request takes glibc's slow path, and nothing in a page needs more than byte alignment: a
//! block of a pool is aligned to 4096 anyway. A box beside the `Arc` costs a second allocation, and the
//! small blocks between the large ones keep glibc from joining what is freed together: a first write
//! through a mapping took 300 ns with it and takes 240 without, where a copy takes 155. The compiler
//! copies a page straight into its block; of two halves it makes a copy on the stack first.
//!
//! The price is paid under mimalloc, which the command line uses: it has no size between 4 and 5 KiB,
//! so a page occupies a quarter more memory there than one in a box would, and is as fast.
//!
//! From 4096 bytes on glibc's `memcpy` is one string instruction, and that takes 98 ns instead of 45
//! when the target's offset in a page of memory is up to 16 bytes past the source's. Boxes of 4096
//! bytes that `malloc` puts side by side are so; these blocks, which are 32 bytes longer than a page
//! of memory, are not.
//!
//! Nor do copies come from the pools, which cost more on one thread and twice as much on two:
//! [`pool`](crate::pool) has the numbers.
//!
//! A fault costs a copy, an allocation and two changes of a count:
//! `cargo bench --bench region -- fault`.

use crate::sync::{Arc, Witness, weakened};

pub use super::mask::{ByteMask, WordMask};

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Bytes of a word, the unit of conflicts.
pub const WORD_BYTES: usize = 32;
/// Words of a page.
pub const WORDS_PER_PAGE: usize = PAGE_BYTES / WORD_BYTES;

/// What an absent page reads as.
static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// A block of 4096 bytes, immutable while it is shared; see [`page_mut`].
#[derive(Clone, Debug)]
pub struct Page {
    bytes: [u8; PAGE_BYTES],
    /// The bytes, as far as an explorer is concerned.
    witness: Witness,
}

impl Page {
    /// A page of zeros.
    #[must_use]
    pub fn zeroed() -> Arc<Self> {
        Self::from_bytes(&ZEROS)
    }

    /// A page with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; PAGE_BYTES]) -> Arc<Self> {
        Arc::new(Self { bytes: *bytes, witness: Witness::default() })
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8; PAGE_BYTES] {
        self.witness.read();
        &self.bytes
    }

    /// The bytes of one word.
    ///
    /// # Panics
    ///
    /// If the page has no such word: `word` is 128 or more.
    #[inline]
    #[must_use]
    pub fn word(&self, word: usize) -> &[u8; WORD_BYTES] {
        &words(self.bytes())[word]
    }
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Page {}

/// The bytes of a page, to be written. If anybody else holds the page, the caller gets a copy of its
/// own first (the copy-on-write fault); what the others see never changes.
#[inline]
pub fn page_mut(page: &mut Arc<Page>) -> &mut [u8; PAGE_BYTES] {
    if weakened("page.copy-shared") {
        // What a write in place would do to those who hold the page.
        page.witness.overwrite();
    }
    let Page { bytes, witness } = Arc::make_mut(page);
    witness.renew();
    bytes
}

/// Writes the words of `mask` from one page over those of another.
pub fn merge_words(base: &mut Arc<Page>, from: &Page, mask: WordMask) {
    if mask == WordMask::FULL {
        // Not `page_mut`: what a fault would copy is overwritten anyway.
        *base = Page::from_bytes(from.bytes());
        return;
    }
    // A merge of nothing is no reason for a fault.
    if mask.is_empty() {
        return;
    }
    let (to, from) = (page_mut(base).as_chunks_mut().0, words(from.bytes()));
    if mask.count() <= FEW_WORDS {
        mask.iter().for_each(|word| to[word] = from[word]);
        return;
    }
    // To look at each bit costs less than to search for the next one that is set.
    let halves = to.chunks_mut(WORDS_PER_PAGE / 2).zip(from.chunks(WORDS_PER_PAGE / 2));
    for ((to, from), mut bits) in halves.zip([mask.0 as u64, (mask.0 >> 64) as u64]) {
        for (to, from) in to.iter_mut().zip(from) {
            if bits & 1 == 1 {
                *to = *from;
            }
            bits >>= 1;
        }
    }
}

/// Up to how many words are looked for one by one: there the search costs what 128 looks cost.
const FEW_WORDS: usize = 32;

/// Writes the bytes of `mask` from one page over those of another.
pub fn merge_bytes(base: &mut Arc<Page>, from: &Page, mask: &ByteMask) {
    if mask.is_empty() {
        return;
    }
    let (to, from) = (page_mut(base), from.bytes());
    for run in mask.runs() {
        to[run.clone()].copy_from_slice(&from[run]);
    }
}

/// Whether two pages have the same words where `mask` looks; `None` is an absent page, all zeros.
#[must_use]
pub fn words_equal(a: &Page, b: Option<&Page>, mask: WordMask) -> bool {
    if b.is_some_and(|b| std::ptr::eq(a, b)) {
        return true;
    }
    let (a, b) = (a.bytes(), b.map_or(&ZEROS, Page::bytes));
    if mask == WordMask::FULL {
        return a == b;
    }
    let (a, b) = (words(a), words(b));
    mask.iter().all(|word| a[word] == b[word])
}

#[inline]
fn words(bytes: &[u8; PAGE_BYTES]) -> &[[u8; WORD_BYTES]] {
    bytes.as_chunks().0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few values, so that words are often equal.
    fn page_bytes() -> impl Strategy<Value = Box<[u8; PAGE_BYTES]>> {
        prop::collection::vec(0..2u8, WORDS_PER_PAGE).prop_map(|words| {
            let bytes: Vec<u8> = words.into_iter().flat_map(|byte| [byte; WORD_BYTES]).collect();
            bytes.into_boxed_slice().try_into().unwrap()
        })
    }

    #[test]
    fn a_page_is_zeros_until_it_is_written() {
        let mut page = Page::zeroed();
        assert_eq!(page.bytes(), &[0; PAGE_BYTES]);
        page_mut(&mut page)[33] = 7;
        assert_eq!(page.word(0), &[0; WORD_BYTES]);
        assert_eq!(page.word(1)[..3], [0, 7, 0]);
    }

    #[test]
    fn a_write_copies_a_page_that_is_shared_and_no_other() {
        let mut page = Page::zeroed();
        let place = page.bytes().as_ptr();
        page_mut(&mut page)[0] = 1;
        assert_eq!(page.bytes().as_ptr(), place);

        let snapshot = page.clone();
        page_mut(&mut page)[0] = 2;
        assert_eq!((snapshot.bytes()[0], page.bytes()[0]), (1, 2));

        let copy = page.bytes().as_ptr();
        assert_ne!(copy, place);
        page_mut(&mut page)[0] = 3;
        assert_eq!(page.bytes().as_ptr(), copy);
    }

    #[test]
    fn a_merge_of_nothing_does_not_copy() {
        let mut base = Page::zeroed();
        let snapshot = base.clone();
        let from = Page::from_bytes(&[1; PAGE_BYTES]);
        merge_words(&mut base, &from, WordMask::EMPTY);
        merge_bytes(&mut base, &from, &ByteMask::new());
        assert!(Arc::ptr_eq(&base, &snapshot));
    }

    proptest! {
        #[test]
        fn a_merge_takes_the_words_of_the_mask_and_no_others(
            base in page_bytes(), from in page_bytes(), mask in masks(),
        ) {
            let mut merged = Page::from_bytes(&base);
            let snapshot = merged.clone();
            let source = Page::from_bytes(&from);
            merge_words(&mut merged, &source, mask);
            for word in 0..WORDS_PER_PAGE {
                let expected = if mask.contains(word) { &source } else { &snapshot };
                prop_assert_eq!(merged.word(word), expected.word(word));
            }
            prop_assert_eq!(snapshot.bytes(), &*base);
            prop_assert_eq!(source.bytes(), &*from);
        }

        #[test]
        fn a_merge_takes_the_bytes_of_the_mask_and_no_others(
            written in prop::collection::vec((0..PAGE_BYTES, 1..100usize), 0..8),
        ) {
            let mut mask = ByteMask::new();
            for (start, len) in written {
                mask.insert(start..start + len);
            }
            let mut merged = Page::from_bytes(&[1; PAGE_BYTES]);
            merge_bytes(&mut merged, &Page::from_bytes(&[2; PAGE_BYTES]), &mask);
            for byte in 0..PAGE_BYTES {
                prop_assert_eq!(merged.bytes()[byte], if mask.contains(byte) { 2 } else { 1 });
            }
        }

        #[test]
        fn words_are_equal_if_all_of_the_mask_are(
            a in page_bytes(), b in page_bytes(), mask in masks(), same: bool,
        ) {
            let a = Page::from_bytes(&a);
            let b = if same { a.clone() } else { Page::from_bytes(&b) };
            let differing = (0..WORDS_PER_PAGE).filter(|word| a.word(*word) != b.word(*word));
            let differing = WordMask(differing.fold(0, |bits, word| bits | 1 << word));
            let zeros = (0..WORDS_PER_PAGE).filter(|word| a.word(*word) == &[0; WORD_BYTES]);
            let zeros = WordMask(zeros.fold(0, |bits, word| bits | 1 << word));
            for mask in [mask, WordMask(mask.0 & !differing.0), WordMask(mask.0 & zeros.0)] {
                let equal = mask.intersection(differing).is_empty();
                prop_assert_eq!(words_equal(&a, Some(&b), mask), equal);
                prop_assert_eq!(words_equal(&a, None, mask), zeros.contains_all(mask));
            }
        }

        #[test]
        fn snapshots_of_a_page_never_change(
            writes in prop::collection::vec((0..PAGE_BYTES, any::<u8>(), any::<bool>()), 1..40),
        ) {
            let mut page = Page::zeroed();
            let mut model = vec![0; PAGE_BYTES];
            let mut snapshots = Vec::new();
            for (offset, byte, snapshot) in writes {
                if snapshot {
                    snapshots.push((page.clone(), model.clone()));
                }
                page_mut(&mut page)[offset] = byte;
                model[offset] = byte;
                prop_assert_eq!(&page.bytes()[..], &model);
            }
            for (snapshot, then) in snapshots {
                prop_assert_eq!(&snapshot.bytes()[..], &then);
            }
        }
    }

    fn masks() -> impl Strategy<Value = WordMask> {
        prop_oneof![
            any::<u128>(),
            Just(0),
            Just(u128::MAX),
            (0..WORDS_PER_PAGE as u32).prop_map(|word| 1 << word),
        ]
        .prop_map(WordMask)
    }
}
