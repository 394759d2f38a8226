//! Records as bytes. Integers are big-endian, so that keys sort by number and slots by address.

use std::ops::RangeInclusive;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use redb::TableDefinition;

use super::Position;

/// The only format that this code reads and writes.
pub(super) const FORMAT: u32 = 1;

/// Tables are untyped for the library, so that no length of a record is an error there.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// A table's name, for messages, with its definition.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) definition: Definition,
}

const fn named(name: &'static str) -> Named {
    Named { name, definition: TableDefinition::new(name) }
}

pub(super) const ACCOUNTS: Named = named("accounts");
pub(super) const CODE: Named = named("code");
pub(super) const SLOTS: Named = named("slots");
pub(super) const BLOCK_HASHES: Named = named("block_hashes");
pub(super) const META: Named = named("meta");

pub(super) const META_FORMAT: &[u8] = b"format";
pub(super) const META_PHASE: &[u8] = b"phase";
pub(super) const META_POSITION: &[u8] = b"position";
pub(super) const META_IMPORTED: &[u8] = b"imported";
pub(super) const META_APPLIED: &[u8] = b"applied";

/// The state is being imported.
pub(super) const PHASE_IMPORTING: u8 = 0;
/// The state is complete.
pub(super) const PHASE_COMPLETE: u8 = 1;

const ACCOUNT_LENGTH: usize = 73;
const SLOT_KEY_LENGTH: usize = 52;

/// An account's record. The code itself is in another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountRecord {
    /// The code is a delegation (EIP-7702). The same bytes are ordinary code before Prague.
    pub(super) delegation: bool,
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
}

impl AccountRecord {
    /// An account that exists and has nothing.
    pub(super) const EMPTY: Self =
        Self { delegation: false, nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY };

    pub(super) fn encode(&self) -> [u8; ACCOUNT_LENGTH] {
        let mut out = [0; ACCOUNT_LENGTH];
        out[0] = self.delegation.into();
        out[1..9].copy_from_slice(&self.nonce.to_be_bytes());
        out[9..41].copy_from_slice(&self.balance.to_be_bytes::<32>());
        out[41..].copy_from_slice(self.code_hash.as_slice());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; ACCOUNT_LENGTH] = exactly(bytes)?;
        let delegation = match bytes[0] {
            0 => false,
            1 => true,
            kind => return Err(format!("its kind of code is {kind}, expected 0 or 1")),
        };
        let (nonce, rest) = bytes[1..].split_at(8);
        let (balance, code_hash) = rest.split_at(32);
        Ok(Self {
            delegation,
            nonce: u64::from_be_bytes(*exactly(nonce)?),
            balance: U256::from_be_slice(balance),
            code_hash: B256::from_slice(code_hash),
        })
    }
}

pub(super) fn decode_address(key: &[u8]) -> Result<Address, String> {
    exactly(key).map(|bytes: &[u8; 20]| Address::from(*bytes))
}

pub(super) fn slot_key(address: &Address, slot: U256) -> [u8; SLOT_KEY_LENGTH] {
    let mut out = [0; SLOT_KEY_LENGTH];
    out[..20].copy_from_slice(address.as_slice());
    out[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    out
}

/// The keys of all slots of an account.
pub(super) fn slot_keys(address: &Address) -> RangeInclusive<[u8; SLOT_KEY_LENGTH]> {
    slot_key(address, U256::ZERO)..=slot_key(address, U256::MAX)
}

pub(super) fn decode_slot_key(key: &[u8]) -> Result<(Address, U256), String> {
    let (address, slot) = exactly::<SLOT_KEY_LENGTH>(key)?.split_at(20);
    Ok((Address::from_slice(address), U256::from_be_slice(slot)))
}

/// A value that is not zero, without its leading zero bytes.
pub(super) fn encode_slot(value: U256) -> Vec<u8> {
    value.to_be_bytes_trimmed_vec()
}

pub(super) fn decode_slot(bytes: &[u8]) -> Result<U256, String> {
    match bytes {
        [] => Err("it is empty, and a slot of zero has no record".into()),
        [0, ..] => Err("it starts with a zero byte".into()),
        _ if bytes.len() > 32 => Err(format!("it has {} bytes, expected 1 to 32", bytes.len())),
        _ => Ok(U256::from_be_slice(bytes)),
    }
}

pub(super) fn decode_number(bytes: &[u8]) -> Result<u64, String> {
    exactly(bytes).map(|bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn decode_hash(bytes: &[u8]) -> Result<B256, String> {
    exactly(bytes).map(|bytes: &[u8; 32]| B256::from(*bytes))
}

pub(super) fn decode_format(bytes: &[u8]) -> Result<u32, String> {
    exactly(bytes).map(|bytes| u32::from_be_bytes(*bytes))
}

/// `true`: complete.
pub(super) fn decode_phase(bytes: &[u8]) -> Result<bool, String> {
    match exactly(bytes)? {
        [PHASE_IMPORTING] => Ok(false),
        [PHASE_COMPLETE] => Ok(true),
        [phase] => Err(format!("its phase is {phase}, expected 0 or 1")),
    }
}

pub(super) fn encode_position(position: &Position) -> Vec<u8> {
    let mut out = position.number.to_be_bytes().to_vec();
    out.extend(position.hash.iter().flat_map(|hash| hash.0));
    out
}

pub(super) fn decode_position(bytes: &[u8]) -> Result<Position, String> {
    match bytes.split_at_checked(8) {
        Some((number, hash)) if hash.is_empty() || hash.len() == 32 => Ok(Position {
            number: decode_number(number)?,
            hash: (!hash.is_empty()).then(|| B256::from_slice(hash)),
        }),
        _ => Err(format!("it has {} bytes, expected 8 or 40", bytes.len())),
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], String> {
    bytes.try_into().map_err(|_| format!("it has {} bytes, expected {N}", bytes.len()))
}
