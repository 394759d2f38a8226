//! `pool`: a block is with one holder at a time, none is lost, and none is missed.
//!
//! A slot that is handed out twice has no memory the second time, which the pool asserts; a slot that
//! is lost is missing when everything is taken at the end.

use chorus::{
    pool::{Block, Class, Exhaustion, FreeList, PoolConfig, Pools, Popped, SlotIndex},
    sync::{Arc, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_slot_that_came_back_does_not_bring_its_old_link",
        threads: 2,
        bound: 4,
        weakenings: &["pool.tag"],
        run: a_slot_that_came_back_does_not_bring_its_old_link,
    },
    Model {
        name: "three_threads_never_hold_the_same_slot",
        threads: 3,
        bound: 3,
        weakenings: &["pool.pop-acquire", "pool.push-release"],
        run: three_threads_never_hold_the_same_slot,
    },
    Model {
        name: "a_pop_knows_how_many_are_left",
        threads: 3,
        bound: 3,
        weakenings: &["pool.push-acquire", "pool.push-release"],
        run: a_pop_knows_how_many_are_left,
    },
    Model {
        name: "a_block_returned_on_another_thread_is_whole",
        threads: 2,
        bound: 4,
        weakenings: &["pool.put-first"],
        run: a_block_returned_on_another_thread_is_whole,
    },
    Model {
        name: "an_exhausted_class_fails_or_gives_what_came_back",
        threads: 3,
        bound: 3,
        weakenings: &["pool.put-first"],
        run: an_exhausted_class_fails_or_gives_what_came_back,
    },
    Model {
        name: "a_compaction_hides_no_free_block",
        threads: 2,
        bound: 4,
        weakenings: &["pool.sorting-mark", "pool.mark-kept"],
        run: a_compaction_hides_no_free_block,
    },
    Model {
        name: "a_compaction_loses_nothing_that_comes_back_meanwhile",
        threads: 3,
        bound: 3,
        weakenings: &["pool.take-acquire", "pool.push-release"],
        run: a_compaction_loses_nothing_that_comes_back_meanwhile,
    },
    Model {
        name: "a_quarantine_holds_each_block_until_it_is_released_and_loses_none",
        threads: 3,
        bound: 3,
        weakenings: &["pool.take-acquire", "pool.put-first"],
        run: a_quarantine_holds_each_block_until_it_is_released_and_loses_none,
    },
];

fn pop(list: &FreeList) -> Option<SlotIndex> {
    match list.pop() {
        Popped::Slot(slot, _) => Some(slot),
        Popped::Empty => None,
        Popped::Sorting => panic!("nobody sorts here"),
    }
}

/// Everything on the list, sorted; of a list that has become endless, some.
fn drain(list: &FreeList) -> Vec<u32> {
    let all = std::iter::from_fn(|| pop(list)).take(9);
    let mut slots: Vec<u32> = all.map(|slot| slot.0).collect();
    slots.sort_unstable();
    slots
}

fn pools(blocks: u32) -> Arc<Pools> {
    Pools::new(&PoolConfig { blocks: [blocks, 0, 0, 0] })
}

fn allocate(pools: &Pools) -> Option<Block> {
    pools.allocate(Class::B64, Exhaustion::Fail).ok()
}

/// All blocks are there, once each.
fn assert_whole(pools: &Pools, blocks: usize) {
    let all: Vec<Block> = std::iter::from_fn(|| allocate(pools)).collect();
    assert_eq!(all.len(), blocks, "no block is lost and none is there twice");
}

/// One thread pops; the other pops both slots and returns the one that was on top.
fn a_slot_that_came_back_does_not_bring_its_old_link() {
    let list = Arc::new(FreeList::full(2));
    let other = thread::spawn({
        let list = list.clone();
        move || {
            let (first, second) = (pop(&list), pop(&list));
            if let Some(first) = first {
                list.push(first);
            }
            // Only the first was returned.
            if first.is_some() { second } else { None }
        }
    });
    let own = pop(&list);
    let kept = other.join().unwrap();
    let mut slots = drain(&list);
    slots.extend(own.into_iter().chain(kept).map(|slot| slot.0));
    slots.sort_unstable();
    assert_eq!(slots, [0, 1], "each slot has one holder");
}

/// Two threads take and return, while a third takes what it finds.
fn three_threads_never_hold_the_same_slot() {
    let list = Arc::new(FreeList::full(2));
    let movers = [(); 2].map(|()| {
        let list = list.clone();
        thread::spawn(move || {
            if let Some(slot) = pop(&list) {
                list.push(slot);
            }
        })
    });
    let mut slots: Vec<u32> = pop(&list).into_iter().map(|slot| slot.0).collect();
    for mover in movers {
        mover.join().unwrap();
    }
    slots.extend(drain(&list));
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);
}

/// Two threads return a slot each, a third pops: the figure is that of the stack it popped from.
fn a_pop_knows_how_many_are_left() {
    let list = Arc::new(FreeList::full(2));
    let (first, second) = (pop(&list).unwrap(), pop(&list).unwrap());
    let returner = thread::spawn({
        let list = list.clone();
        move || list.push(second)
    });
    let popper = thread::spawn({
        let list = list.clone();
        move || match list.pop() {
            Popped::Slot(_, left) => {
                assert!(left < Some(2), "no more than the other one");
                1
            }
            _ => 0,
        }
    });
    list.push(first);
    returner.join().unwrap();
    let expected = 2 - popper.join().unwrap();
    for left in (0..expected).rev() {
        assert!(matches!(list.pop(), Popped::Slot(_, found) if found == Some(left)));
    }
    assert_eq!(list.pop(), Popped::Empty);
}

/// A block is dropped on another thread than that which took it, while that one asks again.
fn a_block_returned_on_another_thread_is_whole() {
    let pools = pools(1);
    let mut block = allocate(&pools).unwrap();
    block[0] = 7;
    let other = thread::spawn({
        let pools = pools.clone();
        move || {
            if let Some(block) = allocate(&pools) {
                assert_eq!(block[..], [0; 64], "nothing of its past shows");
            }
        }
    });
    drop(block);
    other.join().unwrap();
    assert_whole(&pools, 1);
}

/// One block, two threads that want it, and one that returns it.
fn an_exhausted_class_fails_or_gives_what_came_back() {
    let pools = pools(1);
    let block = allocate(&pools).unwrap();
    let takers = [Exhaustion::Fail, Exhaustion::Heap].map(|exhaustion| {
        let pools = pools.clone();
        thread::spawn(move || pools.allocate(Class::B64, exhaustion).ok())
    });
    drop(block);
    let [failing, falling] = takers.map(|taker| taker.join().unwrap());
    let falling = falling.expect("the heap serves whoever finds none");
    assert!(failing.is_none() || !falling.is_pooled(), "there is one block");
    drop((failing, falling));
    assert_whole(&pools, 1);
}

/// One thread compacts. The other has one of two blocks, returns it, and finds both.
fn a_compaction_hides_no_free_block() {
    let pools = pools(2);
    let block = allocate(&pools).unwrap();
    let compactor = thread::spawn({
        let pools = pools.clone();
        move || pools.compact()
    });
    drop(block);
    let first = allocate(&pools);
    let second = allocate(&pools);
    assert!(first.is_some() && second.is_some(), "two blocks are free, compacting or not");
    assert!(allocate(&pools).is_none());
    drop((first, second));
    compactor.join().unwrap();
    assert_whole(&pools, 2);
}

/// Two threads return a block each while a third compacts.
fn a_compaction_loses_nothing_that_comes_back_meanwhile() {
    let list = Arc::new(FreeList::full(3));
    let (first, second) = (pop(&list).unwrap(), pop(&list).unwrap());
    let returners = [first, second].map(|slot| {
        let list = list.clone();
        thread::spawn(move || list.push(slot))
    });
    list.sort();
    for returner in returners {
        returner.join().unwrap();
    }
    assert_eq!(drain(&list), [0, 1, 2]);
}

/// Two threads return a block each into the quarantine while a third releases it and then wants two.
fn a_quarantine_holds_each_block_until_it_is_released_and_loses_none() {
    let pools = pools(2);
    pools.set_quarantine(true);
    let (first, second) = (allocate(&pools).unwrap(), allocate(&pools).unwrap());
    let returner = thread::spawn(move || drop(first));
    let collector = thread::spawn({
        let pools = pools.clone();
        move || {
            let released = pools.release_quarantine();
            let blocks = [allocate(&pools), allocate(&pools)];
            let got = blocks.iter().flatten().count();
            assert_eq!(got, released, "what was released is free, and nothing else");
            (released, blocks)
        }
    });
    drop(second);
    returner.join().unwrap();
    let (released, blocks) = collector.join().unwrap();
    assert!(allocate(&pools).is_none(), "what came later is held back");
    assert_eq!(pools.release_quarantine(), 2 - released);
    pools.set_quarantine(false);
    drop(blocks);
    assert_whole(&pools, 2);
}
