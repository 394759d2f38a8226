//! State tests: each case is a block of one transaction without prologue and epilogue.

use std::collections::BTreeMap;

use alloy_consensus::TxEnvelope;
use alloy_eips::{
    eip2718::Decodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::{self, SignedAuthorization},
};
use alloy_primitives::{B256, TxKind, keccak256};
use chorus::evm::{
    Block, BlockEnv, BlockError, BlockOutcome, HeaderClaims, SpecId, SystemRules, TxEnv,
};
use revm::context::either::Either;
use revm::context_interface::block::BlobExcessGasAndPrice;

use crate::{
    exceptions,
    executor::Executor,
    fork,
    json::{self, Env, Post, StateTest, TransactionParts},
    sweep::{Report, Selection},
    world::World,
};

/// Runs every case of a file: every test, fork and variant of the transaction in it.
pub(crate) fn run_file(
    bytes: &[u8],
    file: &str,
    executor: &dyn Executor,
    selection: Selection,
    report: &mut Report,
) {
    let tests: BTreeMap<String, StateTest> = match serde_json::from_slice(bytes) {
        Ok(tests) => tests,
        Err(error) => return report.record(file, Err(error.to_string())),
    };
    for (name, test) in &tests {
        let pre = json::world(&test.pre);
        for (fork, posts) in &test.post {
            for post in posts {
                let Some(spec) = fork::spec(fork) else {
                    let reason = Err(format!("unknown fork {fork}"));
                    report.record(name, reason);
                    continue;
                };
                let i = &post.indexes;
                let case = format!("{file} {name} {fork} d{} g{} v{}", i.data, i.gas, i.value);
                if selection.takes(&case) {
                    report.record(&case, run_case(test, post, spec, &pre, executor));
                }
            }
        }
    }
}

fn run_case(
    test: &StateTest,
    post: &Post,
    spec: SpecId,
    pre: &World,
    executor: &dyn Executor,
) -> Result<(), String> {
    let Some(tx) = transaction(&test.transaction, post)? else {
        // Not a transaction at all, so there is nothing to execute; its bytes must not decode.
        let decoded = TxEnvelope::decode_2718(&mut post.txbytes.as_ref());
        return match &post.expect_exception {
            Some(expected) if expected.contains("RLP_INVALID_VALUE") && decoded.is_err() => Ok(()),
            expected => Err(format!("not a transaction, but expected {expected:?}")),
        };
    };
    let mut world = pre.clone();
    let result = executor.execute(block(&test.env, tx, spec), &mut world);
    let (outcome, logs) = match (&post.expect_exception, result) {
        (None, Ok(outcome)) => {
            let logs = logs_hash(&outcome);
            (outcome, logs)
        }
        (None, Err(error)) => return Err(error.to_string()),
        (Some(expected), Ok(_)) => return Err(format!("ran, but expected {expected}")),
        (Some(expected), Err(BlockError::Invalid { index: 0, reason }))
            if exceptions::matches(expected, &reason) =>
        {
            let outcome = BlockOutcome::default();
            let logs = logs_hash(&outcome);
            (outcome, logs)
        }
        (Some(expected), Err(error)) => return Err(format!("{error}, but expected {expected}")),
    };

    world.apply(&outcome.diff)?;
    if let Some(state) = &post.state {
        let differences = world.differences(&json::world(state));
        if !differences.0.is_empty() {
            return Err(format!("post-state: {differences}"));
        }
    }
    let root = world.root();
    if root != post.hash {
        return Err(format!("state root {root}, expected {}; {:?}", post.hash, outcome.diff));
    }
    if logs != post.logs {
        return Err(format!("logs hash {logs}, expected {}", post.logs));
    }
    Ok(())
}

/// keccak-256 of the RLP list of all logs.
fn logs_hash(outcome: &BlockOutcome) -> B256 {
    let logs: Vec<_> =
        outcome.executed().flat_map(|executed| executed.result.logs().to_vec()).collect();
    keccak256(alloy_rlp::encode(logs))
}

fn block(env: &Env, tx: TxEnv, spec: SpecId) -> Block {
    let blobs = fork::blobs(spec);
    let random = env.current_random.map(|random| B256::from(random.0));
    let excess = env.current_excess_blob_gas.unwrap_or_default().u64();
    Block {
        spec,
        chain_id: 1,
        env: BlockEnv {
            number: env.current_number.0,
            beneficiary: env.current_coinbase,
            timestamp: env.current_timestamp.0,
            gas_limit: env.current_gas_limit.u64(),
            basefee: env.current_base_fee.unwrap_or_default().u64(),
            difficulty: env.current_difficulty.0,
            prevrandao: spec.is_enabled_in(SpecId::MERGE).then(|| random.unwrap_or_default()),
            blob_excess_gas_and_price: spec
                .is_enabled_in(SpecId::CANCUN)
                .then(|| BlobExcessGasAndPrice::new(excess, blobs.update_fraction)),
            slot_num: 0,
        },
        transactions: vec![tx.into()],
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        sidecars: Vec::new(),
        block_hashes: BTreeMap::new(),
        blobs,
        system: SystemRules::default(),
        claims: HeaderClaims::default(),
    }
}

/// The variant of the transaction that a case names; `None` if its value is none that a
/// transaction can hold.
fn transaction(parts: &TransactionParts, post: &Post) -> Result<Option<TxEnv>, String> {
    let i = &post.indexes;
    let missing = |what: &str| format!("the transaction has no {what} for {i:?}");
    let value = parts.value.get(i.value).ok_or_else(|| missing("value"))?;
    let Some(value) = json::parse_number(value) else { return Ok(None) };
    let access_list = parts.access_lists.as_ref().and_then(|lists| lists.get(i.data)?.clone());
    let items = access_list
        .unwrap_or_default()
        .into_iter()
        .map(|item| AccessListItem { address: item.address, storage_keys: item.storage_keys });
    let authorizations = parts.authorization_list.iter().map(|authorization| {
        let inner = eip7702::Authorization {
            chain_id: authorization.chain_id.0,
            address: authorization.address,
            nonce: authorization.nonce.u64(),
        };
        let parity = authorization.y_parity.0.saturating_to();
        let (r, s) = (authorization.r.0, authorization.s.0);
        Either::Left(SignedAuthorization::new_unchecked(inner, parity, r, s))
    });
    // The first byte of an encoded transaction is its type, or begins the list of a legacy one.
    let tx_type = post.txbytes.first().copied().filter(|first| *first < 0xc0).unwrap_or(0);
    let price = parts.max_fee_per_gas.or(parts.gas_price).unwrap_or_default();
    Ok(Some(TxEnv {
        tx_type,
        caller: parts.sender,
        gas_limit: parts.gas_limit.get(i.gas).ok_or_else(|| missing("gas limit"))?.u64(),
        gas_price: price.u128(),
        kind: parts.to.map_or(TxKind::Create, TxKind::Call),
        value: value.0,
        data: parts.data.get(i.data).ok_or_else(|| missing("data"))?.clone(),
        nonce: parts.nonce.u64(),
        chain_id: (tx_type != 0).then_some(1),
        access_list: AccessList(items.collect()),
        gas_priority_fee: parts.max_priority_fee_per_gas.map(|fee| fee.u128()),
        blob_hashes: parts.blob_versioned_hashes.clone(),
        max_fee_per_blob_gas: parts.max_fee_per_blob_gas.unwrap_or_default().u128(),
        authorization_list: authorizations.collect(),
    }))
}
