//! A block as a busy chain has them, with a set share of transactions on one hot pool.

use super::{swaps::Market, tokens, transfers, world::World};

/// Tokens that the transfers of a mixed block are dealt out over.
const TOKENS: usize = 12;

#[derive(Clone, Copy)]
enum Kind {
    Hot,
    Ether,
    Token,
    Swap,
}

/// `hot_percent` of the transactions swap on one pool. Of the others two fifths move ether, two
/// fifths tokens, and one fifth swaps on a pool of its own. The order is shuffled.
pub(super) fn mixed(world: &mut World, transactions: usize, hot_percent: u8) {
    let market = Market::new(world);
    let hot_pool = market.pool(world);
    let tokens: Vec<_> = (0..TOKENS).map(|_| tokens::token(world)).collect();

    let hot = transactions * usize::from(hot_percent.min(100)) / 100;
    let others = [Kind::Ether, Kind::Token, Kind::Ether, Kind::Token, Kind::Swap];
    let mut kinds: Vec<Kind> = std::iter::repeat_n(Kind::Hot, hot)
        .chain(others.into_iter().cycle().take(transactions - hot))
        .collect();
    world.random.shuffle(&mut kinds);

    for kind in kinds {
        match kind {
            Kind::Hot => market.swap(world, hot_pool),
            Kind::Ether => transfers::transfer(world),
            Kind::Token => {
                let token = tokens[world.random.usize(..tokens.len())];
                tokens::pay_somebody(world, token);
            }
            Kind::Swap => {
                let pool = market.pool(world);
                market.swap(world, pool);
            }
        }
    }
}
