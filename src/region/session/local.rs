//! A region as one transaction sees it: metadata, and the pages it has touched.

use std::collections::HashSet;

use im::OrdMap;
use smallvec::SmallVec;

use super::super::{
    handle::{Address, Handle, Kind, RegionId},
    mask::WordMask,
    meta::{Live, Meta},
    page::Page,
    page_map::PageMap,
    rights::{Permissions, RegionOptions},
    sidecar::Sidecar,
};
use crate::{
    pool::Class,
    registry::Lease,
    state::EntryId,
    sync::{Arc, RandomState},
};

/// Number of a region in its session.
pub(super) type RegionNumber = usize;

/// A page as the transaction sees it.
#[derive(Clone, Default)]
pub(super) struct Leaf {
    /// What it is now; `None`: not present.
    pub(super) page: Option<Arc<Page>>,
    /// What it was for the transaction before it wrote, once `loaded`.
    pub(super) base: Option<Arc<Page>>,
    pub(super) entry: Option<EntryId>,
    pub(super) loaded: bool,
    /// Words that the transaction wrote, whole or in part.
    pub(super) written: WordMask,
    /// Words of `base` that the transaction depends on. Stays through reverts, as does `presence`.
    pub(super) seen: WordMask,
    /// Whether the transaction depends on the presence of `base`.
    pub(super) presence: bool,
    /// Touched before, so cheap to touch.
    pub(super) warm: bool,
    /// The transaction has paid for its first write.
    pub(super) paid: bool,
    /// The frame that wrote it last, by its serial number; 0: none, or not known.
    pub(super) writer: u64,
    /// The checkpoint that has this leaf in its journal; see [`super::journal`].
    pub(super) saved: u64,
}

/// What a write changes of a leaf.
pub(super) struct Before {
    page: Option<Arc<Page>>,
    written: WordMask,
    paid: bool,
    saved: u64,
}

impl Leaf {
    /// What a write is about to change.
    pub(super) fn before(&self) -> Before {
        let (page, written) = (self.page.clone(), self.written);
        Before { page, written, paid: self.paid, saved: self.saved }
    }

    /// Takes writes back. What was seen stays seen.
    pub(super) fn restore(&mut self, before: Before) {
        Before { page: self.page, written: self.written, paid: self.paid, saved: self.saved } =
            before;
    }
}

/// A region that the transaction knows.
pub(super) struct Local {
    pub(super) handle: Handle,
    pub(super) kind: Kind,
    /// `None` once destroyed.
    pub(super) live: Option<Live>,
    /// A pool block.
    pub(super) class: Option<Class>,
    pub(super) sidecar: Option<Arc<Sidecar>>,
    /// It stood in the world before the transaction.
    pub(super) from_world: bool,
    /// Its size is among the observations already.
    pub(super) size_seen: bool,
    /// Mappings of all the transaction's frames.
    pub(super) mappings: u32,
    pub(super) pages: PageMap<Leaf>,
    /// Keeps what the world holds of it from the collector.
    pub(super) lease: Option<Lease>,
}

impl Local {
    /// A region with nothing in it.
    pub(super) fn new(handle: Handle, kind: Kind, live: Live) -> Self {
        Self {
            handle,
            kind,
            live: Some(live),
            class: None,
            sidecar: None,
            from_world: false,
            size_seen: false,
            mappings: 0,
            pages: PageMap::new(),
            lease: None,
        }
    }

    /// A sidecar as a region that can only be read.
    pub(super) fn of_sidecar(sidecar: Arc<Sidecar>) -> Self {
        let birth = Arc::new(super::super::meta::Birth {
            owner: Address::default(),
            name: None,
            ceiling: Permissions::READ,
            options: RegionOptions::NONE,
        });
        let live = Live { birth, size: sidecar.size(), grants: OrdMap::new() };
        let handle = sidecar.handle();
        Self { sidecar: Some(sidecar), ..Self::new(handle, Kind::Sidecar, live) }
    }

    /// In bytes; 0 once destroyed.
    pub(super) fn size(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.size)
    }

    pub(super) fn options(&self) -> RegionOptions {
        self.live.as_ref().map_or(RegionOptions::NONE, |live| live.birth.options)
    }

    /// Whether its pages cost what state costs.
    pub(super) fn is_state(&self) -> bool {
        self.kind == Kind::Persistent
    }

    /// Whether touching its pages costs what touching state costs.
    pub(super) fn touches_state(&self) -> bool {
        self.kind != Kind::Transaction
    }
}

/// What stands behind an id for this transaction.
pub(super) struct Name {
    pub(super) id: RegionId,
    /// What the world said, and where.
    pub(super) found: Meta,
    pub(super) entry: Option<EntryId>,
    /// What of it mattered, besides existence.
    pub(super) size_seen: bool,
    pub(super) granted_seen: Granted,
    /// What stands there now.
    pub(super) generation: u64,
    pub(super) current: Option<RegionNumber>,
}

/// Whose grants mattered, in the order in which they did.
#[derive(Default)]
pub(super) struct Granted {
    all: SmallVec<[Address; 2]>,
    /// The same where there are many: a transaction may ask for thousands, each for a fixed price.
    many: HashSet<Address, RandomState>,
}

/// So many grants are sooner looked through than hashed.
const FEW: usize = 8;

impl Granted {
    pub(super) fn see(&mut self, who: Address) {
        let is_new = match self.many.is_empty() {
            true => !self.all.contains(&who),
            false => self.many.insert(who),
        };
        if is_new {
            self.all.push(who);
            if self.all.len() == FEW {
                self.many.extend(self.all.iter().copied());
            }
        }
    }

    pub(super) fn all(&self) -> &SmallVec<[Address; 2]> {
        &self.all
    }

    pub(super) fn into_all(self) -> SmallVec<[Address; 2]> {
        self.all
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn each_grant_that_mattered_is_there_once_in_its_order() {
        let who = |at: u32| {
            let mut address = Address::default();
            address.0[16..].copy_from_slice(&at.to_be_bytes());
            address
        };
        let mut granted = Granted::default();
        for at in 0..1_000 {
            granted.see(who(at));
            granted.see(who(at / 2));
            granted.see(who(at / 7));
        }
        assert!(granted.all().iter().copied().eq((0..1_000).map(who)));
        assert_eq!(granted.many.len(), 1_000, "none is searched for among all");
    }
}
