//! Transactions that may not be in the block.
//!
//! Some can be told by themselves. Others are invalid, or valid, only because of what happened before
//! them in the block: whether the same ether is spent twice is known when the first transfer is.

use alloy_primitives::{Address, Bytes, U256};

use super::{
    super::{tokens, world::World},
    parameter::{Settings, chosen},
};
use crate::evm::InvalidPolicy;

/// What a poor sender gives away, in wei.
const ALL: u64 = 1_000_000_000_000_000_000;
/// More than a plain transfer costs, in wei.
const FEE: u64 = 21_000 * 14_000_000_000;

/// Token transfers, of which a share is replaced by transactions that are to be left out: in turns a
/// nonce too high, a nonce too low, too little gas, and ether spent before.
pub(super) fn mix(world: &mut World, size: usize, settings: &Settings) {
    world.around.policy = InvalidPolicy::Skip;
    let share = settings.whole("share");
    let token = tokens::token(world);
    let mut spoilt = 0;
    // Who has just spent what they had.
    let mut poor: Option<Address> = None;
    for index in 0..size {
        if !chosen(index, share) {
            tokens::pay_somebody(world, token);
            continue;
        }
        spoilt += 1;
        if spoilt % 4 == 0 {
            // The first of the two is valid, and so takes the next one's place among the invalid.
            let first = poor.is_none();
            let from = match poor.take() {
                Some(from) => from,
                None => world.funded(U256::from(ALL + FEE)),
            };
            let to = world.holder();
            world.send(from, to, U256::from(ALL), Bytes::new(), 21_000);
            poor = first.then_some(from);
            continue;
        }
        tokens::pay_somebody(world, token);
        if let Some(env) = world.last() {
            match spoilt % 4 {
                1 => env.nonce += 2,
                2 => env.nonce = env.nonce.wrapping_sub(1),
                _ => env.gas_limit = 20_000,
            }
        }
    }
}
