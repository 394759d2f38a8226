//! What a block changed, from the versions that are committed.
//!
//! ```text
//!   accounts ─┬► piece ─┐                       ┌─ slots by account
//!             └► piece ─┤   (caller, worker)    │
//!   slots ────┬► piece ─┼► assemble (caller) ◄──┴─ accounts in their order
//!             └► piece ─┘
//! ```
//!
//! The entries of a block are spread over the caches of those who wrote them, and to look at each is most
//! of the work. So that is shared ([`Shares`]) with a worker that has just left the block. What comes of it is
//! small, and the caller puts it together.

use alloy_primitives::{Address, U256};

use super::{
    AccountChange, StateDiff,
    diff_order::{Key, first_bytes, in_order, put_in_order},
    machine::{EvmMachine, VersionedAccount},
};
use crate::{
    context::{Run, Shares},
    sync::{
        Arc, hint,
        time::{Duration, Instant},
    },
};

/// Places in a piece: a few µs.
const PIECE: usize = 128;
/// How long a worker waits for the pieces: an epilogue takes 5 to 20 µs.
const PATIENCE: Duration = match cfg!(any(chorus_loom, chorus_shuttle)) {
    true => Duration::ZERO,
    false => Duration::from_micros(40),
};

/// What came of some places.
#[derive(Default)]
pub(crate) struct Piece {
    accounts: Vec<Listed>,
    changes: Vec<Option<AccountChange>>,
    /// Position of the account, slot, value.
    slots: Vec<(u32, U256, U256)>,
}

/// An account that may have changed.
struct Listed {
    /// The first bytes of its address: nearly always those of two differ.
    first: u64,
    address: Address,
    position: u32,
    /// Where its change is, if it has changed otherwise than by its slots.
    change: Option<u32>,
    /// It is not there any more, nor are its slots.
    gone: bool,
}

/// The pieces of a machine's diff, none of them made.
pub(crate) fn share_out(machine: &EvmMachine) -> Shares<Piece> {
    let of_slots = machine.slots.places().div_ceil(PIECE);
    Shares::new(of_slots + machine.accounts.places().div_ceil(PIECE))
}

/// Helps the caller with the diff of a block whose transactions are all committed.
pub(crate) fn assist(run: &Arc<Run<EvmMachine>>) {
    let (machine, scheduler) = (&run.machine, &run.scheduler);
    if scheduler.cursor().frontier().0 < scheduler.len() {
        return;
    }
    let begin = Instant::now();
    loop {
        if let Some(pieces) = machine.pieces.get() {
            return pieces.help(|at| piece(machine, at));
        }
        if begin.elapsed() >= PATIENCE {
            return;
        }
        hint::spin_loop();
    }
}

/// One of the pieces. Nothing changes any more when it is made.
pub(crate) fn piece(machine: &EvmMachine, at: usize) -> Piece {
    let of_slots = machine.slots.places().div_ceil(PIECE);
    match at.checked_sub(of_slots) {
        None => Piece { slots: changed_slots(machine, at), ..Piece::default() },
        Some(at) => listed_accounts(machine, at),
    }
}

/// What the block changed, all by the calling thread.
pub(crate) fn alone(machine: &EvmMachine) -> StateDiff {
    let pieces = share_out(machine).finish(|at| piece(machine, at));
    assemble(pieces, machine.accounts.places())
}

/// The slots of a piece that the block changed and that are still there.
fn changed_slots(machine: &EvmMachine, at: usize) -> Vec<(u32, U256, U256)> {
    let accounts = &machine.accounts;
    let mut changed = Vec::with_capacity(PIECE);
    for (_, key, entry) in machine.slots.iter_places(at * PIECE..(at + 1) * PIECE) {
        let change = entry.difference(|base, now| (base != now).then_some(*now)).flatten();
        // Slots of an older generation are gone with it; those of a new one started at zero.
        let Some(now) = change else { continue };
        let account = accounts.by_number(key.account);
        let generation =
            account.and_then(|entry| entry.with_committed(|account| account.generation));
        if key.generation == generation.unwrap_or(0) {
            changed.push((accounts.position(key.account) as u32, key.slot, now));
        }
    }
    changed
}

/// The accounts of a piece, with what has changed of them but for their slots.
fn listed_accounts(machine: &EvmMachine, at: usize) -> Piece {
    let mut accounts = Vec::with_capacity(PIECE);
    let mut changes = Vec::with_capacity(PIECE);
    for (id, address, entry) in machine.accounts.iter_places(at * PIECE..(at + 1) * PIECE) {
        let mut listed = Listed {
            first: first_bytes(address),
            address: *address,
            position: machine.accounts.position(id.get()) as u32,
            change: None,
            gone: false,
        };
        let changed = entry.difference(|base, now| {
            listed.gone = !now.exists;
            change(base, now)
        });
        if let Some(change) = changed.flatten() {
            listed.change = Some(changes.len() as u32);
            changes.push(Some(change));
        }
        accounts.push(listed);
    }
    Piece { accounts, changes, slots: Vec::new() }
}

/// Puts the pieces of a diff together. `places` are those of the accounts.
pub(crate) fn assemble(mut pieces: Vec<Piece>, places: usize) -> StateDiff {
    let mut storage = storage(&pieces, places);
    let mut keys: Vec<Key<(u32, u32)>> = Vec::with_capacity(places);
    for (piece, made) in pieces.iter().enumerate() {
        for (at, listed) in made.accounts.iter().enumerate() {
            if listed.change.is_some() || !storage[listed.position as usize].is_empty() {
                keys.push((listed.first, (piece as u32, at as u32)));
            }
        }
    }
    let address =
        |(piece, at): &(u32, u32)| &pieces[*piece as usize].accounts[*at as usize].address;
    let order = in_order(&keys, |one, other| address(one).cmp(address(other)));
    let mut accounts = Vec::with_capacity(order.len());
    for (_, (piece, at)) in order {
        let made = &mut pieces[piece as usize];
        let listed = &made.accounts[at as usize];
        let slots = match listed.gone {
            true => Vec::new(),
            false => std::mem::take(&mut storage[listed.position as usize]),
        };
        let change = listed.change.and_then(|at| made.changes[at as usize].take());
        match change {
            Some(change) => {
                accounts.push((listed.address, AccountChange { storage: slots, ..change }))
            }
            None if slots.is_empty() => {}
            None => {
                let change = AccountChange { storage: slots, ..AccountChange::default() };
                accounts.push((listed.address, change));
            }
        }
    }
    StateDiff { accounts }
}

/// The changed slots, in their order, by the position of their account.
fn storage(pieces: &[Piece], places: usize) -> Vec<Vec<(U256, U256)>> {
    let mut counts = vec![0u32; places];
    for piece in pieces {
        for (position, ..) in &piece.slots {
            counts[*position as usize] += 1;
        }
    }
    let mut storage: Vec<Vec<(U256, U256)>> =
        counts.into_iter().map(|count| Vec::with_capacity(count as usize)).collect();
    for piece in pieces {
        for (position, slot, now) in &piece.slots {
            storage[*position as usize].push((*slot, *now));
        }
    }
    for slots in &mut storage {
        put_in_order(slots);
    }
    storage
}

/// What changed of an account but for its slots, if anything did.
fn change(base: &VersionedAccount, now: &VersionedAccount) -> Option<AccountChange> {
    if !now.exists {
        let gone = AccountChange { wiped: true, deleted: true, ..Default::default() };
        return base.exists.then_some(gone);
    }
    let wiped = base.exists && now.generation != 0;
    let empty = VersionedAccount::default();
    let from = if wiped { &empty } else { base };
    let created = !base.exists;
    let balance = (now.balance != from.balance).then_some(now.balance);
    let nonce = (now.nonce != from.nonce).then_some(now.nonce);
    let code = (now.code_hash != from.code_hash)
        .then(|| (now.code_hash, now.code.clone().unwrap_or_default()));
    let any = wiped || created || balance.is_some() || nonce.is_some() || code.is_some();
    let storage = Vec::new();
    any.then(|| AccountChange { wiped, deleted: false, created, balance, nonce, code, storage })
}
