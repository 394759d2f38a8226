//! Collections beside blocks, commits and readers.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use chorus::region::{RegionOptions, page::PAGE_BYTES};

use super::desk::{Desk, config, page, reads, writes};

const PAGE: u64 = PAGE_BYTES as u64;
const PAGES: u64 = 64;

#[test]
fn collections_beside_blocks_and_readers_change_nothing_that_anybody_sees() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.collector.cold_after = 0;
    config.host.memory_budget = 20 * PAGE;
    config.host.spill = Some(directory.path().to_owned());
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::LZ4, (0..PAGES).map(page));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (desk, stop) = (&desk, &stop);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                desk.memory.collect().unwrap();
            }
        });
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                desk.memory.tick(Instant::now()).unwrap();
                let snapshot = desk.memory.regions();
                let mut bytes = [0; 8];
                for number in 0..PAGES {
                    let at = number * PAGE + PAGE / 2;
                    snapshot.read(handle, at, &mut bytes).unwrap().unwrap();
                    assert_eq!(u64::from_be_bytes(bytes), number + 1);
                }
            }
        });
        for round in 0..30 {
            let outcome = desk
                .execute(|| {
                    let pages = (0..8).map(|n| (n * 7 + round) % PAGES * PAGE);
                    let writes = pages.clone().map(|at| writes(handle, at, round as u8));
                    writes.chain(pages.map(|at| reads(handle, at))).collect()
                })
                .unwrap();
            assert!(outcome.results[8..].iter().all(|read| *read == Ok(round as u8)));
            desk.memory.commit(&outcome.regions.unwrap()).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(desk.memory.verify(handle).unwrap(), PAGES);
    let (stats, metrics) = (desk.memory.stats().unwrap(), desk.memory.metrics());
    assert_eq!(metrics.page_bytes.current, stats.tiers.resident_bytes());
    assert_eq!(metrics.compressed_pages.current, stats.tiers.packed);
    assert_eq!(metrics.spilled_pages.current, stats.tiers.spilled);
}
