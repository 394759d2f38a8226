//! What a block will read, as far as it shows before anything runs.

use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{Address, TxKind, U256};
use revm::context_interface::{either::Either, transaction::AccessListItemTr};

use super::{Block, Transaction};
use crate::store::Query;

/// Slots of a ring buffer of EIP-4788 and EIP-2935.
const RING: U256 = U256::from_limbs([8191, 0, 0, 0]);
/// Slots that EIP-7002 and EIP-7251 read of their contracts: excess, count, head and tail.
const QUEUE_SLOTS: u64 = 4;

impl Block {
    /// What the block reads whatever its transactions do: its beneficiary, the system contracts with
    /// the slots that they use, ommers and withdrawals.
    pub fn known_reads(&self) -> Vec<Query> {
        let mut reads = vec![Query::Account(self.env.beneficiary)];
        let mut contract = |address: Address, slots: &[U256]| {
            reads.push(Query::Account(address));
            reads.extend(slots.iter().map(|slot| Query::Slot(address, *slot)));
        };
        if self.system.beacon_root.is_some() {
            let slot = self.env.timestamp % RING;
            contract(BEACON_ROOTS_ADDRESS, &[slot, slot + RING]);
        }
        if self.system.parent_hash.is_some() {
            let parent = self.env.number.saturating_sub(U256::ONE);
            contract(HISTORY_STORAGE_ADDRESS, &[parent % RING]);
        }
        if self.system.requests {
            let slots: Vec<_> = (0..QUEUE_SLOTS).map(U256::from).collect();
            contract(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &slots);
            contract(CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &slots);
        }
        if !self.system.block_reward.is_zero() {
            reads.extend(self.ommers.iter().map(|ommer| Query::Account(ommer.beneficiary)));
        }
        reads.extend(self.withdrawals.iter().map(|withdrawal| Query::Account(withdrawal.address)));
        reads
    }
}

impl Transaction {
    /// What the transaction names, which it will read if it is valid: the sender, the recipient or
    /// the contract it creates, its access list (EIP-2930), and recovered authorities (EIP-7702).
    pub fn known_reads(&self, reads: &mut Vec<Query>) {
        let env = &self.env;
        reads.push(Query::Account(env.caller));
        match env.kind {
            TxKind::Call(to) => reads.push(Query::Account(to)),
            TxKind::Create => {
                let created = env.caller.create(env.nonce);
                reads.extend([Query::Account(created), Query::HasStorage(created)]);
            }
        }
        for item in env.access_list.iter() {
            reads.push(Query::Account(*item.address()));
            let slots = item.storage_slots();
            reads.extend(slots.map(|slot| Query::Slot(*item.address(), (*slot).into())));
        }
        for authorization in &env.authorization_list {
            if let Either::Right(recovered) = authorization {
                reads.extend(recovered.authority().map(Query::Account));
            }
        }
    }
}
