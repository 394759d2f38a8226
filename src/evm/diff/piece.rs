//! What changed among some of the entries.

use alloy_primitives::{Address, U256};

use super::order::first_bytes;
use crate::{
    context::{Run, Shares},
    evm::{
        AccountChange,
        machine::{EvmMachine, VersionedAccount},
    },
    sync::{
        Arc, hint,
        time::{Duration, Instant},
    },
};

/// Places in a piece: a few µs.
const PIECE: usize = 128;
/// How long a worker waits for the caller, who has something for it soon: an epilogue takes 5 to 40 µs, and as much passes
/// from the last piece of a small block to what comes after the pieces ...
const PATIENCE: Duration = match cfg!(any(chorus_loom, chorus_shuttle)) {
    true => Duration::ZERO,
    false => Duration::from_micros(60),
};
/// ... and for each piece that the caller gathers until then.
const EACH: Duration = match cfg!(any(chorus_loom, chorus_shuttle)) {
    true => Duration::ZERO,
    false => Duration::from_nanos(300),
};

/// What came of some places.
#[derive(Default)]
pub(crate) struct Piece {
    /// What changed otherwise than by its slots.
    pub(super) changed: Vec<(Address, AccountChange)>,
    /// Of each of these the first bytes of its address and its position, together, for one who looks at all of them.
    pub(super) marks: Vec<(u64, u32)>,
    /// The other accounts, with their positions: slots of theirs may have changed.
    pub(super) others: Vec<(Address, u32)>,
    /// The positions of accounts that are not there any more, nor are their slots.
    pub(super) gone: Vec<u32>,
    /// Slots with their values ...
    pub(super) slots: Vec<(U256, U256)>,
    /// ... and the positions of the accounts whose they are, each with how many follow one another.
    pub(super) runs: Vec<(u32, u32)>,
}

/// The pieces of a machine's diff, none of them made.
pub(crate) fn share_out(machine: &EvmMachine) -> Shares<Piece> {
    let of_slots = machine.slots.places().div_ceil(PIECE);
    Shares::new(of_slots + machine.accounts.places().div_ceil(PIECE))
}

/// Helps the caller with the diff of a block whose transactions are all committed. Returns how long it will take at the
/// most until the caller has something else to do for this worker.
pub(crate) fn assist(run: &Arc<Run<EvmMachine>>) -> Duration {
    let (machine, scheduler) = (&run.machine, &run.scheduler);
    if scheduler.cursor().frontier().0 < scheduler.len() {
        return Duration::ZERO;
    }
    let begin = Instant::now();
    loop {
        if let Some(pieces) = machine.pieces.get() {
            pieces.help(|at| piece(machine, at));
            return PATIENCE + EACH * pieces.len() as u32;
        }
        if begin.elapsed() >= PATIENCE {
            return Duration::ZERO;
        }
        hint::spin_loop();
    }
}

/// One of the pieces. Nothing changes any more when it is made.
pub(crate) fn piece(machine: &EvmMachine, at: usize) -> Piece {
    let of_slots = machine.slots.places().div_ceil(PIECE);
    match at.checked_sub(of_slots) {
        None => changed_slots(machine, at),
        Some(at) => changed_accounts(machine, at),
    }
}

/// The slots that the block changed and that are still there.
fn changed_slots(machine: &EvmMachine, at: usize) -> Piece {
    let accounts = &machine.accounts;
    let mut piece = Piece { slots: Vec::with_capacity(PIECE), ..Piece::default() };
    for (_, key, entry) in machine.slots.iter_places(at * PIECE..(at + 1) * PIECE) {
        let change = entry.difference(|base, now| (base != now).then_some(*now)).flatten();
        // Slots of an older generation are gone with it; those of a new one started at zero.
        let Some(now) = change else { continue };
        let account = accounts.by_number(key.account);
        let generation =
            account.and_then(|entry| entry.with_committed(|account| account.generation));
        if key.generation == generation.unwrap_or(0) {
            let position = accounts.position(key.account) as u32;
            match piece.runs.last_mut() {
                Some((last, count)) if *last == position => *count += 1,
                _ => piece.runs.push((position, 1)),
            }
            piece.slots.push((key.slot, now));
        }
    }
    piece
}

/// The accounts, with what has changed of them but for their slots.
fn changed_accounts(machine: &EvmMachine, at: usize) -> Piece {
    let mut piece = Piece::default();
    for (id, address, entry) in machine.accounts.iter_places(at * PIECE..(at + 1) * PIECE) {
        let position = machine.accounts.position(id.get()) as u32;
        let changed = entry.difference(|base, now| {
            if !now.exists {
                piece.gone.push(position);
            }
            change(base, now)
        });
        match changed.flatten() {
            Some(change) => {
                if piece.changed.is_empty() {
                    piece.changed.reserve(PIECE);
                    piece.marks.reserve(PIECE);
                }
                piece.changed.push((*address, change));
                piece.marks.push((first_bytes(address), position));
            }
            None => piece.others.push((*address, position)),
        }
    }
    piece
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
