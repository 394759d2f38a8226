//! What region operations cost.
//!
//! Every number stands in a [`GasSchedule`], which a chain can replace. Gas is a function of the
//! block and never of what runs in parallel. All of it is regular gas under EIP-8037.
//!
//! | part | regular schedule |
//! |---|---|
//! | base | by operation, [`GasSchedule::base`] |
//! | data | 3 per 32-byte word of the requested size |
//! | lookup | 2,600 for the first of a region or name in the transaction, found or not; later ones are in the base |
//! | page | 100 for each page touched first in the transaction, 2,000 more if it is state |
//! | page memory | marginal cost of `3·w + w²/512`, where a page that comes into being and a frame's first write to a present page add 128 words to the transaction's `w` |
//! | persistence | 32,000 a region, 20,000 a grant entry, 200 a byte of a new page, 2,900 for the first write to a present page |
//! | exec | 8 per word of code |

use ruint::aliases::U256;

use crate::observe::OperationKind;

/// Words of 32 bytes that a page adds to the transaction's memory.
pub const PAGE_MEMORY_WORDS: u64 = 128;

/// Every number that region operations are charged by, in gas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasSchedule {
    /// What an operation costs at least, by [`OperationKind`].
    pub base: [u64; OperationKind::ALL.len()],
    /// Per 32-byte word of the requested size.
    pub word: u64,
    /// First lookup of a region or name in a transaction.
    pub cold_lookup: u64,
    /// First touch of a page in a transaction.
    pub cold_page: u64,
    /// The same, on top, if the page belongs to a persistent region or a sidecar.
    pub cold_persistent_page: u64,
    /// Linear part of page memory, per word.
    pub memory_word: u64,
    /// Divisor of the quadratic part of page memory.
    pub memory_quotient: u64,
    /// A new persistent region.
    pub new_region: u64,
    /// A new grant entry of a persistent region.
    pub new_grant: u64,
    /// Per byte of a new page of a persistent region.
    pub new_page_byte: u64,
    /// A transaction's first write to a present page of a persistent region.
    pub first_write: u64,
    /// Per 32-byte word of code, for hashing and jump analysis.
    pub code_word: u64,
}

impl Default for GasSchedule {
    fn default() -> Self {
        let mut base = [0; OperationKind::ALL.len()];
        for kind in OperationKind::ALL {
            base[kind as usize] = match kind {
                OperationKind::Free
                | OperationKind::Unmap
                | OperationKind::Read
                | OperationKind::ReadPadded
                | OperationKind::Info => 50,
                OperationKind::Alloc
                | OperationKind::Write
                | OperationKind::Open
                | OperationKind::Copy
                | OperationKind::Grow
                | OperationKind::Publish
                | OperationKind::Exec => 100,
                OperationKind::Map
                | OperationKind::Create
                | OperationKind::Grant
                | OperationKind::Destroy => 200,
            };
        }
        Self {
            base,
            word: 3,
            cold_lookup: 2_600,
            cold_page: 100,
            cold_persistent_page: 2_000,
            memory_word: 3,
            memory_quotient: 512,
            new_region: 32_000,
            new_grant: 20_000,
            new_page_byte: 200,
            first_write: 2_900,
            code_word: 8,
        }
    }
}

impl GasSchedule {
    /// What `bytes` of data cost.
    #[must_use]
    pub fn data(&self, bytes: u64) -> u64 {
        self.word.saturating_mul(bytes.div_ceil(32))
    }

    /// What data costs whose size is a whole operand; `None` if that is more gas than there can be.
    #[must_use]
    pub fn data_of(&self, bytes: U256) -> Option<u64> {
        let words =
            (bytes >> 5_usize) + U256::from(u64::from(!bytes.as_limbs()[0].is_multiple_of(32)));
        u64::try_from(words.checked_mul(U256::from(self.word))?).ok()
    }

    /// What a transaction has paid for `words` of page memory altogether.
    #[must_use]
    pub fn memory(&self, words: u64) -> u64 {
        let words = u128::from(words);
        let linear = u128::from(self.memory_word) * words;
        let quadratic = words * words / u128::from(self.memory_quotient.max(1));
        u64::try_from(linear.saturating_add(quadratic)).unwrap_or(u64::MAX)
    }

    /// What `more` words cost a transaction that has `words`.
    #[must_use]
    pub fn more_memory(&self, words: u64, more: u64) -> u64 {
        self.memory(words.saturating_add(more)).saturating_sub(self.memory(words))
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn page_memory_costs_what_evm_memory_costs() {
        let gas = GasSchedule::default();
        assert_eq!(gas.memory(0), 0);
        assert_eq!(gas.memory(1), 3);
        assert_eq!(gas.memory(128), 3 * 128 + 32);
        assert_eq!(gas.more_memory(128, 128), 3 * 128 + (256 * 256 - 128 * 128) / 512);
        assert_eq!(gas.memory(u64::MAX), u64::MAX);
    }

    #[test]
    fn old_fault_4_the_price_of_a_huge_operand_is_not_cut_to_64_bits() {
        let gas = GasSchedule::default();
        for bytes in [0, 1, 32, 33, u64::MAX] {
            assert_eq!(gas.data_of(U256::from(bytes)), Some(gas.data(bytes)));
        }
        assert_eq!(gas.data_of(U256::ONE << 66), Some(3 << 61));
        assert_eq!(gas.data_of(U256::ONE << 68), None);
        assert_eq!(gas.data_of(U256::MAX), None);
        assert_eq!(GasSchedule { word: 0, ..gas }.data_of(U256::MAX), Some(0));
    }

    #[test]
    fn a_new_page_of_state_costs_what_deployed_code_of_its_size_does() {
        assert_eq!(GasSchedule::default().new_page_byte * 4096, 819_200);
    }
}
