//! One transaction of the JSON-RPC shape, of any type from 0 to 4.

use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use revm::{context::TxEnv, context_interface::either::Either, primitives::hardfork::SpecId};

use super::{Field, InputError, signature};
use crate::evm::Transaction;

/// Reads a transaction and checks its place, sender and hash.
pub(super) fn transaction(
    tx: &Field<'_>,
    index: usize,
    spec: SpecId,
) -> Result<Transaction, InputError> {
    if !tx.is_object() {
        return Err(tx.wrong("expected a transaction object (ask the node for full transactions)"));
    }
    if let Some(claimed) = tx.opt("transactionIndex")
        && claimed.u256()? != U256::from(index)
    {
        return Err(claimed.wrong(format!("it stands in place {index}")));
    }
    let mut parts = parts(tx)?;
    let (sender, hash) = signature::verify(tx, &mut parts, spec)?;
    let recovered = |signed: SignedAuthorization| Either::Right(signed.into_recovered());
    let env = TxEnv {
        tx_type: parts.tx_type,
        caller: sender,
        gas_limit: parts.gas_limit,
        gas_price: parts.max_fee,
        kind: parts.to,
        value: parts.value,
        data: parts.input,
        nonce: parts.nonce,
        chain_id: parts.chain_id,
        access_list: parts.access_list,
        gas_priority_fee: parts.priority_fee,
        blob_hashes: parts.blob_hashes,
        max_fee_per_blob_gas: parts.max_blob_fee,
        authorization_list: parts.authorizations.into_iter().map(recovered).collect(),
    };
    Ok(Transaction { env, hash: hash.unwrap_or_default(), ..Transaction::default() })
}

/// What a transaction says, signature aside. Fields its type lacks are empty.
pub(super) struct Parts {
    pub(super) tx_type: u8,
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    pub(super) gas_limit: u64,
    /// Gas price of types 0 and 1.
    pub(super) max_fee: u128,
    pub(super) priority_fee: Option<u128>,
    pub(super) to: TxKind,
    pub(super) value: U256,
    pub(super) input: Bytes,
    pub(super) access_list: AccessList,
    pub(super) blob_hashes: Vec<B256>,
    pub(super) max_blob_fee: u128,
    pub(super) authorizations: Vec<SignedAuthorization>,
}

fn parts(tx: &Field<'_>) -> Result<Parts, InputError> {
    let tx_type = tx_type(tx)?;
    let chain_id = tx.opt("chainId").map(|field| field.u64()).transpose()?;
    if tx_type > 0 && chain_id.is_none() {
        return Err(tx.missing("chainId", ""));
    }
    let dynamic_fee = tx_type >= 2;
    let (max_fee, priority_fee) = match dynamic_fee {
        true => (tx.get("maxFeePerGas")?, Some(tx.get("maxPriorityFeePerGas")?.u128()?)),
        false => (tx.get("gasPrice")?, None),
    };
    Ok(Parts {
        tx_type,
        chain_id,
        nonce: tx.get("nonce")?.u64()?,
        gas_limit: tx.get("gas")?.u64()?,
        max_fee: max_fee.u128()?,
        priority_fee,
        to: recipient(tx, tx_type)?,
        value: tx.get("value")?.u256()?,
        input: input(tx)?,
        access_list: if tx_type > 0 { access_list(tx)? } else { AccessList::default() },
        blob_hashes: if tx_type == 3 { blob_hashes(tx)? } else { Vec::new() },
        max_blob_fee: if tx_type == 3 { tx.get("maxFeePerBlobGas")?.u128()? } else { 0 },
        authorizations: if tx_type == 4 { authorizations(tx)? } else { Vec::new() },
    })
}

fn tx_type(tx: &Field<'_>) -> Result<u8, InputError> {
    let Some(field) = tx.opt("type") else {
        // Nodes left it out before there was a second type.
        return match ["accessList", "maxFeePerGas"].iter().find(|key| tx.opt(key).is_some()) {
            Some(key) => Err(tx.missing("type", &format!(", though {key} is given"))),
            None => Ok(0),
        };
    };
    match field.u64()? {
        known @ 0..=4 => Ok(known as u8),
        _ => Err(field.wrong("unknown transaction type (0x0 to 0x4 are known)")),
    }
}

fn recipient(tx: &Field<'_>, tx_type: u8) -> Result<TxKind, InputError> {
    match tx.opt("to") {
        Some(to) => Ok(TxKind::Call(to.address()?)),
        None if tx_type < 3 => Ok(TxKind::Create),
        None => Err(tx.missing("to", &format!(": type {tx_type} cannot create a contract"))),
    }
}

/// Nodes answer `input`; some also, or only, `data`.
fn input(tx: &Field<'_>) -> Result<Bytes, InputError> {
    match (tx.opt("input"), tx.opt("data")) {
        (Some(input), Some(data)) if input.bytes()? != data.bytes()? => {
            Err(data.wrong("differs from input"))
        }
        (Some(field), _) | (None, Some(field)) => field.bytes(),
        (None, None) => Err(tx.missing("input", "")),
    }
}

fn access_list(tx: &Field<'_>) -> Result<AccessList, InputError> {
    let Some(list) = tx.opt("accessList") else { return Ok(AccessList::default()) };
    let items = list.items()?.map(|item| {
        let keys = item.get("storageKeys")?;
        let storage_keys = keys.items()?.map(|key| key.b256()).collect::<Result<_, _>>()?;
        Ok(AccessListItem { address: item.get("address")?.address()?, storage_keys })
    });
    items.collect::<Result<_, InputError>>().map(AccessList)
}

fn blob_hashes(tx: &Field<'_>) -> Result<Vec<B256>, InputError> {
    tx.get("blobVersionedHashes")?.items()?.map(|hash| hash.b256()).collect()
}

fn authorizations(tx: &Field<'_>) -> Result<Vec<SignedAuthorization>, InputError> {
    let list = tx.get("authorizationList")?;
    let items = list.items()?.map(|item| {
        let address: Address = item.get("address")?.address()?;
        let nonce = item.get("nonce")?.u64()?;
        let authorization =
            Authorization { chain_id: item.get("chainId")?.u256()?, address, nonce };
        let parity = match item.opt("yParity") {
            Some(parity) => parity,
            None => item.get("v")?,
        };
        // A parity other than 0 and 1 is valid input: the authorization has no authority then.
        let bits = u8::try_from(parity.u256()?).map_err(|_| parity.wrong("more than 8 bits"))?;
        let (r, s) = (item.get("r")?.u256()?, item.get("s")?.u256()?);
        Ok(SignedAuthorization::new_unchecked(authorization, bits, r, s))
    });
    items.collect()
}
