//! What a block costs: handing it out and taking it back, against the allocator's zeroed memory.
//!
//! Every row is one allocation and one free. "used" rows write the whole block in between, on both
//! sides, which is what blocks are for; without that, large zeroed allocations are only promised by
//! the operating system and look free.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::hint::black_box;

use chorus::pool::{Class, Exhaustion, PoolConfig, Pools};
use common::{Options, Table, Target, each, on_threads};

fn main() {
    let mut table = Table::new("pool", Options::from_arguments());
    let pools = Pools::new(&PoolConfig::production());
    zeroed(&mut table, &pools);
    page_copies(&mut table, &pools);
    used(&mut table, &pools);
    exhausted(&mut table);
    table.print();
}

fn zeroed(table: &mut Table, pools: &Pools) {
    for class in Class::ALL {
        let ours = || black_box(pools.allocate(class, Exhaustion::Heap)).is_ok();
        let theirs = || drop(black_box(vec![0_u8; class.bytes()]));
        table.row(format!("zeroed {class}"), Target::None, each(ours), each(theirs));
        table.row(
            format!("zeroed {class}, 2 threads"),
            Target::None,
            on_threads(2, |_| _ = black_box(ours())),
            on_threads(2, |_| theirs()),
        );
    }
}

/// The copy of a copy-on-write fault, whose target is twice the copying itself.
///
/// The source is a block, as it is at a fault. That matters: a source that lies a few bytes before a
/// multiple of 4096 makes the copying alone take four times as long, because each load seems to the
/// processor to depend on the store before it.
fn page_copies(table: &mut Table, pools: &Pools) {
    let block = || pools.allocate_copy_of(&[7; 4096], Exhaustion::Heap);
    let (Ok(source), Ok(mut target)) = (block(), block()) else { return };
    let Ok(page) = <&[u8; 4096]>::try_from(&*source) else { return };
    let ours = || drop(black_box(pools.allocate_copy_of_page(black_box(page), Exhaustion::Heap)));
    let boxed = || drop(black_box(Box::new(*black_box(page))));
    let zeroed_first = || {
        if let Ok(mut block) = pools.allocate(Class::K4, Exhaustion::Heap) {
            block.copy_from_slice(black_box(page));
            drop(black_box(block));
        }
    };
    let copy = each(|| black_box(&mut *target).copy_from_slice(black_box(page)));
    table.row("copy of a page / memcpy", Target::AtMost(2.0), each(ours), copy);
    table.row("copy of a page / Box", Target::None, each(ours), each(boxed));
    table.row("copy of a page / zeroed first", Target::AtMost(1.0), each(ours), each(zeroed_first));
    table.row(
        "copy of a page / Box, 2 threads",
        Target::None,
        on_threads(2, |_| ours()),
        on_threads(2, |_| boxed()),
    );
}

fn used(table: &mut Table, pools: &Pools) {
    for class in Class::ALL {
        let ours = || {
            let mut block = pools.allocate(class, Exhaustion::Heap);
            if let Ok(block) = &mut block {
                block.fill(1);
            }
            drop(black_box(block));
        };
        let theirs = || {
            let mut block = vec![0_u8; class.bytes()];
            block.fill(1);
            drop(black_box(block));
        };
        table.row(format!("used {class}"), Target::None, each(ours), each(theirs));
    }
}

/// A class without blocks: what the fallback adds to the heap's own cost.
fn exhausted(table: &mut Table) {
    let pools = Pools::new(&PoolConfig { blocks: [0; 4] });
    table.row(
        "fallback 4 KiB",
        Target::None,
        each(|| black_box(pools.allocate(Class::K4, Exhaustion::Heap)).is_ok()),
        each(|| drop(black_box(vec![0_u8; 4096]))),
    );
}
