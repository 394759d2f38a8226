//! Swaps on constant-product pools, through a router.

use alloy_primitives::{Address, U256};

use super::{
    contracts::{self, Contract, pair, router, word},
    tokens::{self, PLENTY},
    world::{TIMESTAMP, World},
};

/// The router that all swaps of a block go through. Nobody writes its storage.
pub(super) struct Market {
    router: Address,
}

/// A pool and its two tokens, the lower address first.
#[derive(Clone, Copy)]
pub(super) struct Pool {
    tokens: [Address; 2],
}

impl Market {
    pub(super) fn new(world: &mut World) -> Self {
        Self { router: world.deploy(Contract::Router) }
    }

    /// A pool with two tokens of its own and deep reserves.
    pub(super) fn pool(&self, world: &mut World) -> Pool {
        let mut tokens = [tokens::token(world), tokens::token(world)];
        tokens.sort_unstable();
        let pool = world.deploy(Contract::Pair);
        let reserves = [0; 2].map(|_| U256::from(PLENTY / 2 + world.random.u128(0..PLENTY)));
        for (token, reserve) in tokens.into_iter().zip(reserves) {
            tokens::hold(world, token, pool, reserve);
        }
        let written = U256::from(TIMESTAMP - world.random.u64(12..100_000));
        let packed = reserves[0] | reserves[1] << 112 | written << 224;
        for (slot, value) in [
            (pair::SHARES, U256::from(PLENTY)),
            (pair::TOKEN0, word(tokens[0])),
            (pair::TOKEN1, word(tokens[1])),
            (pair::RESERVES, packed),
            (pair::PRICE0, U256::from(world.random.u128(1..)) << 60),
            (pair::PRICE1, U256::from(world.random.u128(1..)) << 60),
            (pair::UNLOCKED, U256::ONE),
        ] {
            world.set(pool, U256::from(slot), value);
        }
        let of_first = contracts::mapping(U256::from(router::PAIRS), tokens[0]);
        world.set(self.router, contracts::mapping(of_first, tokens[1]), word(pool));
        Pool { tokens }
    }

    /// One swap of a small amount, in either direction, by a sender of its own.
    pub(super) fn swap(&self, world: &mut World, pool: Pool) {
        let from = world.sender();
        let mut path = pool.tokens;
        if world.random.bool() {
            path.reverse();
        }
        tokens::hold(world, path[0], from, U256::from(PLENTY));
        tokens::allow(world, path[0], from, self.router);
        if world.random.bool() {
            let already = U256::from(world.random.u64(1..));
            tokens::hold(world, path[1], from, already);
        }
        let amount = U256::from(world.random.u64(1_000_000..));
        let words = [
            amount,
            U256::ZERO,         // least output
            U256::from(5 * 32), // where `path` starts
            word(from),
            U256::from(TIMESTAMP + 600),
            U256::from(2),
            word(path[0]),
            word(path[1]),
        ];
        let signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)";
        world.call(from, self.router, contracts::call(signature, &words), 250_000);
    }
}

/// Swaps dealt out over `pools` pools; as many pools as transactions makes them independent.
pub(super) fn swaps(world: &mut World, transactions: usize, pools: usize) {
    let market = Market::new(world);
    let pools: Vec<_> = (0..pools.max(1)).map(|_| market.pool(world)).collect();
    for i in 0..transactions {
        market.swap(world, pools[i % pools.len()]);
    }
}
