//! The workloads by name.

use super::{chains, collectibles, mixed, swaps, tokens, transfers, world::World};
use crate::{evm::Block, store::MemoryStore};

/// A kind of block with its parameters. [`Workload::ALL`] holds one of each, with the parameters
/// that the command and the benchmarks start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Workload {
    /// Transfers of ether, each with its own sender and recipient.
    RawTransfers {
        /// Transactions in the block.
        transactions: usize,
    },
    /// ERC-20 transfers, each with its own sender and recipient.
    Erc20 {
        /// Transactions in the block.
        transactions: usize,
        /// Token contracts that they are dealt out over.
        tokens: usize,
    },
    /// ERC-20 transfers of one token from different senders to one recipient.
    Erc20ToOne {
        /// Transactions in the block.
        transactions: usize,
    },
    /// Swaps through a router on pools with two tokens each.
    Amm {
        /// Transactions in the block.
        transactions: usize,
        /// Pools that they are dealt out over; 0 gives every swap a pool of its own.
        pools: usize,
    },
    /// Ether, tokens and swaps together, with a share of all transactions on one pool.
    Mixed {
        /// Transactions in the block.
        transactions: usize,
        /// How many of a hundred transactions swap on the hot pool.
        hot_percent: u8,
    },
    /// Each transaction needs what the one before it wrote.
    Chain {
        /// Transactions in the block.
        transactions: usize,
    },
    /// Several such chains, interleaved.
    Chains {
        /// Transactions in the block.
        transactions: usize,
        /// Number of chains.
        chains: usize,
    },
    /// Transfers of ether by one sender: a chain of nonces.
    Nonces {
        /// Transactions in the block.
        transactions: usize,
    },
    /// Mints from one collection.
    NftMint {
        /// Transactions in the block.
        transactions: usize,
    },
    /// Claims from one airdrop.
    Airdrop {
        /// Transactions in the block.
        transactions: usize,
    },
    /// Contracts created, and some destroyed again, by factories.
    Deploy {
        /// Transactions in the block.
        transactions: usize,
        /// Factories that create them in turn.
        factories: usize,
    },
}

impl Workload {
    /// What `chorus run` executes when it is given nothing: 30 % of it on one pool.
    pub const DEFAULT: Self = Self::Mixed { transactions: 2_000, hot_percent: 30 };

    /// One of each kind and size that has a name of its own.
    pub const ALL: &[Self] = &[
        Self::DEFAULT,
        Self::RawTransfers { transactions: 10_000 },
        Self::Erc20 { transactions: 5_000, tokens: 8 },
        Self::Erc20ToOne { transactions: 5_000 },
        Self::Amm { transactions: 1_000, pools: 0 },
        Self::Amm { transactions: 1_000, pools: 8 },
        Self::Chain { transactions: 1_000 },
        Self::Chains { transactions: 2_000, chains: 8 },
        Self::Nonces { transactions: 2_000 },
        Self::NftMint { transactions: 2_000 },
        Self::Airdrop { transactions: 2_000 },
        Self::Deploy { transactions: 1_000, factories: 16 },
    ];

    /// The workload of [`Workload::ALL`] with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|workload| workload.name() == name)
    }

    /// A short name, the same for all sizes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RawTransfers { .. } => "raw",
            Self::Erc20 { .. } => "erc20",
            Self::Erc20ToOne { .. } => "erc20-to-one",
            Self::Amm { pools: 0, .. } => "amm",
            Self::Amm { .. } => "amm-pools",
            Self::Mixed { .. } => "mixed",
            Self::Chain { .. } => "chain",
            Self::Chains { .. } => "chains",
            Self::Nonces { .. } => "nonces",
            Self::NftMint { .. } => "nft",
            Self::Airdrop { .. } => "airdrop",
            Self::Deploy { .. } => "deploy",
        }
    }

    /// One line for people, with the parameters.
    pub fn description(self) -> String {
        match self {
            Self::RawTransfers { .. } => "independent transfers of ether".into(),
            Self::Erc20 { tokens, .. } => {
                format!("independent ERC-20 transfers over {tokens} tokens")
            }
            Self::Erc20ToOne { .. } => "ERC-20 transfers to one recipient".into(),
            Self::Amm { pools: 0, .. } => "swaps, each on a pool of its own".into(),
            Self::Amm { pools, .. } => format!("swaps on {pools} pools"),
            Self::Mixed { hot_percent, .. } => {
                format!("ether, tokens and swaps, {hot_percent} % of it on one pool")
            }
            Self::Chain { .. } => "each transaction needs the one before it".into(),
            Self::Chains { chains, .. } => format!("{chains} interleaved dependency chains"),
            Self::Nonces { .. } => "transfers by one sender".into(),
            Self::NftMint { .. } => "mints from one collection".into(),
            Self::Airdrop { .. } => "claims from one airdrop".into(),
            Self::Deploy { factories, .. } => {
                format!("contracts created by {factories} factories, a third destroyed again")
            }
        }
    }

    /// Transactions in the block.
    pub const fn transactions(self) -> usize {
        match self {
            Self::RawTransfers { transactions }
            | Self::Erc20 { transactions, .. }
            | Self::Erc20ToOne { transactions }
            | Self::Amm { transactions, .. }
            | Self::Mixed { transactions, .. }
            | Self::Chain { transactions }
            | Self::Chains { transactions, .. }
            | Self::Nonces { transactions }
            | Self::NftMint { transactions }
            | Self::Airdrop { transactions }
            | Self::Deploy { transactions, .. } => transactions,
        }
    }

    /// The same workload at another size.
    #[must_use]
    pub const fn with_transactions(mut self, n: usize) -> Self {
        match &mut self {
            Self::RawTransfers { transactions }
            | Self::Erc20 { transactions, .. }
            | Self::Erc20ToOne { transactions }
            | Self::Amm { transactions, .. }
            | Self::Mixed { transactions, .. }
            | Self::Chain { transactions }
            | Self::Chains { transactions, .. }
            | Self::Nonces { transactions }
            | Self::NftMint { transactions }
            | Self::Airdrop { transactions }
            | Self::Deploy { transactions, .. } => *transactions = n,
        }
        self
    }

    /// The block and the state it starts from. Equal arguments give equal results.
    pub fn build(self, seed: u64) -> (Block, MemoryStore) {
        let mut world = World::new(seed);
        self.fill(&mut world);
        let (block, store, _) = world.finish();
        (block, store)
    }

    /// Puts the workload's state and transactions into a world.
    pub(super) fn fill(self, world: &mut World) {
        match self {
            Self::RawTransfers { transactions } => transfers::transfers(world, transactions),
            Self::Erc20 { transactions, tokens } => {
                tokens::independent(world, transactions, tokens);
            }
            Self::Erc20ToOne { transactions } => tokens::to_one(world, transactions),
            Self::Amm { transactions, pools: 0 } => {
                swaps::swaps(world, transactions, transactions);
            }
            Self::Amm { transactions, pools } => swaps::swaps(world, transactions, pools),
            Self::Mixed { transactions, hot_percent } => {
                mixed::mixed(world, transactions, hot_percent);
            }
            Self::Chain { transactions } => chains::chains(world, transactions, 1),
            Self::Chains { transactions, chains } => {
                chains::chains(world, transactions, chains);
            }
            Self::Nonces { transactions } => chains::nonces(world, transactions),
            Self::NftMint { transactions } => collectibles::mint(world, transactions),
            Self::Airdrop { transactions } => tokens::airdrop(world, transactions),
            Self::Deploy { transactions, factories } => {
                collectibles::deploy(world, transactions, factories);
            }
        }
    }
}
