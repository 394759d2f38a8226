//! Pages that are not what they were: the host's error, never a contract's.

use chorus::region::{
    Handle, RegionOptions, SecurityLevel, config::SharedMemoryConfig, page::PAGE_BYTES,
    page_map::PageNumber,
};

use super::desk::{Desk, config, noise, page, reads, writes};

const PAGE: u64 = PAGE_BYTES as u64;

/// A block whose second transaction needs page 3, and whose fourth needs it, too.
#[track_caller]
fn assert_lost(desk: &Desk, handle: Handle) {
    assert!(desk.memory.damage_page(handle, PageNumber(3)).unwrap());
    let root = desk.memory.root();
    let blocks = [
        desk.execute(|| {
            let at = 3 * PAGE;
            vec![writes(handle, 0, 7), reads(handle, at), reads(handle, 0), reads(handle, at)]
        }),
        desk.execute(|| vec![reads(handle, 0), writes(handle, 3 * PAGE, 1)]),
    ];
    for result in blocks {
        let error = result.unwrap_err().to_string();
        let named = format!("page 3 of region {handle}");
        assert!(error.contains("transaction 1") && error.contains(&named), "{error}");
    }
    assert_eq!(desk.memory.root(), root);
    let error = desk.memory.read(handle, 3 * PAGE, &mut [0]).unwrap_err().to_string();
    assert!(error.contains("page 3"), "{error}");
    assert!(desk.memory.verify(handle).is_err());
    // The other pages, and the engine, go on.
    let outcome = desk.execute(|| vec![writes(handle, 0, 7), reads(handle, 0)]).unwrap();
    assert_eq!(outcome.results, [Ok(7), Ok(7)]);
}

fn spilling(mut config: SharedMemoryConfig, directory: &tempfile::TempDir) -> SharedMemoryConfig {
    config.host.pools.blocks = [0; 4];
    config.host.memory_budget = 0;
    config.host.spill = Some(directory.path().to_owned());
    config
}

#[test]
fn a_damaged_compressed_page_ends_the_block_the_same_way_in_every_path() {
    for options in [RegionOptions::LZ4, RegionOptions::ZSTD] {
        let desk = Desk::new(config());
        let handle = desk.region("r", options, (0..5).map(page));
        desk.pass(2);
        assert_eq!(desk.memory.collect().unwrap().compressed_pages, 5);
        assert_lost(&desk, handle);
    }
}

#[test]
fn a_damaged_spilled_page_ends_the_block_the_same_way_in_every_path() {
    for options in [RegionOptions::NONE, RegionOptions::LZ4, RegionOptions::ZSTD] {
        let directory = tempfile::tempdir().unwrap();
        let desk = Desk::new(spilling(config(), &directory));
        let handle = desk.region("r", options, (0..5).map(page));
        desk.pass(1);
        assert_eq!(desk.memory.collect().unwrap().spilled_pages, 5);
        assert_lost(&desk, handle);
    }
}

#[test]
fn at_paranoid_a_page_that_never_left_memory_is_checked_too() {
    let mut config = config();
    config.chain.security_level = SecurityLevel::Paranoid;
    let desk = Desk::new(config);
    let handle = desk.region("r", RegionOptions::NONE, (0..5).map(page));
    assert_lost(&desk, handle);
}

#[test]
fn below_paranoid_a_page_in_memory_is_trusted() {
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::NONE, (0..5).map(noise));
    assert!(desk.memory.damage_page(handle, PageNumber(3)).unwrap());
    desk.execute(|| vec![reads(handle, 3 * PAGE)]).unwrap();
    assert!(desk.memory.verify(handle).is_err());
}

#[test]
fn a_fault_that_a_contract_could_catch_is_not_made_of_it() {
    // The closure would go on after an error; the block does not.
    let desk = Desk::new(config());
    let handle = desk.region("r", RegionOptions::LZ4, (0..5).map(page));
    desk.pass(2);
    desk.memory.collect().unwrap();
    assert!(desk.memory.damage_page(handle, PageNumber(0)).unwrap());
    let block = || {
        use chorus::native::{Transaction, View};
        use chorus::region::MapOptions;
        let catch = Transaction::new(async move |view: View<u64, u64>| {
            let regions = view.regions();
            let mapping = regions.map(handle, MapOptions::READ_ONLY).await?;
            let _ = regions.read(mapping, 0, &mut [0]).await;
            Ok(1)
        });
        vec![catch.acting_as(super::desk::OWNER)]
    };
    assert!(desk.execute(block).is_err());
}
