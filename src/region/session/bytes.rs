//! Moving bytes between a caller and the transaction's overlay.
//!
//! ```text
//!  shared mapping         overlay leaf ── page ──► what is now        leaf ── base ──► the world's
//!  copy-on-write mapping  private page, else the snapshot's leaf, else the world's: `snapshot`
//! ```
//!
//! Reading a word that the transaction has not written observes it; so does writing a part of one.

use std::ops::Range;

use super::{
    super::{
        mask::WordMask,
        operation::Output,
        page::{PAGE_BYTES, Page, page_mut},
        page_map::PageNumber,
    },
    Session,
    journal::Undo,
    local::{Leaf, RegionNumber},
    plan::{Place, Plan, Step},
};
use crate::sync::Arc;

/// Cuts `len` bytes from `offset` into parts of single pages: the page, the range within it, and
/// the range within the whole.
fn parts(
    offset: u64,
    len: usize,
) -> impl Iterator<Item = (PageNumber, Range<usize>, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let page = PageNumber(at / PAGE_BYTES as u64);
        let begin = (at % PAGE_BYTES as u64) as usize;
        let count = (PAGE_BYTES - begin).min(len - done);
        let part = (page, begin..begin + count, done..done + count);
        done += count;
        Some(part)
    })
}

/// A page with these bytes of another, which begin where it does, and zeros.
fn begin_of(page: &Page, range: Range<usize>) -> Arc<Page> {
    let mut begin = Page::zeroed();
    page_mut(&mut begin)[range.clone()].copy_from_slice(&page.bytes()[range]);
    begin
}

impl Session {
    /// Carries out a read: the first [`Plan::bytes`] bytes of `into` are set, if it has so many.
    #[inline]
    pub fn read(&mut self, plan: Plan, into: &mut [u8]) -> Output {
        let Step::Read { place, offset } = plan.step else { return self.execute(plan) };
        self.begin(&plan);
        let bytes = into.len().min(plan.bytes as usize);
        self.read_bytes(place, offset, &mut into[..bytes]);
        self.usage.bytes_read += plan.bytes;
        Output::Bytes(plan.bytes)
    }

    /// Carries out a read of whole pages: hands them over without copying a byte. `None`, and nothing
    /// is done, if the plan's range does not begin at a page. Of a page that the range ends in, only
    /// what lies within is handed over, by copying, and zeros: the rest is not observed, so whoever
    /// saw it would depend on something that nobody checks.
    #[must_use]
    pub fn read_pages(&mut self, plan: Plan) -> Option<Vec<Arc<Page>>> {
        let Step::Read { place, offset } = plan.step else { return None };
        if !offset.is_multiple_of(PAGE_BYTES as u64) {
            return None;
        }
        self.begin(&plan);
        self.usage.bytes_read += plan.bytes;
        let pages = parts(offset, plan.bytes as usize)
            .map(|(page, range, _)| (self.page_to_read(place, page, range.clone()), range))
            .map(|(page, range)| match page {
                Some(page) if range.len() < PAGE_BYTES => begin_of(&page, range),
                Some(page) => page,
                None => Page::zeroed(),
            });
        Some(pages.collect())
    }

    /// Carries out a write of [`Plan::bytes`] bytes; `data` has as many, or more.
    pub fn write(&mut self, plan: Plan, data: &[u8]) -> Output {
        let Step::Write { place, offset, grow } = plan.step else { return self.execute(plan) };
        self.begin(&plan);
        self.grow_for(place, grow);
        let bytes = data.len().min(plan.bytes as usize);
        self.write_bytes(place, offset, &data[..bytes]);
        self.usage.bytes_written += plan.bytes;
        Output::Bytes(plan.bytes)
    }

    /// Carries out a write of whole pages, which are taken over without copying a byte. `None`, and
    /// nothing is done, if the plan's range does not begin at a page. Of a page at the region's end
    /// only what lies within is taken, by copying.
    #[must_use]
    pub fn write_pages(&mut self, plan: Plan, pages: &[Arc<Page>]) -> Option<Output> {
        let Step::Write { place, offset, grow } = plan.step else { return None };
        if !offset.is_multiple_of(PAGE_BYTES as u64) {
            return None;
        }
        self.begin(&plan);
        self.grow_for(place, grow);
        for ((page, range, _), data) in parts(offset, plan.bytes as usize).zip(pages) {
            if range.len() == PAGE_BYTES && self.mapping_at(place).snapshot.is_none() {
                let region = self.mapping_at(place).region;
                if let Some((leaf, _)) = self.leaf_to_write(place.frame, region, page) {
                    leaf.page = Some(data.clone());
                    leaf.written = WordMask::FULL;
                }
            } else {
                let at = page.0 * PAGE_BYTES as u64 + range.start as u64;
                self.write_bytes(place, at, &data.bytes()[range]);
            }
        }
        self.usage.bytes_written += plan.bytes;
        Some(Output::Bytes(plan.bytes))
    }

    /// Carries out an exec as far as the region goes: its bytes.
    pub fn code(&mut self, plan: Plan) -> Vec<u8> {
        let Step::Code { region, offset } = plan.step else { return Vec::new() };
        self.begin(&plan);
        let mut code = vec![0; plan.bytes as usize];
        for (page, range, whole) in parts(offset, code.len()) {
            if let Some(page) = self.shared_page(region, page, range.clone()) {
                code[whole].copy_from_slice(&page.bytes()[range]);
            }
        }
        code
    }

    fn grow_for(&mut self, place: Place, grow: Option<u64>) {
        if let Some(size) = grow {
            let region = self.mapping_at(place).region;
            self.grow(region, size);
        }
    }

    #[inline]
    fn read_bytes(&mut self, place: Place, offset: u64, into: &mut [u8]) {
        let (page, begin) = (offset / PAGE_BYTES as u64, (offset % PAGE_BYTES as u64) as usize);
        let within = begin..begin + into.len();
        if within.end <= PAGE_BYTES && self.read_known(place, PageNumber(page), within, into) {
            return;
        }
        self.read_parts(place, offset, into);
    }

    fn read_parts(&mut self, place: Place, offset: u64, into: &mut [u8]) {
        for (page, range, whole) in parts(offset, into.len()) {
            if self.read_known(place, page, range.clone(), &mut into[whole.clone()]) {
                continue;
            }
            match self.page_to_read(place, page, range.clone()) {
                Some(page) => into[whole].copy_from_slice(&page.bytes()[range]),
                None => into[whole].fill(0),
            }
        }
    }

    /// Reads through a shared mapping what was touched and observed before, which needs no note.
    #[inline]
    fn read_known(
        &self,
        place: Place,
        page: PageNumber,
        range: Range<usize>,
        into: &mut [u8],
    ) -> bool {
        let mapping = self.mapping_at(place);
        let local = &self.regions[mapping.region];
        let Some(leaf) = local.pages.get(page) else { return false };
        let observed = !local.from_world
            || leaf.seen.contains_all(WordMask::covering(range.clone()).without(leaf.written));
        if mapping.snapshot.is_some() || !leaf.warm || !observed {
            return false;
        }
        match &leaf.page {
            Some(page) => into.copy_from_slice(&page.bytes()[range]),
            None => into.fill(0),
        }
        true
    }

    pub(super) fn shared_page(
        &mut self,
        region: RegionNumber,
        page: PageNumber,
        range: Range<usize>,
    ) -> Option<Arc<Page>> {
        let written = self.regions[region].pages.get(page)?.written;
        self.observe(region, page, WordMask::covering(range).without(written));
        self.regions[region].pages.get(page)?.page.clone()
    }

    /// Notes that words of what the world holds matter, and that the page is warm.
    pub(super) fn observe(&mut self, region: RegionNumber, page: PageNumber, words: WordMask) {
        let local = &mut self.regions[region];
        let words = if local.from_world { words } else { WordMask::EMPTY };
        let Some(leaf) = local.pages.get(page) else { return };
        if leaf.warm && leaf.seen.contains_all(words) {
            return;
        }
        let Some(leaf) = local.pages.get_mut(page) else { return };
        leaf.seen = leaf.seen.union(words);
        if !std::mem::replace(&mut leaf.warm, true) {
            self.usage.pages_touched += 1;
            self.enter(Undo::PageWarm { region, page });
        }
    }

    /// The leaf of a page that is about to be written: warm, in the journal, and its write paid for.
    fn leaf_to_write(
        &mut self,
        frame: usize,
        region: RegionNumber,
        page: PageNumber,
    ) -> Option<(&mut Leaf, bool)> {
        let epoch = self.mark_epoch();
        let Self { regions, frames, journal, usage, .. } = self;
        let local = &mut regions[region];
        let leaf = local.pages.get_mut(page)?;
        // Without a checkpoint there is nothing to go back to.
        let journaled = epoch > 0;
        if !std::mem::replace(&mut leaf.warm, true) {
            usage.pages_touched += 1;
            if journaled {
                journal.push(Undo::PageWarm { region, page });
            }
        }
        if leaf.saved < epoch {
            let before = leaf.before();
            leaf.saved = epoch;
            journal.push(Undo::Leaf { region, page, before });
        }
        leaf.paid = true;
        let key = (region, page);
        let frame_state = &mut frames[frame];
        if leaf.writer != frame_state.serial {
            leaf.writer = frame_state.serial;
            if frame_state.written.insert(key) {
                if journaled {
                    journal.push(Undo::Written { frame, key });
                }
                if leaf.page.is_none() {
                    usage.pages_created += 1;
                } else {
                    usage.copy_on_write_faults += 1;
                }
            }
        }
        Some((leaf, local.from_world))
    }

    fn write_bytes(&mut self, place: Place, offset: u64, data: &[u8]) {
        let mapping = &self.frames[place.frame].mappings[place.at];
        let region = mapping.region;
        if mapping.snapshot.is_some() {
            for (page, range, whole) in parts(offset, data.len()) {
                self.write_private(place, page, range, &data[whole]);
            }
        } else {
            for (page, range, whole) in parts(offset, data.len()) {
                self.write_shared(place.frame, region, page, range, &data[whole]);
            }
        }
    }

    pub(super) fn write_shared(
        &mut self,
        frame: usize,
        region: RegionNumber,
        page: PageNumber,
        range: Range<usize>,
        data: &[u8],
    ) {
        let Some((leaf, from_world)) = self.leaf_to_write(frame, region, page) else { return };
        if from_world {
            let partial = WordMask::partial(range.clone()).without(leaf.written);
            leaf.seen = leaf.seen.union(partial);
        }
        leaf.written = leaf.written.union(WordMask::covering(range.clone()));
        page_mut(leaf.page.get_or_insert_with(Page::zeroed))[range].copy_from_slice(data);
    }

    pub(super) fn copy(
        &mut self,
        place: Place,
        destination: u64,
        source: u64,
        len: u64,
        grow: Option<u64>,
    ) {
        // Through a buffer, so that overlap is of no concern.
        let mut buffer = vec![0; len as usize];
        self.read_bytes(place, source, &mut buffer);
        self.grow_for(place, grow);
        self.write_bytes(place, destination, &buffer);
        self.usage.bytes_read += len;
        self.usage.bytes_written += len;
    }
}
