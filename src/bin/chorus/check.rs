//! What an outcome is compared with: the header, and the other engine's outcome.

use chorus::evm::{BlockError, BlockOutcome, HeaderClaims, SpecId};
use serde::Serialize;

/// The result of comparing one value with what the header claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Check {
    Ok,
    Mismatch,
    Absent,
}

impl Check {
    fn of<T: PartialEq>(claim: Option<T>, value: impl FnOnce() -> T) -> Self {
        match claim {
            None => Self::Absent,
            Some(claim) if claim == value() => Self::Ok,
            Some(_) => Self::Mismatch,
        }
    }
}

/// The checks against the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HeaderChecks {
    pub(crate) gas_used: Check,
    pub(crate) receipts_root: Check,
    pub(crate) logs_bloom: Check,
}

impl HeaderChecks {
    pub(crate) fn new(claims: &HeaderClaims, spec: SpecId, outcome: &BlockOutcome) -> Self {
        // Before Byzantium receipts held state roots: a root over statuses proves nothing.
        let receipts_root = claims.receipts_root.filter(|_| spec.is_enabled_in(SpecId::BYZANTIUM));
        Self {
            gas_used: Check::of(claims.gas_used, || outcome.gas_used),
            receipts_root: Check::of(receipts_root, || outcome.receipts_root()),
            logs_bloom: Check::of(claims.logs_bloom, || outcome.logs_bloom()),
        }
    }

    /// All checks with the names of their fields.
    pub(crate) fn named(&self) -> [(&'static str, Check); 3] {
        [
            ("gas used", self.gas_used),
            ("receipts root", self.receipts_root),
            ("logs bloom", self.logs_bloom),
        ]
    }

    /// The names of the fields that are not met, in one text.
    pub(crate) fn wrong(&self) -> String {
        let named = self.named().into_iter();
        let wrong = named.filter(|(_, check)| *check == Check::Mismatch).map(|(name, _)| name);
        wrong.collect::<Vec<_>>().join(", ")
    }

    /// Whether there was anything to compare.
    pub(crate) fn anything(&self) -> bool {
        self.named().iter().any(|(_, check)| *check != Check::Absent)
    }

    pub(crate) fn matched(&self) -> bool {
        self.named().iter().all(|(_, check)| *check != Check::Mismatch)
    }
}

/// An engine's answer to a block.
pub(crate) type Answer = Result<BlockOutcome, BlockError>;

/// Where the parallel answer first differs from the sequential one; `None` if nowhere.
/// Statistics are not part of an answer, and two equal errors are equal answers.
pub(crate) fn difference(sequential: &Answer, parallel: &Answer) -> Option<String> {
    let (one, other) = match (sequential, parallel) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(one), Err(other)) if one == other => return None,
        (Err(one), Err(other)) => return Some(format!("sequential: {one}; parallel: {other}")),
        (Err(one), Ok(_)) => return Some(format!("sequential: {one}; parallel: no error")),
        (Ok(_), Err(other)) => return Some(format!("sequential: no error; parallel: {other}")),
    };
    let pairs = one.transactions.iter().zip(&other.transactions);
    if let Some(index) = pairs.into_iter().position(|(one, other)| one != other) {
        return Some(format!("the results of transaction {index} differ"));
    }
    if let Some((one, other)) =
        one.diff.accounts.iter().zip(&other.diff.accounts).find(|(one, other)| one != other)
    {
        return Some(format!("the state differs at account {:#x}", one.0.min(other.0)));
    }
    let parts = [
        ("numbers of transactions", one.transactions.len() == other.transactions.len()),
        ("gas used", one.gas_used == other.gas_used),
        ("blob gas used", one.blob_gas_used == other.blob_gas_used),
        ("requests", one.requests == other.requests),
        ("shared memory", one.regions == other.regions),
        ("numbers of changed accounts", one.diff == other.diff),
    ];
    let differing = parts.into_iter().find(|(_, equal)| !equal);
    differing.map(|(part, _)| format!("{part}: the two runs differ"))
}
