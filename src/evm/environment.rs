//! revm's configuration for a block.

use revm::context::CfgEnv;

use super::Block;

/// The configuration that a block's rules ask for: mainnet's checks, all of them on.
pub(crate) fn config(block: &Block) -> CfgEnv {
    let mut config = CfgEnv::new_with_spec(block.spec);
    config.chain_id = block.chain_id;
    config.max_blobs_per_tx = Some(
        block
            .blobs
            .max_blobs_per_transaction
            .unwrap_or(block.blobs.max_blobs)
            .min(block.blobs.max_blobs),
    );
    config.blob_base_fee_update_fraction = Some(block.blobs.update_fraction);
    config
}
