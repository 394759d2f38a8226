//! When the collector runs, and the order of its steps.

use super::{
    super::{HostError, registry::Registry},
    CollectReport,
    sweep::Quarantine,
};
use crate::{
    observe::RegionMetrics,
    pool::Pools,
    region::{
        config::SharedMemoryConfig,
        handle::RegionId,
        regions::Regions,
        rights::SecurityLevel,
        tier::{Packer, Spill},
    },
    registry::{Actor, Published},
    sync::{Arc, Mutex, MutexGuard, time::Instant},
};

/// How much one run does at most.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Extent {
    /// Regions, destroyed or live, to look at.
    pub(super) regions: usize,
    /// Pages to change the form of.
    pub(super) pages: u64,
}

impl Extent {
    /// All there is.
    pub(in super::super) const WHOLE: Self = Self { regions: usize::MAX, pages: u64::MAX };
    /// What a commit has to wait for: a few milliseconds at most. The next step goes on from there.
    pub(in super::super) const STEP: Self = Self { regions: 1_024, pages: 512 };
}

/// See the [module](super).
pub(in super::super) struct Collector {
    pub(super) config: Arc<SharedMemoryConfig>,
    pub(super) metrics: Arc<RegionMetrics>,
    pub(super) table: Published<Regions>,
    pools: Arc<Pools>,
    /// Held by the one run there is.
    work: Mutex<Work>,
}

/// What one run leaves to the next.
pub(super) struct Work {
    /// When the last one began.
    last: Instant,
    /// Bytes of pages in memory when it ended.
    bytes: u64,
    /// The region it looked at last, if there are more.
    pub(super) place: Option<RegionId>,
    pub(super) quarantine: Quarantine,
    pub(super) packer: Packer,
    pub(super) spill: Option<Spill>,
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) collector: &'a Collector,
    pub(super) registry: &'a Actor<Registry>,
    /// Number of the block committed last.
    pub(super) block: u64,
    pub(super) extent: Extent,
    pub(super) report: CollectReport,
}

impl Collector {
    pub(in super::super) fn new(
        config: Arc<SharedMemoryConfig>,
        metrics: Arc<RegionMetrics>,
        table: Published<Regions>,
        pools: Arc<Pools>,
    ) -> Self {
        let work = Mutex::new(Work {
            last: Instant::now(),
            bytes: 0,
            place: None,
            quarantine: Quarantine::default(),
            packer: Packer::default(),
            spill: config.host.spill.clone().map(Spill::new),
        });
        Self { config, metrics, table, pools, work }
    }

    /// Runs, after whoever runs now.
    pub(in super::super) fn run(
        &self,
        registry: &Actor<Registry>,
        block: u64,
        extent: Extent,
    ) -> Result<CollectReport, HostError> {
        self.run_with(self.work.lock(), registry, block, extent)
    }

    /// Runs if it is time, and nobody does. `eager` tells that it always is.
    pub(in super::super) fn run_if_due(
        &self,
        registry: &Actor<Registry>,
        block: u64,
        now: Instant,
        eager: bool,
        extent: Extent,
    ) -> Result<Option<CollectReport>, HostError> {
        if !self.config.host.collector.enabled {
            return Ok(None);
        }
        match self.work.try_lock() {
            Some(work) if eager || self.is_due(&work, now) => {
                self.run_with(work, registry, block, extent).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The interval is over, or there is too much; and more than the last run left behind, since
    /// that is of use.
    fn is_due(&self, work: &Work, now: Instant) -> bool {
        let when = &self.config.host.collector;
        let bytes = self.metrics.page_bytes().read().current;
        now.saturating_duration_since(work.last) >= when.interval
            || bytes >= when.threshold && bytes >= work.bytes.saturating_add(when.threshold / 16)
    }

    fn run_with(
        &self,
        mut work: MutexGuard<'_, Work>,
        registry: &Actor<Registry>,
        block: u64,
        extent: Extent,
    ) -> Result<CollectReport, HostError> {
        let began = Instant::now();
        let report = CollectReport::default();
        let mut run = Run { collector: self, registry, block, extent, report };
        let done = run.steps(&mut work);
        let mut report = run.report;
        if self.config.chain.security_level == SecurityLevel::Paranoid {
            report.released_blocks = self.pools.release_quarantine() as u64;
        }
        report.compacted_blocks = self.pools.compact() as u64;
        report.took = began.elapsed();
        self.metrics.collection(0, report.freed_bytes(), report.took);
        work.last = began;
        work.bytes = self.metrics.page_bytes().read().current;
        done.map(|()| report)
    }
}

impl Run<'_> {
    fn steps(&mut self, work: &mut Work) -> Result<(), HostError> {
        self.sweep(work)?;
        if let Some(spill) = &mut work.spill {
            spill.renew();
        }
        self.cool(work)?;
        self.relieve(work)
    }
}
