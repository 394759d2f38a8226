//! Asking for what a transaction will probably read, and learning it.

use alloy_primitives::{Address, U256};
use smallvec::SmallVec;

use super::{
    super::{
        EvmMachine,
        cells::SlotKey,
        notes::Notes,
        storage::{Asks, Target},
    },
    place::{Call, Location, named_by},
    preimages::Preimages,
    recipe::{Recipe, STEPS},
};
use crate::{
    state::{EntryId, TxIndex},
    store::Query,
};

/// What came of asking for a slot.
enum Asked {
    /// Its value is known.
    Known(U256),
    /// It is on its way.
    Underway,
    /// The store has an error at hand.
    Failed,
}

/// The numbers of the contracts of a call, most of which have several slots.
#[derive(Default)]
struct Numbers(SmallVec<[(Address, u32); 8]>);

impl Numbers {
    fn get(&mut self, machine: &EvmMachine, address: Address) -> u32 {
        match self.0.iter().find(|(known, _)| *known == address) {
            Some((_, number)) => *number,
            None => {
                let number = machine.accounts.intern(&address).get();
                self.0.push((address, number));
                number
            }
        }
    }
}

impl EvmMachine {
    /// Notes the function that a transaction calls, and queues what it will probably read.
    pub(in super::super) fn foresee_call(&self, tx: TxIndex, asks: &mut Asks) {
        self.storage.calls.note(tx, &self.block.transactions[tx.get()].env);
        self.forecast(tx, asks);
    }

    /// Queues what a transaction will probably read, if there is something to go by and it was not done
    /// before. The caller starts the reads.
    pub(in super::super) fn forecast(&self, tx: TxIndex, asks: &mut Asks) {
        if let Some(recipe) = self.storage.calls.begin_forecast(tx) {
            self.follow(tx, &recipe, None, asks);
        }
    }

    /// Goes on with the forecasts that waited for those slots, whose values are there.
    pub(in super::super) fn go_on_forecasting(
        &self,
        asks: &mut Asks,
        slots: impl Iterator<Item = EntryId>,
    ) {
        for (slot, tx, step) in self.storage.calls.take(slots) {
            if let Some(value) = self.slots.entry(slot).with_committed(|value| *value)
                && let Some(recipe) = self.storage.calls.resume_forecast(tx)
            {
                self.follow(tx, &recipe, Some((step, value)), asks);
            }
        }
    }

    /// Follows the steps of the recipe, or those that take the value of one step, which is there now.
    fn follow(&self, tx: TxIndex, recipe: &Recipe, landed: Option<(u8, U256)>, asks: &mut Asks) {
        let Some(call) = Call::of(&self.block.transactions[tx.get()].env) else { return };
        let hash = |key, place| self.storage.hashes.hash(tx, key, place);
        let mut values = [None; STEPS];
        let mut numbers = Numbers::default();
        let mut fresh = 0u64;
        if let Some((at, value)) = landed {
            let Some(value) = named_by(value) else { return };
            values[usize::from(at)] = Some(value);
            fresh = 1 << at;
            self.look_up(recipe, &call, fresh, &mut values, hash);
        }
        for (at, step) in recipe.steps.iter().enumerate() {
            let due = landed.is_none() || step.needs & fresh != 0;
            if !due || !step.is_followed(&call, &values) {
                continue;
            }
            let Some(location) = step.place.resolve(&call, &values, hash) else { continue };
            let (address, slot) = match location {
                Location::Account(address) => {
                    self.ask_ahead(Query::Account(address), tx.0, asks);
                    continue;
                }
                Location::Slot(address, slot) => (address, slot),
            };
            let account = numbers.get(self, address);
            let id = self.slots.intern(&SlotKey { account, generation: 0, slot });
            let asked = self.ask_slot(id, Query::Slot(address, slot), tx, asks);
            if recipe.wanted & 1 << at == 0 {
                continue;
            }
            let value = match asked {
                Asked::Known(value) => Some(value),
                Asked::Underway => self.value_or_wait(id, tx, at as u8),
                Asked::Failed => None,
            };
            if let Some(value) = value.and_then(named_by) {
                values[at] = Some(value);
                fresh |= 1 << at;
            }
        }
    }

    /// Finds what else those steps take that take one of the `fresh` values, as far as it is known.
    fn look_up(
        &self,
        recipe: &Recipe,
        call: &Call<'_>,
        fresh: u64,
        values: &mut [Option<U256>; STEPS],
        hash: impl Fn(U256, U256) -> U256,
    ) {
        let mut taken = 0;
        for (at, step) in recipe.steps.iter().enumerate().rev() {
            if step.needs & fresh != 0 || taken & 1 << at != 0 {
                taken |= step.needs;
            }
        }
        taken &= !fresh;
        for (at, step) in recipe.steps.iter().enumerate().filter(|(at, _)| taken & 1 << at != 0) {
            if let Some(Location::Slot(address, slot)) =
                step.place.resolve(call, &values[..], &hash)
                && let Target::Slot(id) = self.target_of(Query::Slot(address, slot))
            {
                let value = self.slots.entry(id).with_committed(|value| *value);
                values[at] = value.and_then(named_by);
            }
        }
    }

    fn ask_slot(&self, id: EntryId, query: Query, tx: TxIndex, asks: &mut Asks) -> Asked {
        if let Some(value) = self.slots.entry(id).with_committed(|value| *value) {
            return Asked::Known(value);
        }
        match self.at_hand(query) {
            Some(answer) => match answer.and_then(|answer| answer.into_slot(query)) {
                Ok(value) => Asked::Known(value),
                Err(_) => Asked::Failed,
            },
            None => {
                asks.push((Target::Slot(id), tx.0));
                Asked::Underway
            }
        }
    }

    /// The value, or notes that the forecast goes on when it lands. If a context finds it at hand meanwhile, nothing
    /// lands, and what follows from it is not foreseen.
    fn value_or_wait(&self, slot: EntryId, tx: TxIndex, step: u8) -> Option<U256> {
        let value = || self.slots.entry(slot).with_committed(|value| *value);
        match self.storage.calls.wait(slot, tx, step, || value().is_some()) {
            true => None,
            false => value(),
        }
    }

    /// Learns from a transaction that has ended what calls of its function read.
    pub(in super::super) fn learn_call(&self, tx: TxIndex, notes: &Notes, hashed: &Preimages) {
        let Some(call) = Call::of(&self.block.transactions[tx.get()].env) else { return };
        let slots = notes.slots.iter().filter_map(|(id, value)| {
            let SlotKey { account, generation, slot } = self.slots.key(*id)?;
            let address = *self.accounts.key_of_number(*account)?;
            (*generation == 0).then_some((Location::Slot(address, *slot), *value))
        });
        let env = &self.block.transactions[tx.get()].env;
        let named = |address| address == env.caller || Some(&address) == env.kind.to();
        let accounts = notes.accounts.iter().map(|note| note.address);
        let accounts = accounts.filter(|address| !named(*address));
        let accounts = accounts.map(|address| (Location::Account(address), U256::ZERO));
        let reads: Vec<_> = slots.chain(accounts).collect();
        self.storage.calls.learn(tx, |recipe| recipe.learn(&call, &reads, hashed));
    }
}
