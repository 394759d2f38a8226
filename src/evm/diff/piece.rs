//! What changed among some of the entries.

use std::ops::Range;

use alloy_primitives::{Address, U256};

use super::order::first_bytes;
use crate::{
    context::{Run, Shares},
    evm::{
        AccountChange,
        machine::{EvmMachine, VersionedAccount},
    },
    state::Extent,
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

/// The pieces of a machine's diff on their way.
pub(crate) struct Pieces {
    /// How far the tables reached when nothing was committed any more. Workers that are late may add to them.
    accounts: Extent,
    slots: Extent,
    /// Those of the slots, and then those of the accounts.
    shares: Shares<Piece>,
}

impl Pieces {
    /// None of them made. No transaction commits any more.
    pub(crate) fn share_out(machine: &EvmMachine) -> Self {
        let (accounts, slots) = (machine.accounts.extent(), machine.slots.extent());
        let shares = Shares::new(in_pieces(slots) + in_pieces(accounts));
        Self { accounts, slots, shares }
    }

    /// How many positions there are for accounts.
    pub(crate) fn positions(&self) -> usize {
        self.accounts.places()
    }

    fn help(&self, machine: &EvmMachine) {
        self.shares.help(|at| self.piece(machine, at));
    }

    /// All of them. Called once.
    pub(crate) fn finish(&self, machine: &EvmMachine) -> Vec<Piece> {
        self.shares.finish(Duration::ZERO, |at| self.piece(machine, at))
    }

    fn piece(&self, machine: &EvmMachine, at: usize) -> Piece {
        match at.checked_sub(in_pieces(self.slots)) {
            None => self.changed_slots(machine, at),
            Some(at) => self.changed_accounts(machine, at),
        }
    }

    /// The slots that the block changed and that are still there.
    fn changed_slots(&self, machine: &EvmMachine, at: usize) -> Piece {
        let accounts = &machine.accounts;
        let mut piece = Piece { slots: Vec::with_capacity(PIECE), ..Piece::default() };
        for (_, key, entry) in machine.slots.iter_places(self.slots, positions(at)) {
            let change = entry.difference(|base, now| (base != now).then_some(*now)).flatten();
            // Slots of an older generation are gone with it; those of a new one started at zero.
            let Some(now) = change else { continue };
            let account = accounts.by_number(key.account);
            let generation =
                account.and_then(|entry| entry.with_committed(|account| account.generation));
            if key.generation == generation.unwrap_or(0)
                && let Some(position) = self.accounts.position(key.account)
            {
                let position = position as u32;
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
    fn changed_accounts(&self, machine: &EvmMachine, at: usize) -> Piece {
        let mut piece = Piece::default();
        let entries = machine.accounts.iter_places(self.accounts, positions(at));
        for (id, address, entry) in entries {
            let Some(position) = self.accounts.position(id.get()) else { continue };
            let position = position as u32;
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
}

fn in_pieces(extent: Extent) -> usize {
    extent.places().div_ceil(PIECE)
}

/// Those of a piece.
fn positions(piece: usize) -> Range<usize> {
    piece * PIECE..(piece + 1) * PIECE
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
            pieces.help(machine);
            return PATIENCE + EACH * pieces.shares.len() as u32;
        }
        if begin.elapsed() >= PATIENCE {
            return Duration::ZERO;
        }
        hint::spin_loop();
    }
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
