//! ERC-20 tokens: transfers, and claims from an airdrop.

use alloy_primitives::{Address, U256};

use super::{
    contracts::{self, Contract, airdrop, erc20, word},
    world::World,
};

/// More of a token than any generated transaction moves, and still far below 112 bits.
pub(super) const PLENTY: u128 = 1_000_000_000_000_000_000_000_000;

/// A token that is spread over many holders already.
pub(super) fn token(world: &mut World) -> Address {
    let token = world.deploy(Contract::Erc20);
    world.set(token, U256::from(erc20::SUPPLY), U256::from(PLENTY) << 40);
    token
}

/// Writes a balance.
pub(super) fn hold(world: &mut World, token: Address, owner: Address, amount: U256) {
    world.set(token, contracts::mapping(U256::from(erc20::BALANCES), owner), amount);
}

/// Writes an allowance without limit.
pub(super) fn allow(world: &mut World, token: Address, owner: Address, spender: Address) {
    let of_owner = contracts::mapping(U256::from(erc20::ALLOWANCES), owner);
    world.set(token, contracts::mapping(of_owner, spender), U256::MAX);
}

/// One transfer from a sender of its own.
fn pay(world: &mut World, token: Address, to: Address) {
    let from = world.sender();
    hold(world, token, from, U256::from(PLENTY));
    let amount = U256::from(world.random.u64(1..));
    let data = contracts::call("transfer(address,uint256)", &[word(to), amount]);
    world.call(from, token, data, 80_000);
}

/// One transfer to a recipient of its own, who in half the cases holds the token already.
pub(super) fn pay_somebody(world: &mut World, token: Address) {
    let to = world.address();
    if world.random.bool() {
        let amount = U256::from(world.random.u64(1..));
        hold(world, token, to, amount);
    }
    pay(world, token, to);
}

/// Independent transfers, dealt out over `tokens` contracts.
pub(super) fn independent(world: &mut World, transactions: usize, tokens: usize) {
    let tokens: Vec<_> = (0..tokens.max(1)).map(|_| token(world)).collect();
    for i in 0..transactions {
        pay_somebody(world, tokens[i % tokens.len()]);
    }
}

/// Everyone pays one recipient, as deposits to an exchange do.
pub(super) fn to_one(world: &mut World, transactions: usize) {
    let token = token(world);
    let exchange = world.holder();
    hold(world, token, exchange, U256::from(PLENTY));
    for _ in 0..transactions {
        pay(world, token, exchange);
    }
}

/// Everyone claims a share from one pot.
pub(super) fn airdrop(world: &mut World, transactions: usize) {
    let token = token(world);
    let pot = world.deploy(Contract::Airdrop);
    world.set(pot, U256::from(airdrop::TOKEN), word(token));
    world.set(pot, U256::from(airdrop::SHARE), U256::from(1_000_000_000u64));
    hold(world, token, pot, U256::from(PLENTY));
    for _ in 0..transactions {
        let from = world.sender();
        world.call(from, pot, contracts::call("claim()", &[]), 150_000);
    }
}
