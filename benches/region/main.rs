//! What a region's bytes cost: page maps, pages, the commitment.
//!
//! The rows "… than im::…" are the comparison that chose [`PageMap`]: the same work on the persistent
//! maps of `im`, held here and not in the library.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;
mod session;

use std::{hint::black_box, sync::Arc};

use chorus::region::{
    keccak::keccak256,
    merkle::MerkleMap,
    page::{PAGE_BYTES, Page, WordMask, merge_words, page_mut, words_equal},
    page_map::{PageMap, PageNumber},
};
use common::{Options, Table, Target, batched, each};

/// Pages of a region of the largest size that production allows, 64 MiB.
const PAGES: u64 = 16_384;

/// Blocks that a row works on in turn where one would stay in the innermost cache.
const BLOCKS: usize = 64;

fn main() {
    let mut table = Table::new("region", Options::from_arguments());
    compare::<im::OrdMap<u64, Arc<Page>>>(&mut table, "im::OrdMap");
    compare::<im::HashMap<u64, Arc<Page>>>(&mut table, "im::HashMap");
    lookups(&mut table);
    copies(&mut table);
    faults(&mut table);
    masks(&mut table);
    commitment(&mut table);
    session::rows(&mut table);
    table.print();
}

/// What a page map has to do.
trait Map: Clone + Default {
    fn get(&self, page: u64) -> Option<&Arc<Page>>;
    fn get_mut(&mut self, page: u64) -> Option<&mut Arc<Page>>;
    fn insert(&mut self, page: u64, value: Arc<Page>);
    fn fold(&self) -> u64;

    fn filled(pages: u64) -> Self {
        let mut map = Self::default();
        (0..pages).for_each(|page| map.insert(page, Page::zeroed()));
        map
    }
}

impl Map for PageMap<Arc<Page>> {
    fn get(&self, page: u64) -> Option<&Arc<Page>> {
        self.get(PageNumber(page))
    }

    fn get_mut(&mut self, page: u64) -> Option<&mut Arc<Page>> {
        self.get_mut(PageNumber(page))
    }

    fn insert(&mut self, page: u64, value: Arc<Page>) {
        self.insert(PageNumber(page), value);
    }

    fn fold(&self) -> u64 {
        self.iter().fold(0, |sum, (page, _)| sum ^ page.0)
    }
}

macro_rules! im_map {
    ($map:ty) => {
        impl Map for $map {
            fn get(&self, page: u64) -> Option<&Arc<Page>> {
                self.get(&page)
            }

            fn get_mut(&mut self, page: u64) -> Option<&mut Arc<Page>> {
                self.get_mut(&page)
            }

            fn insert(&mut self, page: u64, value: Arc<Page>) {
                self.insert(page, value);
            }

            fn fold(&self) -> u64 {
                self.iter().fold(0, |sum, (page, _)| sum ^ page)
            }
        }
    };
}

im_map!(im::OrdMap<u64, Arc<Page>>);
im_map!(im::HashMap<u64, Arc<Page>>);

/// Page numbers below a power of two, each once before one comes again, far from each other.
fn scattered(pages: u64) -> impl FnMut() -> u64 {
    // An odd multiplier permutes the numbers. The order is made beforehand, so that a row measures
    // little of it.
    let order: Vec<u64> = (0..pages).map(|at| at.wrapping_mul(0x9e37_79b1) & (pages - 1)).collect();
    let mut at = 0;
    move || {
        at = (at + 1) & (order.len() - 1);
        order[at]
    }
}

/// The same work on the page map and on another one.
fn compare<Other: Map>(table: &mut Table, other: &str) {
    fn all<M: Map>() -> (M, M, M) {
        (M::filled(1), M::filled(16), M::filled(PAGES))
    }
    if !table.chooses(&format!("than {other}")) {
        return;
    }
    let (one, few, many) = all::<PageMap<Arc<Page>>>();
    let (other_one, other_few, other_many) = all::<Other>();

    fn get<'a, M: Map>(map: &'a M, pages: u64) -> impl FnMut() -> Option<&'a Arc<Page>> {
        let mut next = scattered(pages);
        move || black_box(map).get(next())
    }
    for (pages, ours, theirs) in
        [(1, &one, &other_one), (16, &few, &other_few), (PAGES, &many, &other_many)]
    {
        table.row(
            format!("get one of {pages}, than {other}"),
            Target::AtMost(1.0),
            each(get(ours, pages)),
            each(get(theirs, pages)),
        );
    }

    /// A snapshot and a write after it; the snapshot is dropped in the end.
    fn write_after_snapshot<M: Map>(map: &M, pages: u64) -> impl FnMut() {
        let mut map = map.clone();
        let (mut next, page) = (scattered(pages), Page::zeroed());
        move || {
            let snapshot = map.clone();
            if let Some(place) = map.get_mut(next()) {
                *place = page.clone();
            }
            drop(black_box(snapshot));
        }
    }
    for (pages, ours, theirs) in [(16, &few, &other_few), (PAGES, &many, &other_many)] {
        table.row(
            format!("snapshot and first write of {pages}, than {other}"),
            Target::AtMost(1.0),
            each(write_after_snapshot(ours, pages)),
            each(write_after_snapshot(theirs, pages)),
        );
    }

    /// A snapshot and then a write to every page.
    fn write_all<M: Map>(map: &M) -> impl FnMut() {
        let (mut map, page) = (map.clone(), Page::zeroed());
        move || {
            let snapshot = map.clone();
            for number in 0..PAGES {
                if let Some(place) = map.get_mut(number) {
                    *place = page.clone();
                }
            }
            drop(black_box(snapshot));
        }
    }
    table.row(
        format!("snapshot and write of all {PAGES}, than {other}"),
        Target::AtMost(1.0),
        each(write_all(&many)),
        each(write_all(&other_many)),
    );

    fn fill<M: Map>() -> impl FnMut() -> M {
        let page = Page::zeroed();
        move || {
            let mut map = M::default();
            (0..PAGES).for_each(|number| map.insert(number, page.clone()));
            map
        }
    }
    table.row(
        format!("fill with {PAGES}, than {other}"),
        Target::AtMost(1.0),
        each(fill::<PageMap<Arc<Page>>>()),
        each(fill::<Other>()),
    );
    table.row(
        format!("iterate over {PAGES}, than {other}"),
        Target::None,
        each(|| black_box(&many).fold()),
        each(|| black_box(&other_many).fold()),
    );
}

/// What the page map adds to reading a word.
fn lookups(table: &mut Table) {
    for pages in [1, 16, PAGES] {
        let name = format!("get one of {pages}, warm");
        if !table.chooses(&name) {
            continue;
        }
        let map = PageMap::<Arc<Page>>::filled(pages);
        let mut next = scattered(pages.min(256));
        table.single(
            name,
            Target::Nanoseconds(5.0),
            each(move || black_box(&map).get(PageNumber(next())).is_some()),
        );
    }
    let mut map = PageMap::<Arc<Page>>::filled(16);
    table.single(
        "get_mut one of 16, warm",
        Target::None,
        each(|| black_box(&mut map).get_mut(PageNumber(5)).is_some()),
    );
    let map = PageMap::<Arc<Page>>::filled(PAGES);
    table.single("snapshot of 16384", Target::Nanoseconds(50.0), each(|| map.clone()));
}

/// Reading and writing whole pages through the map.
fn copies(table: &mut Table) {
    let source = [7; PAGE_BYTES];
    let mut map = PageMap::<Arc<Page>>::filled(BLOCKS as u64);
    let flat = vec![source; BLOCKS];
    let (mut to, mut plain_to) = ([0; PAGE_BYTES], [0; PAGE_BYTES]);
    let (mut next, mut plain_next) = (scattered(BLOCKS as u64), scattered(BLOCKS as u64));
    table.row(
        "read 4 KiB, than memcpy",
        Target::AtMost(2.0),
        each(|| {
            if let Some(page) = black_box(&map).get(PageNumber(next())) {
                copy(black_box(&mut to), page.bytes());
            }
        }),
        each(|| {
            copy(black_box(&mut plain_to), &black_box(&flat)[plain_next() as usize]);
        }),
    );
    let mut flat = flat;
    table.row(
        "write 4 KiB, than memcpy",
        Target::AtMost(2.0),
        each(|| {
            if let Some(page) = black_box(&mut map).get_mut(PageNumber(next())) {
                copy(page_mut(page), black_box(&source));
            }
        }),
        each(|| copy(&mut black_box(&mut flat)[plain_next() as usize], black_box(&source))),
    );
}

/// The first write to a page that a snapshot holds.
fn faults(table: &mut Table) {
    let page = Page::from_bytes(&[7; PAGE_BYTES]);
    let (from, mut to) = ([7; PAGE_BYTES], Box::new([0; PAGE_BYTES]));
    table.row(
        "copy-on-write fault, freed at once, than memcpy",
        Target::AtMost(2.0),
        each(|| {
            let mut own = black_box(&page).clone();
            page_mut(&mut own)[5] = 1;
            own
        }),
        each(|| {
            copy(black_box(&mut to), black_box(&from));
        }),
    );
    let pages: Vec<_> = (0..BLOCKS).map(|_| page_of(7)).collect();
    let flat = vec![[7; PAGE_BYTES]; BLOCKS];
    let mut to = flat.clone();
    let (mut next, mut plain_next) = (scattered(BLOCKS as u64), scattered(BLOCKS as u64));
    table.row(
        "copy-on-write fault, 64 kept, than memcpy",
        Target::AtMost(2.0),
        batched(
            || pages[next() as usize].clone(),
            |mut own| {
                page_mut(&mut own)[5] = 1;
                own
            },
        ),
        each(|| {
            let block = plain_next() as usize;
            copy(&mut black_box(&mut to)[block], &black_box(&flat)[block]);
        }),
    );
    table.single("page of zeros", Target::None, each(Page::zeroed));
    let source = [7; PAGE_BYTES];
    table.single("page from bytes", Target::None, each(|| Page::from_bytes(black_box(&source))));
}

/// A copy as a call of `memcpy`, which the surroundings of a row do not change.
#[inline(never)]
fn copy(to: &mut [u8; PAGE_BYTES], from: &[u8; PAGE_BYTES]) {
    to.copy_from_slice(from);
}

fn page_of(byte: u8) -> Arc<Page> {
    Page::from_bytes(&[byte; PAGE_BYTES])
}

/// Merging and comparing words.
fn masks(table: &mut Table) {
    let (mut base, from) = (page_of(1), page_of(2));
    let every_other = WordMask(u128::MAX / 3);
    for (name, mask) in [
        ("one word", WordMask(1 << 77)),
        ("eight words", WordMask(0xFF << 60)),
        ("every third word", WordMask(u128::MAX / 7)),
        ("every other word", every_other),
        ("every word", WordMask::FULL),
    ] {
        table.single(
            format!("merge {name}"),
            Target::None,
            each(|| merge_words(&mut base, black_box(&from), black_box(mask))),
        );
        let (a, b) = (page_of(0), page_of(0));
        table.single(
            format!("compare {name}"),
            Target::None,
            each(|| words_equal(black_box(&a), Some(&b), black_box(mask))),
        );
        table.single(
            format!("compare {name} with an absent page"),
            Target::None,
            each(|| words_equal(black_box(&a), None, black_box(mask))),
        );
    }
}

/// The commitment over the pages of a region.
fn commitment(table: &mut Table) {
    let name = |changed: u64| format!("root of {PAGES} after {changed} changed");
    if !table.chooses("root of 16384 after") {
        return;
    }
    let keys: Vec<_> = (0..PAGES).map(|page| keccak256(&[&page.to_be_bytes()])).collect();
    let mut map: MerkleMap = keys.iter().map(|key| (*key, [1; 32])).collect();
    let _ = map.root();
    let mut value = 0_u64;
    for changed in [1, 256] {
        let mut next = scattered(PAGES);
        table.single(
            name(changed),
            Target::None,
            each(|| {
                for _ in 0..changed {
                    value += 1;
                    let mut leaf = [0; 32];
                    leaf[..8].copy_from_slice(&value.to_be_bytes());
                    map.insert(keys[next() as usize], leaf);
                }
                map.root()
            }),
        );
    }
    table.single("keccak of a page", Target::None, each(|| keccak256(&[black_box(&[7; 4096])])));
}
