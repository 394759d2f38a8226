//! Checks and gas of operations that regions begin with: create, open, alloc; and of free, which undoes
//! the last.

use ruint::aliases::U256;

use super::{
    super::{
        error::{AllocError, CreateError, LookupError},
        handle::{Handle, Kind, Name, RegionId},
        meta::{Birth, Live},
        rights::{Permissions, RegionOptions},
    },
    Session,
    analyse::{Analysis, Analyst},
    change::address,
    plan::{Life, Step},
};
use crate::{pool::Class, sync::Arc};

impl Analyst<'_> {
    pub(super) fn alloc(&mut self, size: U256, class: U256) -> Analysis<Step> {
        if size.is_zero() {
            return Err(AllocError::ZeroSize.into());
        }
        let class = match u8::try_from(class) {
            Ok(4) => None,
            Ok(number) => match Class::from_number(number) {
                Some(class) => Some(class),
                None => return Err(AllocError::InvalidOption { option: U256::from(number) }.into()),
            },
            Err(_) => return Err(AllocError::InvalidOption { option: class }.into()),
        };
        self.not_static()?;
        let max = class.unwrap_or(Class::M1).bytes() as u64;
        let too_large = AllocError::RegionTooLarge { size, max };
        let Some(bytes) = u64::try_from(size).ok().filter(|bytes| *bytes <= max) else {
            return Err(too_large.into());
        };
        let Some(class) = class.or_else(|| Class::smallest_for(bytes)) else {
            return Err(too_large.into());
        };
        // A block does not count as one of the regions that a transaction may create: the quota of its
        // class is what bounds it.
        let session = &mut *self.session;
        if session.blocks.count(class) >= session.config.pool_blocks[class as usize] {
            return Err(AllocError::PoolExhausted { class }.into());
        }
        session.blocks.take_from(self.world.pools());
        self.add_words(class.words())?;
        let birth = Birth {
            owner: self.call.actor,
            name: None,
            ceiling: Permissions::ALL,
            options: RegionOptions::NONE,
        };
        let live = Live { birth: Arc::new(birth), size: bytes, grants: Default::default() };
        Ok(Step::Alloc { class, live: Box::new(live) })
    }

    pub(super) fn free(&mut self, handle: Handle) -> Analysis<Step> {
        self.not_static()?;
        let region = self.look_up(handle)?.map_err(AllocError::Lookup)?;
        if self.session.regions[region].class.is_none() {
            return Err(AllocError::Lookup(LookupError::InvalidHandle { handle }).into());
        }
        if !self.session.owns(region, self.call.actor) {
            return Err(AllocError::NotOwner { actor: self.call.actor }.into());
        }
        match self.session.regions[region].mappings {
            0 => Ok(Step::Destroy { region }),
            mappings => Err(AllocError::RegionInUse { mappings }.into()),
        }
    }

    pub(super) fn create(
        &mut self,
        name: [u8; 32],
        size: U256,
        permissions: U256,
        options: U256,
    ) -> Analysis<Step> {
        let name = Name::from_bytes(name).map_err(|_| CreateError::NameInvalid)?;
        if size.is_zero() {
            return Err(CreateError::ZeroSize.into());
        }
        let Some(ceiling) = Permissions::from_operand(permissions) else {
            return Err(CreateError::InvalidOption { option: permissions }.into());
        };
        let copy_on_write = self.session.config.enable_copy_on_write;
        let options = RegionOptions::from_operand(options)
            .filter(|bits| bits.compression().is_some())
            .filter(|bits| copy_on_write || !bits.contains(RegionOptions::COPY_ON_WRITE))
            .ok_or(CreateError::InvalidOption { option: options })?;
        self.not_static()?;

        let owner = self.call.actor;
        let id = RegionId::of(Kind::Persistent, owner, Some(name));
        self.bill.charge(self.session.lookup_gas(id))?;
        let life = if options.contains(RegionOptions::PERSISTENT) {
            self.session.know(self.world, id)?;
            let known = self.session.names.get(&id);
            let generation = known.map_or(0, |name| name.generation);
            if known.is_some_and(|name| name.current.is_some()) {
                return Err(CreateError::RegionExists { handle: id.at(generation) }.into());
            }
            Life::Persistent { id, generation: generation + 1 }
        } else {
            let own = RegionId::of(Kind::Transaction, owner, Some(name));
            if let Some(handle) = self.session.own_region(own) {
                return Err(CreateError::RegionExists { handle }.into());
            }
            Life::Transaction { id: own }
        };
        self.warm = Some(id);

        let max = self.session.config.max_region_size;
        let too_large = CreateError::RegionTooLarge { size, max };
        let bytes = u64::try_from(size).ok().filter(|bytes| *bytes <= max).ok_or(too_large)?;
        let max = self.session.config.max_shared_regions;
        if self.session.created >= max {
            return Err(CreateError::TooManyRegions { max }.into());
        }
        if matches!(life, Life::Persistent { .. }) {
            self.bill.charge(self.session.config.gas.new_region)?;
        }
        let birth = Arc::new(Birth { owner, name: Some(name), ceiling, options });
        let live = Live { birth, size: bytes, grants: Default::default() };
        Ok(Step::Create { life: Box::new(life), live: Box::new(live) })
    }

    pub(super) fn open(&mut self, owner: U256, name: [u8; 32]) -> Analysis<Step> {
        // Nobody has such an address or name, so there is no such region: a well-formed answer.
        let (Some(owner), Ok(name)) = (address(owner), Name::from_bytes(name)) else {
            self.bill.charge(self.session.config.gas.cold_lookup)?;
            return Ok(Step::Open { handle: None });
        };
        let id = RegionId::of(Kind::Persistent, owner, Some(name));
        self.bill.charge(self.session.lookup_gas(id))?;
        let own = RegionId::of(Kind::Transaction, owner, Some(name));
        let handle = match self.session.own_region(own) {
            Some(handle) => Some(handle),
            None => {
                self.session.know(self.world, id)?;
                let name = self.session.names.get(&id);
                name.filter(|name| name.current.is_some()).map(|name| id.at(name.generation))
            }
        };
        self.warm = Some(id);
        Ok(Step::Open { handle })
    }
}

impl Session {
    /// The transaction's own live region of an id.
    fn own_region(&self, id: RegionId) -> Option<Handle> {
        let handle = *self.own_names.get(&id)?;
        let region = *self.handles.get(&handle)?;
        self.regions[region].live.is_some().then_some(handle)
    }
}
