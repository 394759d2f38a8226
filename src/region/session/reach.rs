//! Gas of data and pages, and having pages loaded.
//!
//! Gas is charged in two steps. What the requested sizes and the pages' warmth come to is known
//! without the world, and is asked for first, so that no operation makes the world read more pages
//! than its gas could pay for. Then the pages are there, and their presence decides the rest.

use ruint::aliases::U256;

use super::{
    super::{
        content::PageKey,
        gas::PAGE_MEMORY_WORDS,
        handle::Kind,
        page::PAGE_BYTES,
        page_map::PageNumber,
        world::{Interrupt, World},
    },
    Session,
    analyse::{Analysis, Analyst},
    local::RegionNumber,
    plan::Place,
};

/// The pages that `len` bytes from `offset` lie in.
pub(super) fn pages(offset: u64, len: u64) -> impl Iterator<Item = PageNumber> + Clone {
    let page = PAGE_BYTES as u64;
    let (first, end) = match len {
        0 => (0, 0),
        _ => (offset / page, (offset + (len - 1)) / page + 1),
    };
    (first..end).map(PageNumber)
}

impl Session {
    /// Makes sure that what the world holds of a page is known.
    pub(super) fn load(
        &mut self,
        world: &mut dyn World,
        region: RegionNumber,
        page: PageNumber,
    ) -> Result<(), Interrupt> {
        let local = &mut self.regions[region];
        if local.pages.get(page).is_some_and(|leaf| leaf.loaded) {
            return Ok(());
        }
        let mut leaf = local.pages.get(page).cloned().unwrap_or_default();
        match local.kind {
            Kind::Persistent if local.from_world => {
                let region = local.handle.id();
                let generation = local.handle.generation();
                let found = world.page(PageKey { region, generation, page })?;
                leaf.base = found.value;
                leaf.entry = found.entry;
            }
            Kind::Sidecar => {
                leaf.base =
                    local.sidecar.as_ref().and_then(|sidecar| sidecar.page(page.0).cloned());
            }
            // Created by this transaction: there was nothing before.
            Kind::Persistent | Kind::Transaction => {}
        }
        leaf.page = leaf.base.clone();
        leaf.loaded = true;
        local.pages.insert(page, leaf);
        Ok(())
    }
}

impl Analyst<'_> {
    /// Charges for data of the requested size, all 256 bits of it.
    pub(super) fn charge_data(&mut self, len: U256) -> Analysis<()> {
        self.bill.charge(self.session.config.gas.data_of(len).unwrap_or(u64::MAX))
    }

    /// Charges for pages that are touched first.
    pub(super) fn touch(&mut self, region: RegionNumber, cold: u64) -> Analysis<()> {
        let gas = &self.session.config.gas;
        let page = if self.session.regions[region].touches_state() {
            gas.cold_page.saturating_add(gas.cold_persistent_page)
        } else {
            gas.cold_page
        };
        self.bill.charge(page.saturating_mul(cold))
    }

    pub(super) fn is_cold(&self, region: RegionNumber, page: PageNumber) -> bool {
        !self.session.regions[region].pages.get(page).is_some_and(|leaf| leaf.warm)
    }

    /// Charges for touching the pages of a range, and has them loaded.
    pub(super) fn reach(&mut self, region: RegionNumber, offset: u64, len: u64) -> Analysis<()> {
        let known = &self.session.regions[region].pages;
        let (mut cold, mut loaded) = (0, true);
        for page in pages(offset, len) {
            match known.get(page) {
                Some(leaf) => {
                    cold += u64::from(!leaf.warm);
                    loaded &= leaf.loaded;
                }
                None => {
                    cold += 1;
                    loaded = false;
                }
            }
        }
        if cold > 0 {
            self.touch(region, cold)?;
        }
        if !loaded {
            for page in pages(offset, len) {
                self.session.load(self.world, region, page)?;
            }
        }
        Ok(())
    }

    /// Charges what `more` words of page memory cost the transaction.
    pub(super) fn add_words(&mut self, more: u64) -> Analysis<()> {
        let gas = self.session.config.gas.more_memory(self.session.words, self.words + more)
            - self.session.config.gas.more_memory(self.session.words, self.words);
        self.words += more;
        self.bill.charge(gas)
    }

    /// Charges for writing to loaded pages of a region: those that come into being, copies, and
    /// state.
    pub(super) fn write_to(
        &mut self,
        region: RegionNumber,
        numbers: impl Iterator<Item = PageNumber>,
    ) -> Analysis<()> {
        let Session { config, frames, regions, .. } = &mut *self.session;
        let (gas, frame, local) = (&config.gas, &frames[self.call.frame], &mut regions[region]);
        let (is_state, is_block) = (local.is_state(), local.class.is_some());
        let (mut copies, mut cost) = (0, 0_u64);
        for page in numbers {
            let Some(leaf) = local.pages.get(page) else { continue };
            let (is_new, paid) = (leaf.page.is_none(), leaf.paid);
            let is_written = leaf.writer == frame.serial || frame.written.contains(&(region, page));
            if local.from_world
                && !leaf.presence
                && let Some(leaf) = local.pages.get_mut(page)
            {
                leaf.presence = true;
            }
            if is_new {
                copies += 1;
                if is_state {
                    let bytes = PAGE_BYTES as u64;
                    cost = cost.saturating_add(gas.new_page_byte.saturating_mul(bytes));
                }
                continue;
            }
            copies += u64::from(!is_written);
            if is_state && !paid {
                cost = cost.saturating_add(gas.first_write);
            }
        }
        if !is_block && copies > 0 {
            self.add_words(copies * PAGE_MEMORY_WORDS)?;
        }
        self.bill.charge(cost)
    }

    /// Charges for writing to loaded pages through a mapping.
    pub(super) fn write_through(&mut self, place: Place, offset: u64, len: u64) -> Analysis<()> {
        let mapping = self.session.mapping_at(place);
        let region = mapping.region;
        match &mapping.snapshot {
            None => self.write_to(region, pages(offset, len)),
            Some(snapshot) => {
                let fresh = |page: &PageNumber| snapshot.private.get(*page).is_none();
                let copies = pages(offset, len).filter(fresh).count() as u64;
                if self.session.regions[region].class.is_some() {
                    return Ok(());
                }
                self.add_words(copies * PAGE_MEMORY_WORDS)
            }
        }
    }
}
