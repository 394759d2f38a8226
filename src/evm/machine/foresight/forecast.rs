//! Asking for what transactions will probably read, and learning it.

use alloy_primitives::U256;
use smallvec::SmallVec;

use super::{
    super::{EvmMachine, cells::SlotKey, notes::Notes, target::Asks},
    follow::Forecast,
    place::{Call, Location},
    preimages::Preimages,
};
use crate::state::{EntryId, TxIndex};

impl EvmMachine {
    /// Notes the functions that transactions call, and queues what they will probably read.
    pub(in super::super) fn foresee_calls(
        &self,
        transactions: impl Iterator<Item = TxIndex>,
        asks: &mut Asks,
    ) {
        let forecast = |tx: TxIndex| {
            self.storage.calls.note(tx, &self.block.transactions[tx.get()].env);
            self.storage.calls.begin_forecast(tx).map(|recipe| Forecast {
                tx,
                recipe,
                again: false,
                landed: None,
            })
        };
        let forecasts: SmallVec<[_; 16]> = transactions.filter_map(forecast).collect();
        self.follow(&forecasts, asks);
    }

    /// Queues what transactions will probably read of which nothing was known when they were noted.
    pub(in super::super) fn catch_up(&self, transactions: &[TxIndex], asks: &mut Asks) {
        let forecast = |tx: &TxIndex| {
            let recipe = self.storage.calls.begin_late(*tx)?;
            Some(Forecast { tx: *tx, recipe, again: false, landed: None })
        };
        let forecasts: SmallVec<[_; 16]> = transactions.iter().filter_map(forecast).collect();
        self.follow(&forecasts, asks);
    }

    /// Queues what a transaction that waits will probably read, if there is something to go by and it was not done
    /// before. The caller starts the reads.
    pub(in super::super) fn forecast(&self, tx: TxIndex, asks: &mut Asks) {
        if let Some(recipe) = self.storage.calls.begin_waiting(tx) {
            self.follow(&[Forecast { tx, recipe, again: true, landed: None }], asks);
        }
    }

    /// Goes on with the forecasts that waited for those slots, whose values are there.
    pub(in super::super) fn go_on_forecasting(
        &self,
        asks: &mut Asks,
        slots: impl Iterator<Item = EntryId>,
    ) {
        let forecast = |(slot, tx, step): (EntryId, TxIndex, u8)| {
            let value = self.slots.entry(slot).with_committed(|value| *value)?;
            let recipe = self.storage.calls.resume_forecast(tx)?;
            Some(Forecast { tx, recipe, again: true, landed: Some((step, value)) })
        };
        let waiting = self.storage.calls.take(slots).into_iter();
        let forecasts: SmallVec<[_; 16]> = waiting.filter_map(forecast).collect();
        self.follow(&forecasts, asks);
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
