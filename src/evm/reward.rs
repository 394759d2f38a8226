//! What the beneficiary of a block gets of a transaction: the gas that was used, at its price, less the base fee where that
//! is burnt (EIP-1559).

use alloy_primitives::U256;
use revm::{
    context::{Block, Cfg, ContextTr, Transaction},
    interpreter::Gas,
    primitives::hardfork::SpecId,
};

/// What the transaction that has just run pays to the beneficiary. Not what refills a reservoir of gas (EIP-8037).
#[inline]
pub(super) fn reward<CTX: ContextTr>(context: &CTX, gas: &Gas) -> U256 {
    let base_fee = u128::from(context.block().basefee());
    let price = context.tx().effective_gas_price(base_fee);
    let burnt = match context.cfg().spec().into().is_enabled_in(SpecId::LONDON) {
        true => base_fee,
        false => 0,
    };
    let used = gas.used().saturating_sub(gas.reservoir());
    U256::from(price.saturating_sub(burnt) * u128::from(used))
}
