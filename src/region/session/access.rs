//! Checks of operations on bytes.

use ruint::aliases::U256;

use super::{
    super::{
        error::{AccessError, ExecError},
        handle::Handle,
        operation::small,
        page::PAGE_BYTES,
        rights::{MapOptions, Permissions, RegionOptions},
    },
    analyse::{Analysis, Analyst},
    plan::{Place, Step},
    reach::pages,
};

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

impl Analyst<'_> {
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
            let step = Step::Copy { place, ends: Box::new((start, start)), grow: None };
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
        Ok((Step::Copy { place, ends: Box::new((destination, source)), grow }, bytes))
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
            .to_publish()
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
