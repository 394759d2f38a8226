//! The commonest case: bytes within one page that the frame has reached before.
//!
//! Nothing of it is cold, new or observed for the first time, so its gas is base and data, and there
//! is nothing to ask the world. Seen from outside it is the general analysis followed by its
//! execution, only sooner; whatever is out of the ordinary goes that way.
//!
//! Analysis and execution are one call, [`Session::read_at`], because a plan in between is what costs:
//! it is moved three times, and the page's leaf is looked up again. A warm word of a region of 1,024
//! pages takes 12 ns to read, and 22 with a plan in between (`cargo bench --bench region -- "32 B"`);
//! to write one takes 40.
//!
//! Tried, and no faster: copying a word without a call of `memcpy` (0.3 ns), copying a whole page by
//! halves (nothing, once the pages lie at different offsets of memory's), and a
//! [`get_mut`](super::super::page_map::PageMap::get_mut) without its look whether the page is there
//! (nothing). What is left of a write are the exchanges of a count by which an `Arc` makes sure that it
//! is the only one: three nodes and the page.

use super::{
    super::{
        mask::WordMask,
        operation::{Access, Call, Fault, Moved, Operation, small},
        page::PAGE_BYTES,
        page_map::PageNumber,
        rights::MapOptions,
        world::World,
    },
    Session,
    local::{Leaf, Local, RegionNumber},
    plan::{Place, Plan, Step},
};

use crate::observe::OperationKind;

/// A read or write of which nothing is out of the ordinary.
struct Ordinary {
    gas: u64,
    /// How many bytes, one at least.
    len: u64,
    /// Of the mapping.
    at: usize,
    region: RegionNumber,
    page: PageNumber,
    /// Where in the page it begins.
    begin: usize,
}

impl Session {
    /// Analyses a read and carries it out: the first [`Moved::bytes`] bytes of `into`, which has as
    /// many as are asked for, are set.
    ///
    /// # Errors
    ///
    /// [`Fault`], as of [`Session::analyse`].
    #[inline]
    pub fn read_at(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        access: &Access,
        into: &mut [u8],
    ) -> Result<Moved, Fault> {
        if let Some(moved) = self.read_now(call, access, into) {
            return Ok(moved);
        }
        let Access { mapping, offset, len } = *access;
        let plan =
            self.analyse_at_length(world, call, &Operation::Read { mapping, offset, len })?;
        let moved = Moved { gas: plan.gas, bytes: plan.bytes };
        self.read(plan, into);
        Ok(moved)
    }

    /// Analyses a write and carries it out: the first [`Moved::bytes`] bytes of `data`, which has as
    /// many as are asked for, are written.
    ///
    /// # Errors
    ///
    /// [`Fault`], as of [`Session::analyse`].
    #[inline]
    pub fn write_at(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        access: &Access,
        data: &[u8],
    ) -> Result<Moved, Fault> {
        if let Some(moved) = self.write_now(call, access, data) {
            return Ok(moved);
        }
        let Access { mapping, offset, len } = *access;
        let plan =
            self.analyse_at_length(world, call, &Operation::Write { mapping, offset, len })?;
        let moved = Moved { gas: plan.gas, bytes: plan.bytes };
        self.write(plan, data);
        Ok(moved)
    }

    /// [`Session::read_at`] where the world has no say in it. `None`: nothing was done, and it may
    /// have.
    #[inline]
    pub fn read_now(&mut self, call: &Call, access: &Access, into: &mut [u8]) -> Option<Moved> {
        let (ordinary, local, leaf) = self.ordinary(call, access, OperationKind::Read)?;
        let Ordinary { gas, len, begin, .. } = ordinary;
        let range = begin..begin + len as usize;
        let seen = || {
            let words = WordMask::covering(range.clone()).without(leaf.written);
            leaf.seen.contains_all(words)
        };
        if local.from_world && !seen() {
            return None;
        }
        let into = into.get_mut(..len as usize)?;
        match &leaf.page {
            Some(page) => into.copy_from_slice(page.bytes().get(range)?),
            None => into.fill(0),
        }
        self.usage.record(OperationKind::Read, &Ok::<(), ()>(()));
        self.usage.gas += gas;
        self.usage.bytes_read += len;
        Some(Moved { gas, bytes: len })
    }

    /// [`Session::write_at`] where the world has no say in it. `None`: nothing was done, and it may
    /// have.
    #[inline]
    pub fn write_now(&mut self, call: &Call, access: &Access, data: &[u8]) -> Option<Moved> {
        let (ordinary, ..) = self.ordinary(call, access, OperationKind::Write)?;
        let Ordinary { gas, len, region, page, begin, .. } = ordinary;
        let data = data.get(..len as usize)?;
        self.write_shared(call.frame, region, page, begin..begin + data.len(), data);
        self.usage.record(OperationKind::Write, &Ok::<(), ()>(()));
        self.usage.gas += gas;
        self.usage.bytes_written += len;
        Some(Moved { gas, bytes: len })
    }

    /// The plan of a read or a write of which nothing is out of the ordinary.
    #[inline]
    pub(super) fn quick(&self, call: &Call, operation: &Operation) -> Option<Plan> {
        let (access, kind) = match *operation {
            Operation::Read { mapping, offset, len } => {
                (Access { mapping, offset, len }, OperationKind::Read)
            }
            Operation::Write { mapping, offset, len } => {
                (Access { mapping, offset, len }, OperationKind::Write)
            }
            _ => return None,
        };
        let (Ordinary { gas, len, at, page, begin, .. }, ..) =
            self.ordinary(call, &access, kind)?;
        let place = Place { frame: call.frame, at };
        let offset = page.0 * PAGE_BYTES as u64 + begin as u64;
        let step = match kind {
            OperationKind::Write => Step::Write { place, offset, grow: None },
            _ => Step::Read { place, offset },
        };
        Some(Plan { gas, bytes: len, words: 0, warm: None, kind, step })
    }

    /// What is asked for, if it is ordinary, with the region and the page's leaf.
    #[inline]
    fn ordinary(
        &self,
        call: &Call,
        access: &Access,
        kind: OperationKind,
    ) -> Option<(Ordinary, &Local, &Leaf)> {
        let writes = kind == OperationKind::Write;
        let at = usize::try_from(small(&access.mapping)?).ok()?.checked_sub(1)?;
        let (offset, len) = (small(&access.offset)?, small(&access.len)?);
        let frame = self.frames.get(call.frame)?;
        let mapping = frame.mappings.get(at).filter(|mapping| mapping.live)?;
        let region = mapping.region;
        let local = self.regions.get(region)?;
        if mapping.snapshot.is_some() || local.from_world && !local.size_seen {
            return None;
        }
        let size = mapping.len.unwrap_or_else(|| local.size().saturating_sub(mapping.start));
        if len == 0 || offset.checked_add(len)? > size {
            return None;
        }
        let begin = mapping.start + offset;
        let page = PageNumber(begin / PAGE_BYTES as u64);
        let begin = begin % PAGE_BYTES as u64;
        // In this order nothing overflows, however long it is.
        if len > PAGE_BYTES as u64 - begin {
            return None;
        }
        let schedule = &self.config.gas;
        let gas = schedule.base[kind as usize].checked_add(schedule.data(len))?;
        if gas > call.gas {
            return None;
        }
        let leaf = local.pages.get(page)?;
        if !(leaf.warm && leaf.loaded) {
            return None;
        }
        let ordinary_write = || {
            !call.is_static
                && !mapping.options.contains(MapOptions::READ_ONLY)
                && leaf.page.is_some()
                && leaf.writer == frame.serial
                && leaf.paid
                && (leaf.presence || !local.from_world)
        };
        if writes && !ordinary_write() {
            return None;
        }
        let begin = begin as usize;
        Some((Ordinary { gas, len, at, region, page, begin }, local, leaf))
    }
}
