//! The block, the multi-version state its transactions run on, and what is committed of it.

use std::hash::BuildHasher;

use alloy_primitives::Address;
use crossbeam_utils::CachePadded;
use hashbrown::{HashTable, hash_table::Entry};

use super::{
    batch::{Batch, Progress},
    cells::{Account, AccountCell, SlotCell},
    notes::Notes,
    prelude::Prelude,
    seen::Seen,
    storage::Storage,
    trace::Trace,
};
use crate::{
    engine::{Feed, shared::SharedBlock},
    evm::{
        Block, InvalidPolicy, StateStore, Transaction, TransactionOutcome,
        adapt::{Credit, Mark},
        diff::Pieces,
        reading::Reading,
        rules::BlockSums,
        sequential::Done,
        transfer::Transfers,
    },
    region::{
        change::RegionSums,
        config::ChainConfig,
        versions::{BlockRegions, RegionTrace},
    },
    state::{EntryId, Table, TxIndex, left_out, places},
    sync::{Arc, Mutex, OnceCell, OnceLock, RandomState, atomic::AtomicBool},
};

/// The EVM with the block it executes.
pub(crate) struct EvmMachine {
    pub(crate) block: Arc<Block>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) storage: Storage,
    pub(crate) accounts: Table<AccountCell>,
    pub(crate) slots: Table<SlotCell>,
    pub(super) beneficiary: EntryId,
    /// Whether the sender of each transaction has sent one before, once somebody has asked.
    sent_before: OnceLock<Box<[bool]>>,
    pub(super) policy: InvalidPolicy,
    /// Apart from what is only read while the block runs: each commit writes it.
    pub(super) committed: CachePadded<Mutex<Committed>>,
    pub(crate) prelude: Option<Box<Prelude>>,
    /// Shared memory, if it is in force in the block.
    pub(crate) shared: Option<SharedBlock>,
    /// Which of the transactions are plain transfers, if they can be told.
    pub(super) transfers: Option<Transfers>,
    /// Where the accounts of the transfers are that somebody has looked ahead at.
    pub(super) seen: Seen,
    /// Who wants the outcomes as they commit.
    pub(crate) feed: Option<Feed<TransactionOutcome>>,
    /// The transactions below this one were executed before.
    pub(crate) first: TxIndex,
    /// How many transactions a worker takes together.
    pub(crate) batch: Batch,
    /// When to stop speculating, if that is left to the engine.
    pub(crate) credit: Option<Credit>,
    /// Where the workers were when they were first held to their tempo, if anybody holds them to one.
    pub(super) mark: Mutex<Option<Mark>>,
    /// Whether it was stopped because the workers were slower than one by one. Read when they have left.
    pub(crate) behind: AtomicBool,
    /// The pieces of the block's diff, once nothing changes any more.
    pub(crate) pieces: OnceCell<Pieces>,
}

/// What the commit cursor has produced so far.
#[derive(Default)]
pub(crate) struct Committed {
    pub(crate) transactions: Vec<TransactionOutcome>,
    pub(crate) sums: BlockSums,
    pub(crate) regions: RegionSums,
    /// Whether the beneficiary's account is known: it stays so.
    pub(super) beneficiary_known: bool,
}

/// Over a slow store a transaction that may use so much gas more is expected to look at one slot more. An index for too
/// few asks for a cache line more of most keys, one for too many for pages that are hardly used: over a fast store blocks
/// of less than 10 ms took up to 3 % longer with what their first transactions looked at as a measure, and no block less.
const GAS_OF_SLOT: u64 = 8_000;
/// What a transaction uses that looks at none.
const GAS_OF_NONE: u64 = 21_000;
/// No transaction is expected to look at more.
const MOST_SLOTS: u64 = 32;

/// How many slots a transaction may look at.
fn slots_of(tx: &Transaction) -> u64 {
    (tx.env.gas_limit.saturating_sub(GAS_OF_NONE) / GAS_OF_SLOT).min(MOST_SLOTS)
}

impl EvmMachine {
    pub(crate) fn new(
        block: Arc<Block>,
        store: Arc<dyn StateStore>,
        policy: InvalidPolicy,
        shared: Option<SharedBlock>,
        reading: &Reading,
    ) -> Self {
        let storage = Storage::new(&*store, reading, block.transactions.len());
        // A sender each.
        let transactions = block.transactions.len();
        let accounts = Table::expecting(transactions);
        let slots = match storage.is_slow() {
            true => {
                let most = block.env.gas_limit / GAS_OF_SLOT;
                block.transactions.iter().map(slots_of).sum::<u64>().min(most) as usize
            }
            false => 2 * transactions,
        };
        let address = block.env.beneficiary;
        let beneficiary = accounts.intern(&address);
        let precompile = shared.as_ref().map(|shared| shared.regions.config().precompile);
        let transfers = Transfers::new(&block, precompile.map(|bytes| Address::new(bytes.0)));
        let turns = transfers.is_some() && !storage.is_slow();
        let seen = Seen::new(if turns { transactions } else { 0 });
        let committed = CachePadded::new(Mutex::new(Committed {
            transactions: Vec::with_capacity(block.transactions.len()),
            ..Committed::default()
        }));
        Self {
            block,
            store,
            storage,
            accounts,
            slots: Table::expecting(slots),
            beneficiary,
            sent_before: OnceLock::new(),
            policy,
            committed,
            prelude: None,
            shared,
            transfers,
            seen,
            feed: None,
            first: TxIndex(0),
            batch: Batch::default(),
            credit: None,
            mark: Mutex::default(),
            behind: AtomicBool::new(false),
            pieces: OnceCell::new(),
        }
    }

    /// Leaves out the first transactions, which were executed before.
    pub(crate) fn begin_after(&mut self, done: Done, regions: RegionSums) {
        let Done { sums, transactions, .. } = done;
        self.first = TxIndex(transactions.len() as u32);
        let committed = self.committed.get_mut();
        (committed.sums, committed.transactions, committed.regions) = (sums, transactions, regions);
        let (committed, gas) = (self.first.0, sums.gas_used);
        self.credit = self.credit.map(|credit| credit.from(committed, gas));
        self.batch.begin_after(Progress { committed, gas, wasted: 0 });
    }

    /// Notes the outcome of the transaction that commits.
    pub(super) fn push(&self, committed: &mut Committed, outcome: TransactionOutcome) {
        if let Some(feed) = &self.feed {
            feed.push(&outcome);
        }
        committed.transactions.push(outcome);
    }

    pub(crate) fn take_committed(&self) -> Committed {
        std::mem::take(&mut *self.committed.lock())
    }

    /// What is large of it and nobody's outside of the block. The host's block and store are let go of.
    pub(crate) fn into_tables(self) -> impl Send {
        (self.accounts, self.slots)
    }

    /// What the chain fixes of shared memory, if it is in force in the block.
    pub(crate) fn shared_config(&self) -> Option<&Arc<ChainConfig>> {
        self.shared.as_ref().map(|shared| shared.regions.config())
    }

    /// The regions, with what an incarnation left of them.
    pub(super) fn regions_of<'a>(
        &'a self,
        trace: &'a Trace,
    ) -> Option<(&'a BlockRegions, &'a RegionTrace)> {
        Some((&*self.shared.as_ref()?.regions, trace.regions.as_deref()?))
    }

    /// Gives the sender of `tx` the nonce it will have when its earlier transactions are through.
    pub(super) fn predict_nonce(
        &self,
        tx: TxIndex,
        address: Address,
        account: &mut Account,
    ) -> bool {
        let env = &self.block.transactions[tx.get()].env;
        let predict =
            address == env.caller && account.nonce < env.nonce && self.has_sent_before(tx);
        if predict {
            account.nonce = env.nonce;
            account.exists = true;
        }
        predict
    }

    /// Whether the sender of `tx` has sent an earlier transaction of the block.
    fn has_sent_before(&self, tx: TxIndex) -> bool {
        let sent = || {
            let transactions = &self.block.transactions;
            // What stands at the prelude's place sends nothing, whatever its sender's address.
            let nothing = usize::from(self.prelude.is_some());
            let hasher = RandomState::default();
            let caller = |at: u32| &transactions[at as usize].env.caller;
            let mut senders = HashTable::with_capacity(transactions.len());
            let mut sent: Box<[bool]> = vec![false; transactions.len()].into();
            for (at, sent) in sent.iter_mut().enumerate().skip(nothing) {
                let at = at as u32;
                let rehash = |other: &u32| hasher.hash_one(caller(*other));
                let same = |other: &u32| caller(*other) == caller(at);
                match senders.entry(rehash(&at), same, rehash) {
                    Entry::Occupied(_) => *sent = true,
                    Entry::Vacant(place) => drop(place.insert(at)),
                }
            }
            sent
        };
        match self.sent_before.get() {
            Some(sent) => sent[tx.get()],
            // Who asks at the same time does not wait, and comes to the same.
            None => {
                let sent = sent();
                let before = sent[tx.get()];
                let _ = self.sent_before.set(sent);
                before
            }
        }
    }

    /// Whether the observations may yet hold, going by what is published below `tx`.
    pub(super) fn may_hold(&self, tx: TxIndex, notes: &Notes) -> bool {
        notes.accounts.iter().all(|note| self.accounts.entry(note.id).may_hold(tx, &note.seen))
            && notes.slots.iter().all(|(id, seen)| self.slots.entry(*id).may_hold(tx, seen))
    }

    pub(super) fn withdraw(&self, tx: TxIndex, trace: &Trace, told: &mut Vec<TxIndex>) {
        if let Some((shared, regions)) = self.regions_of(trace) {
            shared.withdraw(tx, regions, None, told);
        }
        for (id, _) in &trace.accounts {
            self.accounts.entry(*id).withdraw(tx, told);
        }
        for (id, _) in &trace.slots {
            self.slots.entry(*id).withdraw(tx, told);
        }
    }

    /// Withdraws what `previous` wrote and `trace` does not.
    pub(super) fn withdraw_rest(
        &self,
        tx: TxIndex,
        trace: &Trace,
        previous: &Trace,
        told: &mut Vec<TxIndex>,
    ) {
        if let Some((shared, regions)) = self.regions_of(previous) {
            shared.withdraw(tx, regions, trace.regions.as_deref(), told);
        }
        for id in left_out(places(&previous.accounts), places(&trace.accounts)) {
            self.accounts.entry(id).withdraw(tx, told);
        }
        for id in left_out(places(&previous.slots), places(&trace.slots)) {
            self.slots.entry(id).withdraw(tx, told);
        }
    }
}
