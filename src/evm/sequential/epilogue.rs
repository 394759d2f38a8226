//! What happens in a block after its last transaction.

use alloy_eips::{
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{Address, Bytes, U256};

use super::{
    Failure, Machine,
    requests::{self, CONSOLIDATION, DEPOSIT, WITHDRAWAL},
};
use crate::evm::{Block, BlockError, StateStore, TransactionOutcome};

/// Wei per Gwei, the unit of withdrawals.
const GWEI: U256 = U256::from_limbs([1_000_000_000, 0, 0, 0]);

/// Runs the epilogue, commits it to the machine's state and returns the block's requests
/// ([EIP-7685](https://eips.ethereum.org/EIPS/eip-7685)).
///
/// In the order of the execution specifications: proof-of-work rewards (of forks that have no
/// withdrawals), withdrawals ([EIP-4895](https://eips.ethereum.org/EIPS/eip-4895)), then the
/// requests: deposits from the logs of `transactions`
/// ([EIP-6110](https://eips.ethereum.org/EIPS/eip-6110)), and what the withdrawal
/// ([EIP-7002](https://eips.ethereum.org/EIPS/eip-7002)) and consolidation
/// ([EIP-7251](https://eips.ethereum.org/EIPS/eip-7251)) contracts have queued. A contract that is
/// absent is skipped.
///
/// # Errors
///
/// [`BlockError::System`] if a request contract fails or a deposit log is malformed, either of
/// which makes the block invalid; [`BlockError::Environment`] for an ommer of a wrong age; a
/// failing store, as an error of the transaction after the last.
pub fn epilogue<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    transactions: &[TransactionOutcome],
) -> Result<Vec<Bytes>, BlockError> {
    let end = block.transactions.len();
    pay_rewards(machine, block).map_err(|failure| failure.at(end))?;
    for withdrawal in &block.withdrawals {
        machine
            .state()
            .credit(withdrawal.address, U256::from(withdrawal.amount_gwei) * GWEI)
            .map_err(|error| Failure::Store(error).at(end))?;
    }
    if !block.system.requests {
        return Ok(Vec::new());
    }

    let deposits = requests::deposits(block.system.deposit_contract, transactions)?;
    let withdrawals = dequeue(machine, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, end)?;
    let consolidations = dequeue(machine, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, end)?;
    Ok([(DEPOSIT, deposits), (WITHDRAWAL, withdrawals), (CONSOLIDATION, consolidations)]
        .into_iter()
        .filter_map(|(kind, data)| requests::encode(kind, &data))
        .collect())
}

/// Rewards of the beneficiary and of ommers. The beneficiary gets a 32nd part more for each
/// ommer, an ommer an eighth less for each block of its age.
fn pay_rewards<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
) -> Result<(), Failure> {
    let reward = block.system.block_reward;
    if reward.is_zero() {
        return Ok(());
    }
    let share = U256::from(block.ommers.len()) * (reward >> 5);
    machine.state().credit(block.env.beneficiary, reward + share)?;
    for ommer in &block.ommers {
        let age = block.env.number.saturating_sub(U256::from(ommer.number));
        if age.is_zero() || age > U256::from(6) {
            let (ommer, number) = (ommer.number, block.env.number);
            let message = format!("ommer of number {ommer} in block {number}");
            return Err(Failure::Environment(message));
        }
        machine.state().credit(ommer.beneficiary, (reward * (U256::from(8) - age)) >> 3)?;
    }
    Ok(())
}

/// Asks a request contract for what it has queued.
fn dequeue<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    address: Address,
    end: usize,
) -> Result<Bytes, BlockError> {
    match machine.system_call(address, Bytes::new()).map_err(|failure| failure.at(end))? {
        None => Ok(Bytes::new()),
        Some(result) if result.is_success() => Ok(result.into_output().unwrap_or_default()),
        Some(result) => Err(BlockError::System { address, reason: result.to_string() }),
    }
}
