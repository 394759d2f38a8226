//! The forks that the suites name.

use chorus::evm::{BlobSchedule, SpecId};

/// The rules behind a fork's name in the suites.
///
/// revm has no Constantinople: its one difference from Petersburg, the net gas metering of
/// EIP-1283, never took effect on mainnet. Cases of that name run under Petersburg's rules, and
/// those whose result depends on the difference would fail.
pub(crate) fn spec(name: &str) -> Option<SpecId> {
    Some(match name {
        "Frontier" => SpecId::FRONTIER,
        "Homestead" => SpecId::HOMESTEAD,
        "EIP150" => SpecId::TANGERINE,
        "EIP158" => SpecId::SPURIOUS_DRAGON,
        "Byzantium" => SpecId::BYZANTIUM,
        "Constantinople" | "ConstantinopleFix" => SpecId::PETERSBURG,
        "Istanbul" => SpecId::ISTANBUL,
        "Berlin" => SpecId::BERLIN,
        "London" => SpecId::LONDON,
        "Paris" => SpecId::MERGE,
        "Shanghai" => SpecId::SHANGHAI,
        "Cancun" => SpecId::CANCUN,
        "Prague" => SpecId::PRAGUE,
        _ => return None,
    })
}

/// Mainnet's blob limits as of a fork.
pub(crate) fn blobs(spec: SpecId) -> BlobSchedule {
    let (max_blobs, update_fraction) = match spec {
        spec if spec.is_enabled_in(SpecId::PRAGUE) => (9, 5_007_716),
        spec if spec.is_enabled_in(SpecId::CANCUN) => (6, 3_338_477),
        _ => (0, 3_338_477),
    };
    BlobSchedule { max_blobs, max_blobs_per_transaction: None, update_fraction }
}
