//! Memory beyond the budget: pages go into a file, those first that were not used for longest.
//!
//! A region that the last block used stays. Otherwise age decides the order, and only that: what is
//! in a file reads the same.

use super::{
    super::HostError,
    collector::{Run, Work},
    cool::compression_of,
};
use crate::{
    region::{
        handle::Handle,
        regions::{Record, Reform},
        rights::Compression,
        tier::{Packer, Spill, Stored},
    },
    sync::Arc,
};

impl Run<'_> {
    pub(super) fn relieve(&mut self, work: &mut Work) -> Result<(), HostError> {
        let done = match &mut work.spill {
            Some(spill) if self.excess() > 0 => self.spill(spill, &mut work.packer),
            _ => Ok(()),
        };
        self.report.over_budget = self.excess();
        done
    }

    /// Bytes of live pages that are too many.
    fn excess(&self) -> u64 {
        let resident = self.collector.table.load().tiers().resident_bytes();
        resident.saturating_sub(self.collector.config.host.memory_budget)
    }

    fn spill(&mut self, spill: &mut Spill, packer: &mut Packer) -> Result<(), HostError> {
        let table = self.collector.table.load_full();
        let unused = table.live().filter(|(_, record)| {
            record.uses().last_block < self.block && record.pages().tiers().resident_bytes() > 0
        });
        let mut unused: Vec<(Handle, &Arc<Record>)> = unused.collect();
        unused.sort_by_key(|(_, record)| record.uses().last_block);
        for (handle, record) in unused {
            if self.extent.pages == 0 || !self.spill_region(handle, record, spill, packer)? {
                break;
            }
        }
        Ok(())
    }

    /// Says whether there is still too much.
    fn spill_region(
        &mut self,
        handle: Handle,
        record: &Record,
        spill: &mut Spill,
        packer: &mut Packer,
    ) -> Result<bool, HostError> {
        let method = compression_of(record);
        let mut pages = record.pages().iter();
        loop {
            let mut excess = self.excess();
            if excess == 0 {
                return Ok(false);
            }
            let mut forms = Vec::new();
            while forms.len() < self.batch() && excess > 0 {
                let Some((page, before)) = pages.next() else { break };
                let sum = record.page_sum(page).copied().unwrap_or_default();
                let spilled = match before {
                    Stored::Spilled(_) => continue,
                    Stored::Packed(packed) => spill.push(&sum, packed.method(), packed.bytes()),
                    Stored::Raw(raw) | Stored::Dense(raw) => match packer.pack(raw, method) {
                        Some(packed) => spill.push(&sum, packed.method(), packed.bytes()),
                        None => spill.push(&sum, Compression::None, raw.bytes()),
                    },
                }?;
                excess = excess.saturating_sub(before.resident_bytes());
                let after = Stored::Spilled(Arc::new(spilled));
                forms.push(Reform { page, before: before.clone(), after });
            }
            let Some(done) = self.reform(handle, forms)? else { return Ok(true) };
            let (before, after) = (done.before, done.after);
            self.report.spilled_pages += after.spilled.saturating_sub(before.spilled);
            let freed = before.resident_bytes().saturating_sub(after.resident_bytes());
            self.report.spilled_bytes += freed;
        }
    }
}
