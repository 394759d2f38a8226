//! Locations as a timeline knows them: a number while the block runs, a name when it has ended.
//!
//! ```text
//!  63      56 55      48 47                                  0
//!  ├─ kind ──┼─ field ──┼─ entry, or number of a block ──────┤
//! ```

use super::{
    EvmMachine,
    cells::{Account, AccountSeen, field},
    notes::Notes,
    prelude,
    target::Target,
};
use crate::{
    observe::timeline::{Location, Place},
    state::{Cell, EntryId, Read, TxIndex},
};

const KIND: u32 = 56;
const FIELD: u32 = 48;

const ACCOUNT: u64 = 0;
const SLOT: u64 = 1;
const STORAGE: u64 = 2;
const BLOCK_HASH: u64 = 3;
const SHARED_MEMORY: u64 = 4;

/// The fields of an account by number. The first stands for none in particular.
const FIELDS: [&str; 7] =
    ["account", "balance", "nonce", "code", "existence", "emptiness", "storage generation"];

fn place(kind: u64, field: usize, rest: u64) -> Place {
    Place(kind << KIND | (field as u64) << FIELD | rest & ((1 << FIELD) - 1))
}

/// Something of the regions that contracts share.
pub(super) fn shared_memory() -> Place {
    place(SHARED_MEMORY, 0, 0)
}

impl From<prelude::Place> for Place {
    fn from(location: prelude::Place) -> Self {
        match location {
            prelude::Place::Account(id) => place(ACCOUNT, 0, id.get().into()),
            prelude::Place::Slot(id) => place(SLOT, 0, id.get().into()),
        }
    }
}

impl EvmMachine {
    /// The place that is asked for.
    pub(super) fn place_of(&self, target: Target) -> Place {
        match target {
            Target::Account(id) => place(ACCOUNT, 0, id.get().into()),
            Target::Slot(id) => place(SLOT, 0, id.get().into()),
            Target::HasStorage(id) => place(STORAGE, 0, id.get().into()),
            Target::BlockHash(number) => place(BLOCK_HASH, 0, number),
        }
    }

    /// The first location where what was noted does not hold below `tx`. What is left, if all of it
    /// does, is shared memory.
    pub(super) fn find_conflict(&self, tx: TxIndex, notes: &Notes, shared: bool) -> Place {
        for (id, seen) in &notes.slots {
            if !self.slots.entry(*id).may_hold(tx, seen) {
                return place(SLOT, 0, id.get().into());
            }
        }
        for note in &notes.accounts {
            if let Some(field) = self.wrong_field(tx, note.id, &note.seen) {
                return place(ACCOUNT, field, note.id.get().into());
            }
        }
        if shared { shared_memory() } else { Place::UNKNOWN }
    }

    /// The field of an account of which something else was seen; a nonce that was predicted has to be
    /// there by now.
    fn wrong_field(&self, tx: TxIndex, id: EntryId, seen: &AccountSeen) -> Option<usize> {
        let entry = self.accounts.entry(id);
        let Read::Value(account) = entry.peek(tx) else { return None };
        if <super::cells::AccountCell as Cell>::holds(&account, seen) {
            return None;
        }
        Some(first_difference(&account, seen))
    }

    /// What a place is called.
    pub(crate) fn name_place(&self, place: Place) -> Location {
        let number = place.0 & ((1 << FIELD) - 1);
        let field = (place.0 >> FIELD) as usize & 0xff;
        let account = |number: u32| {
            let address = self.accounts.key_of_number(number);
            address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
        };
        let (contract, field) = match place.0 >> KIND {
            ACCOUNT => {
                let field = FIELDS.get(field).copied().unwrap_or_default();
                (account(number as u32), field.to_owned())
            }
            SLOT => match self.slots.key_of_number(number as u32) {
                Some(key) => (account(key.account), format!("slot {:#x}", key.slot)),
                None => ("unknown".to_owned(), "slot".to_owned()),
            },
            STORAGE => (account(number as u32), "whether it has storage".to_owned()),
            BLOCK_HASH => ("block hashes".to_owned(), number.to_string()),
            SHARED_MEMORY => ("shared memory".to_owned(), "regions".to_owned()),
            _ => ("unknown".to_owned(), "location".to_owned()),
        };
        Location { contract, field }
    }
}

/// The field, by its number, in which an account is not what was seen of it.
fn first_difference(account: &Account, seen: &AccountSeen) -> usize {
    let depends = |field| seen.fields & field != 0;
    if depends(field::NONCE) && account.nonce != seen.nonce {
        2
    } else if depends(field::CODE) && account.code_hash != seen.code_hash {
        3
    } else if depends(field::EXISTS) && account.exists != seen.exists {
        4
    } else if depends(field::GENERATION) && account.generation != seen.generation {
        6
    } else if !seen.bounds.contains(account.balance) {
        1
    } else {
        5
    }
}
