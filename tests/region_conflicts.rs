//! What of shared memory two transactions of a block get in each other's way with, and what not.
//!
//! One worker, so the order is known:
//!
//! ```text
//!   lower     starts, waits for the gate ┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ goes on, ends, commits
//!   higher            runs to its end on what was there before      validated: again, or commits
//!   opener                            opens the gate
//! ```
//!
//! The higher one has not seen what the lower one does. If it depends on it, it runs twice.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/event.rs"]
mod event;

use std::{collections::HashMap, future::Future, pin::pin, sync::Arc, task::Poll};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Outcome, Path, SharedError, Transaction, View, execute_sequential_with},
    region::{
        Address, Handle, MapOptions, Name, Permissions, RegionOptions, config::SharedMemoryConfig,
        page::PAGE_BYTES,
    },
};
use event::Event;

type World = View<u8, u64>;
type Tx = Transaction<u8, u64, u64, SharedError>;
type Block = Outcome<u8, u64, u64, SharedError>;

const PAGE: u64 = PAGE_BYTES as u64;

/// Owns the region.
fn ann() -> Address {
    Address::from_number(1)
}

/// May read and write it.
fn bob() -> Address {
    Address::from_number(2)
}

/// May not.
fn cleo() -> Address {
    Address::from_number(3)
}

fn board() -> Name {
    Name::new("board").unwrap()
}

fn engine(memory: &Arc<SharedMemory>, threads: usize) -> Engine<u8, u64, u64, SharedError> {
    let engine = Engine::builder().threads(threads).path(Path::Parallel);
    engine.shared_memory(memory.clone()).build().unwrap()
}

/// A region of three pages, of which the first is there.
fn memory() -> (Arc<SharedMemory>, Handle) {
    let memory = SharedMemory::new(SharedMemoryConfig::production()).unwrap();
    let rights = Permissions::ALL;
    let handle =
        memory.create(ann(), board(), 3 * PAGE, rights, RegionOptions::PERSISTENT).unwrap();
    let found = Tx::new(async move |view| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::NONE).await?;
        regions.write(mapping, 0, &7u64.to_be_bytes()).await?;
        regions.grant(handle, bob(), Permissions::READ | Permissions::WRITE).await?;
        Ok(0)
    });
    let block = [found.acting_as(ann())];
    let outcome = execute_sequential_with(&block, HashMap::new(), &memory).unwrap();
    assert_eq!(outcome.results, [Ok(0)]);
    memory.commit(&outcome.regions.unwrap()).unwrap();
    (memory, handle)
}

/// Runs `lower` and `higher` as the module says, and says how many incarnations were in vain. The
/// outcome is the sequential one, on more workers as well.
fn in_vain<A, B>(memory: &Arc<SharedMemory>, lower: (Address, A), higher: (Address, B)) -> u64
where
    A: AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static,
    B: AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static,
{
    let block = |gated: bool| {
        let gate = Event::default();
        if !gated {
            gate.fire();
        }
        let (wait, low, high) = (gate.clone(), lower.1.clone(), higher.1.clone());
        let lower_one = Tx::new(async move |view| {
            wait.wait().await;
            low(view).await
        });
        let opener = Tx::new(async move |_| {
            gate.fire();
            Ok(0)
        });
        let higher_one = Tx::new(async move |view| high(view).await);
        [lower_one.acting_as(lower.0), higher_one.acting_as(higher.0), opener]
    };
    let reference = execute_sequential_with(&block(false), HashMap::new(), memory).unwrap();
    let check = |outcome: &Block, how: &str| {
        assert_eq!(outcome.results, reference.results, "{how}");
        assert_eq!(outcome.regions, reference.regions, "{how}");
    };
    for threads in [2, 4] {
        let outcome = engine(memory, threads).execute(&block(true), HashMap::new()).unwrap();
        check(&outcome, "several workers");
    }
    let block = block(true);
    let outcome = engine(memory, 1).execute(&block, HashMap::new()).unwrap();
    check(&outcome, "one worker");
    assert!(outcome.statistics.suspensions >= 1, "the lower one has waited");
    outcome.statistics.incarnations - block.len() as u64
}

/// Writes a word of 32 bytes.
fn write_word(
    handle: Handle,
    offset: u64,
    byte: u8,
) -> impl AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static {
    async move |view: World| {
        let mapping = view.regions().map(handle, MapOptions::NONE).await?;
        Ok(view.regions().write(mapping, offset, &[byte; 32]).await? as u64)
    }
}

/// Reads the 8 bytes at an offset as a number.
fn read_number(
    handle: Handle,
    offset: u64,
) -> impl AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static {
    async move |view: World| {
        let mapping = view.regions().map(handle, MapOptions::READ_ONLY).await?;
        let mut bytes = [0; 8];
        view.regions().read(mapping, offset, &mut bytes).await?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// Adds 1 to the number at an offset.
fn count(
    handle: Handle,
    offset: u64,
) -> impl AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static {
    async move |view: World| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::NONE).await?;
        let mut bytes = [0; 8];
        regions.read(mapping, offset, &mut bytes).await?;
        let sum = u64::from_be_bytes(bytes) + 1;
        regions.write(mapping, offset, &sum.to_be_bytes()).await?;
        Ok(sum)
    }
}

#[test]
fn writes_to_different_words_of_a_present_page_do_not_conflict() {
    let (memory, handle) = memory();
    let (lower, higher) = (write_word(handle, 32, 1), write_word(handle, 64, 2));
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), higher)), 0);
}

#[test]
fn counting_in_different_words_of_a_present_page_does_not_conflict() {
    let (memory, handle) = memory();
    assert_eq!(in_vain(&memory, (ann(), count(handle, 0)), (bob(), count(handle, 32))), 0);
}

#[test]
fn counting_in_the_same_word_runs_the_higher_one_once_more() {
    let (memory, handle) = memory();
    assert_eq!(in_vain(&memory, (ann(), count(handle, 0)), (bob(), count(handle, 0))), 1);
}

#[test]
fn whole_words_written_unseen_do_not_conflict_and_the_higher_one_stays() {
    let (memory, handle) = memory();
    let (lower, higher) = (write_word(handle, 32, 1), write_word(handle, 32, 2));
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), higher)), 0);
}

#[test]
fn a_write_to_a_part_of_a_word_reads_it() {
    let (memory, handle) = memory();
    let part = async move |view: World| {
        let mapping = view.regions().map(handle, MapOptions::NONE).await?;
        Ok(view.regions().write(mapping, 40, &[9]).await? as u64)
    };
    assert_eq!(in_vain(&memory, (ann(), write_word(handle, 32, 1)), (bob(), part)), 1);
}

#[test]
fn a_read_depends_on_the_words_it_covers_only() {
    let (memory, handle) = memory();
    let write = write_word(handle, 32, 1);
    assert_eq!(in_vain(&memory, (ann(), write.clone()), (bob(), read_number(handle, 0))), 0);
    assert_eq!(in_vain(&memory, (ann(), write), (bob(), read_number(handle, 32))), 1);
}

#[test]
fn writing_the_bytes_that_are_there_invalidates_nobody() {
    let (memory, handle) = memory();
    let rewrite = async move |view: World| {
        let mapping = view.regions().map(handle, MapOptions::NONE).await?;
        Ok(view.regions().write(mapping, 0, &7u64.to_be_bytes()).await? as u64)
    };
    assert_eq!(in_vain(&memory, (ann(), rewrite), (bob(), read_number(handle, 0))), 0);
}

#[test]
fn two_first_writes_to_a_page_conflict_in_its_presence() {
    let (memory, handle) = memory();
    let (lower, higher) = (write_word(handle, PAGE, 1), write_word(handle, PAGE + 64, 2));
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), higher)), 1);
}

#[test]
fn reading_zeros_of_an_absent_page_does_not_depend_on_its_presence() {
    let (memory, handle) = memory();
    let (lower, higher) = (write_word(handle, PAGE, 1), read_number(handle, PAGE + 64));
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), higher)), 0);
}

#[test]
fn pages_of_one_region_do_not_conflict() {
    let (memory, handle) = memory();
    let (lower, higher) = (write_word(handle, PAGE, 1), write_word(handle, 2 * PAGE, 2));
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), higher)), 0);
}

#[test]
fn a_snapshot_depends_on_what_is_read_of_it_only() {
    let (memory, handle) = memory();
    let snapshot = |offset: u64| {
        async move |view: World| {
            let mapping = view.regions().map(handle, MapOptions::COPY_ON_WRITE).await?;
            let mut bytes = [0; 8];
            view.regions().read(mapping, offset, &mut bytes).await?;
            Ok(u64::from_be_bytes(bytes))
        }
    };
    let write = write_word(handle, 32, 1);
    assert_eq!(in_vain(&memory, (ann(), write.clone()), (bob(), snapshot(0))), 0);
    assert_eq!(in_vain(&memory, (ann(), write), (bob(), snapshot(32))), 1);
}

#[test]
fn whole_pages_show_nothing_beyond_the_window_they_were_read_through() {
    let (memory, handle) = memory();
    let window = async move |view: World| {
        let regions = view.regions();
        let mapping = regions.map_window(handle, MapOptions::READ_ONLY, 0, 40).await?;
        let pages = regions.read_pages(mapping, 0, 1).await?;
        assert_eq!(pages.len(), 1);
        Ok(pages[0].bytes().iter().map(|byte| u64::from(*byte)).sum())
    };
    // The window ends within the second word, so that one matters, and the third does not.
    let write = |offset: u64| write_word(handle, offset, 1);
    assert_eq!(in_vain(&memory, (ann(), write(32)), (bob(), window)), 1);
    assert_eq!(in_vain(&memory, (ann(), write(64)), (bob(), window)), 0);
}

#[test]
fn published_writes_to_different_words_do_not_conflict() {
    let (memory, handle) = memory();
    let publish = |offset: u64| {
        async move |view: World| {
            let mapping = view.regions().map(handle, MapOptions::COPY_ON_WRITE).await?;
            view.regions().write(mapping, offset, &[5; 32]).await?;
            view.regions().publish(mapping).await?;
            Ok(0)
        }
    };
    assert_eq!(in_vain(&memory, (ann(), publish(32)), (bob(), publish(64))), 0);
}

fn grant(
    handle: Handle,
    to: Address,
    permissions: Permissions,
) -> impl AsyncFn(World) -> Result<u64, SharedError> + Clone + Send + Sync + 'static {
    async move |view: World| {
        view.regions().grant(handle, to, permissions).await?;
        Ok(0)
    }
}

#[test]
fn grants_to_different_addresses_do_not_conflict() {
    let (memory, handle) = memory();
    let lower = grant(handle, cleo(), Permissions::READ);
    let higher = grant(handle, Address::from_number(4), Permissions::READ);
    assert_eq!(in_vain(&memory, (ann(), lower), (ann(), higher)), 0);
}

#[test]
fn a_grant_does_not_concern_those_who_have_rights_of_their_own() {
    let (memory, handle) = memory();
    let lower = grant(handle, cleo(), Permissions::READ);
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), count(handle, 0))), 0);
}

#[test]
fn whoever_was_denied_runs_again_after_the_grant() {
    let (memory, handle) = memory();
    let lower = grant(handle, cleo(), Permissions::READ);
    assert_eq!(in_vain(&memory, (ann(), lower), (cleo(), read_number(handle, 0))), 1);
}

#[test]
fn whoever_has_mapped_runs_again_after_the_revoke_and_is_denied() {
    let (memory, handle) = memory();
    let lower = grant(handle, bob(), Permissions::NONE);
    assert_eq!(in_vain(&memory, (ann(), lower), (bob(), read_number(handle, 0))), 1);
}

#[test]
fn growing_and_granting_do_not_conflict() {
    let (memory, handle) = memory();
    let grow = async move |view: World| {
        view.regions().grow(handle, 5 * PAGE).await?;
        Ok(0)
    };
    let higher = grant(handle, cleo(), Permissions::READ);
    assert_eq!(in_vain(&memory, (ann(), grow), (ann(), higher)), 0);
}

#[test]
fn whoever_was_told_the_size_depends_on_it() {
    let (memory, handle) = memory();
    let grow = async move |view: World| {
        view.regions().grow(handle, 5 * PAGE).await?;
        Ok(0)
    };
    let info = async move |view: World| Ok(view.regions().info(handle).await?.0);
    assert_eq!(in_vain(&memory, (ann(), grow), (bob(), info)), 1);
}

#[test]
fn that_there_is_no_region_is_an_observation() {
    let (memory, _) = memory();
    let name = Name::new("new").unwrap();
    let create = async move |view: World| {
        let regions = view.regions();
        regions.create(name, 64, Permissions::ALL, RegionOptions::PERSISTENT).await?;
        Ok(0)
    };
    let open = |owner: Address| {
        async move |view: World| Ok(u64::from(view.regions().open(owner, name).await?.is_some()))
    };
    assert_eq!(in_vain(&memory, (ann(), create), (bob(), open(ann()))), 1);
    assert_eq!(in_vain(&memory, (ann(), create), (bob(), open(cleo()))), 0);
}

#[test]
fn a_region_of_one_transaction_concerns_nobody_else() {
    let (memory, _) = memory();
    let create = async move |view: World| {
        let regions = view.regions();
        let handle = regions.create(board(), 64, Permissions::ALL, RegionOptions::NONE).await?;
        let mapping = regions.map(handle, MapOptions::NONE).await?;
        Ok(regions.write(mapping, 0, &[1]).await? as u64)
    };
    assert_eq!(in_vain(&memory, (ann(), create), (ann(), create)), 0);
}

#[test]
fn whoever_used_a_region_runs_again_if_it_is_destroyed_and_created_anew() {
    let (memory, handle) = memory();
    let renew = async move |view: World| {
        let regions = view.regions();
        regions.destroy(handle).await?;
        regions.create(board(), PAGE, Permissions::ALL, RegionOptions::PERSISTENT).await?;
        Ok(0)
    };
    assert_eq!(in_vain(&memory, (ann(), renew), (bob(), read_number(handle, 0))), 1);
}

#[test]
fn a_lookup_suspends_its_context_and_not_its_thread() {
    let (memory, _) = memory();
    // Reports whether the answer was there at once, which it cannot be: the registry is an actor.
    let look = |_| {
        let transaction = Tx::new(async move |view: World| {
            let regions = view.regions();
            let mut open = pin!(regions.open(ann(), board()));
            let mut polls = 0;
            let found = std::future::poll_fn(|cx| {
                polls += 1;
                open.as_mut().poll(cx)
            });
            assert!(found.await?.is_some());
            // A second time it is known.
            let mut again = pin!(regions.open(ann(), board()));
            let known = std::future::poll_fn(|cx| Poll::Ready(again.as_mut().poll(cx).is_ready()));
            Ok(if known.await { polls } else { 0 })
        });
        transaction.acting_as(bob())
    };
    let block: Vec<Tx> = (0..500).map(look).collect();
    let outcome = engine(&memory, 1).execute(&block, HashMap::new()).unwrap();
    assert_eq!(outcome.results, vec![Ok(2); 500]);
    assert_eq!(outcome.statistics.incarnations, 500);
    assert!(memory.metrics().registry_requests >= 500);
}
