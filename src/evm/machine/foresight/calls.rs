//! The functions that a block calls, and who waits for a value to go on.

use std::collections::HashMap;

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
        atomic::{AtomicU32, Ordering},
    },
};

/// Of a transaction's word: its reads have been forecast.
const FORECAST: u32 = 1 << 31;

/// Transactions, each with a step of its function.
type Steps = SmallVec<[(TxIndex, u8); 1]>;

/// The functions of a block.
#[derive(Default)]
pub(in super::super) struct Calls {
    functions: Mutex<Functions>,
    /// By transaction: 0 if nothing is known of it, else one more than the number of its function, and
    /// [`FORECAST`].
    transactions: Box<[AtomicU32]>,
    /// By slot: the transactions, with the step, whose forecast goes on when its value is there.
    pending: Mutex<HashMap<EntryId, Steps, RandomState>>,
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
}

impl Calls {
    /// For so many transactions.
    pub(in super::super) fn new(transactions: usize) -> Self {
        let transactions = (0..transactions).map(|_| AtomicU32::new(0)).collect();
        Self { transactions, ..Self::default() }
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
        all[number as usize].calls += 1;
        // Relaxed: whoever reads an older value learns and forecasts nothing.
        self.transactions[tx.get()].store(number + 1, Ordering::Relaxed);
    }

    /// What is known of the function that the transaction calls, if it was not asked for before.
    pub(super) fn begin_forecast(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        let recipe = self.recipe(tx, true)?;
        self.transactions[tx.get()].fetch_or(FORECAST, Ordering::Relaxed);
        Some(recipe)
    }

    /// Whether the transaction's reads have been forecast.
    pub(in super::super) fn were_forecast(&self, tx: TxIndex) -> bool {
        // Relaxed: whoever reads an older value keeps for longer what came of the forecast.
        let word = self.transactions.get(tx.get());
        word.is_some_and(|word| word.load(Ordering::Relaxed) & FORECAST != 0)
    }

    /// What is known by now of the function of a transaction whose forecast goes on.
    pub(super) fn resume_forecast(&self, tx: TxIndex) -> Option<Arc<Recipe>> {
        self.recipe(tx, false)
    }

    fn recipe(&self, tx: TxIndex, fresh: bool) -> Option<Arc<Recipe>> {
        let word = self.transactions[tx.get()].load(Ordering::Relaxed);
        if fresh && word & FORECAST != 0 {
            return None;
        }
        let number = (word & !FORECAST).checked_sub(1)?;
        let functions = self.functions.lock();
        let recipe = &functions.all[number as usize].recipe;
        (recipe.trials > 0).then(|| recipe.clone())
    }

    /// Whether there is something to learn from the transaction, and a use for it.
    pub(in super::super) fn wants(&self, tx: TxIndex) -> bool {
        let word = self.transactions[tx.get()].load(Ordering::Relaxed);
        let Some(number) = (word & !FORECAST).checked_sub(1) else { return false };
        let functions = self.functions.lock();
        let function = &functions.all[number as usize];
        function.calls > 1 && function.recipe.trials < TRIALS
    }

    /// Learns from the transaction.
    pub(super) fn learn(&self, tx: TxIndex, learn: impl FnOnce(&mut Recipe)) {
        let word = self.transactions[tx.get()].load(Ordering::Relaxed);
        let Some(number) = (word & !FORECAST).checked_sub(1) else { return };
        let mut functions = self.functions.lock();
        learn(Arc::make_mut(&mut functions.all[number as usize].recipe));
    }

    /// Has the transaction's forecast go on when the slot's value is there. `known` says that it is there
    /// already: then nothing is noted. Whoever puts it there does so before it [takes](Self::take).
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
        pending.entry(slot).or_default().push((tx, step));
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
