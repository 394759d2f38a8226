//! What an analysis has decided.

use super::{
    super::{
        handle::{Address, Handle, RegionId},
        meta::Live,
        rights::{MapOptions, Permissions},
    },
    local::RegionNumber,
};
use crate::{observe::OperationKind, pool::Class};

/// An operation that is possible, with what it costs. Carry it out at once, or drop it.
#[must_use]
#[derive(Debug)]
pub struct Plan {
    /// All of it, the base included; memory and data of the caller aside.
    pub gas: u64,
    /// Bytes that it reads or writes.
    pub bytes: u64,
    /// Words of page memory it adds.
    pub(super) words: u64,
    /// What it looks up first. Boxed, as other large parts are: plans are handed over by value, and
    /// few have one.
    pub(super) warm: Option<Box<RegionId>>,
    pub(super) kind: OperationKind,
    pub(super) step: Step,
}

/// Where a mapping stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) frame: usize,
    pub(super) at: usize,
}

/// A region's lifetime on its creation.
#[derive(Debug)]
pub(super) enum Life {
    Persistent {
        id: RegionId,
        generation: u64,
    },
    /// With the name it goes by.
    Transaction {
        id: RegionId,
    },
}

#[derive(Debug)]
pub(super) enum Step {
    Alloc {
        class: Class,
        live: Box<Live>,
    },
    Create {
        life: Box<Life>,
        live: Box<Live>,
    },
    Open {
        handle: Option<Handle>,
    },
    Map(Box<Map>),
    Unmap {
        place: Place,
    },
    Publish {
        place: Place,
    },
    /// `offset` is that of the region.
    Read {
        place: Place,
        offset: u64,
    },
    Write {
        place: Place,
        offset: u64,
        grow: Option<u64>,
    },
    Copy {
        place: Place,
        /// Where to, and where from.
        ends: Box<(u64, u64)>,
        grow: Option<u64>,
    },
    Grow {
        region: RegionNumber,
        size: u64,
    },
    Grant {
        region: RegionNumber,
        address: Address,
        permissions: Permissions,
    },
    Destroy {
        region: RegionNumber,
    },
    Info {
        size: u64,
        permissions: Permissions,
    },
    Code {
        region: RegionNumber,
        offset: u64,
    },
}

#[derive(Debug)]
pub(super) struct Map {
    pub(super) frame: usize,
    pub(super) region: RegionNumber,
    pub(super) options: MapOptions,
    pub(super) rights: Permissions,
    pub(super) start: u64,
    pub(super) len: Option<u64>,
}
