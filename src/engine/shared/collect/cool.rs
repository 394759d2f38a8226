//! Cold pages: compressed as their region asks, or moved out of a worn file.

use super::{
    super::{HostError, registry::Message, registry::Reformed},
    collector::{Run, Work},
};
use crate::{
    region::{
        handle::Handle,
        page_map::PageNumber,
        regions::{Record, Reform},
        rights::Compression,
        tier::{Packer, Spill, Stored},
    },
    sync::Arc,
};

/// Pages whose form one message changes at most.
pub(super) const BATCH: usize = 64;

/// How a region's pages are compressed.
pub(super) fn compression_of(record: &Record) -> Compression {
    let live = record.meta().live.as_ref();
    live.and_then(|live| live.birth.options.compression()).unwrap_or_default()
}

impl Run<'_> {
    /// Looks at regions, from where the last step stopped.
    pub(super) fn cool(&mut self, work: &mut Work) -> Result<(), HostError> {
        let table = self.collector.table.load_full();
        let from = work.place.take();
        // A whole run sees all regions, wherever it begins.
        let whole = self.extent.regions == usize::MAX;
        let regions = table.after(from.filter(|_| !whole));
        // What was destroyed counts, too: it stays in the table for ever, and there may be far more of it.
        for (looked, (handle, record)) in regions.enumerate() {
            if looked >= self.extent.regions || self.extent.pages == 0 {
                break;
            }
            if record.meta().live.is_none() {
                work.place = Some(handle.id());
                continue;
            }
            self.report.looked += 1;
            self.compress(handle, record, &mut work.packer)?;
            if let Some(spill) = &mut work.spill {
                self.repack(handle, record, spill)?;
            }
            // One that is not done is looked at again.
            if self.extent.pages > 0 {
                work.place = Some(handle.id());
            }
        }
        let more = table.after(work.place).next().is_some();
        work.place = work.place.filter(|_| more && !whole);
        Ok(())
    }

    /// Compresses the pages of a region that has been left alone for long.
    fn compress(
        &mut self,
        handle: Handle,
        record: &Record,
        packer: &mut Packer,
    ) -> Result<(), HostError> {
        let method = compression_of(record);
        let cold_after = self.collector.config.host.collector.cold_after;
        let cold = record.uses().last_block.saturating_add(cold_after) <= self.block;
        if !cold || method == Compression::None || record.pages().tiers().raw == 0 {
            return Ok(());
        }
        let mut pages = record.pages().iter();
        while self.extent.pages > 0 {
            let raw = pages.by_ref().filter_map(|(number, stored)| match stored {
                Stored::Raw(page) => Some((number, page)),
                _ => None,
            });
            let forms = raw.take(self.batch()).map(|(page, raw)| Reform {
                page,
                before: Stored::Raw(raw.clone()),
                after: match packer.pack(raw, method) {
                    Some(packed) => Stored::Packed(Arc::new(packed)),
                    None => Stored::Dense(raw.clone()),
                },
            });
            let Some(Reformed { before, after }) = self.reform(handle, forms.collect())? else {
                break;
            };
            self.report.compressed_pages += after.packed.saturating_sub(before.packed);
            let saved = before.resident_bytes().saturating_sub(after.resident_bytes());
            self.report.saved_bytes += saved;
        }
        Ok(())
    }

    /// Moves pages out of files that are to end.
    fn repack(
        &mut self,
        handle: Handle,
        record: &Record,
        spill: &mut Spill,
    ) -> Result<(), HostError> {
        if record.pages().tiers().spilled == 0 {
            return Ok(());
        }
        let mut pages = record.pages().iter();
        while self.extent.pages > 0 {
            let old = pages.by_ref().filter(|(_, stored)| match stored {
                Stored::Spilled(spilled) => spill.is_old(spilled),
                _ => false,
            });
            let old: Vec<(PageNumber, &Stored)> = old.take(self.batch()).collect();
            let mut forms = Vec::with_capacity(old.len());
            for (page, stored) in &old {
                let Stored::Spilled(spilled) = stored else { continue };
                let sum = record.page_sum(*page).copied().unwrap_or_default();
                match spill.copy(spilled, &sum)? {
                    Ok(copy) => forms.push(Reform {
                        page: *page,
                        before: (*stored).clone(),
                        after: Stored::Spilled(Arc::new(copy)),
                    }),
                    // It stays where it is: whoever needs it is told.
                    Err(damage) => tracing::warn!(%handle, page = page.0, %damage, "lost"),
                }
            }
            let moved = forms.len() as u64;
            if old.is_empty() {
                break;
            }
            if self.reform(handle, forms)?.is_some() {
                self.report.moved_pages += moved;
            }
        }
        Ok(())
    }

    /// How many pages the next message may change.
    pub(super) fn batch(&self) -> usize {
        BATCH.min(usize::try_from(self.extent.pages).unwrap_or(usize::MAX))
    }

    /// Has the registry put pages into other forms; `None` without any.
    pub(super) fn reform(
        &mut self,
        handle: Handle,
        forms: Vec<Reform>,
    ) -> Result<Option<Reformed>, HostError> {
        if forms.is_empty() {
            return Ok(None);
        }
        self.extent.pages -= forms.len() as u64;
        let ask = |reply| Message::Reform { handle, forms, reply };
        Ok(Some(self.registry.call(ask)?))
    }
}
