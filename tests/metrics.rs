//! Metrics of shared memory: nothing is lost, nothing contradicts itself, every export agrees.
// Plain threads stand for workers here.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/exposition.rs"]
mod exposition;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use chorus::{
    observe::OperationKind,
    observe::{Counters, Gauge, Level, MetricsSnapshot, RegionMetrics, Usage},
};
use metrics::{
    Counter, CounterFn, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use proptest::prelude::*;

/// A usage in which every number differs, and in which effects have causes.
fn some_usage(seed: u64) -> Usage {
    let mut usage = Usage::default();
    for (at, kind) in OperationKind::ALL.into_iter().enumerate() {
        usage.succeeded[kind] = seed + 100 - at as u64;
        usage.failed[kind] = seed + 50 - at as u64;
    }
    Usage {
        denied: seed + 1,
        bytes_read: seed * 32 + 200,
        bytes_written: seed * 32 + 201,
        pages_created: seed + 202,
        copy_on_write_faults: seed + 203,
        pages_touched: seed + 204,
        gas: seed * 100 + 205,
        ..usage
    }
}

/// Metrics after a little of everything.
fn some_metrics() -> RegionMetrics {
    let metrics = RegionMetrics::new(2);
    metrics.absorb(0, &some_usage(1));
    metrics.absorb(1, &some_usage(2));
    metrics.registry_requests(1, 11);
    metrics.collection(0, 8192, Duration::from_micros(3));
    metrics.page_bytes().add(12_288);
    metrics.page_bytes().sub(4096);
    metrics.compressed_pages().add(2);
    metrics
}

/// Fault 8 of the first design: counters were plain integers changed from several threads.
#[test]
fn old_fault_8_counters_changed_from_several_threads_lose_nothing() {
    const THREADS: usize = 4;
    const TIMES: u64 = 20_000;
    // One shard for all, a shard for each two, a shard for each.
    for shards in [1, 2, THREADS] {
        let counters = Counters::<3>::new(shards);
        thread::scope(|scope| {
            for worker in 0..THREADS {
                let counters = &counters;
                scope.spawn(move || {
                    for turn in 0..TIMES {
                        counters.add(worker, 0, 1);
                        counters.add(worker + turn as usize, 2, turn);
                    }
                });
            }
        });
        let threads = THREADS as u64;
        let expected = [threads * TIMES, 0, threads * TIMES * (TIMES - 1) / 2];
        assert_eq!(counters.snapshot(), expected, "{shards} shards");
    }
}

#[test]
fn snapshots_while_others_count_grow_and_do_not_contradict_themselves() {
    const THREADS: usize = 3;
    let (metrics, usage, ended) =
        (RegionMetrics::new(THREADS), some_usage(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let (metrics, usage) = (&metrics, &usage);
                scope.spawn(move || {
                    for _ in 0..3_000 {
                        metrics.absorb(worker, usage);
                        metrics.collection(worker, 4096, Duration::from_nanos(7));
                        metrics.page_bytes().add(4096);
                        metrics.page_bytes().sub(4096);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut before = MetricsSnapshot::default();
            while !ended.load(Relaxed) {
                let now = metrics.snapshot();
                assert_consistent(&now);
                assert_grown(&before, &now);
                before = now;
            }
        });
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        ended.store(true, Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });

    let last = metrics.snapshot();
    let times = THREADS as u64 * 3_000;
    assert_eq!(last.usage.gas, times * usage.gas);
    assert_eq!(last.usage.succeeded.total(), times * usage.succeeded.total());
    assert_eq!((last.collections, last.collected_bytes), (times, times * 4096));
    assert_eq!(last.collection_time, Duration::from_nanos(times * 7));
    assert_eq!(last.page_bytes.current, 0);
    assert!((4096..=4096 * THREADS as u64).contains(&last.page_bytes.peak));
}

fn assert_consistent(now: &MetricsSnapshot) {
    let done = |kind| now.usage.succeeded[kind];
    assert!(done(OperationKind::Unmap) <= done(OperationKind::Map));
    assert!(now.usage.denied <= now.usage.failed.total());
    assert!(now.collected_bytes <= now.collections * 4096);
    assert!(now.collection_time <= Duration::from_nanos(now.collections * 7));
    assert!(now.page_bytes.current <= now.page_bytes.peak);
}

fn assert_grown(before: &MetricsSnapshot, now: &MetricsSnapshot) {
    let (was, is) = (&before.usage, &now.usage);
    let pairs = OperationKind::ALL.into_iter().flat_map(|kind| {
        [(was.succeeded[kind], is.succeeded[kind]), (was.failed[kind], is.failed[kind])]
    });
    let more = [
        (was.gas, is.gas),
        (was.bytes_read, is.bytes_read),
        (was.pages_touched, is.pages_touched),
        (before.collections, now.collections),
        (before.collected_bytes, now.collected_bytes),
        (before.page_bytes.peak, now.page_bytes.peak),
        (before.page_bytes.current, now.page_bytes.peak),
    ];
    for (was, is) in pairs.chain(more) {
        assert!(was <= is, "{was} became {is}");
    }
}

#[test]
fn the_peak_of_several_threads_is_theirs_together() {
    let gauge = Gauge::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|_| gauge.add(3)));
        }
    });
    gauge.sub(120_000);
    assert_eq!(gauge.read(), Level { current: 0, peak: 120_000 });
}

#[test]
fn what_is_absorbed_is_shown_number_by_number() {
    let snapshot = some_metrics().snapshot();
    let mut usage = some_usage(1);
    usage += some_usage(2);
    let expected = MetricsSnapshot {
        usage,
        registry_requests: 11,
        collections: 1,
        collected_bytes: 8192,
        collection_time: Duration::from_micros(3),
        page_bytes: Level { current: 8192, peak: 12_288 },
        compressed_pages: Level { current: 2, peak: 2 },
        spilled_pages: Level::default(),
        pools: None,
    };
    assert_eq!(snapshot, expected);
    assert_eq!(snapshot.read_write_ratio(), usage.read_write_ratio());
    assert_eq!(RegionMetrics::new(2).snapshot(), MetricsSnapshot::default());
}

proptest! {
    /// Workers merge what they committed, and then each other's sums, in whatever order.
    #[test]
    fn usage_merged_in_any_order_and_grouping_is_the_same(
        seeds in prop::collection::vec(prop_oneof![0u64..1_000, Just(u64::MAX / 128)], 0..12),
        groups in 1usize..5,
        shuffle in any::<u64>(),
    ) {
        let mut in_order = Usage::default();
        seeds.iter().for_each(|seed| in_order += some_usage(*seed));

        let mut shuffled = seeds.clone();
        shuffled.sort_by_key(|seed| (seed ^ shuffle).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut merged = Usage::default();
        for group in 0..groups {
            let mut sum = Usage::default();
            shuffled.iter().skip(group).step_by(groups).for_each(|seed| sum += some_usage(*seed));
            merged += sum;
        }
        prop_assert_eq!(merged, in_order);
    }
}

#[test]
fn prometheus_text_is_well_formed_and_shows_every_number() {
    let snapshot = some_metrics().snapshot();
    let text = snapshot.to_prometheus();
    let samples = exposition::parse(&text);
    for family in snapshot.families() {
        assert!(family.name.starts_with("chorus_region_"), "{}", family.name);
    }
    let value = |name: &str| samples[name];
    let operation = |kind: OperationKind, result| {
        let kind = kind.name();
        value(&format!(
            "chorus_region_operations_total{{operation=\"{kind}\",result=\"{result}\"}}"
        ))
    };
    for kind in OperationKind::ALL {
        assert_eq!(operation(kind, "ok"), snapshot.usage.succeeded[kind] as f64);
        assert_eq!(operation(kind, "error"), snapshot.usage.failed[kind] as f64);
    }
    let usage = snapshot.usage;
    let numbers = [
        ("denied_total", usage.denied),
        ("read_bytes_total", usage.bytes_read),
        ("written_bytes_total", usage.bytes_written),
        ("pages_created_total", usage.pages_created),
        ("copy_on_write_faults_total", usage.copy_on_write_faults),
        ("pages_touched_total", usage.pages_touched),
        ("gas_total", usage.gas),
        ("registry_requests_total", 11),
        ("collections_total", 1),
        ("collected_bytes_total", 8192),
        ("collection_nanoseconds_total", 3_000),
        ("page_bytes", 8192),
        ("page_bytes_peak", 12_288),
        ("compressed_pages", 2),
        ("spilled_pages", 0),
    ];
    for (name, expected) in numbers {
        assert_eq!(value(&format!("chorus_region_{name}")), expected as f64, "{name}");
    }
    assert_eq!(Some(value("chorus_region_read_write_ratio")), snapshot.read_write_ratio());
    assert_eq!(samples.len(), 2 * OperationKind::COUNT + numbers.len() + 1);
}

#[test]
fn a_ratio_without_writes_is_left_out_and_everything_else_is_there() {
    let samples = exposition::parse(&MetricsSnapshot::default().to_prometheus());
    assert!(!samples.contains_key("chorus_region_read_write_ratio"));
    assert!(samples.contains_key("chorus_region_page_bytes_peak"));
    assert!(samples.values().all(|value| *value == 0.0));
}

/// A recorder that keeps what it is given.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    described: BTreeMap<String, (Option<Unit>, String)>,
}

struct Handle {
    recording: Recording,
    name: String,
}

impl CounterFn for Handle {
    fn increment(&self, _: u64) {
        panic!("{} would count again what was counted", self.name);
    }

    fn absolute(&self, value: u64) {
        self.recording.0.lock().unwrap().counters.insert(self.name.clone(), value);
    }
}

impl GaugeFn for Handle {
    fn increment(&self, _: f64) {
        panic!("{} would count again what was counted", self.name);
    }

    fn decrement(&self, _: f64) {
        panic!("{} would count again what was counted", self.name);
    }

    fn set(&self, value: f64) {
        self.recording.0.lock().unwrap().gauges.insert(self.name.clone(), value);
    }
}

impl Recording {
    /// A handle for the metric, under the name that the text would give it.
    fn handle(&self, key: &Key) -> Arc<Handle> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}=\"{}\"", label.key(), label.value())).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        Arc::new(Handle { recording: self.clone(), name: format!("{}{labels}", key.name()) })
    }

    fn note(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        let described = (unit, text.into_owned());
        self.0.lock().unwrap().described.insert(key.as_str().to_owned(), described);
    }
}

impl Recorder for Recording {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.note(key, unit, text);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.note(key, unit, text);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{} is a histogram", key.as_str());
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is a histogram")
    }
}

#[test]
fn a_recorder_of_the_facade_sees_what_the_text_says() {
    let snapshot = some_metrics().snapshot();
    let recording = Recording::default();
    metrics::with_local_recorder(&recording, || {
        MetricsSnapshot::describe();
        snapshot.emit();
        // Twice is not double.
        snapshot.emit();
    });
    let recorded = recording.0.lock().unwrap();
    let whole = recorded.counters.iter().map(|(name, value)| (name.clone(), *value as f64));
    let level = recorded.gauges.iter().map(|(name, value)| (name.clone(), *value));
    let emitted: BTreeMap<String, f64> = whole.chain(level).collect();
    assert_eq!(emitted, exposition::parse(&snapshot.to_prometheus()));
    // The suffix tells the kinds apart.
    assert!(
        recorded.counters.keys().all(|name| name.split('{').next().unwrap().ends_with("_total"))
    );
    assert!(recorded.gauges.keys().all(|name| !name.contains("_total")));

    let described: BTreeSet<&str> = recorded.described.keys().map(String::as_str).collect();
    let families = snapshot.families();
    assert_eq!(described, families.iter().map(|family| family.name).collect());
    let unit = |name: &str| recorded.described[name].0;
    assert_eq!(unit("chorus_region_page_bytes"), Some(Unit::Bytes));
    assert_eq!(unit("chorus_region_collection_nanoseconds_total"), Some(Unit::Nanoseconds));
    assert!(recorded.described.values().all(|(_, text)| !text.is_empty()));
}

#[test]
fn what_nobody_records_may_be_emitted() {
    MetricsSnapshot::describe();
    some_metrics().snapshot().emit();
}
