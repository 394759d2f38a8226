//! A block that changes from one path to the other, where everything below some transaction is
//! committed and nothing else is.
//!
//! ```text
//!   one by one ── Head ──► versions: what it changed becomes what was committed before the first one
//!   workers ── committed versions ──► SequentialState: as if it had executed them itself
//! ```
//!
//! The first is what the engine does with a prologue anyway ([`super::settle::apply`]). For the second
//! each changed account and slot goes over with the value that it had before the block, so that the
//! changes at the end are those of the whole block. What was only read is read again. Regions go over by themselves
//! ([`crate::region::interim`]).

use alloy_primitives::{Address, U256};

use super::{
    StateStore,
    machine::{EvmMachine, VersionedAccount},
    sequential::SequentialState,
};

/// A changed slot: number of its account, slot, before the block, now.
type Slot = (u32, U256, U256, U256);

/// Gives the committed versions to a state over the block's store that has seen nothing yet.
pub(super) fn adopt<S: StateStore + ?Sized>(
    machine: &EvmMachine,
    state: &mut SequentialState<'_, S>,
) {
    let mut slots = changed_slots(machine).into_iter().peekable();
    for (id, address, entry) in machine.accounts.iter() {
        let changed = entry.difference(|base, now| (Some(base.clone()), now.clone()));
        let has_slots = slots.peek().is_some_and(|slot| slot.0 == id.get());
        let kept = || has_slots.then(|| Some((None, entry.committed()?))).flatten();
        let Some((base, now)) = changed.or_else(kept) else { continue };
        let mut own = Vec::new();
        while let Some((_, slot, before, now)) = slots.next_if(|slot| slot.0 == id.get()) {
            own.push((slot, [before, now]));
        }
        adopt_account(state, *address, base, &now, own);
    }
}

fn adopt_account<S: StateStore + ?Sized>(
    state: &mut SequentialState<'_, S>,
    address: Address,
    base: Option<VersionedAccount>,
    now: &VersionedAccount,
    slots: Vec<(U256, [U256; 2])>,
) {
    let existed = base.as_ref().map_or(now.exists, |base| base.exists);
    let wiped = now.generation != 0;
    let before = base.map(|base| base.to_info());
    state.adopt(address, [wiped && existed, wiped || !existed], before, now.to_info(), slots);
}

/// Slots that the block changed and that are still there, by account. Those of an older generation
/// are gone with it.
fn changed_slots(machine: &EvmMachine) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (_, key, entry) in machine.slots.iter() {
        let Some((base, now)) = entry.difference(|base, now| (*base, *now)) else { continue };
        let account = machine.accounts.by_number(key.account);
        let generation =
            account.and_then(|entry| entry.with_committed(|account| account.generation));
        if key.generation == generation.unwrap_or(0) {
            slots.push((key.account, key.slot, base, now));
        }
    }
    slots.sort_unstable();
    slots
}
