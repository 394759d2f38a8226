//! The configurations that chains and hosts begin with.

use super::{
    config::{
        ChainConfig, CollectorConfig, GrowthStrategy, HostConfig, OPCODES, PRECOMPILE,
        SharedMemoryConfig,
    },
    gas::GasSchedule,
    rights::SecurityLevel,
};
use crate::{pool::PoolConfig, sync::time::Duration};

/// What differs between them.
struct Preset {
    regions: u32,
    size: u64,
    copy_on_write: bool,
    mapping: bool,
    ipc: bool,
    security: SecurityLevel,
    interval: u64,
    threshold: u64,
    eager: bool,
    cold: u64,
    collect: bool,
    pools: PoolConfig,
    budget: u64,
    prefetch: u32,
    growth: GrowthStrategy,
    undo: u32,
}

impl SharedMemoryConfig {
    /// What a chain in operation uses. `active_from` is its first block with shared memory.
    #[must_use]
    pub fn production() -> Self {
        Self::preset(Preset {
            regions: 1024,
            size: 64 << 20,
            copy_on_write: true,
            mapping: true,
            ipc: true,
            security: SecurityLevel::Strict,
            interval: 5_000,
            threshold: 512 << 20,
            eager: true,
            cold: 64,
            collect: true,
            pools: PoolConfig::production(),
            budget: 2 << 30,
            prefetch: 16,
            growth: GrowthStrategy::Doubling,
            undo: 64,
        })
    }

    /// Smaller, and more open, for work at a desk.
    #[must_use]
    pub fn development() -> Self {
        Self::preset(Preset {
            regions: 256,
            size: 16 << 20,
            copy_on_write: true,
            mapping: false,
            ipc: false,
            security: SecurityLevel::Basic,
            interval: 10_000,
            threshold: 128 << 20,
            eager: false,
            cold: 16,
            collect: true,
            pools: PoolConfig::development(),
            budget: 256 << 20,
            prefetch: 16,
            growth: GrowthStrategy::Page,
            undo: 8,
        })
    }

    /// Small limits that tests reach.
    #[must_use]
    pub fn testing() -> Self {
        Self::preset(Preset {
            regions: 32,
            size: 1 << 20,
            copy_on_write: false,
            mapping: false,
            ipc: false,
            security: SecurityLevel::None,
            interval: 60_000,
            threshold: 32 << 20,
            eager: true,
            cold: 4,
            collect: false,
            pools: PoolConfig::testing(),
            budget: 32 << 20,
            prefetch: 4,
            growth: GrowthStrategy::Page,
            undo: 4,
        })
    }

    /// No shared memory at all: what an engine has that is not told otherwise.
    #[must_use]
    pub fn off() -> Self {
        let mut off = Self::production();
        off.chain.active_from = None;
        off.host.enable_shared_memory = false;
        off.host.collector.enabled = false;
        off.host.pools = PoolConfig { blocks: [0; 4] };
        off
    }

    fn preset(preset: Preset) -> Self {
        let blocks = preset.pools.blocks;
        Self {
            chain: ChainConfig {
                active_from: Some(0),
                opcodes: OPCODES,
                precompile: PRECOMPILE,
                gas: GasSchedule::default(),
                max_shared_regions: preset.regions,
                max_region_size: preset.size,
                enable_copy_on_write: preset.copy_on_write,
                pool_blocks: blocks,
                prefetch_limit: preset.prefetch,
                max_sidecars: 16,
                max_sidecar_size: preset.size,
                security_level: preset.security,
            },
            host: HostConfig {
                enable_shared_memory: true,
                enable_memory_mapping: preset.mapping,
                enable_ipc: preset.ipc,
                collector: CollectorConfig {
                    enabled: preset.collect,
                    interval: Duration::from_millis(preset.interval),
                    threshold: preset.threshold,
                    eager: preset.eager,
                    cold_after: preset.cold,
                },
                pools: preset.pools,
                memory_budget: preset.budget,
                spill: None,
                growth_strategy: preset.growth,
                undo_blocks: preset.undo,
                registry_mailbox: 1024,
            },
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_presets_agree_with_themselves() {
        for config in [
            SharedMemoryConfig::production(),
            SharedMemoryConfig::development(),
            SharedMemoryConfig::testing(),
            SharedMemoryConfig::off(),
        ] {
            assert_eq!(config.validate(), Ok(()));
        }
        assert!(!SharedMemoryConfig::off().chain.is_active(u64::MAX));
    }
}
