//! What a chain fixes and what a host chooses.
//!
//! The chain part decides what contracts observe, so every node of a chain has the same; it changes
//! only between blocks. The host part is invisible to contracts. The presets fill both.

use std::path::PathBuf;

use ruint::aliases::U256;

use super::{gas::GasSchedule, handle::Address, rights::SecurityLevel};
use crate::{
    observe::OperationKind,
    pool::{PoolConfig, TooManyBlocks},
    sync::time::Duration,
};

/// Where the precompile answers unless a chain says otherwise.
pub const PRECOMPILE: Address =
    Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xC4, 0x05]);

/// The opcode bytes of the operations, by [`OperationKind`], unless a chain says otherwise. 0xE6 to
/// 0xE8 belong to EIP-8024 and stay free.
pub const OPCODES: [u8; OperationKind::ALL.len()] = {
    let mut bytes = [0; OperationKind::ALL.len()];
    bytes[OperationKind::Alloc as usize] = 0xE0;
    bytes[OperationKind::Free as usize] = 0xE1;
    bytes[OperationKind::Map as usize] = 0xE2;
    bytes[OperationKind::Read as usize] = 0xE3;
    bytes[OperationKind::Write as usize] = 0xE4;
    bytes[OperationKind::Unmap as usize] = 0xE5;
    bytes[OperationKind::Create as usize] = 0xE9;
    bytes[OperationKind::Open as usize] = 0xEA;
    bytes[OperationKind::Copy as usize] = 0xEB;
    bytes[OperationKind::Grant as usize] = 0xEC;
    bytes[OperationKind::Info as usize] = 0xED;
    bytes[OperationKind::Exec as usize] = 0xEE;
    bytes[OperationKind::Grow as usize] = 0xD4;
    bytes[OperationKind::Destroy as usize] = 0xD5;
    bytes[OperationKind::Publish as usize] = 0xD6;
    bytes[OperationKind::ReadPadded as usize] = 0xD7;
    bytes
};

/// The chain's part: everything that a contract can observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// Number of the first block with shared memory; `None`: never.
    pub active_from: Option<u64>,
    /// Opcode bytes, by [`OperationKind`].
    pub opcodes: [u8; OperationKind::ALL.len()],
    /// Where the precompile answers.
    pub precompile: Address,
    /// What operations cost.
    pub gas: GasSchedule,
    /// Regions that one transaction may create.
    pub max_shared_regions: u32,
    /// Largest region, in bytes.
    pub max_region_size: u64,
    /// Whether copy-on-write mappings exist.
    pub enable_copy_on_write: bool,
    /// Pool blocks of each class that one transaction may hold.
    pub pool_blocks: [u32; 4],
    /// Pages that a prefetch hint may name.
    pub prefetch_limit: u32,
    /// Most sidecars of a transaction, and of a block besides those of its transactions.
    pub max_sidecars: u32,
    /// Largest sidecar, in bytes.
    pub max_sidecar_size: u64,
    /// How much is checked.
    pub security_level: SecurityLevel,
}

/// When the collector runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
    /// Whether it runs by itself at all.
    pub enabled: bool,
    /// At most this long after the last time.
    pub interval: Duration,
    /// Once regions hold so many bytes.
    pub threshold: u64,
    /// After every commit.
    pub eager: bool,
    /// For how many blocks nobody has used a region whose pages are compressed, if it asks for that.
    pub cold_after: u64,
}

/// How a region's capacity grows. Never visible in its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowthStrategy {
    /// To twice what it was.
    Doubling,
    /// Page by page.
    Page,
}

/// The host's part: nothing that a contract could observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Whether the host takes part, if the chain activates it.
    pub enable_shared_memory: bool,
    /// Whether regions can be exported as memory files.
    pub enable_memory_mapping: bool,
    /// Whether exports can be had over a socket.
    pub enable_ipc: bool,
    /// When the collector runs.
    pub collector: CollectorConfig,
    /// Physical blocks.
    pub pools: PoolConfig,
    /// Bytes of pages to keep in memory.
    pub memory_budget: u64,
    /// The directory for pages beyond that. With none they stay in memory, and collections say how
    /// many bytes there are too many.
    pub spill: Option<PathBuf>,
    /// How capacity grows.
    pub growth_strategy: GrowthStrategy,
    /// Blocks that can be undone.
    pub undo_blocks: u32,
    /// Messages that the registry's mailbox holds.
    pub registry_mailbox: usize,
}

/// Both parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMemoryConfig {
    /// What every node of the chain has.
    pub chain: ChainConfig,
    /// What this host chooses.
    pub host: HostConfig,
}

/// A configuration that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Exports go over the socket, so there must be exports.
    #[error("enable_ipc is true, but enable_memory_mapping is false: there is nothing to pass on")]
    IpcWithoutMapping,
    /// More than page numbers can name.
    #[error("max_region_size {size} is above {limit}, the address space of a region")]
    RegionBeyondAddressSpace {
        /// What was configured, in bytes.
        size: u64,
        /// What is possible, in bytes.
        limit: u64,
    },
    /// A region has at least a byte.
    #[error("max_region_size is 0, but max_shared_regions is {regions}")]
    NoRegionFits {
        /// How many regions were to be allowed.
        regions: u32,
    },
    /// A collector that runs without a pause.
    #[error("collector.enabled is true, but collector.interval is 0")]
    ZeroInterval,
    /// A collector that always runs.
    #[error("collector.enabled is true, but collector.threshold is 0")]
    ZeroThreshold,
    /// Less memory than the pools take.
    #[error("memory_budget of {budget} bytes is less than the {pools} bytes of pools")]
    PoolsBeyondBudget {
        /// The budget, in bytes.
        budget: u64,
        /// What the pools take, in bytes.
        pools: u64,
    },
    /// More blocks than a pool can have.
    #[error("pools: {0}")]
    Pools(#[from] TooManyBlocks),
    /// Nowhere to put pages.
    #[error("spill is {}, but that is not a directory for the pages beyond memory_budget", .0.display())]
    NoDirectory(PathBuf),
    /// Nobody could ask anything.
    #[error("registry_mailbox is 0, but enable_shared_memory is true")]
    NoMailbox,
    /// Two operations of one byte.
    #[error("opcode {byte:#04x} stands for both {first} and {second}")]
    OpcodeTwice {
        /// The byte.
        byte: u8,
        /// One operation.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Another instruction has the byte.
    #[error("opcode {byte:#04x} of {operation} is taken by {taken_by}")]
    OpcodeTaken {
        /// The byte.
        byte: u8,
        /// The operation.
        operation: &'static str,
        /// What has it.
        taken_by: &'static str,
    },
    /// A precompile of Ethereum answers there.
    #[error("precompile {address} is not free")]
    PrecompileTaken {
        /// The address.
        address: Address,
    },
}

/// Bytes that page numbers can name: 2^52 pages.
const ADDRESS_SPACE: u64 = u64::MAX >> 1;

impl SharedMemoryConfig {
    /// Checks that the fields agree with each other.
    ///
    /// # Errors
    ///
    /// The first contradiction, naming both fields.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (chain, host) = (&self.chain, &self.host);
        if host.enable_ipc && !host.enable_memory_mapping {
            return Err(ConfigError::IpcWithoutMapping);
        }
        if chain.max_region_size > ADDRESS_SPACE {
            let size = chain.max_region_size;
            return Err(ConfigError::RegionBeyondAddressSpace { size, limit: ADDRESS_SPACE });
        }
        if chain.max_region_size == 0 && chain.max_shared_regions > 0 {
            return Err(ConfigError::NoRegionFits { regions: chain.max_shared_regions });
        }
        if host.collector.enabled && host.collector.interval.is_zero() {
            return Err(ConfigError::ZeroInterval);
        }
        if host.collector.enabled && host.collector.threshold == 0 {
            return Err(ConfigError::ZeroThreshold);
        }
        if host.enable_shared_memory && host.registry_mailbox == 0 {
            return Err(ConfigError::NoMailbox);
        }
        host.pools.check()?;
        if let Some(directory) = host.spill.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(ConfigError::NoDirectory(directory.clone()));
        }
        let pools = host.pools.bytes();
        if pools > host.memory_budget {
            return Err(ConfigError::PoolsBeyondBudget { budget: host.memory_budget, pools });
        }
        chain.validate_opcodes()
    }
}

impl ChainConfig {
    /// Whether transactions of this block can use shared memory.
    #[must_use]
    pub fn is_active(&self, block: u64) -> bool {
        self.active_from.is_some_and(|first| block >= first)
    }

    /// Which operation a byte of code stands for.
    #[must_use]
    pub fn operation(&self, byte: u8) -> Option<OperationKind> {
        OperationKind::ALL.into_iter().find(|kind| self.opcodes[*kind as usize] == byte)
    }

    fn validate_opcodes(&self) -> Result<(), ConfigError> {
        for (at, kind) in OperationKind::ALL.into_iter().enumerate() {
            let byte = self.opcodes[kind as usize];
            if let Some(other) =
                OperationKind::ALL[..at].iter().find(|other| self.opcodes[**other as usize] == byte)
            {
                let (first, second) = (other.name(), kind.name());
                return Err(ConfigError::OpcodeTwice { byte, first, second });
            }
            if let Some(taken_by) = taken(byte) {
                return Err(ConfigError::OpcodeTaken { byte, operation: kind.name(), taken_by });
            }
        }
        if U256::from_be_slice(&self.precompile.0) <= U256::from(0xff)
            || self.precompile.0[..18] == [0; 18] && self.precompile.0[18] == 1
        {
            return Err(ConfigError::PrecompileTaken { address: self.precompile });
        }
        Ok(())
    }
}

/// What Ethereum uses a byte for, where that is outside of the free ranges.
fn taken(byte: u8) -> Option<&'static str> {
    match byte {
        0xE6..=0xE8 => Some("EIP-8024"),
        0x0C..=0x0F | 0x21..=0x2F | 0x4C..=0x4F | 0xA5..=0xEF => None,
        0xF6..=0xF9 | 0xFB | 0xFC => None,
        _ => Some("Ethereum"),
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_named() {
        let with = |change: fn(&mut SharedMemoryConfig)| {
            let mut config = SharedMemoryConfig::production();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        let message = with(|config| config.host.enable_memory_mapping = false);
        assert!(message.contains("enable_ipc") && message.contains("enable_memory_mapping"));
        let message = with(|config| config.chain.max_region_size = u64::MAX);
        assert!(message.contains("max_region_size"));
        let message = with(|config| config.host.collector.interval = Duration::ZERO);
        assert!(message.contains("collector.interval"));
        let message = with(|config| config.chain.opcodes[0] = 0xE7);
        assert!(message.contains("EIP-8024"), "{message}");
        let message = with(|config| config.chain.opcodes[0] = 0x01);
        assert!(message.contains("Ethereum"), "{message}");
        let message = with(|config| config.chain.opcodes[0] = config.chain.opcodes[1]);
        assert!(message.contains("both"), "{message}");
        let message = with(|config| config.chain.precompile = Address::from_number(1));
        assert!(message.contains("not free"), "{message}");
        let message = with(|config| config.host.memory_budget = 1);
        assert!(message.contains("memory_budget"), "{message}");
        let message = with(|config| config.host.pools.blocks[1] = u32::MAX);
        assert!(message.contains("4 KiB"), "{message}");
        let message = with(|config| config.host.spill = Some("/nowhere/at/all".into()));
        assert!(message.contains("spill") && message.contains("memory_budget"), "{message}");
    }
}
