//! Operations that move bytes.

use ruint::aliases::U256;

use super::{Regions, SharedError};
use crate::{
    native::{Key, Value},
    region::{
        Access, Operation, Output, Session,
        page::{PAGE_BYTES, Page},
        session::Plan,
    },
    sync::Arc,
};

impl<K: Key, V: Value> Regions<K, V> {
    /// Reads bytes from `offset` on, as many as there are, and says how many.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn read(
        &self,
        mapping: u64,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, SharedError> {
        let access = access(mapping, offset, into.len());
        let moved = self.act(|session, world, call| session.read_at(world, call, &access, into));
        Ok(moved.await?.bytes as usize)
    }

    /// Reads exactly as many bytes as `into` has, zeros where the mapping has none.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn read_padded(
        &self,
        mapping: u64,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), SharedError> {
        let operation = Operation::ReadPadded {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(into.len()),
        };
        let read = |session: &mut Session, plan: Plan| {
            into[plan.bytes as usize..].fill(0);
            session.read(plan, into);
        };
        self.plan(operation, read).await
    }

    /// Writes bytes from `offset` on, as many as fit, and says how many. A region with
    /// [`RegionOptions::AUTO_GROW`](crate::region::RegionOptions::AUTO_GROW) grows first.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn write(
        &self,
        mapping: u64,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, SharedError> {
        let access = access(mapping, offset, data.len());
        let moved = self.act(|session, world, call| session.write_at(world, call, &access, data));
        Ok(moved.await?.bytes as usize)
    }

    /// Reads whole pages without copying: `count` of them from byte `offset` on, or as many as there
    /// are. `offset` counts from the mapping's begin, which has to be that of a page. If the mapping
    /// ends within a page, that page is a copy with zeros for the rest.
    ///
    /// # Errors
    ///
    /// [`SharedError::NotPages`], or as [`Regions::read`].
    pub async fn read_pages(
        &self,
        mapping: u64,
        offset: u64,
        count: usize,
    ) -> Result<Vec<Arc<Page>>, SharedError> {
        let len = count as u64 * PAGE_BYTES as u64;
        let operation = Operation::Read {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(len),
        };
        self.plan(operation, Session::read_pages)
            .await?
            .ok_or(SharedError::NotPages { offset, len })
    }

    /// Writes whole pages without copying, from byte `offset` on.
    ///
    /// # Errors
    ///
    /// [`SharedError::NotPages`], or as [`Regions::write`].
    pub async fn write_pages(
        &self,
        mapping: u64,
        offset: u64,
        pages: &[Arc<Page>],
    ) -> Result<usize, SharedError> {
        let len = pages.len() as u64 * PAGE_BYTES as u64;
        let operation = Operation::Write {
            mapping: U256::from(mapping),
            offset: U256::from(offset),
            len: U256::from(len),
        };
        let write = |session: &mut Session, plan| session.write_pages(plan, pages);
        let written = self.plan(operation, write).await?;
        written.map(bytes_of).ok_or(SharedError::NotPages { offset, len })
    }

    /// Copies within a mapping; overlapping ranges as if through a buffer.
    ///
    /// # Errors
    ///
    /// [`AccessError`](crate::region::error::AccessError).
    pub async fn copy(
        &self,
        mapping: u64,
        destination: u64,
        source: u64,
        len: u64,
    ) -> Result<(), SharedError> {
        let [mapping, destination, source, len] =
            [mapping, destination, source, len].map(U256::from);
        self.perform(Operation::Copy { mapping, destination, source, len }).await.map(drop)
    }
}

fn access(mapping: u64, offset: u64, len: usize) -> Access {
    Access { mapping: U256::from(mapping), offset: U256::from(offset), len: U256::from(len) }
}

fn bytes_of(output: Output) -> usize {
    match output {
        Output::Bytes(bytes) => bytes as usize,
        _ => 0,
    }
}
