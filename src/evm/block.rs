//! A block as the engine takes it: environment, transactions, and what surrounds them.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bloom, U256};
use revm::{
    context::{BlockEnv, TxEnv},
    primitives::hardfork::SpecId,
};

use crate::{region::sidecar::Sidecar, sync::Arc};

/// Block number to block hash, for BLOCKHASH.
pub type BlockHashes = BTreeMap<u64, B256>;

/// An ordered block of Ethereum transactions, with everything that decides its result.
#[derive(Clone, Debug)]
pub struct Block {
    /// The rules in force.
    pub spec: SpecId,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Number, timestamp, beneficiary, gas limit, base fee, randomness, blob excess gas and price.
    pub env: BlockEnv,
    /// The transactions, in block order.
    pub transactions: Vec<Transaction>,
    /// Validator withdrawals (EIP-4895), credited after the last transaction.
    pub withdrawals: Vec<Withdrawal>,
    /// Ommer headers of a proof-of-work block, as far as their rewards need them.
    pub ommers: Vec<Ommer>,
    /// Hashes of earlier blocks that transactions may read.
    pub block_hashes: BlockHashes,
    /// Blob limits in force (EIP-4844, EIP-7691, EIP-7892).
    pub blobs: BlobSchedule,
    /// What happens before the first and after the last transaction.
    pub system: SystemRules,
    /// What the header says the block produces; fields that the input lacks are `None`.
    pub claims: HeaderClaims,
    /// Read-only data that all transactions can map
    /// ([`SharedMemory::attach`](crate::engine::SharedMemory::attach)).
    pub sidecars: Vec<Arc<Sidecar>>,
}

impl Block {
    /// A block of transactions and nothing around them: no withdrawals, ommers, system calls,
    /// rewards or hashes of earlier blocks, the blob limits that the fork came with, and no claims
    /// to check. Whoever has more sets the fields.
    pub fn new(
        spec: SpecId,
        chain_id: u64,
        env: BlockEnv,
        transactions: impl IntoIterator<Item = impl Into<Transaction>>,
    ) -> Self {
        Self {
            spec,
            chain_id,
            env,
            transactions: transactions.into_iter().map(Into::into).collect(),
            withdrawals: Vec::new(),
            ommers: Vec::new(),
            block_hashes: BlockHashes::new(),
            blobs: BlobSchedule::of_fork(spec),
            system: SystemRules::default(),
            claims: HeaderClaims::default(),
            sidecars: Vec::new(),
        }
    }
}

/// One transaction.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The transaction as revm takes it. `tx_type` holds the EIP-2718 type.
    pub env: TxEnv,
    /// Transaction hash, if the input had one; zero otherwise. Used in messages only.
    pub hash: B256,
    /// Read-only data that this transaction can map.
    pub sidecars: Vec<Arc<Sidecar>>,
}

impl From<TxEnv> for Transaction {
    /// A transaction whose hash nobody knows.
    fn from(env: TxEnv) -> Self {
        Self { env, ..Self::default() }
    }
}

/// A validator withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Who is credited.
    pub address: Address,
    /// How much, in Gwei.
    pub amount_gwei: u64,
}

/// An ommer of a proof-of-work block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ommer {
    /// The ommer's block number.
    pub number: u64,
    /// Who is rewarded.
    pub beneficiary: Address,
}

/// Blob limits of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobSchedule {
    /// The most blobs a block may hold; 0 before Cancun.
    pub max_blobs: u64,
    /// The most blobs one transaction may hold (EIP-7594: 6 from Osaka), if limited.
    pub max_blobs_per_transaction: Option<u64>,
    /// Base fee update fraction.
    pub update_fraction: u64,
}

/// The block's prologue and epilogue. A system contract that is absent is skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemRules {
    /// EIP-4788: write this parent beacon root before the first transaction.
    pub beacon_root: Option<B256>,
    /// EIP-2935: write this parent hash before the first transaction.
    pub parent_hash: Option<B256>,
    /// The DAO fork's irregular state change happens in this block.
    pub dao_fork: bool,
    /// Proof-of-work reward of the beneficiary in wei, before ommer shares; zero after the merge.
    pub block_reward: U256,
    /// EIP-7002 and EIP-7251: dequeue requests after the last transaction.
    pub requests: bool,
    /// EIP-6110: the contract whose logs are deposit requests, if deposits are collected.
    pub deposit_contract: Option<Address>,
}

/// What the header claims, for checking. The engine chooses a block's path by the gas besides, which changes no
/// result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderClaims {
    /// The block hash.
    pub hash: Option<B256>,
    /// Gas used by all transactions.
    pub gas_used: Option<u64>,
    /// Root of the receipts trie; set only where receipts hold a status (Byzantium on).
    pub receipts_root: Option<B256>,
    /// Bloom of all logs.
    pub logs_bloom: Option<Bloom>,
    /// State root after the block.
    pub state_root: Option<B256>,
    /// EIP-7685 requests hash.
    pub requests_hash: Option<B256>,
}
