//! `observe`: metrics that are counted and read at the same time.
//!
//! Nothing waits for anything here, so what is explored is which values a reader may see: loom lets
//! an unordered load return what is long overwritten.

use chorus::{
    observe::{Counters, Gauge, OperationKind, RegionMetrics, Usage},
    sync::{Arc, thread, time::Duration},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "no_addition_is_lost",
        threads: 3,
        bound: 3,
        weakenings: &["counter.add-rmw"],
        run: no_addition_is_lost,
    },
    Model {
        name: "no_effect_is_shown_without_its_cause",
        threads: 3,
        bound: 3,
        weakenings: &["counter.add-release", "counter.sum-acquire", "counter.effects-first"],
        run: no_effect_is_shown_without_its_cause,
    },
    Model {
        name: "a_snapshot_of_regions_has_causes_for_its_effects",
        threads: 2,
        bound: 3,
        weakenings: &["counter.add-release", "counter.sum-acquire", "counter.effects-first"],
        run: a_snapshot_of_regions_has_causes_for_its_effects,
    },
    Model {
        name: "the_peak_is_exact_when_all_is_quiet",
        threads: 3,
        bound: 3,
        weakenings: &["gauge.max-rmw"],
        run: the_peak_is_exact_when_all_is_quiet,
    },
    Model {
        name: "a_peak_is_no_lower_than_a_level_that_was_read",
        threads: 2,
        bound: 3,
        weakenings: &["gauge.reader-raises"],
        run: a_peak_is_no_lower_than_a_level_that_was_read,
    },
];

/// What is allocated, and below it what is freed.
const ALLOCATED: usize = 0;
const FREED: usize = 1;

/// Two workers share a shard, as more workers than shards do.
fn no_addition_is_lost() {
    let counters = Arc::new(Counters::<1>::new(1));
    let workers = [2, 3].map(|amount| {
        let counters = counters.clone();
        thread::spawn(move || counters.add(amount as usize, 0, amount))
    });
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(counters.snapshot(), [5]);
}

/// Each worker allocates in its own shard; both free in the same one.
fn no_effect_is_shown_without_its_cause() {
    let counters = Arc::new(Counters::<2>::new(2));
    let worker = thread::spawn({
        let counters = counters.clone();
        move || {
            counters.add(0, ALLOCATED, 1);
            counters.add(1, FREED, 1);
        }
    });
    // Who only looks comes last, see `main.rs`.
    let reader = thread::spawn({
        let counters = counters.clone();
        move || {
            let [allocated, freed] = counters.snapshot();
            assert!(freed <= allocated, "{freed} of {allocated} freed");
            let [then, freed_then] = counters.snapshot();
            assert!(allocated <= then && freed <= freed_then, "counts only grow");
        }
    });
    counters.add(1, ALLOCATED, 1);
    counters.add(1, FREED, 1);
    worker.join().unwrap();
    reader.join().unwrap();
    assert_eq!(counters.snapshot(), [2, 2]);
}

/// The order of the counters that ship, in one shard.
fn a_snapshot_of_regions_has_causes_for_its_effects() {
    let metrics = Arc::new(RegionMetrics::new(1));
    let reader = thread::spawn({
        let metrics = metrics.clone();
        move || {
            let shown = metrics.snapshot();
            let done = |kind| shown.usage.succeeded[kind];
            assert!(done(OperationKind::Unmap) <= done(OperationKind::Map));
            assert!(shown.usage.denied <= shown.usage.failed.total());
            assert!(shown.collections > 0 || shown.collected_bytes == 0);
            assert!(shown.collections > 0 || shown.collection_time.is_zero());
        }
    });
    let mut usage = Usage::default();
    usage.record(OperationKind::Map, &Ok::<_, ()>(()));
    usage.record(OperationKind::Unmap, &Ok::<_, ()>(()));
    usage.record(OperationKind::Write, &Err::<(), _>(()));
    usage.denied = 1;
    metrics.absorb(0, &usage);
    metrics.collection(0, 4096, Duration::from_nanos(1));
    reader.join().unwrap();
}

fn the_peak_is_exact_when_all_is_quiet() {
    let gauge = Arc::new(Gauge::default());
    let adders = [1, 2].map(|amount| {
        let gauge = gauge.clone();
        thread::spawn(move || gauge.add(amount))
    });
    for adder in adders {
        adder.join().unwrap();
    }
    gauge.sub(3);
    let level = gauge.read();
    assert_eq!((level.current, level.peak), (0, 3));
}

/// The adder may stop between raising the level and raising the peak.
fn a_peak_is_no_lower_than_a_level_that_was_read() {
    let gauge = Arc::new(Gauge::default());
    gauge.add(1);
    let adder = thread::spawn({
        let gauge = gauge.clone();
        move || gauge.add(4)
    });
    let before = gauge.read();
    gauge.sub(1);
    let after = gauge.read();
    assert!(before.current <= before.peak && after.current <= after.peak);
    assert!(
        before.current <= after.peak,
        "{} was read, the peak is {}",
        before.current,
        after.peak
    );
    assert!(before.peak <= after.peak, "a peak stays");
    adder.join().unwrap();
}
