//! What happens in a block before its first transaction.

use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS};
use alloy_primitives::{Address, B256, U256};

use super::{
    Failure, Machine,
    dao::{DAO_ACCOUNTS, DAO_REFUND},
};
use crate::evm::{Block, BlockError, StateStore};

/// Runs the prologue and commits it to the machine's state: the DAO fork's irregular change
/// ([EIP-779](https://eips.ethereum.org/EIPS/eip-779)), then the beacon root
/// ([EIP-4788](https://eips.ethereum.org/EIPS/eip-4788)), then the parent's hash
/// ([EIP-2935](https://eips.ethereum.org/EIPS/eip-2935)), each if [`Block::system`] asks for it.
/// A system contract that is absent is skipped, and one that reverts changes nothing: neither
/// makes the block invalid.
///
/// # Errors
///
/// A failing store, as an error of transaction 0.
pub fn prologue<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
) -> Result<(), BlockError> {
    changes(machine, block).map_err(|failure| failure.at(0))
}

fn changes<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
) -> Result<(), Failure> {
    if block.system.dao_fork {
        move_dao_funds(machine)?;
    }
    call_with(machine, BEACON_ROOTS_ADDRESS, block.system.beacon_root)?;
    call_with(machine, HISTORY_STORAGE_ADDRESS, block.system.parent_hash)
}

fn call_with<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    address: Address,
    word: Option<B256>,
) -> Result<(), Failure> {
    if let Some(word) = word {
        machine.system_call(address, word.into())?;
    }
    Ok(())
}

fn move_dao_funds<S: StateStore + ?Sized>(machine: &mut Machine<'_, S>) -> Result<(), Failure> {
    let state = machine.state();
    for address in DAO_ACCOUNTS {
        let balance = state.account(address)?.map_or(U256::ZERO, |info| info.balance);
        state.credit(DAO_REFUND, balance)?;
        state.set_balance(address, U256::ZERO)?;
    }
    Ok(())
}
