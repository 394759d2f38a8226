//! Checks and gas of operations on a region as a whole: grow, grant, destroy, info.

use ruint::aliases::U256;

use super::{
    super::{
        error::ChangeError,
        handle::{Address, Handle},
        rights::Permissions,
    },
    Session,
    analyse::{Analysis, Analyst},
    local::RegionNumber,
    plan::Step,
};

impl Analyst<'_> {
    pub(super) fn grow(&mut self, handle: Handle, size: U256) -> Analysis<Step> {
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

    pub(super) fn grant(&mut self, handle: Handle, to: U256, permissions: U256) -> Analysis<Step> {
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

    pub(super) fn destroy(&mut self, handle: Handle) -> Analysis<Step> {
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

    pub(super) fn info(&mut self, handle: Handle) -> Analysis<Step> {
        let region = self.look_up(handle)?.map_err(ChangeError::Lookup)?;
        let permissions = self.session.rights(region, self.call.actor);
        Ok(Step::Info { size: self.session.see_size(region), permissions })
    }
}

impl Session {
    /// The largest size a region may have.
    pub(super) fn max_size(&self, region: RegionNumber) -> u64 {
        match self.regions[region].class {
            Some(class) => class.bytes() as u64,
            None => self.config.max_region_size,
        }
    }
}

/// An address operand, whose upper twelve bytes are zero.
pub(super) fn address(operand: U256) -> Option<Address> {
    let bytes = operand.to_be_bytes::<32>();
    let (zeros, address) = bytes.split_at(12);
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    address.try_into().ok().map(Address)
}
