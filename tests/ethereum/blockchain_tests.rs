//! Blockchain tests: several blocks from a genesis, each checked against its header, and the
//! complete state after the last.

use std::collections::BTreeMap;

use alloy_consensus::{
    Block as ConsensusBlock, Header, Transaction as _, TxEnvelope, Typed2718,
    transaction::SignerRecoverable,
};
use alloy_primitives::U256;
use alloy_rlp::Decodable;
use chorus::evm::{
    Block, BlockEnv, BlockHashes, BlockOutcome, HeaderClaims, Ommer, SpecId, SystemRules,
    Transaction, TxEnv, Withdrawal,
};
use revm::context::either::Either;
use revm::context_interface::block::BlobExcessGasAndPrice;

use crate::{
    executor::Executor,
    fork,
    json::{self, BlockchainTest},
    sweep::{Report, Selection},
    world::World,
};

/// Runs every test of a file.
pub(crate) fn run_file(
    bytes: &[u8],
    file: &str,
    executor: &dyn Executor,
    selection: Selection,
    report: &mut Report,
) {
    let tests: BTreeMap<String, BlockchainTest> = match serde_json::from_slice(bytes) {
        Ok(tests) => tests,
        Err(error) => return report.record(file, Err(error.to_string())),
    };
    for (name, test) in &tests {
        let name = format!("{file} {name}");
        if selection.takes(&name) {
            report.record(&name, run_chain(test, executor));
        }
    }
}

fn run_chain(test: &BlockchainTest, executor: &dyn Executor) -> Result<(), String> {
    let spec = fork::spec(&test.network).ok_or(format!("unknown fork {}", test.network))?;
    let genesis = decode(&test.genesis_rlp)?;
    let mut world = json::world(&test.pre);
    expect("genesis state root", world.root(), genesis.header.state_root)?;
    let mut last = genesis.header;
    let mut hashes = BlockHashes::from([(last.number, last.hash_slow())]);
    for raw in &test.blocks {
        let consensus = decode(&raw.rlp)?;
        let header = consensus.header.clone();
        expect("parent hash", header.parent_hash, last.hash_slow())?;
        let block = block(consensus, spec, hashes.clone())?;
        let outcome = executor
            .execute(block, &mut world)
            .map_err(|error| format!("block {}: {error}", header.number))?;
        check(&header, &outcome, &mut world)
            .map_err(|error| format!("block {}: {error}", header.number))?;
        hashes.insert(header.number, header.hash_slow());
        last = header;
    }
    expect("last block's hash", last.hash_slow(), test.lastblockhash)?;
    match (&test.post_state, test.post_state_hash) {
        (Some(state), _) => {
            let differences = world.differences(&json::world(state));
            differences.0.is_empty().then_some(()).ok_or(format!("post-state: {differences}"))
        }
        (None, Some(hash)) => expect("post-state hash", world.root(), hash),
        (None, None) => Err("the test has no post-state".into()),
    }
}

/// Checks a block's outcome against its header, and moves the state on.
fn check(header: &Header, outcome: &BlockOutcome, world: &mut World) -> Result<(), String> {
    expect("gas used", outcome.gas_used, header.gas_used)?;
    expect("blob gas used", outcome.blob_gas_used, header.blob_gas_used.unwrap_or(0))?;
    expect("receipts root", outcome.receipts_root(), header.receipts_root)?;
    expect("logs bloom", outcome.logs_bloom(), header.logs_bloom)?;
    world.apply(&outcome.diff)?;
    expect("state root", world.root(), header.state_root)
}

fn expect<T: PartialEq + std::fmt::Display>(what: &str, have: T, want: T) -> Result<(), String> {
    if have == want { Ok(()) } else { Err(format!("{what} is {have}, expected {want}")) }
}

fn decode(mut rlp: &[u8]) -> Result<ConsensusBlock<TxEnvelope>, String> {
    ConsensusBlock::decode(&mut rlp).map_err(|error| format!("RLP of a block: {error}"))
}

fn block(
    consensus: ConsensusBlock<TxEnvelope>,
    spec: SpecId,
    block_hashes: BlockHashes,
) -> Result<Block, String> {
    let (header, body) = (consensus.header, consensus.body);
    let blobs = fork::blobs(spec);
    let withdrawals = body.withdrawals.unwrap_or_default().into_iter().map(|withdrawal| {
        Withdrawal { address: withdrawal.address, amount_gwei: withdrawal.amount }
    });
    let ommers = body
        .ommers
        .iter()
        .map(|ommer| Ommer { number: ommer.number, beneficiary: ommer.beneficiary });
    Ok(Block {
        spec,
        chain_id: 1,
        env: BlockEnv {
            number: U256::from(header.number),
            beneficiary: header.beneficiary,
            timestamp: U256::from(header.timestamp),
            gas_limit: header.gas_limit,
            basefee: header.base_fee_per_gas.unwrap_or(0),
            difficulty: header.difficulty,
            prevrandao: spec.is_enabled_in(SpecId::MERGE).then_some(header.mix_hash),
            blob_excess_gas_and_price: header
                .excess_blob_gas
                .map(|excess| BlobExcessGasAndPrice::new(excess, blobs.update_fraction)),
            slot_num: 0,
        },
        transactions: body.transactions.iter().map(transaction).collect::<Result<_, _>>()?,
        withdrawals: withdrawals.collect(),
        ommers: ommers.collect(),
        sidecars: Vec::new(),
        block_hashes,
        blobs,
        system: SystemRules {
            beacon_root: header.parent_beacon_block_root,
            parent_hash: spec.is_enabled_in(SpecId::PRAGUE).then_some(header.parent_hash),
            requests: spec.is_enabled_in(SpecId::PRAGUE),
            ..SystemRules::default()
        },
        claims: HeaderClaims {
            hash: Some(header.hash_slow()),
            gas_used: Some(header.gas_used),
            receipts_root: Some(header.receipts_root),
            logs_bloom: Some(header.logs_bloom),
            state_root: Some(header.state_root),
            requests_hash: header.requests_hash,
        },
    })
}

fn transaction(tx: &TxEnvelope) -> Result<Transaction, String> {
    let caller =
        tx.recover_signer().map_err(|error| format!("sender of {}: {error}", tx.tx_hash()))?;
    let authorizations = tx.authorization_list().unwrap_or_default().iter();
    let env = TxEnv {
        tx_type: tx.ty(),
        caller,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        blob_hashes: tx.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: tx.max_fee_per_blob_gas().unwrap_or(0),
        authorization_list: authorizations.cloned().map(Either::Left).collect(),
    };
    Ok(Transaction { env, hash: *tx.tx_hash(), ..Transaction::default() })
}
