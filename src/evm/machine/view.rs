//! The world as one incarnation sees it: revm's database, answering from the multi-version state,
//! suspending where a lower transaction is about to write.

use std::{cell::RefCell, rc::Rc, task::Waker};

use alloy_primitives::{Address, B256, U256};
use corosensei::Yielder;
use revm::{
    Database,
    bytecode::Bytecode,
    database_interface::DBErrorMarker,
    state::{AccountId, AccountInfo},
};

use super::{
    EvmMachine,
    cells::{Account, SlotKey, field},
    fiber::{Command, Event},
    foresight::Preimages,
    guides::Guides,
    notes::Notes,
    places,
    prelude::Place,
    regions::RegionView,
    scout::Scouting,
    target::Target,
};
use crate::{
    context::Run,
    engine::shared::Trouble,
    evm::{StoreError, shared::put_on},
    observe::timeline,
    state::{Cell, Entry, Read, TxIndex},
    store::Query,
    sync::Arc,
};

/// Why an incarnation stops before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// Something it read has changed.
    #[error("a lower transaction changed what was read")]
    Doomed,
    /// The block ended.
    #[error("the block ended")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Shared memory failed.
    #[error(transparent)]
    Shared(#[from] Trouble),
}

impl DBErrorMarker for Stop {}

/// Where a context waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaiting {
    /// For what a transaction writes there.
    Version(Place),
    /// For what the store says.
    Answer(Target),
    /// For what becomes of a region.
    Registry,
}

/// The database of one coroutine.
pub(crate) struct View<'y> {
    pub(super) yielder: &'y Yielder<Command, Event>,
    pub(super) run: Option<Arc<Run<EvmMachine>>>,
    pub(super) tx: TxIndex,
    notes: Rc<RefCell<Notes>>,
    /// What the worker remembers of the block's tables.
    pub(super) guides: Rc<RefCell<Guides>>,
    pub(super) regions: RegionView,
    /// It only looks for what the transaction will read.
    pub(super) scouting: Option<Scouting>,
    /// What the transaction hashed, if something is to be learned from it.
    pub(super) preimages: Preimages,
    /// Whether the machine's instructions note what they hash.
    pub(super) sees_hashes: bool,
    /// Of the last transaction of this block that waited here for the store.
    pub(super) waker: Option<(TxIndex, Waker)>,
}

impl<'y> View<'y> {
    pub(crate) fn new(
        yielder: &'y Yielder<Command, Event>,
        notes: Rc<RefCell<Notes>>,
        guides: Rc<RefCell<Guides>>,
    ) -> Self {
        Self {
            yielder,
            run: None,
            tx: TxIndex(0),
            notes,
            guides,
            regions: RegionView::default(),
            scouting: None,
            preimages: Preimages::default(),
            sees_hashes: false,
            waker: None,
        }
    }

    /// Turns to a transaction.
    pub(crate) fn begin(&mut self, run: &Arc<Run<EvmMachine>>, tx: TxIndex) {
        if !self.run.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, run)) {
            self.guides.borrow_mut().turn_to(run);
            self.run = Some(run.clone());
            self.waker = None;
        }
        self.tx = tx;
        if self.sees_hashes {
            self.preimages.begin(run.machine.storage.calls.wants(tx));
            let guides = &mut *self.guides.borrow_mut();
            let remind = |slots: &[_]| run.machine.slots.remind(&mut guides.slots, slots);
            run.machine.storage.foreseen.with_slots(tx, remind);
        }
        self.regions.clear();
        self.notes.borrow_mut().clear();
    }

    /// Lets go of the block.
    pub(crate) fn end_block(&mut self) {
        self.run = None;
        self.waker = None;
        self.guides.borrow_mut().end_block();
    }

    pub(crate) fn run(&self) -> &Arc<Run<EvmMachine>> {
        self.run.as_ref().expect("a coroutine runs transactions of a block")
    }

    /// Stops an incarnation whose reads have changed under it. Called at every access, so that no
    /// doomed one goes on for long.
    pub(super) fn check(&mut self) -> Result<(), Stop> {
        if self.scouting.is_some() {
            return self.check_scouting();
        }
        let run = self.run();
        if run.scheduler.is_stopped() {
            return Err(Stop::Cancelled);
        }
        let phase = run.scheduler.phase(self.tx);
        if phase.is_stale() && phase.take_stale() {
            let notes = self.notes.borrow();
            if !run.machine.may_hold(self.tx, &notes) {
                self.note_doom(&notes);
                return Err(Stop::Doomed);
            }
        }
        Ok(())
    }

    /// Suspends until `writer` has published at that place.
    #[cold]
    pub(super) fn wait(&mut self, writer: TxIndex, place: Place) -> Result<(), Stop> {
        let run = self.run();
        self.note_wait(timeline::Wait::Transaction(writer.0), Awaiting::Version(place));
        if !run.scheduler.wait_for(writer, self.tx) {
            // It has published by now, or is just turning its versions into estimates.
            crate::sync::thread::yield_now();
            return self.check();
        }
        if let Some(prelude) = &run.machine.prelude {
            prelude.tell_wait(run, place);
        }
        self.pause()?;
        self.check()
    }

    /// Suspends as long as the location is contended and a lower transaction has looked at it that has not published.
    #[inline]
    pub(super) fn wait_for_rivals<C: Cell>(
        &mut self,
        entry: impl Fn(&EvmMachine) -> &Entry<C>,
        place: Place,
    ) -> Result<(), Stop>
    where
        C::Value: Default,
    {
        let mut waited = None;
        loop {
            let run = self.run();
            let published = |tx| run.scheduler.phase(tx).has_published();
            let rival = entry(&run.machine).rival(self.tx, waited, published);
            let Some(rival) = rival else { return Ok(()) };
            waited = Some(rival);
            self.wait(rival, place)?;
        }
    }

    /// Notes what the next suspension will be for, if the block is recorded. On the worker that runs
    /// the context, whose lane it is.
    #[cold]
    pub(super) fn note_wait(&self, wait: timeline::Wait, place: Awaiting) {
        let run = self.run();
        if let Some(recorder) = run.recorder() {
            let place = match place {
                Awaiting::Version(place) => place.into(),
                Awaiting::Answer(target) => run.machine.place_of(target),
                Awaiting::Registry => places::shared_memory(),
            };
            let event = timeline::Event::Awaits(self.tx.0, timeline::Awaited { wait, place });
            recorder.note(run.scheduler.owner(self.tx), event);
        }
    }

    /// Notes where the incarnation was wrong that stops now.
    #[cold]
    fn note_doom(&self, notes: &Notes) {
        let run = self.run();
        if let Some(recorder) = run.recorder() {
            let place = run.machine.find_conflict(self.tx, notes, false);
            let event = timeline::Event::Conflict(self.tx.0, place);
            recorder.note(run.scheduler.owner(self.tx), event);
        }
    }

    /// Suspends until woken.
    pub(crate) fn pause(&self) -> Result<(), Stop> {
        match self.yielder.suspend(Event::Waits) {
            Command::Cancel => Err(Stop::Cancelled),
            _ => Ok(()),
        }
    }

    /// Whether the account may be created as far as its storage goes (EIP-7610).
    pub(crate) fn storage_is_empty(&mut self, address: Address) -> Result<bool, Stop> {
        let wiped = {
            let mut notes = self.notes.borrow_mut();
            let seen = notes.account(None, address);
            seen.fields |= field::GENERATION;
            seen.generation != 0
        };
        // Storage written in this block belongs to an account with a nonce: only code writes.
        if wiped {
            return Ok(true);
        }
        let query = Query::HasStorage(address);
        let any = match self.run().machine.store.try_has_storage(address) {
            Some(any) => any?,
            None if self.scouting.is_some() => {
                self.discover(self.run().machine.target_of(query));
                false
            }
            None => self.fetch_kept(query)?.into_has_storage(query)?,
        };
        Ok(!any)
    }

    fn load_account(&mut self, address: Address) -> Result<(Account, usize), Stop> {
        let id = {
            let guides = &mut *self.guides.borrow_mut();
            self.run().machine.accounts.intern_by(&mut guides.accounts, &address)
        };
        let query = Query::Account(address);
        let mut account = loop {
            if self.scouting.is_some() {
                break self.guess_account(query, id);
            }
            let machine = &self.run().machine;
            let entry = machine.accounts.entry(id);
            let clone = |account: &Account| match self.run().workers() {
                1 => account.clone(),
                _ => self.guides.borrow_mut().codes.clone_account(id, account),
            };
            match entry.read_by(self.tx, clone) {
                Read::Value(account) => break account,
                Read::Unknown => {
                    let info = match machine.store.try_account(address) {
                        Some(info) => info?,
                        None => match self.fetch(Target::Account(id))? {
                            Some(answer) => answer.into_account(query)?,
                            None => continue,
                        },
                    };
                    let entry = self.run().machine.accounts.entry(id);
                    entry.fill(Account::from_info(info));
                }
                Read::Blocked(writer) => self.wait(writer, Place::Account(id))?,
            }
        };
        let machine = &self.run().machine;
        // At the frontier nothing is left to predict: a nonce that differs now is the answer, and
        // predicting it again would go on for ever, or be taken for seen.
        let settled = self.run().scheduler.cursor().frontier() == self.tx;
        let predicted = !settled && machine.predict_nonce(self.tx, address, &mut account);
        let mut notes = self.notes.borrow_mut();
        let at = notes.load(id, address, &account);
        if predicted {
            notes.accounts[at].seen.fields |= field::NONCE | field::PREDICTED;
        }
        drop(notes);
        Ok((account, at))
    }

    fn load_slot(&mut self, at: usize, address: Address, slot: U256) -> Result<U256, Stop> {
        let (key, code) = {
            let note = &mut self.notes.borrow_mut().accounts[at];
            note.seen.fields |= field::GENERATION;
            let account = note.id.get();
            (SlotKey { account, generation: note.seen.generation, slot }, note.seen.code_hash)
        };
        let id = {
            let guides = &mut *self.guides.borrow_mut();
            self.run().machine.slots.intern_by(&mut guides.slots, &key)
        };
        let query = Query::Slot(address, slot);
        if self.scouting.is_none() {
            self.wait_for_rivals(|machine| machine.slots.entry(id), Place::Slot(id))?;
        }
        let value = loop {
            if self.scouting.is_some() {
                break self.guess_slot(query, key, id);
            }
            let machine = &self.run().machine;
            let entry = machine.slots.entry(id);
            match entry.read(self.tx) {
                Read::Value(value) => break value,
                Read::Unknown if key.generation != 0 => entry.fill(U256::ZERO),
                Read::Unknown => {
                    let value = match machine.store.try_storage(address, slot) {
                        Some(value) => value?,
                        None => match self.fetch_slot(key, code, id)? {
                            Some(answer) => answer.into_slot(query)?,
                            None => continue,
                        },
                    };
                    self.run().machine.slots.entry(id).fill(value);
                }
                Read::Blocked(writer) => self.wait(writer, Place::Slot(id))?,
            }
        };
        self.notes.borrow_mut().slots.push((id, value));
        Ok(value)
    }
}

impl Database for View<'_> {
    type Error = Stop;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Stop> {
        self.check()?;
        let (account, at) = self.load_account(address)?;
        let mut info = account.into_loaded();
        if let Some(config) = self.run().machine.shared_config()
            && config.precompile.0 == address.0
        {
            info = put_on(info);
        }
        Ok(info.map(|mut info| {
            info.account_id = AccountId::new(at);
            info
        }))
    }

    fn code_by_hash(&mut self, _: B256) -> Result<Bytecode, Stop> {
        unreachable!("accounts come with their code")
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Stop> {
        self.check()?;
        let at = self.notes.borrow_mut().position(None, address);
        self.load_slot(at, address, slot)
    }

    fn storage_by_account_id(
        &mut self,
        address: Address,
        id: AccountId,
        slot: U256,
    ) -> Result<U256, Stop> {
        self.check()?;
        let at = self.notes.borrow_mut().position(Some(id), address);
        self.load_slot(at, address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Stop> {
        let machine = &self.run().machine;
        if let Some(hash) = machine.block.block_hashes.get(&number) {
            return Ok(*hash);
        }
        let query = Query::BlockHash(number);
        match machine.store.try_block_hash(number) {
            Some(hash) => Ok(hash?),
            None if self.scouting.is_some() => {
                self.discover(Target::BlockHash(number));
                Ok(B256::ZERO)
            }
            None => Ok(self.fetch_kept(query)?.into_block_hash(query)?),
        }
    }
}
