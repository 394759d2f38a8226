//! What a frame may do with a region, and the options of regions and mappings.
//!
//! All three are bit sets that arrive as whole 256-bit operands: an undefined bit anywhere in the
//! word is refused, never cut off.

use ruint::aliases::U256;

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident, $($(#[$flag_doc:meta])* $flag:ident = $value:expr),* ; all $all:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u8);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self($value);)*
            /// No bit.
            pub const NONE: Self = Self(0);
            /// Every defined bit.
            pub const ALL: Self = Self($all);

            /// The bits as an operand; `None` if an undefined one is set.
            #[must_use]
            pub fn from_operand(operand: U256) -> Option<Self> {
                let bits = u8::try_from(operand).ok()?;
                (bits & !$all == 0).then_some(Self(bits))
            }

            /// As a number.
            #[must_use]
            pub const fn bits(self) -> u8 {
                self.0
            }

            /// Whether every bit of `other` is set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The bits in both.
            #[must_use]
            pub const fn and(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// The bits in either.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits that are not in `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.or(other)
            }
        }
    };
}

bits!(
    /// Read, write, execute.
    Permissions,
    /// May be mapped and read.
    READ = 1,
    /// May be written through a mapping, grown, published to.
    WRITE = 2,
    /// Its bytes may be run as code.
    EXECUTE = 4;
    all 7
);

bits!(
    /// How a region is mapped.
    MapOptions,
    /// A snapshot: what is written shows only here, until published.
    COPY_ON_WRITE = 1,
    /// Nothing can be written.
    READ_ONLY = 2,
    /// Stored pages are read at their first touch. A hint, invisible to contracts.
    LAZY_LOADING = 4,
    /// Stored pages are read ahead. A hint, invisible to contracts.
    PREFETCH = 8;
    all 15
);

bits!(
    /// How a region behaves. Bits 3 and 4 hold its [`Compression`].
    RegionOptions,
    /// Only copy-on-write mappings are allowed.
    COPY_ON_WRITE = 1,
    /// A write past the end grows the region.
    AUTO_GROW = 2,
    /// It is state, and outlives its transaction.
    PERSISTENT = 4,
    /// Its stored pages are compressed with LZ4.
    LZ4 = 8,
    /// Its stored pages are compressed with Zstandard.
    ZSTD = 16;
    all 31
);

/// How stored pages of a region are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4 block format.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl RegionOptions {
    /// How its stored pages are compressed; `None` for 3, which is no compression.
    #[must_use]
    pub fn compression(self) -> Option<Compression> {
        match (self.contains(Self::LZ4), self.contains(Self::ZSTD)) {
            (false, false) => Some(Compression::None),
            (true, false) => Some(Compression::Lz4),
            (false, true) => Some(Compression::Zstd),
            (true, true) => None,
        }
    }
}

/// How much is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityLevel {
    /// No permission checks. Development only; the engine says so at start.
    None,
    /// The ceiling's bits, owner or not.
    Basic,
    /// Owner and grants.
    #[default]
    Strict,
    /// Also a checksum per page, quarantine of freed pages, and an audit event for every denied
    /// access.
    Paranoid,
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn old_fault_4_an_operand_with_a_high_bit_is_refused_not_cut() {
        assert_eq!(Permissions::from_operand(U256::from(3)), Some(Permissions(3)));
        assert_eq!(Permissions::from_operand(U256::from(8)), None);
        assert_eq!(Permissions::from_operand(U256::from(3) + (U256::ONE << 64)), None);
        assert_eq!(MapOptions::from_operand(U256::from(16)), None);
        assert_eq!(RegionOptions::from_operand(U256::MAX), None);
    }

    #[test]
    fn compression_three_is_none_at_all() {
        let of = |bits: u64| RegionOptions::from_operand(U256::from(bits)).unwrap().compression();
        assert_eq!(of(4), Some(Compression::None));
        assert_eq!(of(8), Some(Compression::Lz4));
        assert_eq!(of(20), Some(Compression::Zstd));
        assert_eq!(of(24), None);
    }
}
