//! What is known of a block before any of its transactions runs.

use std::ops::Deref;

use super::{
    lessons::TRANSFER,
    promises::{Promises, is_plain},
};
use crate::{
    evm::{Block, Transaction},
    sync::time::Duration,
};

/// A read that takes longer than a block's overhead is worth suspending for.
pub(crate) const WORTH_SUSPENDING: Duration = Duration::from_micros(5);
/// Blocks of which no sample can be taken go direct if their calls may need less gas than this.
const LEAST_CALL_GAS: u64 = 5_000_000;

/// Blocks whose calls may need more gas than this nearly always gain on workers, by more than looking at
/// their first transactions one by one would cost: a sample is work that nobody does beside it.
const PROMISING: u64 = 6_000_000;
/// The same where the header tells what the calls use indeed. Real blocks take 60 µs or more for a million of it, so
/// one that has this much is at most 10 µs slower on two workers than one by one. Of those that were sampled before,
/// 19933122 (1.7 million) gains 1.4 instead of 1.0, 6137495 (7 million) 1.25–1.45 instead of 1.1, 14396881 (2.4 million)
/// 1.9 instead of 1.6, 4330482 (3.2 million) 1.5 instead of 1.35, 19426587 (2.3 million) the same; 116525 (1.2 million)
/// would fall from 1.6 to 1.1.
const WORTHWHILE: u64 = 1_600_000;
/// Of fewer calls one may be all that there is to do.
const SEVERAL: usize = 8;
/// How many transactions are looked at for what they call.
const GLANCES: usize = 64;

/// How a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// One by one, to its end.
    Direct,
    /// One by one, until it is known what the rest would gain.
    Sample,
    /// On the workers, unless former blocks say otherwise.
    Promising,
    /// On the workers.
    Parallel,
}

/// How a block begins on so many workers. `latency` is the store's, if it has any, and zero if that is not known yet.
/// What it `promises` is looked at if it matters.
///
/// Where the store makes transactions wait, every block gains, on one worker too. Where it hands its
/// reads to other threads though they take no time (a database whose pages are in memory), that costs
/// more than the block: a read of 1.3 µs takes 8 µs by another thread, and a block of 1,385 reads
/// 12 ms in parallel and 4.5 ms one by one. Its blocking reads do without.
pub(crate) fn opening(
    block: &Block,
    workers: usize,
    latency: Option<Duration>,
    promises: &impl Deref<Target = Promises>,
) -> Opening {
    match latency {
        _ if block.transactions.is_empty() => Opening::Direct,
        Some(latency) if latency >= WORTH_SUSPENDING => Opening::Parallel,
        Some(latency) if !latency.is_zero() => Opening::Direct,
        _ if workers < 2 || block.transactions.len() < 2 => Opening::Direct,
        None => match is_promising(promises) && !is_monotonous(block) {
            true => Opening::Promising,
            false => Opening::Sample,
        },
        Some(_) => match promises.mix.gas {
            LEAST_CALL_GAS.. => Opening::Parallel,
            _ => Opening::Direct,
        },
    }
}

/// What the transfers of ether among a block's transactions take for each of these, about, in seconds.
pub(crate) fn time_of_transfers(block: &Block) -> f64 {
    let glances = || glances(&block.transactions);
    let plain = glances().filter(|tx| is_plain(tx)).count();
    plain as f64 / glances().count().max(1) as f64 * TRANSFER
}

/// Some of the transactions, spread evenly.
pub(super) fn glances(transactions: &[Transaction]) -> impl Iterator<Item = &Transaction> {
    transactions.iter().step_by(glance_step(transactions))
}

/// Which of them: one in so many.
pub(super) fn glance_step(transactions: &[Transaction]) -> usize {
    transactions.len().div_ceil(GLANCES).max(1)
}

/// Whether its calls are nearly certainly worth several workers, from the first on.
fn is_promising(promises: &Promises) -> bool {
    match promises.known() {
        Some(used) => {
            promises.mix.calls >= SEVERAL && promises.mix.gas_of_calls(used) >= WORTHWHILE
        }
        None => promises.mix.gas >= PROMISING,
    }
}

/// Whether nearly all transactions call a function of the same name. Such a block was made for one occasion, a
/// mint or a drop, and what they have in common may be all that they do: it is worth a look at the first ones.
/// Of the transactions of a real block no function makes much more than a half.
pub(crate) fn is_monotonous(block: &Block) -> bool {
    fn name(tx: &Transaction) -> Option<&[u8]> {
        tx.env.data.get(..4)
    }
    let glances = || glances(&block.transactions);
    // If one makes three quarters, one of these four is it.
    let all = glances().count();
    glances().step_by(all.div_ceil(4)).any(|one| {
        name(one).is_some() && glances().filter(|tx| name(tx) == name(one)).count() * 4 >= all * 3
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evm::{adapt::promises::TRANSFER_GAS, workload::Workload};

    fn opening(block: &Block, workers: usize, latency: Option<Duration>) -> Opening {
        super::opening(block, workers, latency, &Box::new(Promises::of(block)))
    }

    fn block(name: &str, size: usize) -> Block {
        Workload::by_name(name).expect("a workload").with_transactions(size).build(1).0
    }

    #[test]
    fn a_slow_store_makes_any_block_parallel_and_one_that_answers_at_once_none() {
        let latency = |micros| Some(Duration::from_micros(micros));
        let transfers = block("nonces", 2);
        assert_eq!(opening(&transfers, 1, latency(100)), Opening::Parallel);
        assert_eq!(opening(&transfers, 8, latency(2)), Opening::Direct);
    }

    #[test]
    fn one_worker_or_one_transaction_leaves_nothing_to_choose() {
        let calls = block("mixed", 200);
        assert_eq!(opening(&calls, 1, None), Opening::Direct);
        assert_eq!(opening(&calls, 2, None), Opening::Promising);
        assert_eq!(opening(&block("amm", 1), 2, None), Opening::Direct);
    }

    #[test]
    fn what_promises_little_is_sampled_first() {
        assert_eq!(opening(&block("mixed", 20), 2, None), Opening::Sample);
        assert_eq!(opening(&block("mixed", 200), 2, None), Opening::Promising);
        assert_eq!(opening(&block("nonces", 1_000), 2, None), Opening::Sample);
        let each = Promises::of(&block("amm", 100)).time();
        assert!((each - 30e-6).abs() < 1e-9, "{each}");
    }

    #[test]
    fn a_header_tells_what_the_calls_use() {
        let opening_of = |workload, size, used: Option<u64>| {
            let mut block = block(workload, size);
            block.claims.gas_used = used;
            opening(&block, 2, None)
        };
        let transfers = |count: u64| count * TRANSFER_GAS;
        // 15 of 50 are transfers.
        assert_eq!(opening_of("mixed", 50, None), Opening::Promising, "promised");
        assert_eq!(opening_of("mixed", 50, Some(transfers(50))), Opening::Sample, "not kept");
        assert_eq!(opening_of("mixed", 50, Some(transfers(50) + WORTHWHILE)), Opening::Promising);
        assert_eq!(
            opening_of("mixed", 10, Some(transfers(10) + WORTHWHILE)),
            Opening::Sample,
            "few"
        );
        assert_eq!(opening_of("nonces", 50, Some(2 * WORTHWHILE)), Opening::Sample, "no calls");
        assert_eq!(opening_of("mixed", 50, Some(u64::MAX)), Opening::Promising, "cannot be");
        assert_eq!(opening_of("mixed", 20, Some(u64::MAX)), Opening::Sample, "cannot be");
    }

    #[test]
    fn a_block_is_glanced_at_for_its_transfers() {
        assert_eq!(time_of_transfers(&block("nonces", 1_000)), TRANSFER);
        assert_eq!(time_of_transfers(&block("amm", 100)), 0.0);
        assert_eq!(time_of_transfers(&Block { transactions: Vec::new(), ..block("amm", 1) }), 0.0);
    }

    #[test]
    fn what_is_all_of_one_kind_is_sampled_first_whatever_it_promises() {
        for name in ["amm", "erc20"] {
            let one = block(name, 400);
            assert!(is_monotonous(&one), "{name}");
            assert_eq!(opening(&one, 2, None), Opening::Sample, "{name}");
        }
        let several = block("mixed", 400);
        assert!(!is_monotonous(&several) && !is_monotonous(&block("nonces", 400)));
    }

    #[test]
    fn a_block_over_a_store_that_has_told_nothing_yet_is_judged_by_the_gas_of_its_calls() {
        let unknown = Some(Duration::ZERO);
        assert_eq!(opening(&block("amm", 200), 2, unknown), Opening::Parallel);
        assert_eq!(opening(&block("nonces", 200), 8, unknown), Opening::Direct);
    }
}
