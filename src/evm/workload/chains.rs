//! Blocks in which transactions depend on one another by design.

use alloy_primitives::{Address, U256};

use super::{
    contracts::{self, Contract},
    world::World,
};

/// Hashes per step: enough that a step costs about as much as a token transfer.
const ROUNDS: u64 = 40;

/// `chains` counters, advanced in turn. Each step needs the digest that the one before it on the
/// same counter left.
pub(super) fn chains(world: &mut World, transactions: usize, chains: usize) {
    let counters: Vec<Address> =
        (0..chains.max(1)).map(|_| world.deploy(Contract::Counter)).collect();
    for i in 0..transactions {
        let from = world.sender();
        let data = contracts::call("step(uint256)", &[U256::from(ROUNDS)]);
        world.call(from, counters[i % counters.len()], data, 200_000);
    }
}

/// One sender's transfers: a chain of nonces and of debits.
pub(super) fn nonces(world: &mut World, transactions: usize) {
    let from = world.sender();
    for _ in 0..transactions {
        let to = world.holder();
        let value = U256::from(world.random.u64(1..1_000_000_000));
        world.send(from, to, value, Default::default(), 21_000);
    }
}
