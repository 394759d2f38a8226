//! A block from the JSON-RPC shape: header, transactions, withdrawals.

use alloy_primitives::{B256, U256};
use revm::{
    context::BlockEnv, context_interface::block::BlobExcessGasAndPrice,
    primitives::hardfork::SpecId,
};

use super::{Field, InputError, Tree, transaction};
use crate::evm::{
    Block, BlockHashes, ChainSpec, HeaderClaims, HeaderPosition, Rules, SystemRules, Withdrawal,
};

impl Block {
    /// Reads a block as `eth_getBlockByNumber(number, true)` answers it, with or without the
    /// `{"result": ...}` around it. `name` stands for the text in error messages. The state comes
    /// from any [`StateStore`](crate::evm::StateStore).
    ///
    /// Ommers are left empty, since the answer holds their hashes only, and `block_hashes`
    /// holds the parent's at most; fill them in if the block needs them.
    pub fn from_rpc_json(name: &str, text: &str, chain: &ChainSpec) -> Result<Self, InputError> {
        block_and_ommer_count(name, text, chain).map(|(block, _)| block)
    }
}

/// A block, and how many ommers it names by hash, if it says.
pub(super) fn block_and_ommer_count(
    name: &str,
    text: &str,
    chain: &ChainSpec,
) -> Result<(Block, Option<usize>), InputError> {
    let tree = Tree::parse(name, text)?;
    let root = Field::root(name, &tree);
    let root = unwrapped(&root);
    let ommers = match root.opt("uncles") {
        Some(uncles) => Some(uncles.items()?.count()),
        None => None,
    };
    Ok((block(&root, chain)?, ommers))
}

/// The value itself, or what an RPC answer holds under `result`.
pub(super) fn unwrapped<'a>(root: &'a Field<'a>) -> Field<'a> {
    root.opt("result").unwrap_or(*root)
}

fn block(root: &Field<'_>, chain: &ChainSpec) -> Result<Block, InputError> {
    let position = position(root, chain)?;
    let rules = chain.rules(position).map_err(|error| match root.opt("difficulty") {
        Some(difficulty) => difficulty.wrong(error.to_string()),
        None => root.missing("difficulty", &format!(": {error}")),
    })?;
    let transactions = root
        .get("transactions")?
        .items()?
        .enumerate()
        .map(|(index, item)| transaction::transaction(&item, index, rules.spec))
        .collect::<Result<_, _>>()?;
    let parent_hash = root.opt("parentHash").map(|field| field.b256()).transpose()?;
    Ok(Block {
        spec: rules.spec,
        chain_id: chain.chain_id,
        env: environment(root, position, &rules)?,
        transactions,
        withdrawals: withdrawals(root, rules.spec)?,
        ommers: Vec::new(),
        block_hashes: block_hashes(position.number, parent_hash),
        blobs: rules.blobs,
        system: system(root, &rules, parent_hash)?,
        claims: claims(root, rules.spec)?,
        sidecars: Vec::new(),
    })
}

fn position(root: &Field<'_>, chain: &ChainSpec) -> Result<HeaderPosition, InputError> {
    let number = root.get("number")?.u64()?;
    let timestamp = root.get("timestamp")?.u64()?;
    let difficulty = match root.opt("difficulty") {
        Some(field) => field.u256()?,
        // After the merge it is zero anyway; before it, it is an input of the EVM.
        None => {
            let position = HeaderPosition { number, timestamp, difficulty: U256::ZERO };
            let merged =
                chain.rules(position).is_ok_and(|rules| rules.spec.is_enabled_in(SpecId::MERGE));
            if !merged {
                return Err(root.missing("difficulty", ""));
            }
            U256::ZERO
        }
    };
    Ok(HeaderPosition { number, timestamp, difficulty })
}

fn environment(
    root: &Field<'_>,
    position: HeaderPosition,
    rules: &Rules,
) -> Result<BlockEnv, InputError> {
    let since = |fork| rules.spec.is_enabled_in(fork);
    let basefee = match root.opt("baseFeePerGas") {
        Some(field) if since(SpecId::LONDON) => field.u64()?,
        Some(field) if !field.u256()?.is_zero() => {
            return Err(field.wrong("blocks before London have no base fee"));
        }
        None if since(SpecId::LONDON) => return Err(root.missing("baseFeePerGas", "")),
        _ => 0,
    };
    let prevrandao = match since(SpecId::MERGE) {
        true => Some(root.get("mixHash")?.b256()?),
        false => None,
    };
    let blob_excess_gas_and_price = match since(SpecId::CANCUN) {
        true => {
            let excess = root.get("excessBlobGas")?;
            Some(blob_fee(excess.u64()?, rules.blobs.update_fraction, &excess)?)
        }
        false => None,
    };
    Ok(BlockEnv {
        number: U256::from(position.number),
        beneficiary: root.get("miner")?.address()?,
        timestamp: U256::from(position.timestamp),
        gas_limit: root.get("gasLimit")?.u64()?,
        basefee,
        difficulty: position.difficulty,
        prevrandao,
        blob_excess_gas_and_price,
        ..BlockEnv::default()
    })
}

/// The blob fee grows exponentially with the excess, without a bound of its own: an excess that
/// no chain can reach would overflow revm's computation, which does not check.
fn blob_fee(
    excess: u64,
    update_fraction: u64,
    field: &Field<'_>,
) -> Result<BlobExcessGasAndPrice, InputError> {
    match checked_blob_fee(excess.into(), update_fraction.into()) {
        Some(_) => Ok(BlobExcessGasAndPrice::new(excess, update_fraction)),
        None => Err(field.wrong("the blob fee would exceed 128 bits")),
    }
}

/// `fake_exponential` of EIP-4844 with a factor of 1; `None` if a step exceeds 128 bits.
fn checked_blob_fee(excess: u128, update_fraction: u128) -> Option<u128> {
    let (mut sum, mut term) = (0_u128, update_fraction);
    for step in 1.. {
        if term == 0 {
            break;
        }
        sum = sum.checked_add(term)?;
        term = term.checked_mul(excess)? / update_fraction.checked_mul(step)?;
    }
    sum.checked_div(update_fraction)
}

fn withdrawals(root: &Field<'_>, spec: SpecId) -> Result<Vec<Withdrawal>, InputError> {
    let Some(list) = root.opt("withdrawals") else { return Ok(Vec::new()) };
    let withdrawals = list
        .items()?
        .map(|item| {
            let address = item.get("address")?.address()?;
            Ok(Withdrawal { address, amount_gwei: item.get("amount")?.u64()? })
        })
        .collect::<Result<Vec<_>, InputError>>()?;
    if !withdrawals.is_empty() && !spec.is_enabled_in(SpecId::SHANGHAI) {
        return Err(list.wrong("blocks before Shanghai have no withdrawals"));
    }
    Ok(withdrawals)
}

fn block_hashes(number: u64, parent: Option<B256>) -> BlockHashes {
    number.checked_sub(1).zip(parent).into_iter().collect()
}

fn system(
    root: &Field<'_>,
    rules: &Rules,
    parent_hash: Option<B256>,
) -> Result<SystemRules, InputError> {
    let beacon_root = root.opt("parentBeaconBlockRoot").map(|field| field.b256()).transpose()?;
    Ok(SystemRules {
        beacon_root: beacon_root.filter(|_| rules.beacon_root),
        parent_hash: parent_hash.filter(|_| rules.parent_hash),
        dao_fork: rules.dao_fork,
        block_reward: rules.block_reward,
        requests: rules.requests,
        deposit_contract: rules.deposit_contract,
    })
}

fn claims(root: &Field<'_>, spec: SpecId) -> Result<HeaderClaims, InputError> {
    let hash = |name| root.opt(name).map(|field| field.b256()).transpose();
    // Before Byzantium receipts held state roots, which nobody here computes.
    let receipts_root = hash("receiptsRoot")?.filter(|_| spec.is_enabled_in(SpecId::BYZANTIUM));
    Ok(HeaderClaims {
        hash: hash("hash")?,
        gas_used: root.opt("gasUsed").map(|field| field.u64()).transpose()?,
        receipts_root,
        logs_bloom: root.opt("logsBloom").map(|field| field.bloom()).transpose()?,
        state_root: hash("stateRoot")?,
        requests_hash: hash("requestsHash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_blob_fee_is_revms_until_it_overflows() {
        for fraction in [3_338_477, 5_007_716, 11_684_671] {
            for excess in [0, 1, 786_432, 50_000_000, 150_000_000] {
                let fee = BlobExcessGasAndPrice::new(excess, fraction).blob_gasprice;
                assert_eq!(checked_blob_fee(excess.into(), fraction.into()), Some(fee));
            }
            assert_eq!(checked_blob_fee(u64::MAX.into(), fraction.into()), None);
        }
        assert_eq!(checked_blob_fee(1, 0), None);
    }
}
