//! A block that somebody has.

use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
};

use bytes::BytesMut;

use super::{Class, class_pool::ClassPool, free_list::SlotIndex};
use crate::sync::Arc;

/// Bytes of one of the four sizes, which go back to where they came from when this is dropped, on
/// whichever thread that happens.
///
/// It starts at a multiple of 4096 (of 64, if it is a 64-byte block). It keeps the pool's memory
/// alive, so it may outlive [`Pools`](super::Pools).
pub struct Block {
    bytes: BytesMut,
    pool: Arc<ClassPool>,
    home: Home,
}

/// A block that is reserved, without its bytes: what whoever had it last left in them
/// cannot be seen, so taking one writes nothing. Dropping it gives it back.
#[derive(Debug)]
#[must_use]
pub struct Reservation(pub(super) Block);

impl Reservation {
    /// Its size, as a class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class()
    }

    /// Whether it is in the pool.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.0.is_pooled()
    }
}

/// Where a block goes.
#[derive(Clone, Copy)]
enum Home {
    Slot(SlotIndex),
    Heap,
}

impl Block {
    /// A block of the pool, whose slot's number the caller had from the free list.
    pub(super) fn pooled(bytes: BytesMut, pool: Arc<ClassPool>, slot: SlotIndex) -> Self {
        Self { bytes, pool, home: Home::Slot(slot) }
    }

    /// A block of the heap; counted from here to its drop.
    pub(super) fn heap(bytes: BytesMut, pool: Arc<ClassPool>) -> Self {
        pool.heap().take();
        Self { bytes, pool, home: Home::Heap }
    }

    /// Its size, as a class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.pool.class()
    }

    /// Whether it is one of the pool's, not the heap's.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        matches!(self.home, Home::Slot(_))
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Block {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Block {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        match self.home {
            Home::Slot(slot) => self.pool.put(slot, mem::take(&mut self.bytes)),
            Home::Heap => self.pool.heap().put(),
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: they may be a mebibyte.
        f.debug_struct("Block")
            .field("class", &self.class())
            .field("pooled", &self.is_pooled())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::super::{Exhaustion, PoolConfig, Pools};
    use super::*;

    #[test]
    fn old_fault_7_the_memory_goes_with_the_last_of_its_blocks() {
        let pools = Pools::new(&PoolConfig::testing());
        let allocate = || pools.allocate(Class::K4, Exhaustion::Fail).unwrap();
        let (first, second) = (allocate(), allocate());
        let pool = Arc::downgrade(&first.pool);
        drop(pools);
        drop(first);
        assert!(pool.upgrade().is_some(), "a block keeps its pool");
        drop(second);
        assert!(pool.upgrade().is_none(), "a block that came back late kept the memory");
    }
}
