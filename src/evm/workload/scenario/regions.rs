//! Shared regions: words, pages, mappings, snapshots.
//!
//! One contract owns one region of present pages, which a block of its own has filled before. Two
//! transactions that meet at a page without meeting at a word of it do not depend on each other;
//! that is what these scenarios are about.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};

use super::{
    super::world::World,
    cells::words,
    parameter::{Settings, chosen},
};
use crate::{
    engine::SharedMemory,
    evm::limit::Beside,
    native::{SharedError, Transaction, execute_sequential_with},
    region::{
        self, MapOptions, Name, Permissions, RegionOptions, config::SharedMemoryConfig,
        page::PAGE_BYTES,
    },
};

/// Words of a page.
const WORDS: u64 = PAGE_BYTES as u64 / 32;
/// Gas that no transaction here needs.
const GAS: u64 = 400_000;

/// Maps the region of calldata 0, reads the word at calldata 1, hashes it, and writes it at calldata 2;
/// or to that slot, if calldata 3 says so.
const WORD: &str = "
    0 0 0 0 CALLDATALOAD SHARED_MAP
    0 32 32 CALLDATALOAD DUP4 SHARED_READ POP
    32 0 KECCAK256 0 MSTORE
    96 CALLDATALOAD @slot JUMPI
    0 32 64 CALLDATALOAD DUP4 SHARED_WRITE POP
    SHARED_UNMAP STOP
slot:
    0 MLOAD 64 CALLDATALOAD SSTORE
    SHARED_UNMAP STOP
";

/// Maps the region of calldata 0 and unmaps it, calldata 1 times, and keeps in slot calldata 2 the
/// number of the last mapping.
const MAPS: &str = "
    32 CALLDATALOAD
again:
    0 0 0 0 CALLDATALOAD SHARED_MAP
    DUP1 0 MSTORE SHARED_UNMAP
    1 SWAP1 SUB
    DUP1 @again JUMPI
    0 MLOAD 64 CALLDATALOAD SSTORE
    STOP
";

/// Takes a snapshot of the region of calldata 0, changes the first word of each of its calldata 1 pages in it,
/// and keeps the hash of the last one in slot calldata 2. If calldata 3 is not zero, publishes one
/// word, at that offset, through another snapshot.
const SNAPSHOT: &str = "
    0 0 1 0 CALLDATALOAD SHARED_MAP
    32 CALLDATALOAD
next:
    1 SWAP1 SUB
    DUP1 4096 MUL
    0 32 DUP3 DUP6 SHARED_READ POP
    0 MLOAD 1 ADD 0 MSTORE
    0 32 DUP3 DUP6 SHARED_WRITE POP
    POP
    DUP1 @next JUMPI
    POP
    32 0 KECCAK256 64 CALLDATALOAD SSTORE
    SHARED_UNMAP
    96 CALLDATALOAD @publish JUMPI
    STOP
publish:
    0 0 1 0 CALLDATALOAD SHARED_MAP
    0 32 96 CALLDATALOAD DUP4 SHARED_WRITE POP
    SHARED_PUBLISH STOP
";

/// A contract with a region of present pages.
struct Board {
    contract: Address,
    handle: U256,
}

impl Board {
    fn new(world: &mut World, code: &str, pages: u64) -> Self {
        let contract = world.install(code);
        let owner = region::Address(contract.into_array());
        let config = SharedMemoryConfig::production();
        let memory = SharedMemory::new(config).expect("the preset agrees with itself");
        let name = Name::new("board").expect("short enough");
        let size = pages * PAGE_BYTES as u64;
        let handle = memory
            .create(owner, name, size, Permissions::ALL, RegionOptions::PERSISTENT)
            .expect("the first region there is");
        let fill = Transaction::<u8, u8, (), SharedError>::new(async move |view| {
            let regions = view.regions();
            let mapping = regions.map(handle, MapOptions::NONE).await?;
            for page in 0..pages {
                let bytes: Vec<u8> = (0..PAGE_BYTES).map(|at| at as u8 ^ page as u8).collect();
                regions.write(mapping, page * PAGE_BYTES as u64, &bytes).await?;
            }
            Ok(())
        });
        let outcome = execute_sequential_with(&[fill.acting_as(owner)], HashMap::new(), &memory)
            .expect("nothing in it can fail");
        debug_assert_eq!(outcome.results, [Ok(())]);
        if let Some(changes) = &outcome.regions {
            memory.commit(changes).expect("nobody else has changed the regions");
        }
        world.around.memory = Some(memory);
        Self { contract, handle: U256::from_be_bytes(handle.0) }
    }

    /// A call with words after the handle, whose transaction reads and writes these words of the region.
    fn call(&self, world: &mut World, arguments: [u64; 3], beside: Beside) {
        let from = world.sender();
        let [a, b, c] = arguments.map(U256::from);
        world.call(from, self.contract, words(&[self.handle, a, b, c]), GAS);
        world.around.beside.push(beside);
    }
}

/// Everyone advances one word.
pub(super) fn one_word(world: &mut World, size: usize, _: &Settings) {
    words_in_turn(world, size, 1, 1);
}

/// Each transaction advances a word, in turns through all pages: neighbours meet at a page, and at a
/// word only those a round apart.
pub(super) fn other_words(world: &mut World, size: usize, settings: &Settings) {
    let pages = settings.whole("pages") as u64;
    words_in_turn(world, size, pages, pages * WORDS);
}

fn words_in_turn(world: &mut World, size: usize, pages: u64, words: u64) {
    let board = Board::new(world, WORD, pages);
    for index in 0..size {
        let word = index as u64 % words;
        let beside = Beside { reads: vec![word], writes: vec![word] };
        board.call(world, [32 * word, 32 * word, 0], beside);
    }
}

/// Everyone reads one word; a few advance it, the others keep what they saw in slots of their own.
pub(super) fn read_mostly(world: &mut World, size: usize, settings: &Settings) {
    let writes = settings.whole("writes");
    let board = Board::new(world, WORD, 1);
    for index in 0..size {
        if chosen(index, writes) {
            board.call(world, [0, 0, 0], Beside { reads: vec![0], writes: vec![0] });
        } else {
            let beside = Beside { reads: vec![0], writes: Vec::new() };
            board.call(world, [0, index as u64 + 1, 1], beside);
        }
    }
}

/// Everyone maps and unmaps one region again and again.
pub(super) fn maps(world: &mut World, size: usize, settings: &Settings) {
    let maps = settings.whole("maps") as u64;
    let board = Board::new(world, MAPS, 1);
    for index in 0..size {
        board.call(world, [maps, index as u64 + 1, 0], Beside::default());
    }
}

/// Everyone takes a snapshot of the same pages and changes all of them for itself; a share publishes a word that
/// nobody reads.
pub(super) fn snapshots(world: &mut World, size: usize, settings: &Settings) {
    let (pages, publish) = (settings.whole("pages") as u64, settings.whole("publish"));
    let board = Board::new(world, SNAPSHOT, pages);
    for index in 0..size {
        // Not the first word of a page, and one in turn.
        let word = 1 + index as u64 % (WORDS - 1);
        let published = if chosen(index, publish) { 32 * word } else { 0 };
        board.call(world, [pages, index as u64 + 1, published], Beside::default());
    }
}
