//! Requests to the consensus layer, and the deposits among them (EIP-6110, EIP-7685).

use alloy_eips::{
    eip6110::DEPOSIT_REQUEST_TYPE, eip7002::WITHDRAWAL_REQUEST_TYPE,
    eip7251::CONSOLIDATION_REQUEST_TYPE,
};
use alloy_primitives::{Address, B256, Bytes, b256};

use crate::evm::{BlockError, TransactionOutcome};

pub(super) const DEPOSIT: u8 = DEPOSIT_REQUEST_TYPE;
pub(super) const WITHDRAWAL: u8 = WITHDRAWAL_REQUEST_TYPE;
pub(super) const CONSOLIDATION: u8 = CONSOLIDATION_REQUEST_TYPE;

/// Topic of `DepositEvent(bytes,bytes,bytes,bytes,bytes)`.
const DEPOSIT_EVENT: B256 =
    b256!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

/// The log's data: for each of its five byte strings, where its offset word points (its length
/// word) and how long it must be: public key, withdrawal credentials, amount, signature, index.
const FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];

/// Length of the log's data.
const DATA_LENGTH: usize = 576;

/// The deposits that the executed transactions logged at `contract`, one after another. A chain
/// without a deposit contract has none.
pub(super) fn deposits(
    contract: Option<Address>,
    transactions: &[TransactionOutcome],
) -> Result<Bytes, BlockError> {
    let mut deposits = Vec::new();
    let Some(contract) = contract else { return Ok(Bytes::new()) };
    for outcome in transactions {
        let TransactionOutcome::Executed(executed) = outcome else { continue };
        for log in executed.result.logs() {
            if log.address == contract && log.data.topics().first() == Some(&DEPOSIT_EVENT) {
                append_deposit(&log.data.data, &mut deposits).ok_or_else(|| {
                    BlockError::System {
                        address: log.address,
                        reason: format!("malformed deposit log: {}", log.data.data),
                    }
                })?;
            }
        }
    }
    Ok(deposits.into())
}

/// Appends the five fields of a deposit log, if its layout is the one the contract writes.
fn append_deposit(data: &[u8], deposits: &mut Vec<u8>) -> Option<()> {
    if data.len() != DATA_LENGTH {
        return None;
    }
    for (index, (start, length)) in FIELDS.into_iter().enumerate() {
        if word(data, 32 * index)? != start || word(data, start)? != length {
            return None;
        }
    }
    for (start, length) in FIELDS {
        deposits.extend_from_slice(data.get(start + 32..start + 32 + length)?);
    }
    Some(())
}

/// A 32-byte word, if it is small.
fn word(data: &[u8], at: usize) -> Option<usize> {
    let (high, low) = data.get(at..at + 32)?.split_at(24);
    let low = u64::from_be_bytes(low.try_into().ok()?);
    high.iter().all(|byte| *byte == 0).then_some(usize::try_from(low).ok()?)
}

/// A request with its type in front; none if there is nothing to ask for.
pub(super) fn encode(kind: u8, data: &[u8]) -> Option<Bytes> {
    if data.is_empty() {
        return None;
    }
    let mut request = Vec::with_capacity(1 + data.len());
    request.push(kind);
    request.extend_from_slice(data);
    Some(request.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log's data with field `i` filled with byte `i + 1`.
    fn deposit_log() -> Vec<u8> {
        let mut data = vec![0; DATA_LENGTH];
        for (index, (start, length)) in FIELDS.into_iter().enumerate() {
            data[32 * index + 30..32 * index + 32].copy_from_slice(&(start as u16).to_be_bytes());
            data[start + 31] = length as u8;
            data[start + 32..start + 32 + length].fill(index as u8 + 1);
        }
        data
    }

    #[test]
    fn a_deposit_is_its_five_fields_in_a_row() {
        let mut deposits = Vec::new();
        append_deposit(&deposit_log(), &mut deposits).unwrap();
        let expected: Vec<u8> = FIELDS
            .iter()
            .enumerate()
            .flat_map(|(index, (_, length))| vec![index as u8 + 1; *length])
            .collect();
        assert_eq!(deposits, expected);
        assert_eq!(deposits.len(), 192);
    }

    #[test]
    fn a_deposit_log_of_another_layout_is_refused() {
        for position in [31, 63, 191, 415, 160] {
            let mut data = deposit_log();
            data[position] ^= 1;
            assert_eq!(append_deposit(&data, &mut Vec::new()), None, "byte {position}");
        }
        assert_eq!(append_deposit(&deposit_log()[..575], &mut Vec::new()), None);
    }

    #[test]
    fn an_empty_request_is_left_out() {
        assert_eq!(encode(1, &[]), None);
        assert_eq!(encode(1, &[7]), Some(Bytes::from_static(&[1, 7])));
    }
}
