//! What is attached to a block and its transactions.

use crate::{
    evm::{Block, BlockError},
    region::{config::ChainConfig, sidecar::Sidecar},
    sync::Arc,
};

/// Refuses a block that has more attached than the chain allows.
pub(crate) fn check_sidecars(block: &Block, chain: &ChainConfig) -> Result<(), BlockError> {
    let check = |sidecars: &[Arc<Sidecar>], index| {
        Sidecar::check(sidecars, chain.max_sidecars, chain.max_sidecar_size)
            .map_err(|source| BlockError::Sidecar { index, source })
    };
    check(&block.sidecars, None)?;
    let attached = block.transactions.iter().enumerate();
    attached
        .into_iter()
        .try_for_each(|(index, transaction)| check(&transaction.sidecars, Some(index)))
}
