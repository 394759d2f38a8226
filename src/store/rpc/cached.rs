//! Answers as bytes, for the file that keeps them.
//!
//! ```text
//! key     chain id 8 │ block number 8 │ block hash 32 │ kind 1 │ address 20 │ slot 32     big endian
//! value   by kind, below │ check 4: keccak256(key, value), its first bytes
//! ```
//!
//! | kind | asked | value |
//! |---|---|---|
//! | 0 | account | nothing if it is absent, else nonce 8, balance 32, hash of the code 32 |
//! | 1 | slot | 32 |
//! | 2 | has storage | 1: 0 or 1 |
//! | 3 | hash of the block whose number is in the place of the slot | 32 |
//!
//! The code itself is in another table under its hash, once for all accounts and blocks, and its
//! hash is its check.

use alloy_primitives::{Address, B256, Keccak256, U256};

use crate::store::{Answer, Query};

/// The block after which the state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) chain_id: u64,
    pub(super) number: u64,
    pub(super) hash: B256,
}

/// An answer without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// An account and the hash of its code.
    Account { nonce: u64, balance: U256, code_hash: B256 },
    /// Anything else.
    Whole(Answer),
}

pub(super) fn key(scope: &Scope, query: Query) -> Vec<u8> {
    let (kind, address, slot) = match query {
        Query::Account(address) => (0, address, U256::ZERO),
        Query::Slot(address, slot) => (1, address, slot),
        Query::HasStorage(address) => (2, address, U256::ZERO),
        Query::BlockHash(number) => (3, Address::ZERO, U256::from(number)),
    };
    let mut key = Vec::with_capacity(101);
    key.extend_from_slice(&scope.chain_id.to_be_bytes());
    key.extend_from_slice(&scope.number.to_be_bytes());
    key.extend_from_slice(scope.hash.as_slice());
    key.push(kind);
    key.extend_from_slice(address.as_slice());
    key.extend_from_slice(&slot.to_be_bytes::<32>());
    key
}

pub(super) fn value(key: &[u8], answer: &Answer) -> Vec<u8> {
    let mut value = Vec::with_capacity(76);
    match answer {
        Answer::Account(None) => {}
        Answer::Account(Some(info)) => {
            value.extend_from_slice(&info.nonce.to_be_bytes());
            value.extend_from_slice(&info.balance.to_be_bytes::<32>());
            value.extend_from_slice(info.code_hash.as_slice());
        }
        Answer::Slot(word) => value.extend_from_slice(&word.to_be_bytes::<32>()),
        Answer::HasStorage(any) => value.push((*any).into()),
        Answer::BlockHash(hash) => value.extend_from_slice(hash.as_slice()),
    }
    let check = check(key, &value);
    value.extend_from_slice(&check);
    value
}

/// What the bytes say; `None` if they are not what was written.
pub(super) fn stored(query: Query, key: &[u8], value: &[u8]) -> Option<Stored> {
    let (value, sum) = value.split_last_chunk::<4>()?;
    if check(key, value) != *sum {
        return None;
    }
    let word = || Some(U256::from_be_bytes(<[u8; 32]>::try_from(value).ok()?));
    Some(match query {
        Query::Account(_) if value.is_empty() => Stored::Whole(Answer::Account(None)),
        Query::Account(_) => {
            let (nonce, rest) = value.split_first_chunk::<8>()?;
            let (balance, code_hash) = rest.split_first_chunk::<32>()?;
            Stored::Account {
                nonce: u64::from_be_bytes(*nonce),
                balance: U256::from_be_bytes(*balance),
                code_hash: B256::try_from(code_hash).ok()?,
            }
        }
        Query::Slot(..) => Stored::Whole(Answer::Slot(word()?)),
        Query::HasStorage(_) => match value {
            [any @ (0 | 1)] => Stored::Whole(Answer::HasStorage(*any == 1)),
            _ => return None,
        },
        Query::BlockHash(_) => Stored::Whole(Answer::BlockHash(word()?.into())),
    })
}

fn check(key: &[u8], value: &[u8]) -> [u8; 4] {
    let mut hash = Keccak256::new();
    hash.update(key);
    hash.update(value);
    let [a, b, c, d, ..] = hash.finalize().0;
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use revm::state::AccountInfo;

    use super::*;

    const SCOPE: Scope = Scope { chain_id: 1, number: 7, hash: B256::repeat_byte(3) };
    const A: Address = Address::repeat_byte(0xaa);

    #[test]
    fn answers_come_back_as_they_went_and_damage_is_seen() {
        let info = AccountInfo::default().with_balance(U256::from(5)).with_nonce(3);
        let one = U256::from(1);
        let cases = [
            (Query::Account(A), Answer::Account(None)),
            (Query::Account(A), Answer::Account(Some(info.clone()))),
            (Query::Slot(A, one), Answer::Slot(U256::MAX)),
            (Query::HasStorage(A), Answer::HasStorage(true)),
            (Query::BlockHash(5), Answer::BlockHash(B256::repeat_byte(9))),
        ];
        for (query, answer) in cases {
            let key = key(&SCOPE, query);
            let value = value(&key, &answer);
            let expected = match &answer {
                Answer::Account(Some(info)) => Stored::Account {
                    nonce: info.nonce,
                    balance: info.balance,
                    code_hash: info.code_hash,
                },
                other => Stored::Whole(other.clone()),
            };
            assert_eq!(stored(query, &key, &value), Some(expected));
            for at in 0..value.len() {
                let mut damaged = value.clone();
                damaged[at] ^= 1;
                assert_eq!(stored(query, &key, &damaged), None);
                assert_eq!(stored(query, &key, &value[..at]), None);
            }
        }
    }

    #[test]
    fn keys_differ_where_questions_or_blocks_do() {
        let one = U256::from(1);
        let queries = [
            Query::Account(A),
            Query::Slot(A, U256::ZERO),
            Query::Slot(A, one),
            Query::HasStorage(A),
            Query::BlockHash(1),
        ];
        let scopes = [SCOPE, Scope { number: 8, ..SCOPE }, Scope { chain_id: 2, ..SCOPE }];
        let keys = scopes.iter().flat_map(|scope| queries.map(|query| key(scope, query)));
        assert_eq!(keys.collect::<std::collections::HashSet<_>>().len(), 15);
    }
}
