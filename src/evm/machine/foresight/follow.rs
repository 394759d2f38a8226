//! Following the recipes of several transactions side by side.
//!
//! A step of a recipe takes a hash or two and a look into the table of slots, which mostly misses the processor's
//! caches. Of several transactions the hashes are computed eight at a time, and the lines of the table come together.
//!
//! ```text
//!  calls ─► steps that can be taken ─► hashed, level by level ─► entries ─► asked for
//!              ▲                                                    │ values at hand that others take
//!              └────────────────────────────────────────────────────┘
//! ```

use std::ops::Range;

use alloy_primitives::{Address, U256};
use smallvec::SmallVec;

use super::{
    super::{
        EvmMachine,
        cells::SlotKey,
        target::{Asks, Target},
    },
    place::{Call, Keys, Location, Unhashed, behind, named_by},
    preimages::Hashed,
    recipe::Recipe,
};
use crate::{
    evm::keccak,
    state::{EntryId, TxIndex},
    store::Query,
    sync::Arc,
};

/// Slots that a transaction reads which others do not: for so many there is room from the first on.
const USUAL: usize = 16;
/// How many transactions are followed side by side.
const TOGETHER: usize = 8;

/// What is to be followed.
pub(super) struct Forecast {
    pub(super) tx: TxIndex,
    pub(super) recipe: Arc<Recipe>,
    /// Whether it may have been followed before, so that part of what is hashed now was hashed then.
    pub(super) again: bool,
    /// A step whose value has landed: those follow that take it. `None`: from the beginning.
    pub(super) landed: Option<(u8, U256)>,
}

/// How far one transaction is followed.
struct Course<'a> {
    tx: TxIndex,
    recipe: &'a Recipe,
    call: Call<'a>,
    /// Whether part of what is hashed next may have been hashed before.
    hashed: bool,
    /// What was read at the steps, as far as it is known.
    values: Range<usize>,
    /// The steps that are taken next, as bits.
    due: u64,
    /// Those that have named something: none does so twice, though it may take several values.
    taken: u64,
}

/// A slot that a step names.
struct Lookup {
    course: usize,
    step: usize,
    contract: Address,
    /// As far as it is hashed.
    slot: U256,
    keys: Keys,
}

/// What came of asking for a slot.
enum Asked {
    /// Its value is known.
    Known(U256),
    /// It is on its way.
    Underway,
    /// The store has an error at hand.
    Failed,
}

/// The numbers of contracts, most of which have several slots.
#[derive(Default)]
struct Numbers(SmallVec<[(Address, u32); 16]>);

impl Numbers {
    fn get(&mut self, machine: &EvmMachine, address: Address) -> u32 {
        match self.0.iter().rev().find(|(known, _)| *known == address) {
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
    /// Follows recipes, and queues what they name.
    pub(super) fn follow(&self, forecasts: &[Forecast], asks: &mut Asks) {
        forecasts.chunks(TOGETHER).for_each(|some| self.follow_together(some, asks));
    }

    fn follow_together(&self, forecasts: &[Forecast], asks: &mut Asks) {
        let mut values = Vec::with_capacity(forecasts.iter().map(|f| f.recipe.steps.len()).sum());
        let courses =
            forecasts.iter().filter_map(|forecast| self.begin_course(forecast, &mut values));
        let mut courses: SmallVec<[_; TOGETHER]> = courses.collect();
        let mut numbers = Numbers::default();
        let mut lookups = Vec::with_capacity(courses.len() * USUAL);
        let mut accounts = Vec::with_capacity(courses.len() * USUAL);
        loop {
            for (at, course) in courses.iter_mut().enumerate() {
                self.take_steps(at, course, &values, &mut lookups, &mut accounts);
            }
            self.ask_ahead_together(&mut accounts, asks);
            if lookups.is_empty() {
                return;
            }
            self.hash_keys(&courses, &mut lookups);
            lookups.iter().for_each(|lookup| courses[lookup.course].hashed = true);
            let key = |lookup: &Lookup| SlotKey {
                account: numbers.get(self, lookup.contract),
                generation: 0,
                slot: lookup.slot,
            };
            let ids = self.intern_foreseen(lookups.iter().map(key));
            let mut left = &ids[..];
            for of_one in lookups.chunk_by(|one, other| one.course == other.course) {
                let (own, others) = left.split_at(of_one.len());
                self.storage.foreseen.note_slots(courses[of_one[0].course].tx, own);
                left = others;
            }
            for (lookup, id) in lookups.drain(..).zip(ids) {
                let course = &mut courses[lookup.course];
                if let Some(value) = self.ask_for(&lookup, id, course, asks) {
                    values[course.values.start + lookup.step] = Some(value);
                    course.due |= course.recipe.needing(1 << lookup.step);
                }
            }
        }
    }

    /// The entries of slots that are foreseen.
    fn intern_foreseen(&self, keys: impl Iterator<Item = SlotKey>) -> SmallVec<[EntryId; 32]> {
        let fresh = &self.storage.fresh;
        // Nobody waits for another's misses: who comes meanwhile has places of its own.
        let mut own = fresh.lock().pop().unwrap_or_default();
        let ids = self.slots.intern_several_at(&mut own, keys);
        if !own.is_empty() {
            fresh.lock().push(own);
        }
        ids
    }

    /// Begins to follow a transaction. `None`: there is nothing to follow.
    fn begin_course<'a>(
        &'a self,
        forecast: &'a Forecast,
        values: &mut Vec<Option<U256>>,
    ) -> Option<Course<'a>> {
        let Forecast { tx, recipe, again, landed } = forecast;
        let call = Call::of(&self.block.transactions[tx.get()].env)?;
        let from = values.len();
        values.resize(from + recipe.steps.len(), None);
        let due = match landed {
            None => u64::MAX,
            Some((step, value)) => {
                let own = &mut values[from..];
                own[usize::from(*step)] = Some(named_by(*value)?);
                self.look_up(*tx, recipe, &call, 1 << step, own);
                recipe.needing(1 << step)
            }
        };
        let (tx, hashed, values) = (*tx, *again, from..values.len());
        Some(Course { tx, recipe, call, hashed, values, due, taken: 0 })
    }

    /// Takes the steps that are due, as far as nothing is hashed.
    fn take_steps(
        &self,
        at: usize,
        course: &mut Course<'_>,
        values: &[Option<U256>],
        lookups: &mut Vec<Lookup>,
        accounts: &mut Vec<(Query, u32)>,
    ) {
        let steps = &course.recipe.steps;
        let mut due = std::mem::take(&mut course.due) & !course.taken;
        let values = &values[course.values.clone()];
        while due != 0 {
            let step = due.trailing_zeros() as usize;
            due &= due - 1;
            let Some(named) = steps.get(step) else { return };
            if !named.is_followed(&course.call, values) {
                continue;
            }
            let Some(place) = named.place.unhashed(&course.call, values) else { continue };
            course.taken |= 1 << step;
            match place {
                Unhashed::Account(address) => {
                    accounts.push((Query::Account(address), course.tx.0));
                }
                Unhashed::Slot(contract, slot, keys) => {
                    lookups.push(Lookup { course: at, step, contract, slot, keys });
                }
            }
        }
    }

    /// Hashes the slots, level by level.
    fn hash_keys(&self, courses: &[Course<'_>], lookups: &mut [Lookup]) {
        let foreseen = &self.storage.foreseen;
        // Which lookup needs which pair, and the pairs, of which those of one transaction differ.
        let mut missing = Vec::with_capacity(lookups.len());
        let mut pairs = Vec::with_capacity(lookups.len());
        for level in 0.. {
            let (mut any, mut of, mut own) = (false, usize::MAX, 0);
            for (at, lookup) in lookups.iter_mut().enumerate() {
                let Some((key, field)) = lookup.keys.get(level).copied() else { continue };
                any = true;
                if lookup.course != of {
                    (of, own) = (lookup.course, pairs.len());
                }
                let course = &courses[lookup.course];
                let known = || foreseen.known(course.tx, key, lookup.slot);
                match course.hashed.then(known).flatten() {
                    Some(hash) => lookup.slot = behind(hash, field),
                    None => {
                        let pair = (key, lookup.slot);
                        let same = pairs[own..].iter().position(|other| *other == pair);
                        missing.push((at, field, same.map_or(pairs.len(), |same| own + same)));
                        if same.is_none() {
                            pairs.push(pair);
                        }
                    }
                }
            }
            if !any {
                return;
            }
            let hashes: Vec<U256> = keccak::entries(&pairs).collect();
            let course = |(at, ..): &(usize, u8, usize)| lookups[*at].course;
            for own in missing.chunk_by(|one, other| course(one) == course(other)) {
                // The first of a transaction's needs a pair of its own.
                let (from, end) = (own[0].2, own.iter().fold(0, |end, own| end.max(own.2 + 1)));
                let fresh = pairs[from..end].iter().zip(&hashes[from..end]);
                let fresh = fresh.map(|(&(key, place), &hash)| Hashed { key, place, hash });
                foreseen.add(courses[course(&own[0])].tx, fresh);
            }
            for (at, field, pair) in missing.drain(..) {
                lookups[at].slot = behind(hashes[pair], field);
            }
            pairs.clear();
        }
    }

    /// Asks for a slot. Says what it holds if that is known and other steps take it.
    fn ask_for(
        &self,
        lookup: &Lookup,
        id: EntryId,
        course: &Course<'_>,
        asks: &mut Asks,
    ) -> Option<U256> {
        let asked = self.ask_slot(id, Query::Slot(lookup.contract, lookup.slot), course.tx, asks);
        if course.recipe.wanted & 1 << lookup.step == 0 {
            return None;
        }
        let value = match asked {
            Asked::Known(value) => Some(value),
            Asked::Underway => self.value_or_wait(id, course.tx, lookup.step as u8),
            Asked::Failed => None,
        };
        value.and_then(named_by)
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

    /// Finds what else those steps take that take one of the `fresh` values, as far as it is known.
    fn look_up(
        &self,
        tx: TxIndex,
        recipe: &Recipe,
        call: &Call<'_>,
        fresh: u64,
        values: &mut [Option<U256>],
    ) {
        let hash = |key, place| self.storage.foreseen.hash(tx, key, place);
        let mut taken = 0;
        for (at, step) in recipe.steps.iter().enumerate().rev() {
            if step.needs & fresh != 0 || taken & 1 << at != 0 {
                taken |= step.needs;
            }
        }
        taken &= !fresh;
        for (at, step) in recipe.steps.iter().enumerate().filter(|(at, _)| taken & 1 << at != 0) {
            if let Some(Location::Slot(address, slot)) = step.place.resolve(call, values, hash)
                && let Target::Slot(id) = self.target_of(Query::Slot(address, slot))
            {
                let value = self.slots.entry(id).with_committed(|value| *value);
                values[at] = value.and_then(named_by);
            }
        }
    }
}
