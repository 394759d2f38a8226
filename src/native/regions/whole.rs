//! Operations on regions as a whole.

use ruint::aliases::U256;

use super::{Regions, SharedError};
use crate::{
    native::{Key, Value},
    region::{Address, Handle, MapOptions, Name, Operation, Output, Permissions, RegionOptions},
};

impl<K: Key, V: Value> Regions<K, V> {
    async fn handle(&self, operation: Operation) -> Result<Option<Handle>, SharedError> {
        match self.perform(operation).await? {
            Output::Handle(handle) => Ok(handle),
            _ => Ok(None),
        }
    }

    /// Creates a region of `size` bytes that belongs to this frame's address. It ends with the
    /// transaction unless the options say [`RegionOptions::PERSISTENT`].
    ///
    /// # Errors
    ///
    /// [`CreateError`](crate::region::error::CreateError).
    pub async fn create(
        &self,
        name: Name,
        size: u64,
        permissions: Permissions,
        options: RegionOptions,
    ) -> Result<Handle, SharedError> {
        let operation = Operation::Create {
            name: *name.bytes(),
            size: U256::from(size),
            permissions: U256::from(permissions.bits()),
            options: U256::from(options.bits()),
        };
        Ok(self.handle(operation).await?.unwrap_or_default())
    }

    /// The region that `owner` calls `name`, if there is one.
    ///
    /// # Errors
    ///
    /// [`SharedError::Off`].
    pub async fn open(&self, owner: Address, name: Name) -> Result<Option<Handle>, SharedError> {
        let owner = U256::from_be_slice(&owner.0);
        self.handle(Operation::Open { owner, name: *name.bytes() }).await
    }

    /// Takes a pool block of at least `size` bytes, of the smallest class that fits.
    ///
    /// # Errors
    ///
    /// [`AllocError`](crate::region::error::AllocError).
    pub async fn alloc(&self, size: u64) -> Result<Handle, SharedError> {
        let operation = Operation::Alloc { size: U256::from(size), class: U256::from(4) };
        Ok(self.handle(operation).await?.unwrap_or_default())
    }

    /// Gives a pool block back.
    ///
    /// # Errors
    ///
    /// [`AllocError`](crate::region::error::AllocError).
    pub async fn free(&self, handle: Handle) -> Result<(), SharedError> {
        self.perform(Operation::Free { handle }).await.map(drop)
    }

    /// Maps a whole region. The number counts the mappings of this frame, from 1.
    ///
    /// # Errors
    ///
    /// [`MapError`](crate::region::error::MapError).
    pub async fn map(&self, handle: Handle, options: MapOptions) -> Result<u64, SharedError> {
        self.map_window(handle, options, 0, 0).await
    }

    /// Maps `size` bytes of a region from `offset` on; 0 bytes: to the end.
    ///
    /// # Errors
    ///
    /// [`MapError`](crate::region::error::MapError).
    pub async fn map_window(
        &self,
        handle: Handle,
        options: MapOptions,
        offset: u64,
        size: u64,
    ) -> Result<u64, SharedError> {
        let options = U256::from(options.bits());
        let (offset, size) = (U256::from(offset), U256::from(size));
        match self.perform(Operation::Map { handle, options, offset, size }).await? {
            Output::Mapping(mapping) => Ok(mapping),
            _ => Ok(0),
        }
    }

    /// Ends a mapping.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn unmap(&self, mapping: u64) -> Result<(), SharedError> {
        self.perform(Operation::Unmap { mapping: U256::from(mapping) }).await.map(drop)
    }

    /// Applies what was written through a copy-on-write mapping to its region.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn publish(&self, mapping: u64) -> Result<(), SharedError> {
        self.perform(Operation::Publish { mapping: U256::from(mapping) }).await.map(drop)
    }

    /// Makes a region larger.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn grow(&self, handle: Handle, size: u64) -> Result<(), SharedError> {
        self.perform(Operation::Grow { handle, size: U256::from(size) }).await.map(drop)
    }

    /// Sets what an address may do with a region of one's own; nothing revokes.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn grant(
        &self,
        handle: Handle,
        to: Address,
        permissions: Permissions,
    ) -> Result<(), SharedError> {
        let address = U256::from_be_slice(&to.0);
        let permissions = U256::from(permissions.bits());
        self.perform(Operation::Grant { handle, address, permissions }).await.map(drop)
    }

    /// Ends a region of one's own.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn destroy(&self, handle: Handle) -> Result<(), SharedError> {
        self.perform(Operation::Destroy { handle }).await.map(drop)
    }

    /// A region's size in bytes, and what this frame's address may do with it.
    ///
    /// # Errors
    ///
    /// [`ChangeError`](crate::region::error::ChangeError).
    pub async fn info(&self, handle: Handle) -> Result<(u64, Permissions), SharedError> {
        match self.perform(Operation::Info { handle }).await? {
            Output::Info { size, permissions } => {
                let bits = Permissions::from_operand(U256::from(permissions));
                Ok((size, bits.unwrap_or_default()))
            }
            _ => Ok((0, Permissions::NONE)),
        }
    }
}
