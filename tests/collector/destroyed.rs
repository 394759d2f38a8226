//! Destroyed regions, and what else ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use chorus::{
    native::{Engine, Path, SharedError, Transaction, View},
    pool::{Class, Exhaustion},
    region::{
        MapOptions, Name, Permissions, RegionOptions, SecurityLevel,
        page::{PAGE_BYTES, Page},
    },
};

use super::desk::{Desk, OWNER, config, page, reads};

const PAGE: u64 = PAGE_BYTES as u64;

#[test]
fn a_destroyed_region_that_nobody_reaches_is_freed() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(page));
    let weak = Arc::downgrade(desk.memory.regions().find(handle).unwrap());
    desk.memory.destroy(handle).unwrap();
    assert_eq!(desk.memory.stats().unwrap().waiting, 1);
    assert_eq!(desk.memory.metrics().page_bytes.current, 10 * PAGE);
    let report = desk.memory.collect().unwrap();
    assert_eq!((report.regions, report.waiting, report.bytes), (1, 0, 10 * PAGE));
    assert!(weak.upgrade().is_none());
    assert_eq!(desk.memory.metrics().page_bytes.current, 0);
    assert_eq!(desk.memory.collect().unwrap().regions, 0);
}

#[test]
fn old_fault_9_age_frees_nothing_that_a_snapshot_reaches() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::LZ4, (0..10).map(page));
    let snapshot = desk.memory.regions();
    desk.memory.destroy(handle).unwrap();
    for _ in 0..5 {
        desk.pass(1_000);
        let report = desk.memory.collect().unwrap();
        assert_eq!((report.regions, report.waiting, report.bytes), (0, 1, 0));
    }
    let mut bytes = [0; PAGE_BYTES];
    snapshot.read(handle, 3 * PAGE, &mut bytes).unwrap().unwrap();
    assert_eq!(&bytes, page(3).bytes());
    drop(snapshot);
    assert_eq!(desk.memory.collect().unwrap().bytes, 10 * PAGE);
}

#[test]
fn old_fault_9_age_frees_nothing_of_a_live_region() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::LZ4, (0..10).map(page));
    desk.pass(1_000_000);
    for _ in 0..3 {
        assert_eq!(desk.memory.collect().unwrap().bytes, 0);
    }
    assert!((0..10).all(|number| desk.holds(handle, number, &page(number))));
}

#[test]
fn pages_that_an_older_table_shares_outlive_their_region_and_are_not_counted_as_freed() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(page));
    let older = desk.memory.regions();
    // The region's record is another after this, which shares nine pages with the older one.
    desk.write(handle, [page(77)]);
    desk.memory.destroy(handle).unwrap();
    let report = desk.memory.collect().unwrap();
    assert_eq!((report.regions, report.bytes), (1, PAGE));
    let mut bytes = [0; PAGE_BYTES];
    older.read(handle, 0, &mut bytes).unwrap().unwrap();
    assert_eq!(&bytes, page(0).bytes());
}

#[test]
fn a_mapping_keeps_a_region_that_is_destroyed_and_collected_meanwhile() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(page));
    let memory = desk.memory.clone();
    let block = vec![
        Transaction::<u64, u64, (), SharedError>::new(async move |view: View<u64, u64>| {
            let regions = view.regions();
            let mapping = regions.map(handle, MapOptions::READ_ONLY).await?;
            memory.destroy(handle).unwrap();
            let report = memory.collect().unwrap();
            assert_eq!((report.regions, report.waiting), (0, 1));
            let mut bytes = [0; PAGE_BYTES];
            regions.read(mapping, 4 * PAGE, &mut bytes).await?;
            assert_eq!(&bytes, page(4).bytes());
            Ok(())
        })
        .acting_as(OWNER),
    ];
    let engine = Engine::<u64, u64, (), SharedError>::builder()
        .threads(2)
        .path(Path::Parallel)
        .shared_memory(desk.memory.clone())
        .build()
        .unwrap();
    let outcome = engine.execute(&block, HashMap::new()).unwrap();
    assert_eq!(outcome.results, [Ok(())]);
    drop(outcome);
    drop(engine);
    assert_eq!(desk.memory.collect().unwrap().regions, 1);
}

#[test]
fn overlay_pages_of_finished_transactions_go_with_them() {
    let desk = Desk::new(config());
    let left: Arc<Mutex<Vec<Weak<Page>>>> = Arc::default();
    let seen = left.clone();
    let block =
        vec![Transaction::<u64, u64, (), SharedError>::new(async move |view: View<u64, u64>| {
            let regions = view.regions();
            let name = Name::new("own").unwrap();
            let handle =
                regions.create(name, 4 * PAGE, Permissions::ALL, RegionOptions::NONE).await?;
            let mapping = regions.map(handle, MapOptions::NONE).await?;
            let pages: Vec<_> = (0..4).map(page).collect();
            seen.lock().unwrap().extend(pages.iter().map(Arc::downgrade));
            regions.write_pages(mapping, 0, &pages).await.map(drop)
        })];
    let engine = Engine::<u64, u64, (), SharedError>::builder()
        .threads(1)
        .path(Path::Parallel)
        .shared_memory(desk.memory.clone())
        .build()
        .unwrap();
    let outcome = engine.execute(&block, HashMap::new()).unwrap();
    assert_eq!(outcome.results, [Ok(())]);
    let left = left.lock().unwrap();
    assert!(left.len() >= 4 && left.iter().all(|page| page.upgrade().is_none()));
}

#[test]
fn paranoid_holds_freed_pages_and_blocks_back_for_one_cycle() {
    let mut config = config();
    config.chain.security_level = SecurityLevel::Paranoid;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::NONE, (0..10).map(page));
    let weak = Arc::downgrade(desk.memory.regions().find(handle).unwrap());
    desk.memory.destroy(handle).unwrap();
    drop(desk.memory.pools().allocate(Class::K64, Exhaustion::Fail).unwrap());
    assert_eq!(desk.memory.pools().stats().of(Class::K64).quarantined, 1);

    let first = desk.memory.collect().unwrap();
    assert_eq!((first.regions, first.quarantined, first.bytes), (0, 1, 0));
    assert_eq!(first.released_blocks, 1);
    assert_eq!(desk.memory.pools().stats().of(Class::K64).quarantined, 0);
    assert!(weak.upgrade().is_some());
    let second = desk.memory.collect().unwrap();
    assert_eq!((second.regions, second.quarantined, second.bytes), (1, 0, 10 * PAGE));
    assert!(weak.upgrade().is_none());
}

#[test]
fn the_dirty_flag_is_the_hosts_to_clear_and_uses_are_counted() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::NONE, [page(1)]);
    let uses = || desk.memory.list()[0].uses;
    assert!(uses().dirty);
    let root = desk.memory.root();
    desk.memory.clear_dirty(handle).unwrap();
    assert!(!uses().dirty);
    assert_eq!(desk.memory.root(), root);
    let outcome = desk.execute(|| vec![reads(handle, 0)]).unwrap();
    let changes = outcome.regions.unwrap();
    desk.memory.commit(&changes).unwrap();
    assert_eq!((uses().dirty, uses().accesses, uses().last_block), (false, 1, changes.block));
    desk.write(handle, [page(2)]);
    assert!(uses().dirty);
    desk.memory.destroy(handle).unwrap();
    assert!(desk.memory.clear_dirty(handle).is_err());
}
