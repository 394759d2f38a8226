//! The sender and the hash of a transaction, computed and compared with what the input claims.

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
    crypto::secp256k1::{recover_signer, recover_signer_unchecked},
    transaction::RlpEcdsaEncodableTx,
};
use alloy_primitives::{Address, B256, Signature, U256};
use revm::primitives::hardfork::SpecId;

use super::{Field, InputError, transaction::Parts};

/// The sender, and the hash if there is one. Recovers the sender and computes the hash where the
/// signature is given; otherwise takes `from` and `hash` as they are.
pub(super) fn verify(
    tx: &Field<'_>,
    parts: &mut Parts,
    spec: SpecId,
) -> Result<(Address, Option<B256>), InputError> {
    let from = tx.opt("from").map(|field| Ok((field, field.address()?))).transpose()?;
    let hash = tx.opt("hash").map(|field| Ok((field, field.b256()?))).transpose()?;
    let Some(signature) = signature(tx, parts)? else {
        let (_, from) = from.ok_or_else(|| tx.missing("from", " (and so is the signature)"))?;
        return Ok((from, hash.map(|(_, hash)| hash)));
    };
    let (signing_hash, computed) = hashes(parts, &signature);
    if let Some((field, _)) = hash.filter(|(_, claimed)| *claimed != computed) {
        return Err(field.wrong(format!("the transaction's fields hash to {computed}")));
    }
    // EIP-2 outlawed the high half of `s` with Homestead.
    let recovered = match spec.is_enabled_in(SpecId::HOMESTEAD) {
        true => recover_signer(&signature, signing_hash),
        false => recover_signer_unchecked(&signature, signing_hash),
    };
    let sender = recovered.map_err(|_| match tx.opt("s") {
        Some(s) => s.wrong("the signature has no signer"),
        None => tx.missing("s", ""),
    })?;
    match from {
        Some((field, claimed)) if claimed != sender => {
            Err(field.wrong(format!("the signature's signer is {sender:#x}")))
        }
        _ => Ok((sender, Some(computed))),
    }
}

/// The signature, if the input has one. All of it must be there, or none.
fn signature(tx: &Field<'_>, parts: &mut Parts) -> Result<Option<Signature>, InputError> {
    if ["r", "s", "v", "yParity"].iter().all(|key| tx.opt(key).is_none()) {
        return Ok(None);
    }
    let (r, s) = (tx.get("r")?.u256()?, tx.get("s")?.u256()?);
    let odd = if parts.tx_type == 0 { legacy_parity(tx, parts)? } else { typed_parity(tx)? };
    Ok(Some(Signature::new(r, s, odd)))
}

/// Types 1 to 4 carry the parity itself, as `yParity`, as `v`, or as both.
fn typed_parity(tx: &Field<'_>) -> Result<bool, InputError> {
    let parity = |field: &Field<'_>| match field.u64()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(field.wrong("expected a parity, 0x0 or 0x1")),
    };
    match (tx.opt("yParity"), tx.opt("v")) {
        (Some(y), Some(v)) if parity(&y)? != parity(&v)? => Err(v.wrong("differs from yParity")),
        (Some(y), _) => parity(&y),
        (None, _) => parity(&tx.get("v")?),
    }
}

/// Type 0 mixes the chain id into `v` (EIP-155), or has none. What `v` says is what was signed,
/// so a `chainId` beside it may repeat it but not differ.
fn legacy_parity(tx: &Field<'_>, parts: &mut Parts) -> Result<bool, InputError> {
    let field = tx.get("v")?;
    let v = field.u256()?;
    let (chain_id, odd) = match u64::try_from(v) {
        Ok(27 | 28) => (None, v == U256::from(28)),
        Ok(v @ 35..) => (Some((v - 35) / 2), (v - 35) % 2 == 1),
        _ => return Err(field.wrong("expected 27, 28, or chain id * 2 + 35 or + 36")),
    };
    if let (Some(signed), Some(claimed)) = (chain_id, parts.chain_id)
        && signed != claimed
    {
        return Err(field.wrong(format!("the signed chain id is {signed}, chainId is {claimed}")));
    }
    parts.chain_id = chain_id;
    Ok(odd)
}

/// The hash that was signed and the hash of the signed transaction.
fn hashes(parts: &Parts, signature: &Signature) -> (B256, B256) {
    fn both<T: SignableTransaction<Signature> + RlpEcdsaEncodableTx>(
        tx: T,
        signature: &Signature,
    ) -> (B256, B256) {
        (tx.signature_hash(), tx.tx_hash(signature))
    }
    let chain_id = parts.chain_id.unwrap_or_default();
    let (nonce, gas_limit) = (parts.nonce, parts.gas_limit);
    let (max_fee_per_gas, max_priority_fee_per_gas) =
        (parts.max_fee, parts.priority_fee.unwrap_or_default());
    let (value, input) = (parts.value, parts.input.clone());
    let access_list = parts.access_list.clone();
    // Types 3 and 4 were refused without a recipient.
    let recipient = parts.to.to().copied().unwrap_or_default();
    let to = parts.to;
    match parts.tx_type {
        1 => both(
            TxEip2930 {
                chain_id,
                nonce,
                gas_price: parts.max_fee,
                gas_limit,
                to,
                value,
                access_list,
                input,
            },
            signature,
        ),
        2 => both(
            TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            },
            signature,
        ),
        3 => both(
            TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: recipient,
                value,
                access_list,
                blob_versioned_hashes: parts.blob_hashes.clone(),
                max_fee_per_blob_gas: parts.max_blob_fee,
                input,
            },
            signature,
        ),
        4 => both(
            TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: recipient,
                value,
                access_list,
                authorization_list: parts.authorizations.clone(),
                input,
            },
            signature,
        ),
        _ => both(
            TxLegacy {
                chain_id: parts.chain_id,
                nonce,
                gas_price: parts.max_fee,
                gas_limit,
                to,
                value,
                input,
            },
            signature,
        ),
    }
}
