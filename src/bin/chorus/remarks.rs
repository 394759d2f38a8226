//! What is said on standard error about a block that has an outcome, one line for each thing.

use chorus::evm::{BlockOutcome, TransactionOutcome};

use crate::{check::Check, executor::Work, measure::Measurement, report::Report};

/// Of more left-out transactions than this only the number is said.
const SHOWN: usize = 10;

/// What did not match; empty if everything did.
pub(crate) fn complaints(
    measurement: &Measurement,
    report: Option<&Report>,
    work: &Work,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(difference) = &measurement.difference {
        lines.push(format!("parallel and sequential differ: {difference}"));
    } else if let Err(error) = &measurement.sequential {
        lines.push(error.to_string());
    }
    let Some(report) = report else { return lines };
    let claims = &work.block.claims;
    // A bloom is too long to be of use.
    let values = [
        claims.gas_used.map(|claim| format!(": {} instead of {claim}", report.gas_used)),
        report
            .receipts_root
            .zip(claims.receipts_root)
            .map(|(root, claim)| format!(": {root} instead of {claim}")),
        None,
    ];
    for ((field, check), values) in report.header.named().into_iter().zip(values) {
        if check == Check::Mismatch {
            let values = values.unwrap_or_default();
            lines.push(format!("{field} is not what the header says{values}"));
        }
    }
    lines
}

/// Which transactions were left out, and why.
pub(crate) fn left_out(measurement: &Measurement, work: &Work) -> Vec<String> {
    let Ok(BlockOutcome { transactions, .. }) = &measurement.sequential else { return Vec::new() };
    let mut skipped =
        transactions.iter().enumerate().filter_map(|(index, outcome)| match outcome {
            TransactionOutcome::Skipped(reason) => Some((index, reason)),
            TransactionOutcome::Executed(_) => None,
        });
    let shown = skipped.by_ref().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|(index, reason)| {
            format!("transaction {index} is left out: {reason}{}", hash_of(index, work))
        })
        .collect();
    let more = skipped.count();
    if more > 0 {
        lines.push(format!("{more} more are left out"));
    }
    lines
}

/// In brackets, the hash of a transaction, if the input has one.
pub(crate) fn hash_of(index: usize, work: &Work) -> String {
    match work.block.transactions.get(index) {
        Some(transaction) if !transaction.hash.is_zero() => {
            format!(" (transaction hash {})", transaction.hash)
        }
        _ => String::new(),
    }
}
