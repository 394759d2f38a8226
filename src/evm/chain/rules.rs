//! From a block's place in the chain to the rules in force.

use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;

use super::{
    BlobParameters, ChainSpec, Merge,
    schedule::{CANCUN_BLOBS, PRAGUE_BLOBS, ether},
};
use crate::evm::BlobSchedule;

/// The most blobs of one transaction from Osaka on (EIP-7594).
const MAX_BLOBS_PER_TRANSACTION: u64 = 6;

/// The header fields that decide which rules are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderPosition {
    /// Block number.
    pub number: u64,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// Difficulty; zero after the merge.
    pub difficulty: U256,
}

/// The rules in force in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The EVM's rules.
    pub spec: SpecId,
    /// Blob limits.
    pub blobs: BlobSchedule,
    /// The DAO fork's irregular state change happens in this block.
    pub dao_fork: bool,
    /// Reward of the beneficiary in wei, before ommer shares; zero after the merge.
    pub block_reward: U256,
    /// The parent beacon root is written before the first transaction (EIP-4788).
    pub beacon_root: bool,
    /// The parent hash is written before the first transaction (EIP-2935).
    pub parent_hash: bool,
    /// Requests are collected after the last transaction (EIP-7685).
    pub requests: bool,
    /// The contract whose logs are deposit requests (EIP-6110), from Prague on.
    pub deposit_contract: Option<Address>,
}

/// Why a block cannot be on the chain, or cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Work was done for a block that needs none.
    #[error("expected 0: block {number} is after the merge")]
    DifficultyAfterMerge {
        /// The block.
        number: u64,
    },
    /// The fee recipient is whoever sealed the block, which the header does not say.
    #[error(
        "block {number} is sealed by a signer (clique), and its fee recipient is not in the header"
    )]
    Clique {
        /// The block.
        number: u64,
    },
}

impl ChainSpec {
    /// The rules in force in a block.
    pub fn rules(&self, header: HeaderPosition) -> Result<Rules, ChainError> {
        let HeaderPosition { number, difficulty, .. } = header;
        let spec = self.spec_id(header);
        let merged = spec.is_enabled_in(SpecId::MERGE);
        if merged && !difficulty.is_zero() {
            return Err(ChainError::DifficultyAfterMerge { number });
        }
        if !merged && self.clique {
            return Err(ChainError::Clique { number });
        }
        let prague = spec.is_enabled_in(SpecId::PRAGUE);
        Ok(Rules {
            spec,
            blobs: self.blob_schedule(spec, header.timestamp),
            dao_fork: self.dao_fork == Some(number),
            block_reward: block_reward(spec),
            beacon_root: spec.is_enabled_in(SpecId::CANCUN),
            parent_hash: prague,
            requests: prague,
            deposit_contract: self.deposit_contract.filter(|_| prague),
        })
    }

    /// The EVM's rules in a block. A fork counts only when those before it do: a timestamp alone
    /// does not put a proof-of-work block into Shanghai.
    fn spec_id(&self, header: HeaderPosition) -> SpecId {
        let forks = &self.forks;
        let at_block = |start: Option<u64>| start.is_some_and(|start| header.number >= start);
        let at_time = |start: Option<u64>| start.is_some_and(|start| header.timestamp >= start);
        let merged = match forks.merge {
            Merge::Never => false,
            Merge::Block(start) => header.number >= start,
            Merge::ZeroDifficulty => at_block(forks.london) && header.difficulty.is_zero(),
        };
        let by_block = [
            (SpecId::HOMESTEAD, at_block(forks.homestead)),
            (SpecId::TANGERINE, at_block(forks.tangerine)),
            (SpecId::SPURIOUS_DRAGON, at_block(forks.spurious_dragon)),
            (SpecId::BYZANTIUM, at_block(forks.byzantium)),
            (SpecId::PETERSBURG, at_block(forks.petersburg)),
            (SpecId::ISTANBUL, at_block(forks.istanbul)),
            (SpecId::BERLIN, at_block(forks.berlin)),
            (SpecId::LONDON, at_block(forks.london)),
            (SpecId::MERGE, merged),
        ];
        let by_time = [
            (SpecId::SHANGHAI, at_time(forks.shanghai)),
            (SpecId::CANCUN, at_time(forks.cancun)),
            (SpecId::PRAGUE, at_time(forks.prague)),
            (SpecId::OSAKA, at_time(forks.osaka)),
        ];
        let active = by_block.into_iter().chain(by_time.into_iter().filter(|_| merged));
        active
            .filter(|(_, active)| *active)
            .map(|(spec, _)| spec)
            .next_back()
            .unwrap_or(SpecId::FRONTIER)
    }

    /// The blob limits in force, falling back to the forks' own where the chain lists none.
    fn blob_schedule(&self, spec: SpecId, timestamp: u64) -> BlobSchedule {
        let fork = BlobSchedule::of_fork(spec);
        let listed = self.blobs.iter().rev().find(|blobs| timestamp >= blobs.timestamp);
        match listed {
            Some(&BlobParameters { max, update_fraction, .. })
                if spec.is_enabled_in(SpecId::CANCUN) =>
            {
                BlobSchedule { max_blobs: max, update_fraction, ..fork }
            }
            _ => fork,
        }
    }
}

impl BlobSchedule {
    /// The limits that a fork came with on Ethereum mainnet; before Cancun a block holds no blob.
    pub fn of_fork(spec: SpecId) -> Self {
        let prague = spec.is_enabled_in(SpecId::PRAGUE);
        let [_, max_blobs, update_fraction] = if prague { PRAGUE_BLOBS } else { CANCUN_BLOBS };
        let osaka = spec.is_enabled_in(SpecId::OSAKA);
        Self {
            max_blobs: if spec.is_enabled_in(SpecId::CANCUN) { max_blobs } else { 0 },
            max_blobs_per_transaction: osaka.then_some(MAX_BLOBS_PER_TRANSACTION),
            update_fraction,
        }
    }
}

/// The proof-of-work reward: 5 ether, 3 from Byzantium (EIP-649), 2 from Constantinople
/// (EIP-1234), none after the merge.
fn block_reward(spec: SpecId) -> U256 {
    match spec {
        spec if spec.is_enabled_in(SpecId::MERGE) => U256::ZERO,
        spec if spec.is_enabled_in(SpecId::PETERSBURG) => ether(2),
        spec if spec.is_enabled_in(SpecId::BYZANTIUM) => ether(3),
        _ => ether(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mainnet(number: u64, timestamp: u64) -> Rules {
        let difficulty = if number < 15_537_394 { U256::from(1) } else { U256::ZERO };
        ChainSpec::mainnet().rules(HeaderPosition { number, timestamp, difficulty }).unwrap()
    }

    #[test]
    fn mainnet_forks_start_where_they_did() {
        let cases = [
            (1, 0, SpecId::FRONTIER),
            (1_149_999, 0, SpecId::FRONTIER),
            (1_150_000, 0, SpecId::HOMESTEAD),
            (2_463_000, 0, SpecId::TANGERINE),
            (2_675_000, 0, SpecId::SPURIOUS_DRAGON),
            (4_370_000, 0, SpecId::BYZANTIUM),
            (7_280_000, 0, SpecId::PETERSBURG),
            (9_069_000, 0, SpecId::ISTANBUL),
            (12_244_000, 0, SpecId::BERLIN),
            (12_965_000, 0, SpecId::LONDON),
            // A proof-of-work block with a far timestamp stays in London.
            (15_537_393, 1_800_000_000, SpecId::LONDON),
            (15_537_394, 1_681_338_454, SpecId::MERGE),
            (17_034_870, 1_681_338_455, SpecId::SHANGHAI),
            (19_426_587, 1_710_338_135, SpecId::CANCUN),
            (22_431_084, 1_746_612_311, SpecId::PRAGUE),
            (23_935_694, 1_764_798_551, SpecId::OSAKA),
        ];
        for (number, timestamp, spec) in cases {
            assert_eq!(mainnet(number, timestamp).spec, spec, "block {number}");
        }
    }

    #[test]
    fn blob_limits_change_without_a_fork() {
        let limits = |timestamp| {
            let blobs = mainnet(24_000_000, timestamp).blobs;
            (blobs.max_blobs, blobs.max_blobs_per_transaction, blobs.update_fraction)
        };
        assert_eq!(limits(1_710_338_134).0, 0);
        assert_eq!(limits(1_710_338_135), (6, None, 3_338_477));
        assert_eq!(limits(1_764_798_550), (9, None, 5_007_716));
        assert_eq!(limits(1_764_798_551), (9, Some(6), 5_007_716));
        assert_eq!(limits(1_765_290_071), (15, Some(6), 8_346_193));
        assert_eq!(limits(1_767_747_671), (21, Some(6), 11_684_671));
    }

    #[test]
    fn rewards_shrink_and_end_with_the_merge() {
        let reward = |number| mainnet(number, 1_700_000_000).block_reward;
        assert_eq!(reward(4_369_999), ether(5));
        assert_eq!(reward(4_370_000), ether(3));
        assert_eq!(reward(7_280_000), ether(2));
        assert_eq!(reward(15_537_394), U256::ZERO);
        assert!(mainnet(1_920_000, 0).dao_fork && !mainnet(1_920_001, 0).dao_fork);
    }

    #[test]
    fn a_block_after_the_merge_has_no_difficulty() {
        let header = HeaderPosition {
            number: 20_000_000,
            timestamp: 1_700_000_000,
            difficulty: U256::from(1),
        };
        let error = ChainSpec::mainnet().rules(header).unwrap_err();
        assert_eq!(error, ChainError::DifficultyAfterMerge { number: 20_000_000 });
    }
}
