//! The numbers of shared memory at one time, and the names under which they leave the process.
//!
//! The names are stable: dashboards and alerts hang on them. Both exports take the same integers
//! under the same names, so time is in nanoseconds, because a counter of the facade is whole.

use super::{Family, FamilyKind, Level, Measure, Sample, SampleValue, Usage, facade, prometheus};
use crate::{
    pool::{Class, ClassStats, PoolStats},
    sync::time::Duration,
};

/// What shared memory did until some time, and what it held then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// What committed transactions did.
    pub usage: Usage,
    /// Requests to the registry, of speculative incarnations too.
    pub registry_requests: u64,
    /// Runs of the collector.
    pub collections: u64,
    /// Bytes that they freed.
    pub collected_bytes: u64,
    /// Time that they took.
    pub collection_time: Duration,
    /// Bytes of the pages in memory.
    pub page_bytes: Level,
    /// Pages in compressed form.
    pub compressed_pages: Level,
    /// Pages in a file.
    pub spilled_pages: Level,
    /// The pools, where there are some.
    pub pools: Option<PoolStats>,
}

impl MetricsSnapshot {
    /// Successful reads for each successful write, or `None` without a write. A copy is one of each.
    #[must_use]
    pub fn read_write_ratio(&self) -> Option<f64> {
        self.usage.read_write_ratio()
    }

    /// The numbers with their names: what all exports are made from, and enough to write them in
    /// any other format.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut families = self.usage_families();
        families.extend(self.host_families());
        families.extend(self.pools.iter().flat_map(pool_families));
        families
    }

    /// The Prometheus text of these numbers.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        prometheus::to_prometheus(&self.families())
    }

    /// Gives the numbers to the recorder of the `metrics` facade.
    pub fn emit(&self) {
        facade::emit(&self.families());
    }

    /// Tells that recorder what they mean. Once is enough.
    pub fn describe() {
        facade::describe(&Self::default().families());
    }

    fn usage_families(&self) -> Vec<Family> {
        let usage = &self.usage;
        let mut operations = Family::new(
            "chorus_region_operations_total",
            FamilyKind::Counter,
            Measure::Count,
            "Operations on regions in committed transactions, by kind and result",
        );
        for (result, numbers) in [("ok", &usage.succeeded), ("error", &usage.failed)] {
            for (kind, number) in numbers.iter() {
                operations =
                    operations.with(&[("operation", kind.name()), ("result", result)], number);
            }
        }
        vec![
            operations,
            Family::counter(
                "chorus_region_denied_total",
                "Operations that the rights did not allow",
                usage.denied,
            ),
            Family::counter(
                "chorus_region_read_bytes_total",
                "Bytes read out of regions",
                usage.bytes_read,
            )
            .in_measure(Measure::Bytes),
            Family::counter(
                "chorus_region_written_bytes_total",
                "Bytes written into regions",
                usage.bytes_written,
            )
            .in_measure(Measure::Bytes),
            Family::counter(
                "chorus_region_pages_created_total",
                "Pages that came into being",
                usage.pages_created,
            ),
            Family::counter(
                "chorus_region_copy_on_write_faults_total",
                "Pages copied at a frame's first write to them",
                usage.copy_on_write_faults,
            ),
            Family::counter(
                "chorus_region_pages_touched_total",
                "Pages touched, each once per transaction",
                usage.pages_touched,
            ),
            Family::counter(
                "chorus_region_gas_total",
                "Gas charged for operations on regions",
                usage.gas,
            ),
            Family::new(
                "chorus_region_read_write_ratio",
                FamilyKind::Gauge,
                Measure::Count,
                "Successful reads for each successful write; a copy is one of each",
            )
            .with_real(usage.read_write_ratio()),
        ]
    }

    fn host_families(&self) -> Vec<Family> {
        // It was made from that many nanoseconds, or by hand.
        let nanoseconds = u64::try_from(self.collection_time.as_nanos()).unwrap_or(u64::MAX);
        vec![
            Family::counter(
                "chorus_region_registry_requests_total",
                "Requests to the registry, of speculative incarnations too",
                self.registry_requests,
            ),
            Family::counter(
                "chorus_region_collections_total",
                "Runs of the collector",
                self.collections,
            ),
            Family::counter(
                "chorus_region_collected_bytes_total",
                "Bytes freed by the collector",
                self.collected_bytes,
            )
            .in_measure(Measure::Bytes),
            Family::counter(
                "chorus_region_collection_nanoseconds_total",
                "Time spent in the collector",
                nanoseconds,
            )
            .in_measure(Measure::Nanoseconds),
            Family::gauge(
                "chorus_region_page_bytes",
                "Bytes of the pages in memory",
                self.page_bytes.current,
            )
            .in_measure(Measure::Bytes),
            Family::gauge(
                "chorus_region_page_bytes_peak",
                "Most bytes of pages that were in memory at a time",
                self.page_bytes.peak,
            )
            .in_measure(Measure::Bytes),
            Family::gauge(
                "chorus_region_compressed_pages",
                "Pages in memory in compressed form",
                self.compressed_pages.current,
            ),
            Family::gauge(
                "chorus_region_spilled_pages",
                "Pages in a file and not in memory",
                self.spilled_pages.current,
            ),
        ]
    }
}

/// The label of a class.
fn label(class: Class) -> &'static str {
    match class {
        Class::B64 => "b64",
        Class::K4 => "4k",
        Class::K64 => "64k",
        Class::M1 => "1m",
    }
}

fn pool_families(pools: &PoolStats) -> Vec<Family> {
    type Figure = fn(&ClassStats) -> u64;
    let figures: [(&'static str, FamilyKind, &'static str, Figure); 9] = [
        ("chorus_pool_blocks", FamilyKind::Gauge, "Blocks that the pool has", |class| {
            class.capacity.into()
        }),
        ("chorus_pool_blocks_in_use", FamilyKind::Gauge, "Of these, handed out", |class| {
            class.in_use.into()
        }),
        ("chorus_pool_blocks_free", FamilyKind::Gauge, "Of these, free", |class| class.free.into()),
        (
            "chorus_pool_blocks_quarantined",
            FamilyKind::Gauge,
            "Of these, held back until the next collection",
            |class| class.quarantined.into(),
        ),
        (
            "chorus_pool_blocks_in_use_peak",
            FamilyKind::Gauge,
            "Most of them that were not free at a time",
            |class| class.high_water.into(),
        ),
        (
            "chorus_pool_heap_blocks",
            FamilyKind::Gauge,
            "Blocks of the heap that are handed out for want of the pool's",
            |class| class.heap_in_use,
        ),
        (
            "chorus_pool_allocations_total",
            FamilyKind::Counter,
            "Blocks handed out, those of the heap included",
            |class| class.allocations,
        ),
        (
            "chorus_pool_frees_total",
            FamilyKind::Counter,
            "Blocks that came back, those of the heap included",
            |class| class.frees,
        ),
        (
            "chorus_pool_fallbacks_total",
            FamilyKind::Counter,
            "Blocks that came from the heap because the pool had none",
            |class| class.fallbacks,
        ),
    ];
    let whole = figures.into_iter().map(|(name, kind, help, figure)| {
        let family = Family::new(name, kind, Measure::Count, help);
        pools.classes.iter().fold(family, |family, class| {
            family.with(&[("class", label(class.class))], figure(class))
        })
    });
    let mut families: Vec<Family> = whole.collect();
    type Ratio = (&'static str, &'static str, fn(&ClassStats) -> f64);
    let ratios: [Ratio; 2] = [
        (
            "chorus_pool_utilisation",
            "Part of the pool's blocks that is handed out",
            ClassStats::utilisation,
        ),
        (
            "chorus_pool_fragmentation",
            "1 - (largest run of adjacent free blocks / free blocks)",
            ClassStats::fragmentation,
        ),
    ];
    for (name, help, figure) in ratios {
        let mut family = Family::new(name, FamilyKind::Gauge, Measure::Count, help);
        family.samples.extend(pools.classes.iter().map(|class| Sample {
            labels: vec![("class", label(class.class).to_owned())],
            value: SampleValue::Real(figure(class)),
        }));
        families.push(family);
    }
    families
}
