//! Block pools as their users see them: hand-out, return, exhaustion, quarantine, figures.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

// So that `cargo test pool` chooses them by name.
mod pool {
    use std::{
        panic,
        sync::{Arc, Barrier, mpsc},
        thread,
    };

    use chorus::pool::{Block, Class, CopyError, Exhaustion, PoolConfig, PoolExhausted, Pools};
    use proptest::prelude::*;

    fn small() -> Arc<Pools> {
        Pools::new(&PoolConfig { blocks: [8, 4, 2, 1] })
    }

    fn take(pools: &Pools, class: Class) -> Block {
        pools.allocate(class, Exhaustion::Fail).expect("a block is free")
    }

    fn take_all(pools: &Pools, class: Class) -> Vec<Block> {
        std::iter::from_fn(|| pools.allocate(class, Exhaustion::Fail).ok()).collect()
    }

    #[test]
    fn the_presets_give_as_many_blocks_as_they_name() {
        let presets = [PoolConfig::production(), PoolConfig::development(), PoolConfig::testing()];
        for config in presets {
            let pools = Pools::new(&config);
            for class in Class::ALL {
                let blocks = take_all(&pools, class);
                assert_eq!(blocks.len(), config.count(class) as usize, "{class}");
                assert_eq!(pools.stats().of(class).capacity, config.count(class));
            }
        }
    }

    #[test]
    fn blocks_are_aligned_zero_and_of_their_class_from_the_pool_and_from_the_heap() {
        let pools = small();
        for class in Class::ALL {
            let alignment = if class == Class::B64 { 64 } else { 4096 };
            let mut blocks = take_all(&pools, class);
            blocks.push(pools.allocate(class, Exhaustion::Heap).unwrap());
            assert!(!blocks.last().unwrap().is_pooled() && blocks[0].is_pooled());
            for block in blocks {
                assert!(block.as_ptr().addr().is_multiple_of(alignment), "{class}");
                assert_eq!((block.class(), block.len()), (class, class.bytes()));
                assert!(block.iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn a_block_that_was_used_is_zero_when_it_is_handed_out_again() {
        let pools = small();
        for class in Class::ALL {
            for mut block in take_all(&pools, class) {
                block.fill(0xff);
            }
            for block in take_all(&pools, class) {
                assert!(block.iter().all(|&byte| byte == 0), "{class}");
            }
        }
    }

    #[test]
    fn a_copy_holds_its_content_and_zeros_and_nothing_of_the_past() {
        let pools = small();
        for class in Class::ALL {
            for length in [class.bytes() / 2 + 1, class.bytes() - 1, class.bytes()] {
                for mut block in take_all(&pools, class) {
                    block.fill(0xff);
                }
                let content: Vec<u8> = (0..length).map(|at| at as u8 | 1).collect();
                let copy = pools.allocate_copy_of(&content, Exhaustion::Fail).unwrap();
                assert_eq!(copy.class(), class);
                assert_eq!(copy[..length], content);
                assert!(copy[length..].iter().all(|&byte| byte == 0));
            }
        }
        let page = [9; 4096];
        assert_eq!(pools.allocate_copy_of_page(&page, Exhaustion::Fail).unwrap()[..], page);
        assert_eq!(pools.allocate_copy_of(&[], Exhaustion::Fail).unwrap()[..], [0; 64]);
    }

    #[test]
    fn a_copy_larger_than_any_block_is_refused_with_both_sizes() {
        let content = vec![1; (1 << 20) + 1];
        let refused = small().allocate_copy_of(&content, Exhaustion::Heap).unwrap_err();
        assert_eq!(refused, CopyError::TooLarge { size: (1 << 20) + 1, max: 1 << 20 });
    }

    #[test]
    fn an_empty_class_fails_by_name_or_falls_back_to_the_heap_and_counts_it() {
        let pools = small();
        for class in Class::ALL {
            let blocks = take_all(&pools, class);
            let exhausted = PoolExhausted { class };
            assert_eq!(pools.allocate(class, Exhaustion::Fail).unwrap_err(), exhausted);
            let content = vec![5; class.bytes()];
            let refused = pools.allocate_copy_of(&content, Exhaustion::Fail).unwrap_err();
            assert_eq!(refused, CopyError::Exhausted(exhausted));

            let heap = pools.allocate(class, Exhaustion::Heap).unwrap();
            let copy = pools.allocate_copy_of(&content, Exhaustion::Heap).unwrap();
            assert_eq!(copy[..], content);
            let stats = *pools.stats().of(class);
            assert_eq!((stats.fallbacks, stats.heap_in_use), (2, 2));
            assert_eq!(stats.in_use, stats.capacity, "blocks of the heap are none of the pool's");
            drop((heap, copy, blocks));
            let stats = *pools.stats().of(class);
            assert_eq!((stats.fallbacks, stats.heap_in_use, stats.in_use), (2, 0, 0));
            assert_eq!(stats.free, stats.capacity, "no block of the heap has entered the pool");
        }
    }

    #[test]
    fn one_class_running_out_leaves_the_others_alone() {
        let pools = small();
        let _pages = take_all(&pools, Class::K4);
        for class in [Class::B64, Class::K64, Class::M1] {
            drop(take(&pools, class));
        }
    }

    #[test]
    fn the_figures_of_a_class_are_those_of_what_happened() {
        let pools = small();
        let mut blocks = take_all(&pools, Class::B64);
        blocks.truncate(2);
        let stats = *pools.stats().of(Class::B64);
        assert_eq!((stats.capacity, stats.in_use, stats.free), (8, 2, 6));
        assert_eq!((stats.allocations, stats.frees, stats.high_water), (8, 6, 8));
        assert!((stats.utilisation() - 0.25).abs() < 1e-9);
        drop(blocks);
        drop(take(&pools, Class::B64));
        let stats = *pools.stats().of(Class::B64);
        assert_eq!((stats.in_use, stats.allocations, stats.frees, stats.high_water), (0, 9, 9, 8));
        assert_eq!(pools.stats().of(Class::K4).allocations, 0);
        let nothing = Pools::new(&PoolConfig { blocks: [0; 4] });
        let stats = *nothing.stats().of(Class::K4);
        assert!(stats.utilisation() == 0.0 && stats.fragmentation() == 0.0);
    }

    #[test]
    fn high_water_is_the_most_at_a_time_not_the_sum() {
        let pools = small();
        for _ in 0..100 {
            drop((take(&pools, Class::B64), take(&pools, Class::B64)));
        }
        assert_eq!(pools.stats().of(Class::B64).high_water, 2);
    }

    #[test]
    fn old_fault_7_fragmentation_is_nothing_for_one_run_and_much_for_many_holes() {
        let pools = small();
        let fragmentation = || pools.stats().of(Class::B64).fragmentation();
        assert_eq!(fragmentation(), 0.0, "all blocks are free: one run");
        let mut blocks: Vec<Option<Block>> =
            take_all(&pools, Class::B64).into_iter().map(Some).collect();
        assert_eq!(fragmentation(), 0.0, "nothing is free, and nothing in pieces");
        // Free are 1, 3, 5 and 7: four runs of one.
        blocks.iter_mut().skip(1).step_by(2).for_each(|block| *block = None);
        assert!((fragmentation() - 0.75).abs() < 1e-9);
        // 2 as well: 1 to 3 is a run of three, of five.
        blocks[2] = None;
        assert!((fragmentation() - 0.4).abs() < 1e-9);
        blocks.clear();
        assert_eq!(fragmentation(), 0.0);
    }

    #[test]
    fn old_fault_7_every_way_a_block_comes_back_brings_it_back() {
        let pools = small();
        let class = Class::K4;
        // From another thread; from a panic; into the quarantine; beside a compaction.
        let block = take(&pools, class);
        thread::spawn(move || drop(block)).join().unwrap();
        let block = take(&pools, class);
        let unwound = panic::catch_unwind(panic::AssertUnwindSafe(move || {
            let _held = block;
            panic::resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
        pools.set_quarantine(true);
        drop(take(&pools, class));
        pools.release_quarantine();
        pools.set_quarantine(false);
        thread::scope(|scope| {
            let compactor = scope.spawn(|| (0..100).for_each(|_| _ = pools.compact()));
            while !compactor.is_finished() {
                drop(take(&pools, class));
            }
        });
        assert_eq!(pools.stats().of(class).free, 4);
        assert_eq!(take_all(&pools, class).len(), 4, "each block can be had again, once");
    }

    #[test]
    fn old_fault_7_a_block_that_outlives_the_pools_is_usable_and_drops_cleanly() {
        let pools = small();
        let mut block = take(&pools, Class::M1);
        drop(pools);
        block.fill(3);
        thread::spawn(move || assert!(block.iter().all(|&byte| byte == 3))).join().unwrap();
    }

    #[test]
    fn old_fault_8_counters_are_exact_when_several_threads_change_them() {
        const THREADS: usize = 4;
        const ROUNDS: usize = 5_000;
        // Fewer blocks than threads, so that the heap's counters are changed too.
        let pools = Pools::new(&PoolConfig { blocks: [3, 0, 0, 0] });
        let start = Barrier::new(THREADS);
        let fallbacks: usize = thread::scope(|scope| {
            let run = || {
                start.wait();
                let heap = |_| !pools.allocate(Class::B64, Exhaustion::Heap).unwrap().is_pooled();
                (0..ROUNDS).map(heap).filter(|&heap| heap).count()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let stats = *pools.stats().of(Class::B64);
        assert_eq!(stats.allocations, (THREADS * ROUNDS) as u64);
        assert_eq!(stats.frees, stats.allocations);
        assert_eq!(stats.fallbacks, fallbacks as u64);
        assert_eq!((stats.in_use, stats.heap_in_use, stats.free), (0, 0, 3));
        assert!(stats.high_water <= 3);
    }

    #[test]
    fn compaction_hands_out_the_lowest_addresses_first() {
        let pools = small();
        let mut blocks = take_all(&pools, Class::B64);
        let lowest_first: Vec<usize> = blocks.iter().map(|block| block.as_ptr().addr()).collect();
        assert!(lowest_first.is_sorted());
        // Returned in an order that the free list would hand out backwards.
        blocks.rotate_left(3);
        drop(blocks);
        let addresses = |blocks: &[Block]| -> Vec<usize> {
            blocks.iter().map(|block| block.as_ptr().addr()).collect()
        };
        assert_ne!(addresses(&take_all(&pools, Class::B64)), lowest_first);
        assert_eq!(pools.compact(), 8 + 4 + 2 + 1);
        assert_eq!(addresses(&take_all(&pools, Class::B64)), lowest_first);
    }

    #[test]
    fn the_quarantine_holds_back_until_it_is_released() {
        let pools = small();
        pools.set_quarantine(true);
        for mut block in take_all(&pools, Class::K4) {
            block.fill(0xff);
        }
        let stats = *pools.stats().of(Class::K4);
        assert_eq!((stats.in_use, stats.free, stats.quarantined, stats.frees), (0, 0, 4, 4));
        pools.allocate(Class::K4, Exhaustion::Fail).unwrap_err();
        assert!(!pools.allocate(Class::K4, Exhaustion::Heap).unwrap().is_pooled());
        assert_eq!(pools.release_quarantine(), 4);
        assert_eq!(pools.stats().of(Class::K4).free, 4);
        let blocks = take_all(&pools, Class::K4);
        assert_eq!(blocks.len(), 4);
        assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == 0)));
        // What is held back when the mode ends stays so until it is released.
        drop(blocks);
        pools.set_quarantine(false);
        pools.allocate(Class::K4, Exhaustion::Fail).unwrap_err();
        assert_eq!(pools.release_quarantine(), 4);
        drop(take(&pools, Class::K4));
        assert_eq!(pools.stats().of(Class::K4).free, 4);
    }

    #[test]
    fn blocks_and_pools_go_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Block>();
        shared::<Pools>();
    }

    /// Four threads take, write, check and pass on, one compacts, releases the quarantine and reads the
    /// figures. Each block carries its holder's mark, so two holders of one would see each other's.
    #[test]
    fn many_threads_share_few_blocks_and_none_is_shared_or_lost() {
        const THREADS: u8 = 4;
        const ROUNDS: usize = 3_000;
        let pools = Pools::new(&PoolConfig { blocks: [6, 3, 0, 0] });
        let run = |mark: u8, next: mpsc::Sender<Block>, mail: mpsc::Receiver<Block>| {
            for round in 0..ROUNDS {
                let class = [Class::B64, Class::K4][round % 2];
                let exhaustion = [Exhaustion::Fail, Exhaustion::Heap][round / 2 % 2];
                if let Ok(mut block) = pools.allocate(class, exhaustion) {
                    assert!(block.iter().all(|&byte| byte == 0), "handed out with a past");
                    block.fill(mark);
                    thread::yield_now();
                    assert!(block.iter().all(|&byte| byte == mark), "another has the same block");
                    if round % 3 == 0 {
                        // Dropped by another thread, or by the channel if that one has ended.
                        let _ = next.send(block);
                    }
                }
                drop(mail.try_recv());
            }
        };
        thread::scope(|scope| {
            let (mut senders, receivers): (Vec<_>, Vec<_>) =
                (0..THREADS).map(|_| mpsc::channel()).unzip();
            senders.rotate_left(1);
            let workers: Vec<_> = (1..)
                .zip(senders.into_iter().zip(receivers))
                .map(|(mark, (next, mail))| scope.spawn(move || run(mark, next, mail)))
                .collect();
            let mut quarantine = false;
            while workers.iter().any(|worker| !worker.is_finished()) {
                pools.compact();
                quarantine = !quarantine;
                pools.set_quarantine(quarantine);
                pools.release_quarantine();
                for stats in pools.stats().classes {
                    assert!(stats.in_use <= stats.capacity && stats.frees <= stats.allocations);
                }
                thread::yield_now();
            }
        });
        pools.set_quarantine(false);
        pools.release_quarantine();
        for (class, capacity) in [(Class::B64, 6), (Class::K4, 3)] {
            let stats = *pools.stats().of(class);
            assert_eq!((stats.free, stats.in_use, stats.heap_in_use), (capacity, 0, 0));
            assert_eq!(stats.allocations, stats.frees);
            assert_eq!(take_all(&pools, class).len(), capacity as usize);
        }
    }

    proptest! {
        /// Any order of hand-outs, returns and compactions gives the figures of a list of booleans.
        #[test]
        fn figures_are_those_of_a_naive_model(steps in prop::collection::vec((0_u8..8, 0_usize..8), 0..60)) {
            let pools = small();
            let first = take(&pools, Class::B64).as_ptr().addr();
            let mut held: Vec<Block> = Vec::new();
            let (mut allocations, mut high_water) = (1, 1);
            for (what, which) in steps {
                match what {
                    0..4 => if let Ok(block) = pools.allocate(Class::B64, Exhaustion::Fail) {
                        allocations += 1;
                        held.push(block);
                    } else {
                        prop_assert_eq!(held.len(), 8);
                    },
                    4..7 => if !held.is_empty() { drop(held.swap_remove(which % held.len())); },
                    _ => prop_assert_eq!(pools.compact(), 8 - held.len() + 4 + 2 + 1),
                }
                high_water = high_water.max(held.len() as u32);
                let mut free = [true; 8];
                for block in &held {
                    free[(block.as_ptr().addr() - first) / 64] = false;
                }
                let longest = free.split(|free| !free).map(<[bool]>::len).max().unwrap_or(0);
                let stats = *pools.stats().of(Class::B64);
                prop_assert_eq!(stats.in_use as usize, held.len());
                prop_assert_eq!(stats.largest_free_run as usize, longest);
                prop_assert_eq!(stats.allocations, allocations);
                prop_assert_eq!(stats.frees, allocations - held.len() as u64);
                prop_assert_eq!(stats.high_water, high_water);
            }
        }
    }
}
