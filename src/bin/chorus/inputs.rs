//! Where blocks come from: directories, or the generator.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{Address, B256, TxKind, U256};
use chorus::{
    evm::{
        BlobSchedule, Block, BlockEnv, BlockHashes, ChainSpec, HeaderClaims, SpecId, SystemRules,
        Transaction, TxEnv,
        input::{self, InputError},
    },
    store::MemoryStore,
};

use crate::{arguments::Run, executor::Work};

/// One block to run, not loaded yet.
pub(crate) enum Source {
    /// A block directory.
    Directory(PathBuf),
    /// The generated block.
    Generated,
}

/// The blocks that the arguments name, in order.
pub(crate) fn sources(arguments: &Run) -> Result<Vec<Source>, InputError> {
    if arguments.block.is_empty() {
        return Ok(vec![Source::Generated]);
    }
    let mut sources = Vec::new();
    for path in &arguments.block {
        sources.extend(input::discover(path)?.into_iter().map(Source::Directory));
    }
    Ok(sources)
}

/// The chain that the arguments name.
pub(crate) fn chain(arguments: &Run) -> Result<ChainSpec, InputError> {
    let Some(path) = &arguments.chain else { return Ok(ChainSpec::mainnet()) };
    let text = fs::read_to_string(path)
        .map_err(|reason| InputError::Read { path: path.clone(), reason })?;
    ChainSpec::from_genesis_json(&path.display().to_string(), &text)
}

impl Source {
    /// Loads the block and the state it starts from.
    pub(crate) fn load(&self, chain: &ChainSpec) -> Result<Work, InputError> {
        let (block, store) = match self {
            Self::Directory(path) => input::load_block(path, chain)?,
            Self::Generated => generated(),
        };
        Ok(Work { block: Arc::new(block), store: Arc::new(store) })
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Directory(path) => Path::new(path).join("block.json").display().to_string(),
            Self::Generated => "the generated block".to_owned(),
        }
    }
}

// PLUG (3 of 3): the generator's mixed block. Until then: transfers between strangers.
fn generated() -> (Block, MemoryStore) {
    let address = |index: u64| Address::left_padding_from(&index.to_be_bytes());
    let mut store = MemoryStore::builder();
    let transactions = (0..1000).map(|index| {
        let caller = address(0x1_0000 + index);
        store.balance(caller, U256::MAX >> 1);
        let env = TxEnv {
            caller,
            gas_limit: 21_000,
            gas_price: 10,
            kind: TxKind::Call(address(0x2_0000 + index)),
            value: U256::from(index),
            chain_id: Some(1),
            ..TxEnv::default()
        };
        Transaction { env, hash: B256::ZERO }
    });
    let block = Block {
        spec: SpecId::OSAKA,
        chain_id: 1,
        transactions: transactions.collect(),
        env: BlockEnv {
            number: U256::from(24_000_000),
            gas_limit: 60_000_000,
            basefee: 7,
            prevrandao: Some(B256::ZERO),
            ..BlockEnv::default()
        },
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        block_hashes: BlockHashes::new(),
        blobs: BlobSchedule {
            max_blobs: 9,
            max_blobs_per_transaction: Some(6),
            update_fraction: 5_007_716,
        },
        system: SystemRules::default(),
        claims: HeaderClaims::default(),
    };
    (block, store.build())
}
