//! Many people at one counter: a mint of collectibles, and a factory of contracts.

use alloy_primitives::U256;

use super::{
    contracts::{self, Contract},
    world::World,
};

/// Everyone mints from one collection, and so meets at its next number.
pub(super) fn mint(world: &mut World, transactions: usize) {
    let collection = world.deploy(Contract::Nft);
    for _ in 0..transactions {
        let from = world.sender();
        world.call(from, collection, contracts::call("mint()", &[]), 150_000);
    }
}

/// Contracts created by `factories` factories in turn; each creation raises a factory's nonce.
/// Every third child is destroyed by the transaction that created it.
pub(super) fn deploy(world: &mut World, transactions: usize, factories: usize) {
    let factories: Vec<_> =
        (0..factories.max(1)).map(|_| world.deploy(Contract::Factory)).collect();
    for i in 0..transactions {
        let from = world.sender();
        let salt = U256::from(world.random.u128(..));
        let signature = if i % 3 == 2 { "flash(bytes32)" } else { "deploy(bytes32)" };
        let data = contracts::call(signature, &[salt]);
        world.send(from, factories[i % factories.len()], U256::ONE, data, 300_000);
    }
}
