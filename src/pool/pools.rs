//! All four classes together: the pools as others use them.

use std::fmt;

use bytes::BytesMut;

use super::{
    Block, Class, PoolConfig, PoolStats, Reservation,
    class_pool::ClassPool,
    memory::{self, Memory},
};
use crate::sync::Arc;

/// What to do when a class has no free block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// Say so.
    Fail,
    /// Take a block from the heap, and count it.
    Heap,
}

/// A class has no free block, and the heap was not to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pool has no free block of {class}")]
pub struct PoolExhausted {
    /// The class.
    pub class: Class,
}

/// Why [`Pools::allocate_copy_of`] gave no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The content is larger than any block.
    #[error("{size} bytes are more than the {max} of the largest block")]
    TooLarge {
        /// How many bytes it has.
        size: u64,
        /// How many a block has at most.
        max: u64,
    },
    /// The class that fits has no free block.
    #[error(transparent)]
    Exhausted(#[from] PoolExhausted),
}

/// Pools of blocks in four sizes, for any number of threads.
pub struct Pools {
    classes: [Arc<ClassPool>; 4],
}

impl Pools {
    /// Allocates all blocks. A class has [`PoolConfig::MAX_BLOCKS`] of them at most, whatever is
    /// configured; [`PoolConfig::check`] tells beforehand.
    #[must_use]
    pub fn new(config: &PoolConfig) -> Arc<Self> {
        let blocks = |class| config.count(class).min(PoolConfig::MAX_BLOCKS);
        let pool = |class| Arc::new(ClassPool::new(class, blocks(class)));
        Arc::new(Self { classes: Class::ALL.map(pool) })
    }

    /// A block of zeros.
    ///
    /// # Errors
    ///
    /// If none is free and the heap is not to be asked. With [`Exhaustion::Fail`] that is exact, and
    /// costs a wait of microseconds beside a [`compact`](Self::compact) that holds the last free
    /// blocks; [`Exhaustion::Heap`] never waits, and may take a block from the heap then.
    pub fn allocate(&self, class: Class, exhaustion: Exhaustion) -> Result<Block, PoolExhausted> {
        self.hand_out(class, exhaustion, Memory::zeroed)
    }

    /// A block of the smallest class that fits, which holds `content` and zeros behind it.
    ///
    /// Only what lies behind the content is written with zeros, so this is the way to a block that
    /// is overwritten anyway: nothing of its past ever shows, and nothing is written twice.
    ///
    /// # Errors
    ///
    /// If the content is larger than 1 MiB; or as [`allocate`](Self::allocate).
    pub fn allocate_copy_of(
        &self,
        content: &[u8],
        exhaustion: Exhaustion,
    ) -> Result<Block, CopyError> {
        let size = content.len() as u64;
        let class =
            Class::smallest_for(size).ok_or(CopyError::TooLarge { size, max: Class::MAX_BYTES })?;
        Ok(self.hand_out(class, exhaustion, |memory| memory.copy_of(content))?)
    }

    /// A 4 KiB block with this content: the copy that a copy-on-write fault makes.
    ///
    /// # Errors
    ///
    /// As [`allocate`](Self::allocate).
    pub fn allocate_copy_of_page(
        &self,
        content: &[u8; Class::K4.bytes()],
        exhaustion: Exhaustion,
    ) -> Result<Block, PoolExhausted> {
        self.hand_out(Class::K4, exhaustion, |memory| memory.copy_of(content))
    }

    /// A block without its bytes, to be counted as in use. If none is free, one is counted that the heap would have
    /// given, and nothing is allocated.
    pub fn reserve(&self, class: Class) -> Reservation {
        let pool = &self.classes[class.index()];
        Reservation(match pool.take(false) {
            Some((slot, memory)) => Block::pooled(memory.bytes, pool.clone(), slot),
            None => Block::heap(BytesMut::new(), pool.clone()),
        })
    }

    #[inline]
    fn hand_out(
        &self,
        class: Class,
        exhaustion: Exhaustion,
        fill: impl FnOnce(Memory) -> BytesMut,
    ) -> Result<Block, PoolExhausted> {
        let pool = &self.classes[class.index()];
        if let Some((slot, memory)) = pool.take(exhaustion == Exhaustion::Fail) {
            return Ok(Block::pooled(fill(memory), pool.clone(), slot));
        }
        match exhaustion {
            Exhaustion::Fail => Err(PoolExhausted { class }),
            Exhaustion::Heap => Ok(Block::heap(fill(memory::heap(class)), pool.clone())),
        }
    }

    /// From now on, whether blocks that come back are held back until
    /// [`release_quarantine`](Self::release_quarantine). Those held back already stay so.
    pub fn set_quarantine(&self, on: bool) {
        for pool in &self.classes {
            pool.set_quarantine(on);
        }
    }

    /// Frees every block that is held back, and returns how many they were.
    pub fn release_quarantine(&self) -> usize {
        self.classes.iter().map(|pool| pool.release_quarantine()).sum()
    }

    /// Orders the free blocks of each class by address, so that the lowest are handed out first, and
    /// returns how many are free. Allocation and return go on meanwhile.
    ///
    /// A block that is handed out cannot move, so what this mends is the order of hand-outs: later
    /// blocks come from one end, and the other end grows together as blocks come back.
    pub fn compact(&self) -> usize {
        self.classes.iter().map(|pool| pool.compact()).sum()
    }

    /// The figures of every class. Looks at every slot, so it is for reports, not for hot paths.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats { classes: [0, 1, 2, 3].map(|index| self.classes[index].stats()) }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}
