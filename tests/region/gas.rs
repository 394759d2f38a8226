use chorus::region::operation::Operation;
use ruint::aliases::U256;

use crate::region_run::{
    Run, address, copy, create, grant, map, open, publish, read, read_padded, word, write,
};

/// The first page of a transaction, and later ones: `3·w + w²/512`.
const PAGE: [u64; 4] = [416, 480, 544, 608];
const NEW_STATE_PAGE: u64 = 819_200;

fn info(handle: chorus::region::Handle) -> Operation {
    Operation::Info { handle }
}

/// A region in the world, with two pages of which the first is present, in a new transaction.
fn state(run: &mut Run) -> chorus::region::Handle {
    let handle = run.create("state", 8192, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 64]);
    run.next();
    handle
}

#[test]
fn a_name_or_region_costs_more_when_it_is_looked_up_first() {
    let mut run = Run::start();
    // Found or not.
    assert_eq!(run.ask(open(1, "a")).unwrap().gas, 100 + 2600);
    assert_eq!(run.ask(open(1, "a")).unwrap().gas, 100);
    assert_eq!(run.price(open(1, "b")), 100 + 2600);
    assert_eq!(run.price(open(2, "a")), 100 + 2600);
    assert_eq!(run.price(create("a", 1, 7, 0)), 200);
    assert_eq!(run.price(create("b", 1, 7, 0)), 200 + 2600);
    // A region that was made here has been looked up.
    let own = run.create("b", 1, 0);
    assert_eq!(run.price(info(own)), 50);
    assert_eq!(run.price(open(1, "b")), 100);
    let block = run.alloc(1, 0);
    assert_eq!(run.price(info(block)), 50);
}

#[test]
fn every_operation_on_a_handle_pays_for_the_first_lookup() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let operations = |handle| {
        [
            (map(handle, 0, 0, 0), 200),
            (Operation::Grow { handle, size: word(9000_u64) }, 100),
            (grant(handle, 2, 0), 200),
            (Operation::Destroy { handle }, 200),
            (info(handle), 50),
            (Operation::Exec { handle, offset: U256::ZERO, len: U256::ZERO, limit: 0 }, 100),
        ]
    };
    for (operation, base) in operations(handle) {
        assert_eq!(run.price(operation), base + 2600);
    }
    run.ask(info(handle)).unwrap();
    for (operation, base) in operations(handle) {
        assert_eq!(run.price(operation), base);
    }
}

#[test]
fn data_are_paid_for_by_the_word_of_what_was_asked_for() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 100]);
    for (len, words) in [(0, 0), (1, 1), (32, 1), (33, 2), (64, 2), (100, 4), (10_000, 313)] {
        assert_eq!(run.price(read(mapping, 0, len)), 50 + 3 * words);
        assert_eq!(run.price(read_padded(mapping, 0, len)), 50 + 3 * words);
        assert_eq!(run.price(write(mapping, 0, len)), 100 + 3 * words);
    }
    assert_eq!(run.price(copy(mapping, 0, 50, 50)), 100 + 3 * 2);
    assert_eq!(run.price(read_padded(mapping, 5000, 64)), 50 + 6);
}

#[test]
fn a_page_costs_when_it_is_touched_first() {
    let mut run = Run::start();
    let handle = run.create("a", 3 * 4096 + 10, 0);
    let mapping = run.map(handle, 0);
    let all = read(mapping, 0, 10 * 4096);
    assert_eq!(run.price(all.clone()), 50 + 1280 * 3 + 4 * 100);
    assert_eq!(run.price(read(mapping, 4095, 1)), 50 + 3 + 100);
    assert_eq!(run.price(read(mapping, 4095, 2)), 50 + 3 + 200);
    run.read(mapping, 4096, 1);
    assert_eq!(run.price(all), 50 + 1280 * 3 + 3 * 100);
    // By whatever mapping.
    let snapshot = run.map(handle, 1);
    assert_eq!(run.price(read(snapshot, 4096, 1)), 50 + 3);
}

#[test]
fn a_page_of_state_costs_more_when_it_is_touched_first() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let mapping = run.map(handle, 0);
    assert_eq!(run.price(read(mapping, 0, 8192)), 50 + 256 * 3 + 2 * 2100);
    run.read(mapping, 0, 1);
    assert_eq!(run.price(read(mapping, 0, 8192)), 50 + 256 * 3 + 2100);
    let exec = Operation::Exec { handle, offset: U256::ZERO, len: word(4097_u64), limit: 9999 };
    assert_eq!(run.price(exec), 100 + 129 * (3 + 8) + 2100);
}

#[test]
fn a_page_that_comes_into_being_costs_memory() {
    let mut run = Run::start();
    let handle = run.create("a", 10 * 4096, 0);
    let mapping = run.map(handle, 0);
    for (at, price) in (0..).zip(PAGE) {
        assert_eq!(run.write(mapping, at * 4096, &[1]), 100 + 3 + 100 + price);
        assert_eq!(run.write(mapping, at * 4096, &[1]), 100 + 3);
    }
    let together = 3 * 256 + (768 * 768 - 512 * 512) / 512;
    assert_eq!(run.price(write(mapping, 5 * 4096 - 1, 2)), 100 + 3 + 2 * 100 + together);
}

#[test]
fn a_new_page_of_state_costs_what_its_bytes_do() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let mapping = run.map(handle, 0);
    let price = 100 + 3 + 2100 + PAGE[0] + NEW_STATE_PAGE;
    assert_eq!(run.write(mapping, 4096, &[1]), price);
    assert_eq!(run.write(mapping, 4096, &[1]), 100 + 3);
}

#[test]
fn the_first_write_to_a_present_page_of_state_costs_once() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let mapping = run.map(handle, 0);
    run.read(mapping, 0, 1);
    assert_eq!(run.write(mapping, 0, &[1]), 100 + 3 + PAGE[0] + 2900);
    run.enter();
    let mapping = run.map(handle, 0);
    // Only the copy is the frame's own.
    assert_eq!(run.write(mapping, 0, &[1]), 100 + 3 + PAGE[1]);
    run.session.revert();
    run.enter();
    let mapping = run.map(handle, 0);
    assert_eq!(run.write(mapping, 0, &[1]), 100 + 3 + PAGE[1]);
}

#[test]
fn a_childs_first_write_costs_a_copy_and_the_parents_later_ones_do_not() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 0);
    let outer = run.map(handle, 0);
    assert_eq!(run.write(outer, 0, &[1]), 100 + 3 + 100 + PAGE[0]);
    run.enter();
    let inner = run.map(handle, 0);
    assert_eq!(run.write(inner, 0, &[1]), 100 + 3 + PAGE[1]);
    assert_eq!(run.write(inner, 9, &[1]), 100 + 3);
    run.session.commit();
    assert_eq!(run.write(outer, 0, &[1]), 100 + 3);
    // Another child is another frame.
    run.enter();
    let inner = run.map(handle, 0);
    assert_eq!(run.write(inner, 0, &[1]), 100 + 3 + PAGE[2]);
}

#[test]
fn a_parent_that_never_wrote_pays_for_its_own_copy() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 0);
    let outer = run.map(handle, 0);
    run.enter();
    let inner = run.map(handle, 0);
    assert_eq!(run.write(inner, 0, &[1]), 100 + 3 + 100 + PAGE[0]);
    run.session.commit();
    assert_eq!(run.write(outer, 0, &[1]), 100 + 3 + PAGE[1]);
}

#[test]
fn memory_is_journaled_and_not_given_back() {
    let mut run = Run::start();
    let handle = run.create("a", 4 * 4096, 0);
    let mapping = run.map(handle, 0);
    run.enter();
    let inner = run.map(handle, 0);
    run.write(inner, 0, &[1]);
    run.session.revert();
    assert_eq!(run.write(mapping, 0, &[1]), 100 + 3 + 100 + PAGE[0]);
    run.unmap(mapping);
    run.destroy(handle);
    let handle = run.create("a", 4096, 0);
    let mapping = run.map(handle, 0);
    assert_eq!(run.write(mapping, 0, &[1]), 100 + 3 + 100 + PAGE[1]);
}

#[test]
fn a_snapshots_first_write_to_a_page_costs_a_copy() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let snapshot = run.map(handle, 1);
    assert_eq!(run.write(snapshot, 0, &[1]), 100 + 3 + 2100 + PAGE[0]);
    assert_eq!(run.write(snapshot, 9, &[1]), 100 + 3);
    // Present or not: neither becomes state by it.
    assert_eq!(run.write(snapshot, 4096, &[1]), 100 + 3 + 2100 + PAGE[1]);
    let other = run.window(handle, 1, 0, 100);
    assert_eq!(run.write(other, 0, &[1]), 100 + 3 + PAGE[2]);
}

#[test]
fn publish_pays_what_the_same_writes_would() {
    // Parts of both pages, of which one is new.
    let writes = [(0, 40), (4000, 200), (8000, 1)];
    let mut run = Run::start();
    let handle = state(&mut run);
    let mapping = run.map(handle, 0);
    run.read(mapping, 0, 8192);
    // As many pages as the snapshot copies.
    let other = run.create("other", 8192, 0);
    let other = run.map(other, 0);
    run.write(other, 0, &[1; 8192]);
    let paid: u64 =
        writes.iter().map(|(at, len)| run.write(mapping, *at, &vec![2; *len]) - 100).sum();

    let mut run = Run::start();
    let handle = state(&mut run);
    let snapshot = run.map(handle, 1);
    for (at, len) in writes {
        run.write(snapshot, at, &vec![2; len]);
    }
    assert_eq!(run.price(publish(snapshot)), 100 + paid);
    let words = 2 + 7 + 1;
    assert_eq!(paid, words * 3 + PAGE[2] + PAGE[3] + 2900 + NEW_STATE_PAGE);
    run.publish(snapshot);
    assert_eq!(run.publish(snapshot), 100);
}

#[test]
fn alloc_charges_its_whole_block_at_once_and_its_pages_never_again() {
    let mut run = Run::start();
    let alloc = |size: u64, class: u64| Operation::Alloc { size: word(size), class: word(class) };
    assert_eq!(run.price(alloc(1, 0)), 100 + 3 * 2);
    assert_eq!(run.price(alloc(1, 1)), 100 + 416);
    assert_eq!(run.price(alloc(1, 2)), 100 + 3 * 2048 + 2048 * 2048 / 512);
    assert_eq!(run.price(alloc(1, 3)), 100 + 3 * 32_768 + 32_768 * 32_768 / 512);
    assert_eq!(run.price(alloc(5000, 4)), run.price(alloc(1, 2)));
    let block = run.alloc(8192, 2);
    let mapping = run.map(block, 0);
    assert_eq!(run.write(mapping, 0, &[1; 8192]), 100 + 256 * 3 + 2 * 100);
    run.enter();
    let inner = run.map(block, 0);
    assert_eq!(run.write(inner, 0, &[1; 8192]), 100 + 256 * 3);
    run.session.commit();
    // Giving it back does not make the next one cheaper.
    run.unmap(mapping);
    run.ask(Operation::Free { handle: block }).unwrap();
    let words = |words: u64| 3 * words + words * words / 512;
    assert_eq!(run.price(alloc(1, 1)), 100 + words(2048 + 128) - words(2048));
}

#[test]
fn a_region_and_a_grant_of_state_cost_what_state_costs() {
    let mut run = Run::start();
    assert_eq!(run.price(create("a", 1, 7, 0)), 200 + 2600);
    assert_eq!(run.price(create("a", 1, 7, 4)), 200 + 2600 + 32_000);
    assert_eq!(run.price(create("a", 64 << 20, 7, 4)), 200 + 2600 + 32_000);
    let handle = run.create("a", 1, 4);
    assert_eq!(run.grant(handle, 2, 1), 200 + 20_000);
    assert_eq!(run.grant(handle, 2, 7), 200);
    assert_eq!(run.grant(handle, 3, 0), 200);
    assert_eq!(run.grant(handle, 2, 0), 200);
    assert_eq!(run.price(grant(handle, 2, 1)), 200 + 20_000);
    let own = run.create("a", 1, 0);
    assert_eq!(run.grant(own, 2, 1), 200);
    // Nothing is refunded.
    assert_eq!(run.destroy(handle), 200);
}

#[test]
fn growing_by_itself_costs_nothing() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 6);
    assert_eq!(run.grow(handle, 1 << 20), 100);
    let mapping = run.map(handle, 0);
    let price = 100 + 3 + 2100 + PAGE[0] + NEW_STATE_PAGE;
    assert_eq!(run.write(mapping, 5 << 20, &[1]), price);
}

#[test]
fn a_copy_touches_the_pages_of_both_ranges_once() {
    let mut run = Run::start();
    let handle = run.create("a", 4 * 4096, 0);
    let mapping = run.map(handle, 0);
    // Pages 0 and 1, to 1 and 2: three touched, two written.
    let memory = PAGE[0] + PAGE[1];
    assert_eq!(run.price(copy(mapping, 4096, 0, 8192)), 100 + 256 * 3 + 3 * 100 + memory);
    assert_eq!(run.price(copy(mapping, 0, 0, 8192)), 100 + 256 * 3 + 2 * 100 + memory);
    assert_eq!(run.price(copy(mapping, 8192, 0, 1)), 100 + 3 + 2 * 100 + PAGE[0]);
}

#[test]
fn gas_does_not_depend_on_who_asks() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 4);
    run.grant(handle, 2, 7);
    run.next();
    let prices = |run: &mut Run| [run.price(info(handle)), run.price(map(handle, 0, 0, 0))];
    let owner = prices(&mut run);
    run.actor = address(2);
    assert_eq!(prices(&mut run), owner);
}

#[test]
fn usage_counts_what_was_charged() {
    let mut run = Run::start();
    let mut gas = 0;
    gas += run.ask(create("a", 8192, 7, 4)).unwrap().gas;
    let handle = run.open(1, "a").unwrap();
    gas += 100;
    gas += run.ask(map(handle, 0, 0, 0)).unwrap().gas;
    gas += run.write(1, 0, &[1; 5000]);
    gas += run.ask(read(1, 0, 10)).unwrap().gas;
    run.ask(read(2, 0, 10)).unwrap_err();
    let usage = run.next().usage;
    assert_eq!(usage.gas, gas);
    assert_eq!((usage.bytes_read, usage.bytes_written), (10, 5000));
    assert_eq!((usage.pages_created, usage.pages_touched), (2, 2));
    assert_eq!((usage.succeeded.total(), usage.failed.total()), (5, 1));
}

#[test]
fn a_copy_that_was_reverted_is_paid_again() {
    let mut run = Run::start();
    let handle = state(&mut run);
    let mapping = run.map(handle, 0);
    let price = 100 + 3 + 2100 + PAGE[0] + 2900;
    for _ in 0..2 {
        run.session.checkpoint(false);
        assert_eq!(run.write(mapping, 0, &[1]), price);
        assert_eq!(run.write(mapping, 0, &[1]), 100 + 3);
        run.session.revert();
    }
}
