//! The bytes of blocks: one allocation per class, cut into blocks that are owned one by one.
//!
//! `BytesMut` is what makes that possible without `unsafe`: parts split off an allocation are owned
//! and exclusive, and the allocation lives as long as one of them.
//!
//! ```text
//!   allocation  ┌─────┬─────────┬─────────┬─── ─ ─ ───┬──────┐
//!               │ cut │ block 0 │ block 1 │           │ cut  │
//!               └─────┴─────────┴─────────┴─── ─ ─ ───┴──────┘
//!                     ▲ a multiple of 4096, and so is each block but those of 64 bytes
//! ```
//!
//! The memory is reserved when the pool is made, and zero without being written. The operating system
//! provides each page of it at the first write. The free list hands out what was returned last, so
//! that happens only when more blocks are in use than ever before, and once per page.

use bytes::BytesMut;

use super::Class;

/// What the first block's address is a multiple of, and with it every block's, those of 64 bytes
/// aside.
pub(super) const ALIGNMENT: usize = 4096;

/// A block on its way out.
pub(super) struct Memory {
    pub(super) bytes: BytesMut,
    /// Whether it was never handed out, and so is zero.
    pub(super) blank: bool,
}

impl Memory {
    /// All zero.
    pub(super) fn zeroed(mut self) -> BytesMut {
        if !self.blank {
            self.bytes.fill(0);
        }
        self.bytes
    }

    /// `content`, and zero behind it. `content` is no longer than a block.
    pub(super) fn copy_of(mut self, content: &[u8]) -> BytesMut {
        let (head, tail) = self.bytes.split_at_mut(content.len());
        head.copy_from_slice(content);
        // The test for nothing to fill is not idle: it was measured that filling none at the end of a
        // block, where the next page is not provided yet, takes 110 ns. A vectorised `memset` stores
        // nothing there under a mask, and the processor works out slowly that this is no page fault.
        if !self.blank && !tail.is_empty() {
            tail.fill(0);
        }
        self.bytes
    }
}

/// The memory of a class's blocks, in the order of their addresses, which follow one another.
pub(super) fn slab(class: Class, blocks: u32) -> Vec<BytesMut> {
    if blocks == 0 {
        return Vec::new();
    }
    let mut rest = aligned(class.bytes().saturating_mul(blocks as usize));
    (0..blocks).map(|_| rest.split_to(class.bytes())).collect()
}

/// A block of its own, for when the pool has none.
pub(super) fn heap(class: Class) -> Memory {
    Memory { bytes: aligned(class.bytes()), blank: true }
}

/// So many zero bytes at an aligned address.
fn aligned(bytes: usize) -> BytesMut {
    let mut allocation = BytesMut::zeroed(bytes.saturating_add(ALIGNMENT - 1));
    let cut = allocation.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT - 1);
    let mut aligned = allocation.split_off(cut);
    aligned.truncate(bytes);
    aligned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_class_are_aligned_and_follow_one_another() {
        for class in Class::ALL {
            let blocks = slab(class, 3);
            let addresses: Vec<usize> = blocks.iter().map(|block| block.as_ptr().addr()).collect();
            assert!(addresses[0].is_multiple_of(ALIGNMENT), "{class}");
            assert_eq!(addresses[1], addresses[0] + class.bytes());
            assert_eq!(addresses[2], addresses[1] + class.bytes());
            assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == 0)));
            assert!(blocks.iter().all(|block| block.len() == class.bytes()));
        }
        assert!(slab(Class::M1, 0).is_empty());
    }

    #[test]
    fn a_block_of_the_heap_is_aligned_too() {
        for class in Class::ALL {
            let block = heap(class);
            assert!(block.bytes.as_ptr().addr().is_multiple_of(ALIGNMENT), "{class}");
            assert_eq!(block.bytes.len(), class.bytes());
        }
    }

    #[test]
    fn a_used_block_shows_nothing_of_its_past() {
        let used = || Memory { bytes: BytesMut::from(&[7; 64][..]), blank: false };
        assert_eq!(used().zeroed()[..], [0; 64]);
        let copy = used().copy_of(&[1, 2, 3]);
        assert_eq!(copy[..3], [1, 2, 3]);
        assert_eq!(copy[3..], [0; 61]);
    }
}
