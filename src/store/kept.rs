//! Answers in bounded memory, and how a block changes them.

use std::collections::HashSet;

use alloy_primitives::Address;
use quick_cache::{
    DefaultHashBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{Answer, Query, change};
use crate::evm::{AccountChange, StateDiff};

/// What one entry takes beyond the code of an account, about: key, value, and the cache's own.
const ENTRY_BYTES: u64 = 224;

/// Answers by what was asked. What was not used for longest goes first.
pub(super) struct Kept {
    answers: Cache<Query, Answer, Bytes>,
}

/// Weighs answers by the memory that they take.
#[derive(Clone)]
struct Bytes;

impl Weighter<Query, Answer> for Bytes {
    fn weight(&self, _: &Query, answer: &Answer) -> u64 {
        let code = match answer {
            Answer::Account(Some(account)) => account.code.as_ref().map_or(0, |code| code.len()),
            _ => 0,
        };
        // Analysed code has a bit of jump table per byte.
        ENTRY_BYTES + code as u64 + code as u64 / 8
    }
}

impl Kept {
    /// Room for about so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX).max(1);
        let hasher = DefaultHashBuilder::default();
        Self { answers: Cache::with(entries, bytes, Bytes, hasher, DefaultLifecycle::default()) }
    }

    pub(super) fn get(&self, query: Query) -> Option<Answer> {
        self.answers.get(&query)
    }

    /// Keeps an answer, if it is one to that query.
    pub(super) fn insert(&self, query: Query, answer: &Answer) {
        let fits = matches!(
            (query, answer),
            (Query::Account(_), Answer::Account(_))
                | (Query::Slot(..), Answer::Slot(_))
                | (Query::HasStorage(_), Answer::HasStorage(_))
                | (Query::BlockHash(_), Answer::BlockHash(_))
        );
        if fits {
            self.answers.insert(query, answer.clone());
        }
    }

    /// Makes answers about the state before a block answers about the state after it.
    pub(super) fn apply(&self, diff: &StateDiff) {
        let replaced = diff.accounts.iter().filter(|(_, change)| change::is_whole(change));
        let replaced: HashSet<_> = replaced.map(|(address, _)| *address).collect();
        if !replaced.is_empty() {
            let of_replaced = |query: &Query| match query {
                Query::Slot(address, _) => replaced.contains(address),
                _ => false,
            };
            self.answers.retain(|query, _| !of_replaced(query));
        }
        for (address, change) in &diff.accounts {
            self.apply_account(*address, change);
            self.apply_storage(*address, change);
        }
    }

    fn apply_account(&self, address: Address, change: &AccountChange) {
        let query = Query::Account(address);
        if change::is_whole(change) {
            self.replace(query, Answer::Account(change::after(change, None)));
        } else if let Some(Answer::Account(before)) = self.answers.peek(&query) {
            self.replace(query, Answer::Account(change::over(change, before)));
        }
    }

    fn apply_storage(&self, address: Address, change: &AccountChange) {
        for (slot, value) in &change.storage {
            self.replace(Query::Slot(address, *slot), Answer::Slot(*value));
        }
        let query = Query::HasStorage(address);
        let filled = change.storage.iter().any(|(_, value)| !value.is_zero());
        if filled || change::is_whole(change) {
            self.replace(query, Answer::HasStorage(filled));
        } else if !change.storage.is_empty() {
            // The last slot may have been zeroed.
            self.answers.remove(&query);
        }
    }

    /// What is refused, being too large, must not leave the old answer behind.
    fn replace(&self, query: Query, answer: Answer) {
        self.answers.remove(&query);
        self.answers.insert(query, answer);
    }

    pub(super) fn clear(&self) {
        self.answers.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.answers.weight()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.answers.capacity()
    }
}
