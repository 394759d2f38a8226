//! Checks and gas of operations on bytes.
//!
//! Gas is charged in two steps. What the requested sizes and the pages' warmth come to is known
//! without the world, and is asked for first, so that no operation makes the world read more pages
//! than its gas could pay for. Then the pages are there, and their presence decides the rest.

use ruint::aliases::U256;

use super::{
    super::{
        content::PageKey,
        error::{AccessError, ExecError},
        handle::{Handle, Kind},
        operation::small,
        page::PAGE_BYTES,
        page_map::PageNumber,
        rights::{MapOptions, Permissions, RegionOptions},
        world::{Interrupt, World},
    },
    Session,
    analyse::{Analysis, Analyst},
    frame::Mapping,
    local::RegionNumber,
    plan::{Place, Step},
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

/// A 64-bit number, or the largest one for operands beyond: larger than any size, so that bounds
/// refuse it.
fn clamp(operand: U256) -> u64 {
    small(&operand).unwrap_or(u64::MAX)
}

/// A write that is possible: where, how much, and what the region grows to before.
struct Target {
    offset: u64,
    len: u64,
    grow: Option<u64>,
}

impl Session {
    pub(super) fn mapping_at(&self, place: Place) -> &Mapping {
        &self.frames[place.frame].mappings[place.at]
    }

    /// Size of a mapping in bytes, now.
    pub(super) fn mapped_size(&mut self, place: Place) -> u64 {
        let mapping = &self.frames[place.frame].mappings[place.at];
        let (region, start, len) = (mapping.region, mapping.start, mapping.len);
        let snapshot = mapping.snapshot.as_ref().map(|snapshot| snapshot.size);
        match (len, snapshot) {
            (Some(len), _) => len,
            (None, Some(size)) => size - start,
            // Only whoever asks for the end depends on where it is.
            (None, None) => self.see_size(region).saturating_sub(start),
        }
    }

    /// Makes sure that what the world holds of a page is known.
    fn load(
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
    /// The calling frame's mapping of that ordinal.
    pub(super) fn mapping(&self, ordinal: U256) -> Analysis<Place> {
        let frame = self.call.frame;
        let mappings = &self.session.frames[frame].mappings;
        let at = usize::try_from(ordinal).ok().and_then(|ordinal| ordinal.checked_sub(1));
        match at.filter(|at| mappings.get(*at).is_some_and(|mapping| mapping.live)) {
            Some(at) => Ok(Place { frame, at }),
            None => Err(AccessError::NotMapped { mapping: ordinal }.into()),
        }
    }

    /// Charges for data of the requested size, all 256 bits of it.
    fn charge_data(&mut self, len: U256) -> Analysis<()> {
        self.bill.charge(self.session.config.gas.data_of(len).unwrap_or(u64::MAX))
    }

    /// Charges for pages that are touched first.
    fn touch(&mut self, region: RegionNumber, cold: u64) -> Analysis<()> {
        let gas = &self.session.config.gas;
        let page = if self.session.regions[region].touches_state() {
            gas.cold_page.saturating_add(gas.cold_persistent_page)
        } else {
            gas.cold_page
        };
        self.bill.charge(page.saturating_mul(cold))
    }

    fn is_cold(&self, region: RegionNumber, page: PageNumber) -> bool {
        !self.session.regions[region].pages.get(page).is_some_and(|leaf| leaf.warm)
    }

    /// Charges for touching the pages of a range, and has them loaded.
    fn reach(&mut self, region: RegionNumber, offset: u64, len: u64) -> Analysis<()> {
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

    /// Charges for writing to loaded pages of a region: those that come into being, copies, and
    /// state.
    fn write_to(
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
            self.add_words(copies * super::super::gas::PAGE_MEMORY_WORDS)?;
        }
        self.bill.charge(cost)
    }

    /// Charges for writing to loaded pages through a mapping.
    fn write_through(&mut self, place: Place, offset: u64, len: u64) -> Analysis<()> {
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
                self.add_words(copies * super::super::gas::PAGE_MEMORY_WORDS)
            }
        }
    }

    pub(super) fn read(&mut self, ordinal: U256, offset: U256, len: U256) -> Analysis<(Step, u64)> {
        let place = self.mapping(ordinal)?;
        let start = self.session.mapping_at(place).start;
        if len.is_zero() {
            return Ok((Step::Read { place, offset: start }, 0));
        }
        let size = self.session.mapped_size(place);
        let at = clamp(offset);
        if at >= size {
            return Err(AccessError::OutOfBounds { offset, len, size }.into());
        }
        let bytes = clamp(len).min(size - at);
        self.charge_data(len)?;
        let region = self.session.mapping_at(place).region;
        self.reach(region, start + at, bytes)?;
        Ok((Step::Read { place, offset: start + at }, bytes))
    }

    pub(super) fn read_padded(
        &mut self,
        ordinal: U256,
        offset: U256,
        len: U256,
    ) -> Analysis<(Step, u64)> {
        let place = self.mapping(ordinal)?;
        let start = self.session.mapping_at(place).start;
        if len.is_zero() {
            return Ok((Step::Read { place, offset: start }, 0));
        }
        let size = self.session.mapped_size(place);
        let at = clamp(offset);
        let bytes = clamp(len).min(size.saturating_sub(at));
        self.charge_data(len)?;
        let region = self.session.mapping_at(place).region;
        let offset = start + if bytes == 0 { 0 } else { at };
        self.reach(region, offset, bytes)?;
        Ok((Step::Read { place, offset }, bytes))
    }

    /// Where a write goes, clipped to the mapping unless the region can grow.
    fn target(&mut self, place: Place, offset: U256, len: U256) -> Analysis<Target> {
        let mapping = self.session.mapping_at(place);
        let (region, start) = (mapping.region, mapping.start);
        let open = mapping.len.is_none() && mapping.snapshot.is_none();
        let grows =
            open && self.session.regions[region].options().contains(RegionOptions::AUTO_GROW);
        let size = self.session.mapped_size(place);
        let at = clamp(offset);
        if grows {
            let end = offset.checked_add(len).and_then(|end| end.checked_add(U256::from(start)));
            let max = self.session.max_size(region);
            let end = match end {
                Some(end) if end <= U256::from(max) => clamp(end),
                _ => {
                    let size = end.unwrap_or(U256::MAX);
                    return Err(AccessError::RegionTooLarge { size, max }.into());
                }
            };
            let grow = (end > start + size).then_some(end);
            return Ok(Target { offset: start + at, len: clamp(len), grow });
        }
        if at >= size {
            return Err(AccessError::OutOfBounds { offset, len, size }.into());
        }
        Ok(Target { offset: start + at, len: clamp(len).min(size - at), grow: None })
    }

    fn writable(&mut self, place: Place) -> Analysis<()> {
        if self.session.mapping_at(place).options.contains(MapOptions::READ_ONLY) {
            let (actor, needed) = (self.call.actor, Permissions::WRITE);
            return Err(AccessError::PermissionDenied { actor, needed }.into());
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        ordinal: U256,
        offset: U256,
        len: U256,
    ) -> Analysis<(Step, u64)> {
        self.not_static()?;
        let place = self.mapping(ordinal)?;
        self.writable(place)?;
        if len.is_zero() {
            let offset = self.session.mapping_at(place).start;
            return Ok((Step::Write { place, offset, grow: None }, 0));
        }
        let target = self.target(place, offset, len)?;
        self.charge_data(len)?;
        let region = self.session.mapping_at(place).region;
        self.reach(region, target.offset, target.len)?;
        self.write_through(place, target.offset, target.len)?;
        let step = Step::Write { place, offset: target.offset, grow: target.grow };
        Ok((step, target.len))
    }

    pub(super) fn copy(
        &mut self,
        ordinal: U256,
        destination: U256,
        source: U256,
        len: U256,
    ) -> Analysis<(Step, u64)> {
        self.not_static()?;
        let place = self.mapping(ordinal)?;
        self.writable(place)?;
        let start = self.session.mapping_at(place).start;
        if len.is_zero() {
            let step = Step::Copy { place, destination: start, source: start, grow: None };
            return Ok((step, 0));
        }
        let size = self.session.mapped_size(place);
        let bytes = clamp(len);
        let from = clamp(source);
        if from.checked_add(bytes).is_none_or(|end| end > size) {
            return Err(AccessError::OutOfBounds { offset: source, len, size }.into());
        }
        let target = self.target(place, destination, len)?;
        if target.len < bytes {
            return Err(AccessError::OutOfBounds { offset: destination, len, size }.into());
        }
        self.charge_data(len)?;
        let region = self.session.mapping_at(place).region;
        let both = pages(start + from, bytes);
        let more = pages(target.offset, bytes).filter(|page| {
            let (first, last) = (start + from, start + from + (bytes - 1));
            let page_bytes = PAGE_BYTES as u64;
            !(first / page_bytes..=last / page_bytes).contains(&page.0)
        });
        let cold = both.chain(more).filter(|page| self.is_cold(region, *page)).count();
        self.touch(region, cold as u64)?;
        for page in pages(start + from, bytes).chain(pages(target.offset, bytes)) {
            self.session.load(self.world, region, page)?;
        }
        self.write_through(place, target.offset, bytes)?;
        let (destination, source, grow) = (target.offset, start + from, target.grow);
        Ok((Step::Copy { place, destination, source, grow }, bytes))
    }

    pub(super) fn publish(&mut self, ordinal: U256) -> Analysis<(Step, u64)> {
        self.not_static()?;
        let place = self.mapping(ordinal)?;
        let mapping = self.session.mapping_at(place);
        let (region, rights) = (mapping.region, mapping.rights);
        let Some(snapshot) = &mapping.snapshot else {
            return Err(AccessError::InvalidOption { mapping: ordinal }.into());
        };
        let changed: Vec<_> = snapshot
            .private
            .iter()
            .filter(|(_, private)| !private.bytes.is_empty())
            .map(|(page, private)| (page, private.bytes.words().count() as u64))
            .collect();
        if !rights.contains(Permissions::WRITE) {
            let (actor, needed) = (self.call.actor, Permissions::WRITE);
            return Err(AccessError::PermissionDenied { actor, needed }.into());
        }
        let words: u64 = changed.iter().map(|(_, words)| *words).sum();
        self.bill.charge(self.session.config.gas.word.saturating_mul(words))?;
        // Warm and loaded they are, since the mapping wrote them, unless that was reverted.
        let cold = changed.iter().filter(|(page, _)| self.is_cold(region, *page)).count();
        self.touch(region, cold as u64)?;
        for (page, _) in &changed {
            self.session.load(self.world, region, *page)?;
        }
        self.write_to(region, changed.iter().map(|(page, _)| *page))?;
        Ok((Step::Publish { place }, 0))
    }

    pub(super) fn exec(
        &mut self,
        handle: Handle,
        offset: U256,
        len: U256,
        limit: u64,
    ) -> Analysis<(Step, u64)> {
        let region = self.look_up(handle)?.map_err(ExecError::Lookup)?;
        let actor = self.call.actor;
        let rights = self.session.rights(region, actor);
        if !rights.contains(Permissions::EXECUTE) {
            let needed = Permissions::EXECUTE;
            return Err(ExecError::PermissionDenied { actor, needed }.into());
        }
        if len.is_zero() {
            return Ok((Step::Code { region, offset: 0 }, 0));
        }
        let size = self.session.see_size(region);
        let (from, bytes) = (clamp(offset), clamp(len));
        if from.checked_add(bytes).is_none_or(|end| end > size) {
            return Err(ExecError::OutOfBounds { offset, len, size }.into());
        }
        if bytes > limit {
            return Err(ExecError::RegionTooLarge { size: len, max: limit }.into());
        }
        let gas = &self.session.config.gas;
        let code = gas.code_word.saturating_mul(bytes.div_ceil(32));
        self.bill.charge(gas.data(bytes).saturating_add(code))?;
        self.reach(region, from, bytes)?;
        Ok((Step::Code { region, offset: from }, bytes))
    }
}
