//! What a host holds of shared memory, and does with it.

use super::{
    HostError, SharedBlock,
    collect::Collector,
    registry::{Message, Registry, Wanted},
};
#[cfg(feature = "evm")]
use crate::region::{change::RegionSums, interim::Interim};
use crate::{
    observe::RegionMetrics,
    pool::Pools,
    region::{
        change::RegionChanges,
        config::{ChainConfig, ConfigError, SharedMemoryConfig},
        direct::DirectRegions,
        error::CreateError,
        handle::{Address, Handle, Name},
        meta::Meta,
        regions::{Regions, Use},
        rights::{Permissions, RegionOptions, SecurityLevel},
        sidecar::Sidecar,
        tier::{Check, Tiers},
        versions::BlockRegions,
    },
    registry::{Actor, Published, Snapshot},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A region as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// Its handle.
    pub handle: Handle,
    /// Its metadata.
    pub meta: Meta,
    /// Pages present.
    pub pages: u64,
    /// The forms in which they are kept.
    pub tiers: Tiers,
    /// How it was used.
    pub uses: Use,
}

/// Shared memory of an engine, or of several that execute one chain.
pub struct SharedMemory {
    pub(super) config: Arc<SharedMemoryConfig>,
    pub(super) chain: Arc<ChainConfig>,
    pub(super) registry: Actor<Registry>,
    pub(super) table: Published<Regions>,
    pub(super) metrics: Arc<RegionMetrics>,
    pub(super) pools: Arc<Pools>,
    pub(super) collector: Collector,
    enabled: AtomicBool,
    /// Number of the block committed last, for what the host does between blocks.
    block: AtomicU64,
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedMemory")
            .field("enabled", &self.is_enabled())
            .field("regions", &self.table.load().live().count())
            .finish_non_exhaustive()
    }
}

impl SharedMemory {
    /// Shared memory without a region.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the fields that contradict each other.
    pub fn new(config: SharedMemoryConfig) -> Result<Arc<Self>, ConfigError> {
        config.validate()?;
        if config.chain.security_level == SecurityLevel::None && config.chain.active_from.is_some()
        {
            tracing::warn!("shared memory without permission checks: for development only");
        }
        let enabled = AtomicBool::new(config.host.enable_shared_memory);
        let (config, chain) = (Arc::new(config.clone()), Arc::new(config.chain));
        let metrics = Arc::new(RegionMetrics::new(1));
        let registry = Registry::new(metrics.clone());
        let table = registry.table();
        let pools = Pools::new(&config.host.pools);
        pools.set_quarantine(chain.security_level == SecurityLevel::Paranoid);
        let collector =
            Collector::new(config.clone(), metrics.clone(), table.clone(), pools.clone());
        let registry = Actor::new(registry, config.host.registry_mailbox.max(1));
        let block = AtomicU64::new(0);
        Ok(Arc::new(Self {
            config,
            chain,
            registry,
            table,
            metrics,
            pools,
            collector,
            enabled,
            block,
        }))
    }

    /// Shared memory that no chain has switched on.
    #[must_use]
    pub fn off() -> Arc<Self> {
        // The configuration is a constant of this crate that agrees with itself.
        Self::new(SharedMemoryConfig::off()).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &SharedMemoryConfig {
        &self.config
    }

    /// The chain's part of it.
    #[must_use]
    pub fn chain(&self) -> &Arc<ChainConfig> {
        &self.chain
    }

    /// Takes part from the next block on, if the chain has activated it.
    pub fn enable(&self) {
        // Relaxed: the next block is begun by a call that comes after this one, or beside it.
        self.enabled.store(true, Ordering::Relaxed);
    }

    /// Takes no part from the next block on: opcodes are undefined, the precompile is an ordinary
    /// account. Regions stay.
    pub fn disable(&self) {
        self.enabled.store(false, Ordering::Relaxed);
    }

    /// Whether the next block can use it, as far as the host goes.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Whether a block can use it: the chain has activated it and the host takes part.
    #[must_use]
    pub fn is_active(&self, block: u64) -> bool {
        self.is_enabled() && self.chain.is_active(block)
    }

    /// All persistent regions as they are; what is done later does not show in it.
    #[must_use]
    pub fn regions(&self) -> Arc<Snapshot<Regions>> {
        self.table.load_full()
    }

    /// The commitment to all persistent regions.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.table.load().root()
    }

    /// The regions that exist, by id.
    #[must_use]
    pub fn list(&self) -> Vec<RegionInfo> {
        let regions = self.regions();
        let info = |(handle, record): (Handle, &Arc<crate::region::regions::Record>)| RegionInfo {
            handle,
            meta: record.meta().clone(),
            pages: record.pages().len() as u64,
            tiers: record.pages().tiers(),
            uses: record.uses(),
        };
        regions.live().map(info).collect()
    }

    /// Creates a persistent region between blocks, as a genesis would.
    ///
    /// # Errors
    ///
    /// [`HostError::Create`] as for a transaction; [`HostError::Registry`] if it has stopped.
    pub fn create(
        &self,
        owner: Address,
        name: Name,
        size: u64,
        ceiling: Permissions,
        options: RegionOptions,
    ) -> Result<Handle, HostError> {
        let max = self.chain.max_region_size;
        if size == 0 {
            return Err(CreateError::ZeroSize.into());
        }
        if size > max {
            let size = ruint::aliases::U256::from(size);
            return Err(CreateError::RegionTooLarge { size, max }.into());
        }
        let copy_on_write = options.contains(RegionOptions::COPY_ON_WRITE);
        if options.compression().is_none() || copy_on_write && !self.chain.enable_copy_on_write {
            let option = ruint::aliases::U256::from(options.bits());
            return Err(CreateError::InvalidOption { option }.into());
        }
        let options = options | RegionOptions::PERSISTENT;
        let wanted = Wanted { owner, name, size, ceiling, options };
        let block = self.block.load(Ordering::Relaxed);
        Ok(self.registry.call(|reply| Message::Create { wanted, block, reply })??)
    }

    /// Destroys a persistent region between blocks. Collects afterwards, if it is time.
    ///
    /// # Errors
    ///
    /// [`HostError::NoRegion`], or [`HostError::Registry`] if it has stopped.
    pub fn destroy(&self, handle: Handle) -> Result<(), HostError> {
        let block = self.block.load(Ordering::Relaxed);
        if !self.registry.call(|reply| Message::Destroy { handle, block, reply })? {
            return Err(HostError::NoRegion { handle });
        }
        self.step(false);
        Ok(())
    }

    /// Reads a persistent region as it stands: as many bytes as there are from `offset`, at most
    /// those of `into`. Says how many.
    ///
    /// # Errors
    ///
    /// [`HostError::NoRegion`], or [`HostError::Page`].
    pub fn read(&self, handle: Handle, offset: u64, into: &mut [u8]) -> Result<usize, HostError> {
        let check = Check::of(self.chain.security_level);
        let regions = self.table.load_full();
        regions.read_checked(handle, offset, into, check)?.ok_or(HostError::NoRegion { handle })
    }

    /// Makes data a sidecar, to be attached to a block or a transaction.
    ///
    /// # Errors
    ///
    /// [`HostError::Sidecar`] for no data, or more than the chain allows.
    pub fn attach(&self, bytes: &[u8]) -> Result<Arc<Sidecar>, HostError> {
        let sidecar = Sidecar::new(bytes)?;
        let attached = std::slice::from_ref(&sidecar);
        Sidecar::check(attached, self.chain.max_sidecars, self.chain.max_sidecar_size)?;
        Ok(sidecar)
    }

    /// Makes a block's changes the regions that the next block starts from. Collects afterwards, if
    /// the configuration says so or it is time ([`CollectorConfig`]): a bounded step, whose failure
    /// is logged and does not concern the block.
    ///
    /// [`CollectorConfig`]: crate::region::config::CollectorConfig
    ///
    /// # Errors
    ///
    /// [`HostError::Apply`] if the block started from other regions; [`HostError::Registry`].
    pub fn commit(&self, changes: &RegionChanges) -> Result<(), HostError> {
        let changes = Box::new(changes.clone());
        let block = changes.block;
        self.registry.call(|reply| Message::Commit { changes, reply })??;
        self.block.store(block, Ordering::Relaxed);
        self.step(self.config.host.collector.eager);
        Ok(())
    }

    /// Number of the block committed last, 0 before the first.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.block.load(Ordering::Relaxed)
    }

    /// Says that the block of this number is over, if it had no changes to commit: because it ran
    /// before the chain activated shared memory, or while it was disabled, or elsewhere. Blocks of
    /// closures bring no number; the next one counts from here.
    pub fn skip_to(&self, block: u64) {
        self.block.fetch_max(block, Ordering::Relaxed);
    }

    /// Number of the block after the one committed last, for blocks that bring none.
    pub(crate) fn next_block(&self) -> u64 {
        self.block.load(Ordering::Relaxed) + 1
    }

    pub(crate) fn registry(&self) -> &Actor<Registry> {
        &self.registry
    }

    /// Regions for a block that runs one by one; `None` if it does not use shared memory.
    pub(crate) fn begin_direct(&self, block: u64) -> Option<DirectRegions> {
        let base = Arc::new(Regions::clone(&self.table.load()));
        self.is_active(block).then(|| {
            DirectRegions::new(self.chain.clone(), base, block).with_pools(self.pools.clone())
        })
    }

    /// Regions for a block that runs in parallel; `None` if it does not use shared memory.
    pub(crate) fn begin_parallel(
        self: &Arc<Self>,
        block: u64,
        sidecars: Arc<[Arc<Sidecar>]>,
    ) -> Option<SharedBlock> {
        if !self.is_active(block) {
            return None;
        }
        let base = Arc::new(Regions::clone(&self.table.load()));
        let regions = Arc::new(BlockRegions::new(self.chain.clone(), base, block));
        Some(SharedBlock { memory: self.clone(), regions, sidecars })
    }

    /// Regions for a block that goes on one by one, whatever the host has switched since it began.
    #[cfg(feature = "evm")]
    pub(super) fn resume_direct(&self, interim: Interim) -> DirectRegions {
        DirectRegions::resume(self.chain.clone(), interim).with_pools(self.pools.clone())
    }

    /// Regions for a block that goes on in parallel, likewise, and what its transactions did so far, in numbers.
    #[cfg(feature = "evm")]
    pub(crate) fn resume_parallel(
        self: &Arc<Self>,
        interim: Interim,
        sidecars: Arc<[Arc<Sidecar>]>,
    ) -> (SharedBlock, RegionSums) {
        let (regions, sums) = BlockRegions::resume(self.chain.clone(), interim);
        (SharedBlock { memory: self.clone(), regions: Arc::new(regions), sidecars }, sums)
    }
}
