//! The functions that a block calls, and who waits for a value to go on.
//!
//! At first nothing is known of a function, and transactions that call it are passed over where others are
//! forecast. When the first of them has ended that read anything, the others are *late*: their forecasts are made up
//! for, lowest first. They go by a single call, which may have been one of a kind (one that was refused early, say), so
//! a transaction that waits all the same is forecast once more, by what is known then.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use alloy_primitives::Address;
use revm::context::TxEnv;
use smallvec::SmallVec;

use super::{
    place::Call,
    recipe::{Recipe, TRIALS},
};
use crate::{
    state::{EntryId, TxIndex},
    sync::{
        Arc, Mutex, RandomState,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

/// Of a transaction's word: its reads have been forecast.
const FORECAST: u32 = 1 << 31;
/// They were late, and it has not waited since.
const LATE: u32 = 1 << 30;

/// Transactions, each with a step of its function.
type Steps = SmallVec<[(TxIndex, u8); 1]>;

/// The functions of a block.
#[derive(Default)]
pub(in super::super) struct Calls {
    functions: Mutex<Functions>,
    /// By transaction: 0 if nothing is known of it, else one more than the number of its function, and
    /// [`FORECAST`] and [`LATE`].
    transactions: Box<[AtomicU32]>,
    /// By slot: the transactions, with the step, whose forecast goes on when its value is there.
    pending: Mutex<HashMap<EntryId, Steps, RandomState>>,
    /// By transaction: the steps whose value was waited for, as bits. Each is waited for once: of two values that land,
    /// each may lead to the same step, and so to twice as many at each step after it.
    waited: Box<[AtomicU64]>,
    /// Whose forecasts are to be made up for.
    late: Mutex<BinaryHeap<Reverse<TxIndex>>>,
    /// Whether there are any.
    any_late: AtomicBool,
}

#[derive(Default)]
struct Functions {
    numbers: HashMap<(Address, [u8; 4]), u32, RandomState>,
    all: Vec<Function>,
}

#[derive(Default)]
struct Function {
    calls: u32,
    recipe: Arc<Recipe>,
    /// Who calls it and was noted before anything was known.
    passed_over: Vec<TxIndex>,
}

impl Calls {
    /// For so many transactions.
    pub(in super::super) fn new(transactions: usize) -> Self {
        Self {
            transactions: (0..transactions).map(|_| AtomicU32::new(0)).collect(),
            waited: (0..transactions).map(|_| AtomicU64::new(0)).collect(),
            ..Self::default()
        }
    }

    /// Notes which function a transaction calls.
    pub(super) fn note(&self, tx: TxIndex, env: &TxEnv) {
        let Some(name) = Call::function(env) else { return };
        let mut functions = self.functions.lock();
        let Functions { numbers, all } = &mut *functions;
        let number = *numbers.entry(name).or_insert(all.len() as u32);
        if number as usize == all.len() {
            all.push(Function::default());
        }
        let function = &mut all[number as usize];
        function.calls += 1;
        if function.recipe.steps.is_empty() {
            function.passed_over.push(tx);
        }
        // Relaxed: whoever reads an older value learns and forecasts nothing.
        self.transactions[tx.get()].store(number + 1, Ordering::Relaxed);
    }

    /// What is known of the function that the transaction calls, if it was not asked for before.
    pub(super) fn begin_forecast(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        let recipe = self.recipe(tx)?;
        // Relaxed: who sets the bit forecasts, and nothing is handed over.
        let word = self.transactions[tx.get()].fetch_or(FORECAST, Ordering::Relaxed);
        (word & FORECAST == 0).then_some(recipe)
    }

    /// The same for a forecast that is late.
    pub(super) fn begin_late(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        let recipe = self.begin_forecast(tx)?;
        self.transactions[tx.get()].fetch_or(LATE, Ordering::Relaxed);
        Some(recipe)
    }

    /// The same for a transaction that waits, whose late forecast may have gone by too little.
    pub(super) fn begin_waiting(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        let word = self.transactions.get(tx.get())?;
        let late = word.load(Ordering::Relaxed) & LATE != 0;
        let again = late && word.fetch_and(!LATE, Ordering::Relaxed) & LATE != 0;
        if again { self.recipe(tx) } else { self.begin_forecast(tx) }
    }

    /// Whether the transaction's reads have been forecast.
    pub(in super::super) fn were_forecast(&self, tx: TxIndex) -> bool {
        // Relaxed: whoever reads an older value keeps for longer what came of the forecast.
        let word = self.transactions.get(tx.get());
        word.is_some_and(|word| word.load(Ordering::Relaxed) & FORECAST != 0)
    }

    /// What is known by now of the function of a transaction whose forecast goes on.
    pub(super) fn resume_forecast(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        self.recipe(tx)
    }

    fn recipe(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        let number = self.number(tx)?;
        let functions = self.functions.lock();
        let recipe = &functions.all[number].recipe;
        (!recipe.steps.is_empty()).then(|| recipe.clone())
    }

    /// The number of the function that the transaction calls.
    fn number(&self, tx: TxIndex) -> Option<usize> {
        // None of a block whose store said that it has everything at hand, and then had not.
        let word = self.transactions.get(tx.get())?.load(Ordering::Relaxed);
        Some((word & !(FORECAST | LATE)).checked_sub(1)? as usize)
    }

    /// Whether there is something to learn from the transaction, and a use for it.
    pub(in super::super) fn wants(&self, tx: TxIndex) -> bool {
        let Some(number) = self.number(tx) else { return false };
        let functions = self.functions.lock();
        let function = &functions.all[number];
        function.calls > 1 && function.recipe.trials < TRIALS
    }

    /// Learns from the transaction.
    pub(super) fn learn(&self, tx: TxIndex, learn: impl FnOnce(&mut Recipe)) {
        let Some(number) = self.number(tx) else { return };
        let mut functions = self.functions.lock();
        let function = &mut functions.all[number];
        learn(Arc::make_mut(&mut function.recipe));
        if function.recipe.steps.is_empty() {
            return;
        }
        let passed_over = std::mem::take(&mut function.passed_over);
        drop(functions);
        if !passed_over.is_empty() {
            let mut late = self.late.lock();
            late.extend(passed_over.into_iter().map(Reverse));
            // Relaxed: what it is about is under the lock.
            self.any_late.store(true, Ordering::Relaxed);
        }
    }

    /// Whether forecasts are to be made up for.
    #[inline]
    pub(in super::super) fn any_late(&self) -> bool {
        self.any_late.load(Ordering::Relaxed)
    }

    /// The lowest transactions whose forecasts are to be made up for, at most so many. Those below `frontier` have
    /// committed, and need none.
    pub(in super::super) fn take_late(
        &self,
        most: usize,
        frontier: TxIndex,
    ) -> SmallVec<[TxIndex; 16]> {
        let mut late = self.late.lock();
        let lowest = std::iter::from_fn(|| late.pop()).map(|lowest| lowest.0);
        let taken = lowest.filter(|tx| *tx >= frontier).take(most).collect();
        self.any_late.store(!late.is_empty(), Ordering::Relaxed);
        taken
    }

    /// Has the transaction's forecast go on when the slot's value is there, once for each step. `known` says that it
    /// is there already: then nothing is noted. Whoever puts it there does so before it [takes](Self::take).
    pub(super) fn wait(
        &self,
        slot: EntryId,
        tx: TxIndex,
        step: u8,
        known: impl FnOnce() -> bool,
    ) -> bool {
        let mut pending = self.pending.lock();
        if known() {
            return false;
        }
        // Relaxed: under the lock.
        if self.waited[tx.get()].fetch_or(1 << step, Ordering::Relaxed) & 1 << step == 0 {
            pending.entry(slot).or_default().push((tx, step));
        }
        true
    }

    /// Who waits for any of those slots.
    pub(super) fn take(
        &self,
        slots: impl Iterator<Item = EntryId>,
    ) -> SmallVec<[(EntryId, TxIndex, u8); 4]> {
        let mut pending = self.pending.lock();
        if pending.is_empty() {
            return SmallVec::new();
        }
        let waiting = slots.filter_map(|slot| Some((slot, pending.remove(&slot)?)));
        let each = |(slot, all): (EntryId, SmallVec<[(TxIndex, u8); 1]>)| {
            all.into_iter().map(move |(tx, step)| (slot, tx, step))
        };
        waiting.flat_map(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evm::machine::cells::AccountCell, state::Table};

    #[test]
    fn a_step_is_waited_for_once_however_many_values_lead_to_it() {
        let table = Table::<AccountCell>::new();
        let slots = [1, 2].map(|at| table.intern(&Address::repeat_byte(at)));
        let calls = Calls::new(2);
        let (tx, other) = (TxIndex(0), TxIndex(1));
        assert!(!calls.wait(slots[0], tx, 3, || true), "known");
        for _ in 0..4 {
            assert!(calls.wait(slots[0], tx, 3, || false));
        }
        assert!(calls.wait(slots[0], other, 3, || false) && calls.wait(slots[1], tx, 4, || false));
        let mut waiting = calls.take(slots.into_iter()).to_vec();
        waiting.sort_unstable();
        assert_eq!(waiting, [(slots[0], tx, 3), (slots[0], other, 3), (slots[1], tx, 4)]);
        assert!(calls.wait(slots[0], tx, 3, || false) && calls.take(slots.into_iter()).is_empty());
    }
}
