//! From handles and names to regions, and what an address may do with them.

use super::{
    super::{
        error::LookupError,
        handle::{Address, Handle, Kind, RegionId},
        operation::Fault,
        rights::{Permissions, SecurityLevel},
        world::{Interrupt, World},
    },
    Session,
    local::{Local, Name, RegionNumber},
};

impl From<Interrupt> for Fault {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Wait => Self::Wait,
            Interrupt::Stop => Self::Stop,
        }
    }
}

impl Session {
    /// Gas of looking up an id or a name, on top of the base.
    pub(super) fn lookup_gas(&self, id: RegionId) -> u64 {
        if self.warm.contains(&id) { 0 } else { self.config.gas.cold_lookup }
    }

    /// The region behind a handle.
    pub(super) fn look_up(
        &mut self,
        world: &mut dyn World,
        handle: Handle,
    ) -> Result<Result<RegionNumber, LookupError>, Interrupt> {
        if let Some(region) = self.handles.get(&handle).copied() {
            let alive = self.regions[region].live.is_some();
            return Ok(if alive { Ok(region) } else { Err(LookupError::StaleHandle { handle }) });
        }
        if let Some(sidecar) = world.sidecar(handle) {
            let region = self.regions.len();
            self.regions.push(Local::of_sidecar(sidecar));
            self.handles.insert(handle, region);
            return Ok(Ok(region));
        }
        let id = handle.id();
        self.know(world, id)?;
        let Some(name) = self.names.get(&id) else {
            return Ok(Err(LookupError::InvalidHandle { handle }));
        };
        let generation = handle.generation();
        if generation == 0 || generation > name.generation {
            return Ok(Err(LookupError::InvalidHandle { handle }));
        }
        match name.current.filter(|_| generation == name.generation) {
            Some(region) => Ok(Ok(region)),
            None => Ok(Err(LookupError::StaleHandle { handle })),
        }
    }

    /// Asks the world what stands behind an id, once.
    pub(super) fn know(&mut self, world: &mut dyn World, id: RegionId) -> Result<(), Interrupt> {
        if self.names.contains_key(&id) {
            return Ok(());
        }
        let found = world.meta(id)?;
        let (meta, lease) = found.value;
        let mut current = None;
        if let Some(live) = &meta.live {
            let mut local = Local::new(id.at(meta.generation), Kind::Persistent, live.clone());
            local.from_world = true;
            local.lease = lease;
            current = Some(self.regions.len());
            self.regions.push(local);
        }
        let name = Name {
            id,
            generation: meta.generation,
            found: meta,
            entry: found.entry,
            size_seen: false,
            granted_seen: Default::default(),
            current,
        };
        self.names.insert(id, name);
        Ok(())
    }

    /// What `actor` may do with a region.
    pub(super) fn rights(&mut self, region: RegionNumber, actor: Address) -> Permissions {
        let local = &self.regions[region];
        let Some(live) = &local.live else { return Permissions::NONE };
        let ceiling = live.birth.ceiling;
        if local.sidecar.is_some() {
            return ceiling;
        }
        match self.config.security_level {
            SecurityLevel::None => Permissions::ALL,
            SecurityLevel::Basic => ceiling,
            SecurityLevel::Strict | SecurityLevel::Paranoid => {
                if live.birth.owner == actor {
                    return ceiling;
                }
                let granted = live.granted(actor).and(ceiling);
                self.see_granted(region, actor);
                granted
            }
        }
    }

    /// Whether `actor` may do what only the owner may.
    pub(super) fn owns(&self, region: RegionNumber, actor: Address) -> bool {
        let local = &self.regions[region];
        if local.sidecar.is_some() {
            return false;
        }
        self.config.security_level < SecurityLevel::Strict
            || local.live.as_ref().is_some_and(|live| live.birth.owner == actor)
    }

    /// Notes that the region's size matters.
    pub(super) fn see_size(&mut self, region: RegionNumber) -> u64 {
        let local = &mut self.regions[region];
        let size = local.size();
        if local.from_world
            && !std::mem::replace(&mut local.size_seen, true)
            && let Some(name) = self.names.get_mut(&local.handle.id())
        {
            name.size_seen = true;
        }
        size
    }

    /// Notes that what was granted to an address matters.
    pub(super) fn see_granted(&mut self, region: RegionNumber, who: Address) {
        let local = &self.regions[region];
        if local.from_world
            && let Some(name) = self.names.get_mut(&local.handle.id())
        {
            name.granted_seen.see(who);
        }
    }
}
