//! A few transactions that are left, most of which call the same contract.
//!
//! They may be a chain, and before some of them have run nobody knows. In a long block that is found out on the workers
//! within a few dozen transactions; of a few, it would be found out when they are over. Block 2462997 has nine, of
//! 110 µs each: the six in its middle have one contract create hundreds of accounts, and each needs the one before it. On
//! two workers they took 1.5 of sequential's time.

use alloy_primitives::TxKind;

use super::promises::is_plain;
use crate::evm::Transaction;

/// So many transactions are few.
const FEW: usize = 16;
/// So many calls of the contract have to have run: of three, two may be linked to the one before them.
const ACQUAINTED: usize = 3;

/// Whether `rest` is a few transactions, most of which call a contract that those `before` have hardly called.
pub(super) fn is_about_a_stranger(before: &[Transaction], rest: &[Transaction]) -> bool {
    let calls = |transactions: &[Transaction], to, most: usize| {
        transactions.iter().filter(|tx| !is_plain(tx) && tx.env.kind == to).take(most).count()
    };
    let is_most = |to: &TxKind| to.is_call() && calls(rest, *to, FEW) * 2 > rest.len();
    rest.len() <= FEW
        && (rest.iter().map(|tx| tx.env.kind).find(is_most))
            .is_some_and(|to| calls(before, to, ACQUAINTED) < ACQUAINTED)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;
    use crate::evm::workload::Workload;

    /// Calls of these contracts.
    fn calls(to: impl IntoIterator<Item = u8>) -> Vec<Transaction> {
        let workload = Workload::by_name("amm").expect("a workload");
        let call = workload.with_transactions(1).build(1).0.transactions.remove(0);
        let calls = to.into_iter().map(|to| {
            let mut call = call.clone();
            call.env.kind = TxKind::Call(Address::with_last_byte(to));
            call
        });
        calls.collect()
    }

    #[test]
    fn few_calls_of_one_contract_are_about_a_stranger_until_some_have_run() {
        let rest = calls([1, 2, 9, 9, 9, 9]);
        assert!(is_about_a_stranger(&calls([1, 2, 9, 9]), &rest));
        assert!(!is_about_a_stranger(&calls([9, 9, 9]), &rest));
    }

    #[test]
    fn nobody_is_a_stranger_among_several_or_in_a_crowd() {
        assert!(!is_about_a_stranger(&[], &calls([1, 2, 9, 9])), "half of them are not most");
        assert!(!is_about_a_stranger(&[], &calls([9; 17])), "many");
        assert!(!is_about_a_stranger(&[], &[]));
    }

    #[test]
    fn transfers_and_creations_call_nobody() {
        let mut rest = calls([9; 6]);
        rest.iter_mut().for_each(|tx| tx.env.data = Default::default());
        assert!(!is_about_a_stranger(&[], &rest));
        let mut rest = calls([9; 6]);
        rest.iter_mut().for_each(|tx| tx.env.kind = TxKind::Create);
        assert!(!is_about_a_stranger(&[], &rest));
    }
}
