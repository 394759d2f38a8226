//! Reads that are known before a block runs.

use std::collections::BTreeSet;

use alloy_primitives::B256;

use super::Block;
use crate::store::Query;

impl Block {
    /// What the block will read in all likelihood, each once and in order: senders, recipients,
    /// the beneficiary, withdrawals, and what access lists name.
    #[must_use]
    pub fn known_reads(&self) -> Vec<Query> {
        let mut reads = BTreeSet::new();
        for transaction in &self.transactions {
            let env = &transaction.env;
            reads.insert(Query::Account(env.caller));
            reads.extend(env.kind.to().map(|to| Query::Account(*to)));
            for item in &env.access_list.0 {
                reads.insert(Query::Account(item.address));
                let slot = |key: &B256| Query::Slot(item.address, (*key).into());
                reads.extend(item.storage_keys.iter().map(slot));
            }
        }
        reads.insert(Query::Account(self.env.beneficiary));
        reads.extend(self.withdrawals.iter().map(|withdrawal| Query::Account(withdrawal.address)));
        reads.into_iter().collect()
    }
}
