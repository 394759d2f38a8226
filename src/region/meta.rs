//! A persistent region's metadata as a versioned location.
//!
//! The location is named by the [`RegionId`], so it exists whether or not there is a region: "there
//! is none" is an observation like any other. A change names what it sets, so transactions that
//! grant to different addresses, or of which one grows and the other grants, do not conflict.

use im::OrdMap;
use smallvec::SmallVec;

use super::{
    handle::{Address, Name, RegionId},
    rights::{Permissions, RegionOptions},
};
use crate::{state::Cell, sync::Arc};

/// What stays the same from a region's creation to its destruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Who created it.
    pub owner: Address,
    /// What the owner calls it; `None` for a pool block.
    pub name: Option<Name>,
    /// The most that anybody may do with it.
    pub ceiling: Permissions,
    /// How it behaves.
    pub options: RegionOptions,
}

/// A region that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// What never changes.
    pub birth: Arc<Birth>,
    /// In bytes, at least 1.
    pub size: u64,
    /// What others than the owner may do, never empty permissions.
    pub grants: OrdMap<Address, Permissions>,
}

impl Live {
    /// What was granted to an address.
    #[must_use]
    pub fn granted(&self, address: Address) -> Permissions {
        self.grants.get(&address).copied().unwrap_or_default()
    }

    /// Sets what is granted to an address; nothing removes the entry.
    pub fn grant(&mut self, address: Address, permissions: Permissions) {
        if permissions == Permissions::NONE {
            self.grants.remove(&address);
        } else {
            self.grants.insert(address, permissions);
        }
    }
}

/// What stands behind a [`RegionId`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// How often a region was created here. That of the region, if there is one.
    pub generation: u64,
    /// The region, if there is one.
    pub live: Option<Live>,
}

/// What a transaction does to a region's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaChange {
    /// Created, destroyed, or both in turn: what stands here now.
    pub replaced: Option<Meta>,
    /// The region grew to that many bytes.
    pub size: Option<u64>,
    /// What was granted or, with nothing, revoked.
    pub grants: Vec<(Address, Permissions)>,
}

impl MetaChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replaced.is_none() && self.size.is_none() && self.grants.is_empty()
    }
}

/// What an incarnation saw of a region's metadata. Existence, generation and birth always count.
#[derive(Clone, Debug)]
pub struct MetaSeen {
    /// All of it.
    pub meta: Meta,
    /// The size mattered.
    pub size: bool,
    /// Whose grants mattered.
    pub granted: SmallVec<[Address; 2]>,
}

/// Metadata of persistent regions.
#[derive(Debug)]
pub enum MetaCell {}

impl Cell for MetaCell {
    type Key = RegionId;
    type Value = Meta;
    type Change = MetaChange;
    type Seen = MetaSeen;

    fn apply(meta: &mut Meta, change: &MetaChange) {
        if let Some(replaced) = &change.replaced {
            meta.clone_from(replaced);
        }
        let Some(live) = &mut meta.live else { return };
        if let Some(size) = change.size {
            live.size = size;
        }
        for (address, permissions) in &change.grants {
            live.grant(*address, *permissions);
        }
    }

    fn holds(now: &Meta, seen: &MetaSeen) -> bool {
        if now.generation != seen.meta.generation {
            return false;
        }
        match (&now.live, &seen.meta.live) {
            (None, None) => true,
            (Some(now), Some(then)) => {
                now.birth == then.birth
                    && (!seen.size || now.size == then.size)
                    && seen.granted.iter().all(|who| now.granted(*who) == then.granted(*who))
            }
            _ => false,
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    fn region(size: u64) -> Meta {
        let birth = Arc::new(Birth {
            owner: Address::from_number(1),
            name: None,
            ceiling: Permissions::ALL,
            options: RegionOptions::PERSISTENT,
        });
        Meta { generation: 1, live: Some(Live { birth, size, grants: OrdMap::new() }) }
    }

    fn seen(meta: &Meta) -> MetaSeen {
        MetaSeen { meta: meta.clone(), size: false, granted: SmallVec::new() }
    }

    #[test]
    fn only_what_mattered_has_to_be_the_same() {
        let before = region(100);
        let (ann, bob) = (Address::from_number(2), Address::from_number(3));
        let mut after = before.clone();
        let grants = vec![(ann, Permissions::READ)];
        MetaCell::apply(&mut after, &MetaChange { size: Some(200), grants, ..Default::default() });

        let mut it = seen(&before);
        assert!(MetaCell::holds(&after, &it));
        it.granted.push(bob);
        assert!(MetaCell::holds(&after, &it));
        it.granted.push(ann);
        assert!(!MetaCell::holds(&after, &it));
        let it = MetaSeen { size: true, ..seen(&before) };
        assert!(!MetaCell::holds(&after, &it));
    }

    #[test]
    fn absence_and_generation_are_observations() {
        let mut destroyed = region(100);
        destroyed.live = None;
        assert!(!MetaCell::holds(&region(100), &seen(&destroyed)));
        assert!(!MetaCell::holds(&destroyed, &seen(&region(100))));
        assert!(!MetaCell::holds(&Meta::default(), &seen(&destroyed)));
        let again = Meta { generation: 2, ..region(100) };
        assert!(!MetaCell::holds(&again, &seen(&region(100))));
    }

    #[test]
    fn changes_to_what_is_not_there_are_nothing() {
        let mut meta = Meta::default();
        MetaCell::apply(&mut meta, &MetaChange { size: Some(5), ..Default::default() });
        assert_eq!(meta, Meta::default());
    }
}
