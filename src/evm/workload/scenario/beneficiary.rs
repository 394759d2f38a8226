//! Transactions that look at what all others pay.
//!
//! Every transaction's fee goes to the beneficiary. Whoever reads its balance has to wait until
//! everyone before it has paid, which nobody else has to.

use alloy_primitives::U256;

use super::{
    super::world::World,
    cells::words,
    parameter::{Settings, chosen},
};
use crate::evm::limit::Beside;

/// Keeps, in the slot of calldata 0, the beneficiary's balance if calldata 1 says so, else the slot's
/// number.
const PAYEE: &str = "
    0 CALLDATALOAD
    32 CALLDATALOAD @look JUMPI
    DUP1 SWAP1 SSTORE STOP
look:
    COINBASE BALANCE SWAP1 SSTORE STOP
";

/// A share of the transactions reads the beneficiary's balance.
pub(super) fn reads(world: &mut World, size: usize, settings: &Settings) {
    let share = settings.whole("share");
    let payee = world.install(PAYEE);
    for index in 0..size {
        let from = world.sender();
        let slot = U256::from(index + 1);
        let looks = chosen(index, share);
        world.call(from, payee, words(&[slot, U256::from(u8::from(looks))]), 100_000);
        let reads = if looks { vec![0] } else { Vec::new() };
        world.around.beside.push(Beside { reads, writes: vec![0] });
    }
}
