//! What one worker remembers of the regions of its block: metadata of its own, and where pages stand.
//!
//! A worker's transactions map the regions that those of the other workers map. Each mapping clones the
//! region's metadata, whose parts count their holders, and whoever ends a transaction takes the counts
//! back: some ten changes of two cache lines that the workers take from each other, beside those of the
//! registry's mailbox. What that costs is up to the machine: 25 ns a line where the cores share a cache,
//! 160 ns where they do not, and a transaction that advances a word of a region takes 4 µs.
//!
//! So what the registry has once answered for a block is not asked again, as long as no transaction has
//! touched the region's metadata, and from the second use on a worker clones a copy that it alone has.
//!
//! ```text
//!  id ──► known here? ──► entry untouched? ──► own copy        reads what nobody writes
//!            │ no             │ no
//!            └────────────────┴──────────────► the registry
//! ```
//!
//! # Why that answer is the registry's
//!
//! An entry is filled by the registry alone, once, with what it would answer anybody as long as nobody
//! has touched it. To find it untouched is to have asked before the first change: the reader is not told
//! of that change, but its observation is compared at the commit cursor, which sees the entry touched
//! whenever a lower transaction has committed a change ([`crate::state`] has the argument). Only
//! regions that exist are answered so, since most transactions leave those as they are; who looks for
//! one that does not exist is about to see it created, and is better told.
//!
//! `loom-tests/region_versions.rs` explores a grant that is revoked beside a worker that remembers it.
//!
//! What is remembered holds a lease, so the region stays out of the collector's reach until the block ends,
//! as it does for a transaction that asked.

use super::{
    content::PageCell,
    handle::RegionId,
    meta::{Live, Meta, MetaCell},
};
use crate::{
    registry::Lease,
    state::{EntryId, Guide, Table},
    sync::Arc,
};

/// Regions that are remembered. Each has one place, by its number.
const REMEMBERED: usize = 32;
/// Grants that are worth a copy. There may be any number, and whoever finds two regions of one place could have
/// them copied with every other transaction.
const FEW_GRANTS: usize = 64;

/// The memory of one worker, for one block at a time.
#[derive(Default)]
pub struct Known {
    /// Empty until there is something to remember.
    metas: Box<[Option<Remembered>]>,
    /// Of the pages that it met lately.
    pub(super) pages: Guide<PageCell>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// A region that was looked up.
struct Remembered {
    id: RegionId,
    entry: EntryId,
    /// From the second use on.
    own: Option<Meta>,
    _lease: Option<Lease>,
}

impl Known {
    /// Turns to another block: nothing of the former one is true of it.
    pub fn forget(&mut self) {
        self.metas.fill_with(|| None);
        self.pages.forget();
    }

    /// What stands behind an id, if it exists and no transaction has touched it.
    pub(super) fn untouched(
        &mut self,
        metas: &Table<MetaCell>,
        id: RegionId,
        lease: impl FnOnce() -> Option<Lease>,
    ) -> Option<(EntryId, Meta)> {
        if self.metas.is_empty() {
            self.metas = (0..REMEMBERED).map(|_| None).collect();
        }
        // An id is a hash.
        let place = &mut self.metas[id.bytes()[0] as usize % REMEMBERED];
        match place {
            Some(known) if known.id == id => {
                let now = metas.entry(known.entry).untouched();
                let own = match &known.own {
                    Some(own) if now.is_some() => own,
                    _ => known.own.insert(own_copy(now?)),
                };
                Some((known.entry, own.clone()))
            }
            _ => {
                let entry = metas.find(&id)?;
                let meta = metas.entry(entry).untouched().filter(|meta| meta.live.is_some())?;
                let meta = meta.clone();
                *place = Some(Remembered { id, entry, own: None, _lease: lease() });
                Some((entry, meta))
            }
        }
    }
}

/// The same metadata, of which no part is shared but many grants.
fn own_copy(meta: &Meta) -> Meta {
    let live = meta.live.as_ref().map(|live| Live {
        birth: Arc::new((*live.birth).clone()),
        size: live.size,
        grants: match live.grants.len() {
            ..=FEW_GRANTS => live.grants.iter().map(|(who, granted)| (*who, *granted)).collect(),
            _ => live.grants.clone(),
        },
    });
    Meta { generation: meta.generation, live }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::{
        region::{
            handle::{Address, Kind},
            meta::{Birth, MetaChange},
            rights::{Permissions, RegionOptions},
        },
        state::TxIndex,
    };

    fn region() -> Meta {
        let birth = Arc::new(Birth {
            owner: Address::from_number(1),
            name: None,
            ceiling: Permissions::ALL,
            options: RegionOptions::PERSISTENT,
        });
        Meta { generation: 1, live: Some(Live { birth, size: 100, grants: Default::default() }) }
    }

    #[test]
    fn what_was_answered_is_known_until_it_is_touched_and_copied_from_the_second_use_on() {
        let table: Table<MetaCell> = Table::new();
        let id = RegionId::of(Kind::Persistent, Address::from_number(1), None);
        let mut known = Known::default();
        assert!(known.untouched(&table, id, || None).is_none(), "nobody has asked");
        let (at, meta) = (table.intern(&id), region());
        assert!(known.untouched(&table, id, || None).is_none(), "nobody has answered");
        table.entry(at).fill(meta.clone());
        let shared: Vec<bool> = (0..3)
            .map(|_| {
                let (found, copy) = known.untouched(&table, id, || None).expect("it is known");
                assert_eq!((found, &copy), (at, &meta));
                let birth = |meta: &Meta| meta.live.as_ref().map(|live| Arc::as_ptr(&live.birth));
                birth(&copy) == birth(&meta)
            })
            .collect();
        assert_eq!(shared, [true, false, false]);
        let change = MetaChange { size: Some(200), ..MetaChange::default() };
        table.entry(at).publish(TxIndex(3), change, &mut Vec::new());
        assert!(known.untouched(&table, id, || None).is_none(), "somebody may have changed it");
    }

    #[test]
    fn what_does_not_exist_is_asked_for_each_time() {
        let table: Table<MetaCell> = Table::new();
        let id = RegionId::of(Kind::Persistent, Address::from_number(1), None);
        table.entry(table.intern(&id)).fill(Meta::default());
        assert!(Known::default().untouched(&table, id, || None).is_none());
    }
    #[test]
    fn many_grants_stay_shared_and_few_do_not() {
        for (number, shared) in [(FEW_GRANTS, false), (FEW_GRANTS + 1, true)] {
            let mut meta = region();
            let live = meta.live.as_mut().expect("it lives");
            let grantees = (0..number as u64).map(Address::from_number);
            live.grants = grantees.map(|who| (who, Permissions::ALL)).collect();
            let copy = own_copy(&meta);
            assert_eq!(copy, meta);
            let grants = |meta: &Meta| meta.live.as_ref().expect("it lives").grants.clone();
            assert_eq!(grants(&copy).ptr_eq(&grants(&meta)), shared);
        }
    }

    #[test]
    fn regions_of_one_place_take_turns_and_a_block_s_end_forgets_them() {
        let table: Table<MetaCell> = Table::new();
        let id = |number| RegionId::of(Kind::Persistent, Address::from_number(number), None);
        let place = |id: &RegionId| id.bytes()[0] as usize % REMEMBERED;
        let first = id(1);
        let second = (2..).map(id).find(|other| place(other) == place(&first)).expect("one of 32");
        let mut known = Known::default();
        for (id, size) in [(first, 1), (second, 2)] {
            let mut meta = region();
            meta.live.as_mut().expect("it lives").size = size;
            table.entry(table.intern(&id)).fill(meta);
        }
        let mut size = |id| {
            let (_, meta) = known.untouched(&table, id, || None).expect("it is known");
            meta.live.expect("it lives").size
        };
        let sizes = [first, first, second, first, second, second].map(&mut size);
        assert_eq!(sizes, [1, 1, 2, 1, 2, 2]);
        known.forget();
        assert!(known.untouched(&Table::new(), first, || None).is_none(), "another block's table");
    }
}
