//! An EVM with shared memory, or exactly revm's where that is off.

use revm::{
    context::{Cfg, ContextTr, Evm},
    handler::{EthFrame, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    primitives::hardfork::SpecId,
};

use super::{instructions::install, journal::SharedJournal, precompile::SharedPrecompiles};

/// revm's EVM with the opcodes and the precompile of shared memory.
pub type SharedEvm<CTX> =
    Evm<CTX, (), EthInstructions<EthInterpreter, CTX>, SharedPrecompiles, EthFrame<EthInterpreter>>;

/// Builds the EVM for a context, whose journal knows whether shared memory is active.
pub fn build<CTX>(mut context: CTX) -> SharedEvm<CTX>
where
    CTX: ContextTr<Journal: SharedJournal>,
{
    let spec: SpecId = context.cfg().spec().into();
    let config = context.journal_mut().shared().active().cloned();
    let mut instructions = EthInstructions::new_mainnet_with_spec(spec);
    if let Some(config) = &config {
        install(&mut instructions, config);
    }
    let precompiles = SharedPrecompiles::new(spec, config.as_deref());
    Evm::new(context, instructions, precompiles)
}
