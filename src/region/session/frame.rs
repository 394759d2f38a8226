//! Call frames with their mappings.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

use super::{
    super::{
        mask::{ByteMask, WordMask},
        page::{Page, page_mut},
        page_map::{PageMap, PageNumber},
        rights::{MapOptions, Permissions},
    },
    local::{Leaf, RegionNumber},
};
use crate::sync::{Arc, RandomState};

/// A page that a copy-on-write mapping wrote.
#[derive(Clone)]
pub(super) struct Private {
    pub(super) page: Arc<Page>,
    /// The bytes to publish.
    pub(super) bytes: Box<ByteMask>,
    /// Whether there are any.
    pub(super) unpublished: bool,
    /// Words of it that were published: wholly the transaction's own, as are whole words of `bytes`.
    pub(super) published: WordMask,
    pub(super) saved: u64,
}

impl Private {
    /// A page as the mapping shows it before it writes.
    pub(super) fn new(page: Arc<Page>, saved: u64) -> Self {
        Self { page, bytes: Box::default(), unpublished: false, published: WordMask::EMPTY, saved }
    }

    /// Words of which nothing is left of what the world holds.
    pub(super) fn own_words(&self) -> WordMask {
        self.published.union(self.bytes.full_words())
    }

    /// Writes bytes that are to be published.
    pub(super) fn write(&mut self, range: Range<usize>, data: &[u8]) {
        page_mut(&mut self.page)[range.clone()].copy_from_slice(data);
        self.unpublished |= !range.is_empty();
        self.bytes.insert(range);
    }

    /// Notes that everything written so far is published.
    pub(super) fn publish(&mut self) {
        self.published = self.own_words();
        *self.bytes = ByteMask::new();
        self.unpublished = false;
    }
}

/// What a copy-on-write mapping holds of its own.
pub(super) struct Snapshot {
    /// The region's pages when it was mapped, as far as the transaction knew them. Pages that are not
    /// here are those of the world, which does not change under a transaction.
    pub(super) pages: PageMap<Leaf>,
    pub(super) size: u64,
    pub(super) private: PageMap<Private>,
    /// Those of the private pages that have bytes to publish: whoever publishes again and again, each time for the
    /// price of what is new, need not look at the others.
    pub(super) unpublished: BTreeSet<PageNumber>,
}

impl Snapshot {
    /// Puts a private page there, or none.
    pub(super) fn restore(&mut self, page: PageNumber, private: Option<Private>) {
        match private.as_ref().is_some_and(|private| private.unpublished) {
            true => self.unpublished.insert(page),
            false => self.unpublished.remove(&page),
        };
        match private {
            Some(private) => drop(self.private.insert(page, private)),
            None => drop(self.private.remove(page)),
        }
    }

    /// The private pages that have bytes to publish, in order.
    pub(super) fn to_publish(&self) -> impl Iterator<Item = (PageNumber, &Private)> {
        self.unpublished.iter().filter_map(|page| Some((*page, self.private.get(*page)?)))
    }
}

/// A frame's right to access a window of a region.
pub(super) struct Mapping {
    pub(super) region: RegionNumber,
    pub(super) options: MapOptions,
    pub(super) rights: Permissions,
    pub(super) start: u64,
    /// `None`: to the end, wherever that is.
    pub(super) len: Option<u64>,
    pub(super) snapshot: Option<Box<Snapshot>>,
    /// Not unmapped yet.
    pub(super) live: bool,
}

/// What two live mappings of a frame must not have in common: region, start, length and options.
pub(super) type Window = (RegionNumber, u64, Option<u64>, MapOptions);

impl Mapping {
    pub(super) fn window(&self) -> Window {
        (self.region, self.start, self.len, self.options)
    }
}

/// A call frame, or the body of a closure.
#[derive(Default)]
pub(super) struct Frame {
    /// By ordinal, which counts from 1.
    pub(super) mappings: Vec<Mapping>,
    /// Numbers the frames of a transaction from 1, ended ones included.
    pub(super) serial: u64,
    /// Where the live ones stand. Without it, a frame of many mappings would search them all for
    /// every new one.
    pub(super) windows: HashMap<Window, usize, RandomState>,
    /// Pages that the frame has written, which it pays for once.
    pub(super) written: HashSet<(RegionNumber, PageNumber), RandomState>,
}

/// Frames that a session keeps for the next ones.
const SPARE: usize = 8;
/// What a frame may have room for, to be kept: to empty it takes time in proportion.
const SPARE_ROOM: usize = 64;

impl Frame {
    /// Whether nothing was done in it that a revert would have to know of.
    pub(super) fn is_unused(&self) -> bool {
        self.mappings.is_empty() && self.written.is_empty()
    }

    /// Empties it, and keeps its memory for another one if that is little.
    pub(super) fn keep_in(mut self, spare: &mut Vec<Self>) {
        let Self { mappings, windows, written, .. } = &self;
        let room = mappings.capacity().max(windows.capacity()).max(written.capacity());
        if spare.len() < SPARE && room <= SPARE_ROOM {
            self.mappings.clear();
            self.windows.clear();
            self.written.clear();
            spare.push(self);
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().filter(|mapping| mapping.live)
    }
}
