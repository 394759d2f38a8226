//! Plain transfers of ether.

use alloy_primitives::{Bytes, U256};

use super::world::World;

/// One transfer to a recipient of its own, who may be new to the chain.
pub(super) fn transfer(world: &mut World) {
    let from = world.sender();
    let to = if world.random.u8(0..5) == 0 { world.address() } else { world.holder() };
    let value = U256::from(world.random.u64(1..1_000_000_000_000_000_000));
    world.send(from, to, value, Bytes::new(), 21_000);
}

pub(super) fn transfers(world: &mut World, transactions: usize) {
    for _ in 0..transactions {
        transfer(world);
    }
}
