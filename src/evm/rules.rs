//! The rules that engine and reference must read the same way: revm's configuration for a block,
//! and the checks across transactions that revm does not make.

use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use revm::{
    context::{
        CfgEnv, TxEnv,
        result::{ExecutionResult, InvalidTransaction},
    },
    primitives::hardfork::SpecId,
};

use super::{Block, Invalid};

/// revm's configuration for a block: every check that mainnet makes is on.
pub fn cfg_env(block: &Block) -> CfgEnv {
    let mut cfg = CfgEnv::new_with_spec(block.spec).with_chain_id(block.chain_id);
    if block.spec.is_enabled_in(SpecId::CANCUN) {
        let blobs = &block.blobs;
        let most = blobs.max_blobs_per_transaction.unwrap_or(blobs.max_blobs);
        cfg.set_max_blobs_per_tx(most);
        cfg.blob_base_fee_update_fraction = Some(blobs.update_fraction);
    }
    cfg
}

/// Gas and blob gas of the transactions of a block so far, and every check that revm leaves out.
///
/// [`admit`](Self::admit) is asked before a transaction runs, so an invalid one that fails both
/// here and in revm is reported as failing here, by the reference and by the engine alike. A
/// transaction that is left out changes neither sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockSums {
    /// Gas used.
    pub gas_used: u64,
    /// Blob gas used.
    pub blob_gas_used: u64,
}

impl BlockSums {
    /// Whether the block has room for the transaction, and whether its type allows what it asks
    /// for. What revm checks is not checked here.
    ///
    /// # Errors
    ///
    /// [`Invalid::BlockGas`] or [`Invalid::BlobGas`] if the sums leave no room; before Cancun no
    /// blob gas is counted, since revm rejects such a transaction by its type.
    /// [`Invalid::Transaction`] for a type that does not exist, or a type that may not create
    /// contracts and tries to (EIP-4844, EIP-7702).
    #[inline]
    pub fn admit(&self, block: &Block, tx: &TxEnv) -> Result<(), Invalid> {
        let available = block.env.gas_limit.saturating_sub(self.gas_used);
        if tx.gas_limit > available {
            return Err(Invalid::BlockGas { gas_limit: tx.gas_limit, available });
        }
        if tx.tx_type < BLOB { Ok(()) } else { self.admit_special(block, tx) }
    }

    /// The checks of blob transactions, authorisations, and what lies beyond.
    #[cold]
    fn admit_special(&self, block: &Block, tx: &TxEnv) -> Result<(), Invalid> {
        let supported = match tx.tx_type {
            BLOB => SpecId::CANCUN,
            AUTHORISATION => SpecId::PRAGUE,
            unknown => {
                let reason = format!("transaction type {unknown} is not known").into();
                return Err(Invalid::Transaction(InvalidTransaction::Str(reason)));
            }
        };
        if !block.spec.is_enabled_in(supported) {
            // revm says so, more precisely.
            return Ok(());
        }
        if tx.kind.is_create() {
            return Err(Invalid::Transaction(match tx.tx_type {
                BLOB => InvalidTransaction::BlobCreateTransaction,
                _ => InvalidTransaction::AuthorizationListInvalidFields,
            }));
        }
        let limit = block.blobs.max_blobs.saturating_mul(DATA_GAS_PER_BLOB);
        let available = limit.saturating_sub(self.blob_gas_used);
        let blob_gas = blob_gas(tx);
        if blob_gas > available {
            return Err(Invalid::BlobGas { blob_gas, available });
        }
        Ok(())
    }

    /// Counts a transaction that ran.
    #[inline]
    pub fn add(&mut self, tx: &TxEnv, result: &ExecutionResult) {
        self.gas_used += result.tx_gas_used();
        self.blob_gas_used += blob_gas(tx);
    }
}

/// Type of a blob transaction (EIP-4844).
const BLOB: u8 = 3;

/// Type of a transaction with authorisations (EIP-7702).
const AUTHORISATION: u8 = 4;

#[inline]
fn blob_gas(tx: &TxEnv) -> u64 {
    if tx.tx_type == BLOB {
        (tx.blob_hashes.len() as u64).saturating_mul(DATA_GAS_PER_BLOB)
    } else {
        0
    }
}
