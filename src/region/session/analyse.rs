//! Checks and gas of operations on regions as a whole.
//!
//! Checks run in this order, and the first failure is the result: base gas, malformed operands,
//! static rule, lookup gas, handle, generation, rights, mapping, bounds, limits, remaining gas.

use ruint::aliases::U256;

use super::{
    super::{
        error::{
            AccessError, AllocError, ChangeError, CreateError, ExecError, LookupError, MapError,
            RegionError,
        },
        handle::{Address, Handle, Kind, Name, RegionId},
        meta::{Birth, Live},
        operation::{Call, Fault, Operation},
        rights::{MapOptions, Permissions, RegionOptions, SecurityLevel},
        world::{Interrupt, World},
    },
    Session,
    effects::Denied,
    local::RegionNumber,
    plan::{Life, Map, Plan, Step},
};
use crate::{pool::Class, sync::Arc};

/// Why an analysis ends without a plan.
pub(super) enum Refusal {
    Fault(Fault),
    Static,
    Error(RegionError),
}

pub(super) type Analysis<T> = Result<T, Refusal>;

impl From<Interrupt> for Refusal {
    fn from(interrupt: Interrupt) -> Self {
        Self::Fault(interrupt.into())
    }
}

macro_rules! refusals {
    ($($error:ty),*) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::Error(error.into())
            }
        }
    )*};
}
refusals!(CreateError, MapError, AccessError, ChangeError, AllocError, ExecError);

/// Gas spent and gas there is.
pub(super) struct Bill {
    pub(super) spent: u64,
    limit: u64,
}

impl Bill {
    pub(super) fn charge(&mut self, gas: u64) -> Analysis<()> {
        match self.spent.checked_add(gas).filter(|spent| *spent <= self.limit) {
            Some(spent) => {
                self.spent = spent;
                Ok(())
            }
            None => Err(Refusal::Fault(Fault::OutOfGas)),
        }
    }
}

/// What every analysis goes by.
pub(super) struct Analyst<'a> {
    pub(super) session: &'a mut Session,
    pub(super) world: &'a mut dyn World,
    pub(super) call: &'a Call,
    pub(super) bill: Bill,
    pub(super) warm: Option<RegionId>,
    pub(super) words: u64,
}

impl Session {
    /// Checks an operation and says what it costs, without doing it.
    ///
    /// # Errors
    ///
    /// [`Fault`]. Nothing has changed, but what was learnt from the world.
    #[inline]
    pub fn analyse(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        operation: &Operation,
    ) -> Result<Plan, Fault> {
        match self.quick(call, operation) {
            Some(plan) => Ok(plan),
            None => self.analyse_at_length(world, call, operation),
        }
    }

    fn analyse_at_length(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        operation: &Operation,
    ) -> Result<Plan, Fault> {
        let kind = operation.kind();
        let bill = Bill { spent: 0, limit: call.gas };
        let base = self.config.gas.base[kind as usize];
        let mut analyst = Analyst { session: self, world, call, bill, warm: None, words: 0 };
        let step = analyst.bill.charge(base).and_then(|()| analyst.step(operation));
        let (gas, warm, words) = (analyst.bill.spent, analyst.warm, analyst.words);
        match step {
            Ok((step, bytes)) => Ok(Plan { gas, bytes, words, warm, kind, step }),
            Err(Refusal::Fault(fault)) => {
                if fault == Fault::OutOfGas {
                    self.usage.record(kind, &Err::<(), ()>(()));
                }
                Err(fault)
            }
            Err(Refusal::Static) => {
                self.usage.record(kind, &Err::<(), ()>(()));
                Err(Fault::Static { gas })
            }
            Err(Refusal::Error(error)) => {
                self.usage.record(kind, &Err::<(), ()>(()));
                if error.is_denial() {
                    self.usage.denied += 1;
                    if self.config.security_level == SecurityLevel::Paranoid {
                        let actor = call.actor;
                        self.denied.push(Denied { operation: kind, actor, error: error.clone() });
                    }
                }
                Err(Fault::Failed { error, gas })
            }
        }
    }
}

impl Analyst<'_> {
    fn step(&mut self, operation: &Operation) -> Analysis<(Step, u64)> {
        let step = match *operation {
            Operation::Alloc { size, class } => self.alloc(size, class)?,
            Operation::Free { handle } => self.free(handle)?,
            Operation::Create { name, size, permissions, options } => {
                self.create(name, size, permissions, options)?
            }
            Operation::Open { owner, name } => self.open(owner, name)?,
            Operation::Map { handle, options, offset, size } => {
                self.map(handle, options, offset, size)?
            }
            Operation::Grow { handle, size } => self.grow(handle, size)?,
            Operation::Grant { handle, address, permissions } => {
                self.grant(handle, address, permissions)?
            }
            Operation::Destroy { handle } => self.destroy(handle)?,
            Operation::Info { handle } => self.info(handle)?,
            Operation::Unmap { mapping } => {
                let place = self.mapping(mapping)?;
                Step::Unmap { place }
            }
            Operation::Publish { mapping } => return self.publish(mapping),
            Operation::Read { mapping, offset, len } => return self.read(mapping, offset, len),
            Operation::ReadPadded { mapping, offset, len } => {
                return self.read_padded(mapping, offset, len);
            }
            Operation::Write { mapping, offset, len } => return self.write(mapping, offset, len),
            Operation::Copy { mapping, destination, source, len } => {
                return self.copy(mapping, destination, source, len);
            }
            Operation::Exec { handle, offset, len, limit } => {
                return self.exec(handle, offset, len, limit);
            }
        };
        Ok((step, 0))
    }

    pub(super) fn not_static(&self) -> Analysis<()> {
        if self.call.is_static { Err(Refusal::Static) } else { Ok(()) }
    }

    /// Finds a region by its handle, and charges for that.
    pub(super) fn look_up(
        &mut self,
        handle: Handle,
    ) -> Analysis<Result<RegionNumber, LookupError>> {
        self.bill.charge(self.session.lookup_gas(handle.id()))?;
        let found = self.session.look_up(self.world, handle)?;
        self.warm = Some(handle.id());
        Ok(found)
    }

    fn alloc(&mut self, size: U256, class: U256) -> Analysis<Step> {
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
        let session = &*self.session;
        if session.blocks[class as usize] >= session.config.pool_blocks[class as usize] {
            return Err(AllocError::PoolExhausted { class }.into());
        }
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

    fn free(&mut self, handle: Handle) -> Analysis<Step> {
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

    fn create(
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
        Ok(Step::Create { life, live: Box::new(live) })
    }

    fn open(&mut self, owner: U256, name: [u8; 32]) -> Analysis<Step> {
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

    fn map(&mut self, handle: Handle, bits: U256, offset: U256, size: U256) -> Analysis<Step> {
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
        let mappings = &self.session.frames[self.call.frame].mappings;
        let same = mappings.iter().position(|mapping| {
            mapping.live
                && (mapping.region, mapping.start, mapping.len) == (region, start, len)
                && mapping.options == options
        });
        if let Some(at) = same {
            return Err(MapError::AlreadyMapped { mapping: at as u64 + 1 }.into());
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

    fn grow(&mut self, handle: Handle, size: U256) -> Analysis<Step> {
        self.not_static()?;
        let region = self.look_up(handle)?.map_err(ChangeError::Lookup)?;
        let actor = self.call.actor;
        let rights = self.session.rights(region, actor);
        // Nothing makes a sidecar writable.
        if !rights.contains(Permissions::WRITE) {
            let needed = Permissions::WRITE;
            return Err(ChangeError::PermissionDenied { actor, needed }.into());
        }
        let current = self.session.see_size(region);
        if size < U256::from(current) {
            return Err(ChangeError::Shrink { size, current }.into());
        }
        let max = self.session.max_size(region);
        match u64::try_from(size).ok().filter(|bytes| *bytes <= max) {
            Some(size) => Ok(Step::Grow { region, size }),
            None => Err(ChangeError::RegionTooLarge { size, max }.into()),
        }
    }

    fn grant(&mut self, handle: Handle, to: U256, permissions: U256) -> Analysis<Step> {
        let Some(address) = address(to) else {
            return Err(ChangeError::InvalidOption { option: to }.into());
        };
        let Some(permissions) = Permissions::from_operand(permissions) else {
            return Err(ChangeError::InvalidOption { option: permissions }.into());
        };
        self.not_static()?;
        let region = self.owned(handle)?;
        self.session.see_granted(region, address);
        let local = &self.session.regions[region];
        let granted = local.live.as_ref().map_or(Permissions::NONE, |live| live.granted(address));
        let is_new = granted == Permissions::NONE && permissions != Permissions::NONE;
        if is_new && local.is_state() {
            self.bill.charge(self.session.config.gas.new_grant)?;
        }
        Ok(Step::Grant { region, address, permissions })
    }

    fn destroy(&mut self, handle: Handle) -> Analysis<Step> {
        self.not_static()?;
        let region = self.owned(handle)?;
        match self.session.regions[region].mappings {
            0 => Ok(Step::Destroy { region }),
            mappings => Err(ChangeError::RegionInUse { mappings }.into()),
        }
    }

    fn owned(&mut self, handle: Handle) -> Analysis<RegionNumber> {
        let region = self.look_up(handle)?.map_err(ChangeError::Lookup)?;
        if self.session.owns(region, self.call.actor) {
            Ok(region)
        } else {
            Err(ChangeError::NotOwner { actor: self.call.actor }.into())
        }
    }

    fn info(&mut self, handle: Handle) -> Analysis<Step> {
        let region = self.look_up(handle)?.map_err(ChangeError::Lookup)?;
        let permissions = self.session.rights(region, self.call.actor);
        Ok(Step::Info { size: self.session.see_size(region), permissions })
    }

    /// Charges what `more` words of page memory cost the transaction.
    pub(super) fn add_words(&mut self, more: u64) -> Analysis<()> {
        let gas = self.session.config.gas.more_memory(self.session.words, self.words + more)
            - self.session.config.gas.more_memory(self.session.words, self.words);
        self.words += more;
        self.bill.charge(gas)
    }
}

impl Session {
    /// The transaction's own live region of an id.
    fn own_region(&self, id: RegionId) -> Option<Handle> {
        let handle = *self.own_names.get(&id)?;
        let region = *self.handles.get(&handle)?;
        self.regions[region].live.is_some().then_some(handle)
    }

    /// The largest size a region may have.
    pub(super) fn max_size(&self, region: RegionNumber) -> u64 {
        match self.regions[region].class {
            Some(class) => class.bytes() as u64,
            None => self.config.max_region_size,
        }
    }
}

/// An address operand, whose upper twelve bytes are zero.
fn address(operand: U256) -> Option<Address> {
    let bytes = operand.to_be_bytes::<32>();
    let (zeros, address) = bytes.split_at(12);
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    address.try_into().ok().map(Address)
}
