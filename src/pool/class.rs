//! The four block sizes, and how many blocks of each a pool has.

/// A size of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// 64 bytes.
    B64 = 0,
    /// 4 KiB: one page of a region.
    K4 = 1,
    /// 64 KiB.
    K64 = 2,
    /// 1 MiB.
    M1 = 3,
}

impl Class {
    /// Every class, smallest first; a class's place is its number.
    pub const ALL: [Self; 4] = [Self::B64, Self::K4, Self::K64, Self::M1];

    /// The largest block there is, in bytes.
    pub const MAX_BYTES: u64 = Self::M1.bytes() as u64;

    /// A block's size in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::B64 => 64,
            Self::K4 => 4 << 10,
            Self::K64 => 64 << 10,
            Self::M1 => 1 << 20,
        }
    }

    /// A block's size in words of 32 bytes.
    #[must_use]
    pub const fn words(self) -> u64 {
        self.bytes() as u64 / 32
    }

    /// The number contracts use for it, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The class of a number; `None` for 4, which asks for [`smallest_for`](Self::smallest_for), and
    /// above.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::B64),
            1 => Some(Self::K4),
            2 => Some(Self::K64),
            3 => Some(Self::M1),
            _ => None,
        }
    }

    /// The smallest class whose blocks hold `bytes`; `None` above 1 MiB.
    #[must_use]
    pub const fn smallest_for(bytes: u64) -> Option<Self> {
        match bytes {
            0..=64 => Some(Self::B64),
            65..=0x1000 => Some(Self::K4),
            0x1001..=0x1_0000 => Some(Self::K64),
            0x1_0001..=Self::MAX_BYTES => Some(Self::M1),
            _ => None,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::B64 => "64 B",
            Self::K4 => "4 KiB",
            Self::K64 => "64 KiB",
            Self::M1 => "1 MiB",
        })
    }
}

/// How many blocks of each class are allocated up front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// The number of blocks, in the order of [`Class::ALL`]. Zero is allowed: such a class lives on
    /// the heap.
    pub blocks: [u32; 4],
}

/// A class is configured with more blocks than one pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{blocks} blocks of {class} are more than the {max} a pool holds")]
pub struct TooManyBlocks {
    /// The class.
    pub class: Class,
    /// How many blocks it is configured with.
    pub blocks: u32,
    /// How many it may have.
    pub max: u32,
}

impl PoolConfig {
    /// The most blocks one class may have.
    pub const MAX_BLOCKS: u32 = 1 << 20;

    /// 21 MiB and 64 KiB.
    #[must_use]
    pub const fn production() -> Self {
        Self { blocks: [1024, 256, 64, 16] }
    }

    /// A quarter of [`production`](Self::production).
    #[must_use]
    pub const fn development() -> Self {
        Self { blocks: [256, 64, 16, 4] }
    }

    /// A sixteenth of [`production`](Self::production).
    #[must_use]
    pub const fn testing() -> Self {
        Self { blocks: [64, 16, 4, 1] }
    }

    /// How many blocks of `class` there are.
    #[must_use]
    pub const fn count(&self, class: Class) -> u32 {
        self.blocks[class.index()]
    }

    /// How many bytes the blocks take together: what a memory budget has to allow.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |class: Class| u64::from(self.count(class)) * class.bytes() as u64;
        Class::ALL.into_iter().map(of).sum()
    }

    /// Whether a pool can be made of it.
    ///
    /// # Errors
    ///
    /// Names the first class with more than [`MAX_BLOCKS`](Self::MAX_BLOCKS).
    pub fn check(&self) -> Result<(), TooManyBlocks> {
        let too_many = |class: &Class| self.count(*class) > Self::MAX_BLOCKS;
        match Class::ALL.into_iter().find(too_many) {
            Some(class) => {
                Err(TooManyBlocks { class, blocks: self.count(class), max: Self::MAX_BLOCKS })
            }
            None => Ok(()),
        }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self::production()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_the_classes_in_order_and_four_names_none() {
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(Class::from_number(number as u8), Some(class));
            assert_eq!(usize::from(class.number()), number);
        }
        assert!((4..=255).all(|number| Class::from_number(number).is_none()));
        assert_eq!(Class::ALL.map(Class::bytes), [64, 4096, 65_536, 1_048_576]);
        assert_eq!(Class::ALL.map(Class::words), [2, 128, 2048, 32_768]);
    }

    #[test]
    fn the_smallest_class_that_fits_is_chosen_and_none_above_a_mebibyte() {
        for (smaller, class) in Class::ALL.into_iter().zip(Class::ALL.into_iter().skip(1)) {
            assert_eq!(Class::smallest_for(smaller.bytes() as u64), Some(smaller));
            assert_eq!(Class::smallest_for(smaller.bytes() as u64 + 1), Some(class));
        }
        assert_eq!(Class::smallest_for(0), Some(Class::B64));
        assert_eq!(Class::smallest_for(1 << 20), Some(Class::M1));
        assert_eq!(Class::smallest_for((1 << 20) + 1), None);
        assert_eq!(Class::smallest_for(u64::MAX), None);
    }

    #[test]
    fn the_presets_are_those_of_the_specification() {
        assert_eq!(PoolConfig::production().blocks, [1024, 256, 64, 16]);
        assert_eq!(PoolConfig::development().blocks, [256, 64, 16, 4]);
        assert_eq!(PoolConfig::testing().blocks, [64, 16, 4, 1]);
        assert_eq!(
            PoolConfig::production().bytes(),
            (64 << 10) + (1 << 20) + (4 << 20) + (16 << 20)
        );
    }

    #[test]
    fn more_blocks_than_a_pool_holds_are_refused_by_name() {
        let config = PoolConfig { blocks: [1, PoolConfig::MAX_BLOCKS + 1, 0, u32::MAX] };
        let error = TooManyBlocks {
            class: Class::K4,
            blocks: PoolConfig::MAX_BLOCKS + 1,
            max: PoolConfig::MAX_BLOCKS,
        };
        assert_eq!(config.check(), Err(error));
        assert_eq!(PoolConfig::production().check(), Ok(()));
    }
}
