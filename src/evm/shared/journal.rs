//! What shared memory asks of a journal, and the part that each journal holds for it.
//!
//! Checkpoints of the journal are checkpoints of the session, from the session's creation on. It is
//! created by the transaction's first operation, so a transaction without one pays a branch for each
//! checkpoint, and nothing else.

use alloy_primitives::Address;
use revm::{Database, Journal, context::JournalTr, state::EvmState};

use super::{
    code::take_off,
    diagnostic::{Diagnostic, MOST_DIAGNOSTICS},
};
use crate::{
    context::Control,
    region::{
        Call, Fault, Operation, Output, Session,
        config::ChainConfig,
        direct::DirectRegions,
        session::{Effects, Plan},
        world::World,
    },
    sync::Arc,
};

/// A database that knows the regions before the transaction.
pub trait RegionSource: Database {
    /// The regions as the transaction finds them; `None` without shared memory.
    fn regions(&mut self) -> Option<&mut dyn World> {
        None
    }

    /// Suspends until the regions have what they were asked for. `false`: they never will.
    fn wait_for_regions(&mut self) -> bool {
        false
    }

    /// Why the regions stopped the transaction, if they did.
    fn take_region_failure(&mut self) -> Option<Self::Error> {
        None
    }
}

/// Shared memory for a block that runs one transaction after another.
#[derive(Debug)]
pub struct SharedRegions<'a> {
    /// What the chain fixes. Whether it is active in the block is looked up there.
    pub config: Arc<ChainConfig>,
    /// The regions before the block, and after it as far as it got.
    pub regions: &'a mut DirectRegions,
}

/// A journal through which a transaction uses shared memory.
pub trait SharedJournal: JournalTr<Database: RegionSource> {
    /// The journal's part for shared memory, and the database that knows the regions.
    fn shared_and_database(&mut self) -> (&mut Shared, &mut Self::Database);

    /// The journal's part for shared memory.
    #[inline]
    fn shared(&mut self) -> &mut Shared {
        self.shared_and_database().0
    }

    /// Analyses an operation, after whatever waiting that takes. Never [`Fault::Wait`]; after
    /// [`Fault::Stop`] there may be a reason in [`SharedJournal::take_shared_failure`].
    ///
    /// # Errors
    ///
    /// [`Fault`].
    fn shared_analyse(&mut self, call: &Call, operation: &Operation) -> Result<Plan, Fault> {
        let depth = self.depth();
        let (shared, database) = self.shared_and_database();
        shared.analyse(database, depth, call, operation)
    }

    /// Has the session do what it can without the world, if the transaction has a session and may go
    /// on. `None` if that was nothing.
    #[inline]
    fn shared_at_once<R>(&mut self, act: impl FnOnce(&mut Session) -> Option<R>) -> Option<R> {
        let (shared, database) = self.shared_and_database();
        shared.at_once(database, act)
    }

    /// Why the last [`Fault::Stop`] was, for the context's host error.
    fn take_shared_failure(&mut self) -> Option<<Self::Database as Database>::Error> {
        self.shared_and_database().1.take_region_failure()
    }
}

/// A journal's part for shared memory.
#[derive(Debug, Default)]
pub struct Shared {
    config: Option<Arc<ChainConfig>>,
    /// That of `config`, at hand because every account that is loaded is compared with it.
    precompile: Option<Address>,
    paused: bool,
    session: Option<Box<Session>>,
    /// An empty one of the same chain, for the next transaction.
    spare: Option<Box<Session>>,
    diagnostics: Vec<Diagnostic>,
    /// The transaction has met the precompile's account.
    met: bool,
    /// What stops the block, if anything can.
    control: Option<Arc<Control>>,
}

/// What a transaction leaves of its use of shared memory.
#[derive(Debug, Default)]
pub struct SharedEnd {
    /// What it saw and did; `None` if it did not use shared memory.
    pub effects: Option<Box<Effects>>,
    /// What failed.
    pub diagnostics: Vec<Diagnostic>,
}

impl Shared {
    /// The part of a journal for blocks in which shared memory is active, or not.
    #[must_use]
    pub fn new(config: Option<Arc<ChainConfig>>) -> Self {
        let precompile = config.as_ref().map(|config| Address::new(config.precompile.0));
        Self { config, precompile, ..Self::default() }
    }

    /// What the chain fixes, where shared memory can be used.
    #[inline]
    #[must_use]
    pub fn active(&self) -> Option<&Arc<ChainConfig>> {
        self.config.as_ref().filter(|_| !self.paused)
    }

    /// Makes instructions that poll heed `control` from now on, or nothing. An EVM has such
    /// instructions if there is a control when it is [built](super::build).
    pub(crate) fn watch(&mut self, control: Option<Arc<Control>>) {
        self.control = control;
    }

    /// Whether there is a control to heed.
    pub(crate) fn is_watched(&self) -> bool {
        self.control.is_some()
    }

    /// Whether the block has been stopped.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.is_raised())
    }

    /// Switches shared memory off for a while: system calls do without.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Where the precompile answers, if it does in this block.
    #[inline]
    #[must_use]
    pub fn precompile(&self) -> Option<Address> {
        self.precompile
    }

    /// Warms the precompile's address in the journal when a transaction first meets it, for this
    /// transaction only: revm looks every address up in a hash set once there is a warm one beyond its
    /// first few hundred, which cost 3 % of a plain transfer's instructions.
    #[inline]
    pub fn meet<DB: Database>(&mut self, address: Address, stock: &mut Journal<DB>) {
        if self.precompile == Some(address) {
            self.meet_now(address, stock);
        }
    }

    #[cold]
    fn meet_now<DB: Database>(&mut self, address: Address, stock: &mut Journal<DB>) {
        if !std::mem::replace(&mut self.met, true) {
            let mut warm = stock.inner.warm_addresses.precompiles().clone();
            warm.insert(address);
            stock.inner.warm_addresses.set_precompile_addresses(&warm);
        }
    }

    /// Takes back what meeting the precompile's account did, from the journal and from the state that
    /// the transaction leaves.
    #[inline]
    pub fn part<DB: Database>(&mut self, state: &mut EvmState, stock: &mut Journal<DB>) {
        if std::mem::take(&mut self.met)
            && let Some(precompile) = self.precompile()
        {
            take_off(state, precompile);
            let mut warm = stock.inner.warm_addresses.precompiles().clone();
            warm.remove(&precompile);
            stock.inner.warm_addresses.set_precompile_addresses(&warm);
        }
    }

    /// The transaction's session, if it has used shared memory.
    #[inline]
    pub fn session(&mut self) -> Option<&mut Session> {
        self.session.as_deref_mut()
    }

    /// Carries out a plan that moves no bytes.
    pub fn execute(&mut self, plan: Plan) -> Output {
        self.session.as_mut().map_or(Output::Done, |session| session.execute(plan))
    }

    /// Carries out a read: the first [`Plan::bytes`] bytes of `into` are set.
    pub fn read(&mut self, plan: Plan, into: &mut [u8]) -> Output {
        self.session.as_mut().map_or(Output::Bytes(0), |session| session.read(plan, into))
    }

    /// Carries out a write of the first [`Plan::bytes`] bytes of `data`.
    pub fn write(&mut self, plan: Plan, data: &[u8]) -> Output {
        self.session.as_mut().map_or(Output::Bytes(0), |session| session.write(plan, data))
    }

    /// Carries out an exec as far as the region goes: its bytes.
    pub fn code(&mut self, plan: Plan) -> Vec<u8> {
        self.session.as_mut().map_or_else(Vec::new, |session| session.code(plan))
    }

    /// Follows the journal: a frame begins.
    #[inline]
    pub fn checkpoint(&mut self) {
        if let Some(session) = &mut self.session {
            session.checkpoint(true);
        }
    }

    /// Follows the journal: a frame ends well.
    #[inline]
    pub fn commit(&mut self) {
        if let Some(session) = &mut self.session {
            session.commit();
        }
    }

    /// Follows the journal: a frame is undone.
    #[inline]
    pub fn revert(&mut self) {
        if let Some(session) = &mut self.session {
            session.revert();
        }
    }

    /// Analyses an operation over what a database knows, in a journal with `depth` open checkpoints.
    /// Notes why, if it fails.
    ///
    /// # Errors
    ///
    /// [`Fault`], but not to wait.
    pub fn analyse<DB: RegionSource>(
        &mut self,
        database: &mut DB,
        depth: usize,
        call: &Call,
        operation: &Operation,
    ) -> Result<Plan, Fault> {
        let Some(config) = self.config.as_ref().filter(|_| !self.paused) else {
            return Err(Fault::Stop);
        };
        let spare = &mut self.spare;
        let session = self.session.get_or_insert_with(|| match spare.take() {
            Some(mut session) => {
                session.begin_at(depth);
                session
            }
            None => Box::new(Session::new(config.clone(), depth)),
        });
        debug_assert_eq!(session.depth(), depth, "checkpoints of journal and session go together");
        let result = loop {
            let Some(world) = database.regions() else { return Err(Fault::Stop) };
            match session.analyse(world, call, operation) {
                Err(Fault::Wait) if database.wait_for_regions() => {}
                Err(Fault::Wait) => break Err(Fault::Stop),
                result => break result,
            }
        };
        if let Err(Fault::Failed { error, .. }) = &result
            && self.diagnostics.len() < MOST_DIAGNOSTICS
        {
            self.diagnostics.push(Diagnostic {
                depth: call.frame,
                actor: Address::new(call.actor.0),
                operation: operation.kind(),
                error: error.clone(),
            });
        }
        result
    }

    /// Has the session do what it can without the world. `None` if that was nothing, or if the
    /// database would not have the transaction go on.
    #[inline]
    pub fn at_once<DB: RegionSource, R>(
        &mut self,
        database: &mut DB,
        act: impl FnOnce(&mut Session) -> Option<R>,
    ) -> Option<R> {
        self.active()?;
        let session = self.session.as_deref_mut()?;
        database.regions()?;
        act(session)
    }

    /// Ends the transaction's session. With `keep`, for a transaction that was executed, what it did
    /// and did not revert stands.
    #[inline]
    pub fn end(&mut self, keep: bool) -> SharedEnd {
        SharedEnd {
            effects: self.session.take().map(|mut session| {
                let (effects, is_small) = session.end(keep);
                self.spare = is_small.then_some(session);
                Box::new(effects)
            }),
            diagnostics: std::mem::take(&mut self.diagnostics),
        }
    }

    /// Drops what a transaction left that nobody asked for.
    #[inline]
    pub fn discard(&mut self) {
        if self.session.is_some() || !self.diagnostics.is_empty() {
            if let Some(mut session) = self.session.take() {
                self.spare = session.clear().then_some(session);
            }
            self.diagnostics.clear();
        }
    }
}
