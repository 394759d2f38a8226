//! Chains: which rules are in force in which block.
//!
//! A [`ChainSpec`] says what differs from chain to chain: the id, when each fork starts, the blob
//! limits (which change without a fork of the EVM, EIP-7892), the DAO fork, block rewards, the
//! deposit contract. From a block's number, timestamp and difficulty it derives the [`Rules`] of
//! that block. Ethereum mainnet is built in; [`ChainSpec::from_genesis_json`] reads others from
//! the `config` object of a geth-style genesis file.

mod genesis;
mod rules;
mod schedule;

pub use rules::{ChainError, HeaderPosition, Rules};
pub use schedule::{BlobParameters, ChainSpec, ForkSchedule, Merge};
