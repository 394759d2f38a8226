//! Destroyed regions: taken from the registry, held back at level Paranoid, freed.

use super::{
    super::{HostError, registry::Message},
    collector::{Run, Work},
};
use crate::{
    region::{
        page::{PAGE_BYTES, Page},
        regions::Record,
        rights::SecurityLevel,
        tier::{Packed, Stored},
    },
    sync::{Arc, Weak},
};

/// Destroyed regions that one message takes at most.
const BATCH: usize = 1_024;

/// Regions that nobody reaches, for one cycle: who uses a page after its end finds what was there.
#[derive(Default)]
pub(super) struct Quarantine(Vec<Arc<Record>>);

impl Run<'_> {
    pub(super) fn sweep(&mut self, work: &mut Work) -> Result<(), HostError> {
        let mut taken = Vec::new();
        let mut looked = 0;
        loop {
            let budget = BATCH.min(self.extent.regions - looked);
            let batch = self.registry.call(|reply| Message::Sweep { budget, reply })?;
            looked += batch.looked;
            self.report.waiting = batch.waiting as u64;
            taken.extend(batch.records);
            // The limbo goes round: whoever is left was looked at, or was destroyed since.
            let round = batch.looked < budget || looked >= batch.waiting + taken.len();
            if round || looked >= self.extent.regions {
                break;
            }
        }
        if self.collector.config.chain.security_level == SecurityLevel::Paranoid {
            taken = std::mem::replace(&mut work.quarantine.0, taken);
            self.report.quarantined = work.quarantine.0.len() as u64;
            self.report.waiting += self.report.quarantined;
        }
        for record in taken {
            self.collector.metrics.page_bytes().sub(record.pages().tiers().resident_bytes());
            self.report.regions += 1;
            self.report.bytes += free(record);
        }
        Ok(())
    }
}

/// Drops a region, and says how many bytes of pages went with it.
fn free(record: Arc<Record>) -> u64 {
    /// A page that may be shared.
    enum Left {
        Page(Weak<Page>),
        Packed(Weak<Packed>, u64),
    }
    let left = |stored: &Stored| match stored {
        Stored::Raw(page) | Stored::Dense(page) => Some(Left::Page(Arc::downgrade(page))),
        Stored::Packed(packed) => Some(Left::Packed(Arc::downgrade(packed), packed.len() as u64)),
        Stored::Spilled(_) => None,
    };
    let pages: Vec<Left> = record.pages().iter().filter_map(|(_, stored)| left(stored)).collect();
    drop(record);
    let bytes = |left: Left| match left {
        Left::Page(page) if page.strong_count() == 0 => PAGE_BYTES as u64,
        Left::Packed(packed, bytes) if packed.strong_count() == 0 => bytes,
        _ => 0,
    };
    pages.into_iter().map(bytes).sum()
}
