//! Dependencies through storage slots, drawn to any pattern.
//!
//! One contract serves them all. A transaction reads a slot, hashes what it found so many times, and
//! writes the hash to a slot: which slots, and how many times, is its calldata. So a pattern is
//! nothing but a list of ([`Step`]) and transactions differ in nothing else.

use alloy_primitives::{Address, U256};

use super::{
    super::world::World,
    parameter::{Settings, chosen},
};

/// `value = storage[calldata 1]`, hashed `calldata 0` times, to `storage[calldata 2]`.
const CELL: &str = "
    0 CALLDATALOAD
    32 CALLDATALOAD SLOAD 0 MSTORE
again:
    DUP1 ISZERO @done JUMPI
    DUP1 32 MSTORE
    64 0 KECCAK256 0 MSTORE
    1 SWAP1 SUB
    @again JUMP
done:
    0 MLOAD 64 CALLDATALOAD SSTORE
    STOP
";

/// Gas that one round of hashing takes, and a little more.
const ROUND_GAS: u64 = 140;
/// Gas of everything else, at most.
const OTHER_GAS: u64 = 80_000;
/// Rounds that fit into the largest transaction (EIP-7825).
const MOST_ROUNDS: u64 = 115_000;

/// Slots that are nobody's own begin here.
const SHARED: u64 = 0;
/// Slots of transactions begin here.
const OWN: u64 = 1 << 32;

/// What one transaction does.
struct Step {
    rounds: u64,
    reads: u64,
    writes: u64,
}

/// Calldata of words.
pub(super) fn words(words: &[U256]) -> alloy_primitives::Bytes {
    words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect()
}

/// Appends the transactions of a pattern.
fn fill(world: &mut World, size: usize, mut step: impl FnMut(&mut World, usize) -> Step) {
    let cell = world.install(CELL);
    for index in 0..size {
        let Step { rounds, reads, writes } = step(world, index);
        begin_with_a_value(world, cell, reads);
        begin_with_a_value(world, cell, writes);
        let from = world.sender();
        let data = words(&[rounds, reads, writes].map(U256::from));
        world.call(from, cell, data, OTHER_GAS + rounds * ROUND_GAS);
    }
}

/// A first write to an empty slot costs four times another one: nobody makes it.
fn begin_with_a_value(world: &mut World, cell: Address, slot: u64) {
    world.set(cell, U256::from(slot), U256::from(slot + 1));
}

fn rounds(settings: &Settings) -> u64 {
    settings.whole("rounds") as u64
}

fn own(index: usize) -> u64 {
    OWN + index as u64
}

/// Each transaction has a slot of its own.
pub(super) fn independent(world: &mut World, size: usize, settings: &Settings) {
    let rounds = rounds(settings);
    fill(world, size, |_, index| Step { rounds, reads: own(index), writes: own(index) });
}

/// A share of the transactions meets at one slot.
pub(super) fn hot_spot(world: &mut World, size: usize, settings: &Settings) {
    let (rounds, share) = (rounds(settings), settings.whole("share"));
    fill(world, size, |_, index| {
        let slot = if chosen(index, share) { SHARED } else { own(index) };
        Step { rounds, reads: slot, writes: slot }
    });
}

/// Each transaction takes a slot as people choose words: the k-th most popular with a probability
/// in proportion to k to the power of −s.
pub(super) fn zipf(world: &mut World, size: usize, settings: &Settings) {
    let (rounds, s) = (rounds(settings), settings.real("s"));
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=settings.whole("slots"))
        .map(|rank| {
            sum += (rank as f64).powf(-s);
            sum
        })
        .collect();
    fill(world, size, |world, _| {
        let drawn = world.random.f64() * sum;
        let slot = sums.partition_point(|sum| *sum < drawn).min(sums.len() - 1) as u64;
        Step { rounds, reads: slot, writes: slot }
    });
}

/// Producers advance one slot; between them, consumers read what the last one left.
pub(super) fn producer_consumer(world: &mut World, size: usize, settings: &Settings) {
    let (rounds, consumers) = (rounds(settings), settings.whole("consumers"));
    fill(world, size, |_, index| {
        let produces = index % (consumers + 1) == 0;
        Step { rounds, reads: SHARED, writes: if produces { SHARED } else { own(index) } }
    });
}

/// Everyone reads one slot, and a few write it.
pub(super) fn read_mostly(world: &mut World, size: usize, settings: &Settings) {
    let (rounds, writes) = (rounds(settings), settings.whole("writes"));
    fill(world, size, |_, index| {
        let writes = if chosen(index, writes) { SHARED } else { own(index) };
        Step { rounds, reads: SHARED, writes }
    });
}

/// Each transaction reads at its beginning what the one before it writes at its very end, never at a
/// place that was read or written before: whatever runs beside its predecessor does so in vain, to
/// its end, and nothing that was learned of a location helps. If the first ones depend on nothing, a look
/// at the block's beginning does not help either.
pub(super) fn wasteful(world: &mut World, size: usize, settings: &Settings) {
    let (rounds, quiet) = (rounds(settings), size * settings.whole("quiet") / 100);
    fill(world, size, |_, index| {
        let reads = if index < quiet { own(size + 1 + index) } else { own(index) };
        Step { rounds, reads, writes: own(index + 1) }
    });
}

/// One transaction with a share of the block's work among small independent ones.
pub(super) fn giant(world: &mut World, size: usize, settings: &Settings) {
    let (small, share) = (rounds(settings), settings.whole("share") as u64);
    let place = (size.max(1) - 1) * settings.whole("place") / 100;
    let others = small.max(1) * (size.max(1) as u64 - 1);
    let large = (others * share / (100 - share)).clamp(small, MOST_ROUNDS);
    fill(world, size, |_, index| {
        let rounds = if index == place { large } else { small };
        Step { rounds, reads: own(index), writes: own(index) }
    });
}
