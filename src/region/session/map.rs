//! Checks of map, and mappings by their ordinals.

use ruint::aliases::U256;

use super::{
    super::{
        error::{AccessError, MapError},
        handle::Handle,
        rights::{MapOptions, Permissions, RegionOptions},
    },
    Session,
    analyse::{Analysis, Analyst},
    frame::Mapping,
    plan::{Map, Place, Step},
};

impl Analyst<'_> {
    pub(super) fn map(
        &mut self,
        handle: Handle,
        bits: U256,
        offset: U256,
        size: U256,
    ) -> Analysis<Step> {
        let invalid = || MapError::InvalidOption { option: bits };
        let options = MapOptions::from_operand(bits).ok_or_else(invalid)?;
        let copy_on_write = options.contains(MapOptions::COPY_ON_WRITE);
        if copy_on_write && !self.session.config.enable_copy_on_write {
            return Err(invalid().into());
        }
        let read_only = options.contains(MapOptions::READ_ONLY);
        if !read_only {
            self.not_static()?;
        }
        let region = self.look_up(handle)?.map_err(MapError::Lookup)?;
        let must_copy = self.session.regions[region].options();
        if must_copy.contains(RegionOptions::COPY_ON_WRITE) && !copy_on_write {
            return Err(invalid().into());
        }
        let actor = self.call.actor;
        let rights = self.session.rights(region, actor);
        let needed = if read_only || copy_on_write {
            Permissions::READ
        } else {
            Permissions::READ | Permissions::WRITE
        };
        if !rights.contains(needed) {
            let needed = needed.without(rights);
            return Err(MapError::PermissionDenied { actor, needed }.into());
        }

        let region_size = self.session.see_size(region);
        let out_of_bounds = MapError::OutOfBounds { offset, len: size, size: region_size };
        let start = u64::try_from(offset).unwrap_or(u64::MAX);
        let len = (!size.is_zero()).then(|| u64::try_from(size).unwrap_or(u64::MAX));
        let windows = &self.session.frames[self.call.frame].windows;
        if let Some(at) = windows.get(&(region, start, len, options)) {
            return Err(MapError::AlreadyMapped { mapping: *at as u64 + 1 }.into());
        }
        let fits = match len {
            None => start < region_size,
            Some(len) => start.checked_add(len).is_some_and(|end| end <= region_size),
        };
        if !fits {
            return Err(out_of_bounds.into());
        }
        let frame = self.call.frame;
        Ok(Step::Map(Box::new(Map { frame, region, options, rights, start, len })))
    }

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
}
