//! When it runs.

use std::time::{Duration, Instant};

use chorus::region::{RegionOptions, page::PAGE_BYTES};

use super::desk::{Desk, config, page};

#[test]
fn a_tick_collects_once_the_interval_is_over_and_not_before() {
    let desk = Desk::new(config());
    let now = Instant::now();
    assert_eq!(desk.memory.tick(now).unwrap(), None);
    let later = now + Duration::from_secs(6);
    assert!(desk.memory.tick(later).unwrap().is_some());
    assert_eq!(desk.memory.metrics().collections, 1);
}

#[test]
fn a_commit_looks_at_the_clock() {
    let mut config = config();
    config.host.collector.interval = Duration::from_nanos(1);
    let desk = Desk::new(config);
    desk.pass(3);
    assert_eq!(desk.memory.metrics().collections, 3);
}

#[test]
fn an_eager_collector_runs_after_every_commit() {
    let mut config = config();
    config.host.collector.eager = true;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::LZ4, (0..10).map(page));
    desk.pass(2);
    assert_eq!(desk.tiers(handle).packed, 10);
    desk.memory.destroy(handle).unwrap();
    assert_eq!(desk.memory.stats().unwrap().waiting, 1);
    desk.pass(1);
    assert_eq!(desk.memory.stats().unwrap().waiting, 0);
    assert_eq!(desk.memory.metrics().collections, 4);
}

#[test]
fn a_threshold_makes_a_commit_collect_as_memory_grows_and_only_then() {
    let mut config = config();
    config.host.collector.threshold = 32 * PAGE_BYTES as u64;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::NONE, (0..31).map(page));
    assert_eq!(desk.memory.metrics().collections, 0);
    desk.write(handle, (0..32).map(page));
    assert_eq!(desk.memory.metrics().collections, 1);
    desk.write(handle, (0..33).map(page));
    desk.pass(5);
    assert_eq!(desk.memory.metrics().collections, 1);
    desk.write(handle, (0..34).map(page));
    assert_eq!(desk.memory.metrics().collections, 2);
}

#[test]
fn a_disabled_collector_runs_when_it_is_told_to_and_at_no_other_time() {
    let mut config = config();
    config.host.collector.enabled = false;
    config.host.collector.eager = true;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::LZ4, [page(1)]);
    desk.pass(10);
    let later = Instant::now() + Duration::from_secs(3_600);
    assert_eq!(desk.memory.tick(later).unwrap(), None);
    assert_eq!(desk.memory.metrics().collections, 0);
    assert_eq!(desk.memory.collect().unwrap().compressed_pages, 1);
    assert_eq!(desk.tiers(handle).packed, 1);
}

#[test]
fn steps_of_commits_are_bounded_and_come_to_the_end() {
    let mut config = config();
    config.host.collector.eager = true;
    let desk = Desk::new(config);
    let regions: Vec<_> = (0..10)
        .map(|n| desk.region(&format!("r{n}"), RegionOptions::LZ4, (0..120).map(page)))
        .collect();
    let packed = || regions.iter().map(|region| desk.tiers(*region).packed).sum::<u64>();
    // Collections were done meanwhile, for the regions that came first.
    let mut before = packed();
    desk.pass(1);
    while packed() < 1_200 {
        desk.pass(1);
        assert!(packed() - before <= 512);
        assert!(packed() > before, "the next step goes on");
        before = packed();
    }
}

#[test]
fn a_report_says_how_long_it_took_and_so_do_the_metrics() {
    let desk = Desk::new(config());
    desk.region("r", RegionOptions::ZSTD, (0..200).map(page));
    desk.pass(2);
    let report = desk.memory.collect().unwrap();
    assert!(report.took > Duration::ZERO);
    assert_eq!(desk.memory.metrics().collection_time, report.took);
}
