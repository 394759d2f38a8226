//! The commonest case: bytes within one page that the frame has reached before.
//!
//! Nothing of it is cold, new or copied, so its gas is base and data, and there is nothing to ask the
//! world. Seen from outside it is the general analysis, only sooner; whatever is out of the ordinary
//! goes there. On a warm page this made a read of 32 bytes twice as fast.

use super::{
    super::{
        operation::{Call, Operation, small},
        page::PAGE_BYTES,
        page_map::PageNumber,
        rights::MapOptions,
    },
    Session,
    plan::{Place, Plan, Step},
};

use crate::observe::OperationKind;

impl Session {
    /// The plan of a read or a write of which nothing is out of the ordinary.
    #[inline]
    pub(super) fn quick(&self, call: &Call, operation: &Operation) -> Option<Plan> {
        let (ordinal, offset, len, kind) = match operation {
            Operation::Read { mapping, offset, len } => (mapping, offset, len, OperationKind::Read),
            Operation::Write { mapping, offset, len } => {
                (mapping, offset, len, OperationKind::Write)
            }
            _ => return None,
        };
        let writes = kind == OperationKind::Write;
        let at = usize::try_from(small(ordinal)?).ok()?.checked_sub(1)?;
        let (offset, len) = (small(offset)?, small(len)?);
        let frame = self.frames.get(call.frame)?;
        let mapping = frame.mappings.get(at).filter(|mapping| mapping.live)?;
        let local = self.regions.get(mapping.region)?;
        if mapping.snapshot.is_some() || local.from_world && !local.size_seen {
            return None;
        }
        let size = mapping.len.unwrap_or_else(|| local.size().saturating_sub(mapping.start));
        if len == 0 || offset.checked_add(len)? > size {
            return None;
        }
        let begin = mapping.start + offset;
        let page = begin / PAGE_BYTES as u64;
        let leaf = local.pages.get(PageNumber(page))?;
        if (begin + (len - 1)) / PAGE_BYTES as u64 != page || !(leaf.warm && leaf.loaded) {
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
        let schedule = &self.config.gas;
        let gas = schedule.base[kind as usize].checked_add(schedule.data(len))?;
        if gas > call.gas {
            return None;
        }
        let place = Place { frame: call.frame, at };
        let step = if writes {
            Step::Write { place, offset: begin, grow: None }
        } else {
            Step::Read { place, offset: begin }
        };
        Some(Plan { gas, bytes: len, words: 0, warm: None, kind, step })
    }
}
