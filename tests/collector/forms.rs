//! Compressed and spilled pages.

use chorus::region::{RegionOptions, page::PAGE_BYTES, tier::Tiers};

use super::desk::{Desk, config, noise, page, reads, writes};

const PAGE: u64 = PAGE_BYTES as u64;

#[test]
fn cold_pages_are_compressed_as_their_region_asks_and_read_the_same() {
    let desk = Desk::new(config());
    let lz4 = desk.region("lz4", RegionOptions::LZ4, (0..100).map(page));
    let zstd = desk.region("zstd", RegionOptions::ZSTD, (0..100).map(page));
    let none = desk.region("none", RegionOptions::NONE, (0..100).map(page));
    desk.pass(2);
    let root = desk.memory.root();
    let report = desk.memory.collect().unwrap();

    assert_eq!((report.compressed_pages, report.looked), (200, 3));
    assert!(report.saved_bytes > 200 * (PAGE - 100), "{report:?}");
    assert_eq!(desk.memory.root(), root);
    for handle in [lz4, zstd] {
        let Tiers { raw, packed, packed_bytes, .. } = desk.tiers(handle);
        assert_eq!((raw, packed), (0, 100));
        assert!(packed_bytes < 100 * 100);
        assert_eq!(desk.memory.verify(handle).unwrap(), 100);
    }
    assert_eq!(desk.tiers(none).raw, 100);
    for number in 0..100 {
        assert!([lz4, zstd, none].iter().all(|handle| desk.holds(*handle, number, &page(number))));
    }
    let metrics = desk.memory.metrics();
    assert_eq!(metrics.compressed_pages.current, 200);
    assert_eq!(metrics.page_bytes.current, metrics.page_bytes.peak - report.saved_bytes);
    assert_eq!((metrics.collections, metrics.collected_bytes), (1, report.freed_bytes()));
}

#[test]
fn a_region_that_was_used_lately_is_not_compressed() {
    let desk = Desk::new(config());
    let handle = desk.region("used", RegionOptions::LZ4, [page(1)]);
    desk.pass(1);
    assert_eq!(desk.memory.collect().unwrap().compressed_pages, 0);
    let outcome = desk.execute(|| vec![reads(handle, 0), reads(handle, 1)]).unwrap();
    desk.memory.commit(&outcome.regions.unwrap()).unwrap();
    desk.pass(1);
    assert_eq!(desk.memory.collect().unwrap().compressed_pages, 0);
    assert_eq!(desk.memory.list()[0].uses.accesses, 2);
    desk.pass(1);
    assert_eq!(desk.memory.collect().unwrap().compressed_pages, 1);
}

#[test]
fn pages_that_do_not_compress_are_tried_once() {
    let desk = Desk::new(config());
    let handle = desk.region("noise", RegionOptions::ZSTD, (0..3).map(noise));
    desk.pass(5);
    let report = desk.memory.collect().unwrap();
    assert_eq!((report.compressed_pages, report.saved_bytes), (0, 0));
    assert_eq!(desk.tiers(handle), Tiers { dense: 3, ..Tiers::default() });
    let version = desk.memory.regions().version();
    assert_eq!(desk.memory.collect().unwrap().compressed_pages, 0);
    assert_eq!(desk.memory.regions().version(), version);
}

#[test]
fn blocks_on_compressed_and_spilled_pages_end_as_blocks_on_pages_in_memory() {
    let block = |handle| {
        move || {
            let pages = (0..40).map(|n| n * PAGE);
            let writes = pages.clone().map(|at| writes(handle, at + 5, 9));
            let reads = pages.map(|at| reads(handle, at + PAGE / 2 + 7));
            writes.chain(reads).collect()
        }
    };
    let options = RegionOptions::LZ4;
    let plain = Desk::new(config());
    let handle = plain.region("r", options, (0..40).map(page));
    plain.pass(2);
    let expected = plain.execute(block(handle)).unwrap();
    assert_eq!(expected.results[45], Ok(6));

    let directory = tempfile::tempdir().unwrap();
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.spill = Some(directory.path().to_owned());
    for budget in [1 << 30, 1_000, 0] {
        config.host.memory_budget = budget;
        let desk = Desk::new(config.clone());
        assert_eq!(desk.region("r", options, (0..40).map(page)), handle);
        desk.pass(2);
        desk.memory.collect().unwrap();
        let tiers = desk.tiers(handle);
        assert_eq!(tiers.packed + tiers.spilled, 40);
        assert_eq!(tiers.spilled == 40, budget == 0);
        let outcome = desk.execute(block(handle)).unwrap();
        assert_eq!(outcome.results, expected.results);
        assert_eq!(outcome.regions, expected.regions);
        // A write that changes nothing is no change, whatever the form of the page.
        let same = desk.execute(|| vec![writes(handle, 0, 0)]).unwrap();
        assert_eq!(same.regions.unwrap().regions, []);

        desk.memory.commit(&outcome.regions.unwrap()).unwrap();
        let written = desk.tiers(handle);
        assert_eq!((written.raw, written.packed, written.spilled), (40, 0, 0));
        assert_eq!(desk.memory.metrics().spilled_pages.current, 0);
    }
}

#[test]
fn beyond_the_budget_pages_leave_memory_and_the_oldest_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.memory_budget = 25 * PAGE;
    config.host.spill = Some(directory.path().to_owned());
    let desk = Desk::new(config);
    let old = desk.region("old", RegionOptions::NONE, (0..10).map(noise));
    let middle = desk.region("middle", RegionOptions::NONE, (10..20).map(noise));
    let new = desk.region("new", RegionOptions::NONE, (20..30).map(noise));
    let root = desk.memory.root();
    let report = desk.memory.collect().unwrap();
    assert_eq!((report.spilled_pages, report.spilled_bytes), (5, 5 * PAGE));
    assert_eq!(report.over_budget, 0);
    let spilled = || [old, middle, new].map(|handle| desk.tiers(handle).spilled);
    assert_eq!(spilled(), [5, 0, 0]);

    // The last block's region stays, even if it alone is too much.
    desk.write(new, (20..60).map(noise));
    let report = desk.memory.collect().unwrap();
    assert_eq!(spilled(), [10, 10, 0]);
    assert_eq!(report.over_budget, 15 * PAGE);
    desk.write(new, (20..30).map(noise));
    for number in 0..10 {
        assert!(desk.holds(old, number, &noise(number)));
        assert!(desk.holds(middle, number, &noise(number + 10)));
    }
    assert_eq!(desk.memory.metrics().spilled_pages.current, 20);
    assert_ne!(desk.memory.root(), root);
    assert_eq!(desk.memory.verify(old).unwrap(), 10);
}

#[test]
fn without_a_directory_the_excess_is_reported_and_the_pages_stay() {
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.memory_budget = 3 * PAGE;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(noise));
    desk.pass(1_000);
    let report = desk.memory.collect().unwrap();
    assert_eq!((report.over_budget, report.spilled_pages), (7 * PAGE, 0));
    assert_eq!(desk.tiers(handle).raw, 10);
}

#[test]
fn a_file_that_is_mostly_unused_is_left_and_its_pages_move() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.memory_budget = 0;
    config.host.spill = Some(directory.path().to_owned());
    let desk = Desk::new(config);
    let most = desk.region("most", RegionOptions::NONE, (0..250).map(noise));
    let rest = desk.region("rest", RegionOptions::NONE, (1_000..1_100).map(noise));
    desk.pass(1);
    assert_eq!(desk.memory.collect().unwrap().spilled_pages, 350);
    desk.memory.destroy(most).unwrap();
    // The first run drops the region, and with it its pages in the file; the second finds it worn.
    let first = desk.memory.collect().unwrap();
    let second = desk.memory.collect().unwrap();
    assert_eq!((first.regions, first.moved_pages + second.moved_pages), (1, 100));
    assert_eq!(desk.memory.collect().unwrap().moved_pages, 0);
    assert_eq!(desk.memory.verify(rest).unwrap(), 100);
}

#[test]
fn a_directory_that_goes_away_leaves_the_pages_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config();
    config.host.pools.blocks = [0; 4];
    config.host.memory_budget = 0;
    config.host.spill = Some(directory.path().to_owned());
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(noise));
    desk.pass(1);
    let path = directory.path().display().to_string();
    drop(directory);
    let error = desk.memory.collect().unwrap_err().to_string();
    assert!(error.contains(&path), "{error}");
    assert_eq!(desk.tiers(handle).raw, 10);
    assert!(desk.holds(handle, 9, &noise(9)));
}
