//! One EVM on one state, reused for everything that happens in a block.

use alloy_primitives::{Address, Bytes, U256};
use revm::{
    Context, ExecuteEvm,
    context::{
        BlockEnv, CfgEnv, JournalTr, LocalContext, TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    handler::{Handler, SYSTEM_ADDRESS, SystemCallTx},
    primitives::hardfork::SpecId,
    state::EvmState,
};

use super::SequentialState;
use crate::{
    context::Control,
    evm::{
        Block, BlockError, CollisionJournal, Invalid, StateStore, StoreError,
        inner_loop::{self, FrameHandler},
        keccak::{self, SharedKeccakCache},
        rules::cfg_env,
        shared::{self, Diagnostic, Shared, SharedEvm, SharedJournal, SharedRegions, in_force},
        transfer::Transfers,
    },
    sync::Arc,
};

/// revm's context over a sequential state.
pub(crate) type SequentialContext<'a, S> = Context<
    BlockEnv,
    TxEnv,
    CfgEnv,
    SequentialState<'a, S>,
    CollisionJournal<SequentialState<'a, S>>,
    SharedKeccakCache<&'a Block>,
>;

/// Why a transaction or a system call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The transaction may not be in a block.
    Invalid(InvalidTransaction),
    /// The header fields cannot be executed.
    Environment(String),
    /// A read failed.
    Store(StoreError),
    /// Shared memory failed.
    Shared(String),
    /// revm gave up: a precompile failed in a way that no input explains.
    Fatal(String),
}

impl Failure {
    /// The block's error, for the transaction at this position.
    pub fn at(self, index: usize) -> BlockError {
        match self {
            Self::Invalid(reason) => {
                BlockError::Invalid { index, reason: Invalid::Transaction(reason) }
            }
            Self::Environment(message) => BlockError::Environment(message),
            Self::Store(error) => BlockError::Store { index, error },
            Self::Shared(reason) => BlockError::SharedMemory { index, reason },
            Self::Fatal(message) => BlockError::Panic { index, message },
        }
    }
}

impl From<EVMError<StoreError>> for Failure {
    fn from(error: EVMError<StoreError>) -> Self {
        match error {
            EVMError::Transaction(reason) => Self::Invalid(reason),
            EVMError::Header(reason) => Self::Environment(reason.to_string()),
            EVMError::Database(error) => Self::Store(error),
            EVMError::Custom(message) => Self::Fatal(message),
            EVMError::CustomAny(error) => Self::Fatal(error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// `to.clone_from(from)`, but without a temporary, and keeping the memory of lists.
#[inline]
pub(crate) fn copy_transaction(from: &TxEnv, to: &mut TxEnv) {
    // Named one by one, so that a field that revm adds cannot be forgotten.
    let TxEnv {
        tx_type,
        caller,
        gas_limit,
        gas_price,
        kind,
        value,
        data,
        nonce,
        chain_id,
        access_list,
        gas_priority_fee,
        blob_hashes,
        max_fee_per_blob_gas,
        authorization_list,
    } = from;
    to.tx_type = *tx_type;
    to.caller = *caller;
    to.gas_limit = *gas_limit;
    to.gas_price = *gas_price;
    to.kind = *kind;
    to.value = *value;
    to.data.clone_from(data);
    to.nonce = *nonce;
    to.chain_id = *chain_id;
    to.access_list.0.clone_from(&access_list.0);
    to.gas_priority_fee = *gas_priority_fee;
    to.blob_hashes.clone_from(blob_hashes);
    to.max_fee_per_blob_gas = *max_fee_per_blob_gas;
    to.authorization_list.clone_from(authorization_list);
}

/// What the engine leaves out where a block goes one by one. The sequential reference, to which everything is
/// compared, takes none of it.
pub(crate) struct Shortcuts {
    /// Which transactions do without revm, if any may.
    transfers: Option<Transfers>,
    /// Whether the beneficiary is paid past the journal by transactions that have not looked at it.
    defers_reward: bool,
}

impl Shortcuts {
    /// Those of a block, whose precompile of shared memory is given if that is in force.
    pub(crate) fn new(block: &Block, precompile: Option<Address>) -> Self {
        // Amsterdam's rules for what moves ether (EIP-7708) are not final.
        let defers_reward = !block.spec.is_enabled_in(SpecId::AMSTERDAM)
            && precompile != Some(block.env.beneficiary);
        Self { transfers: Transfers::new(block, precompile), defers_reward }
    }
}

/// An EVM set up for a block, and the block's state.
#[allow(missing_debug_implementations, reason = "revm's EVM has none that would help")]
pub struct Machine<'a, S: StateStore + ?Sized> {
    pub(crate) evm: SharedEvm<SequentialContext<'a, S>>,
    diagnostics: Vec<Diagnostic>,
    /// Which transactions do without revm, if any may.
    transfers: Option<Transfers>,
    defers_reward: bool,
}

impl<'a, S: StateStore + ?Sized> Machine<'a, S> {
    /// A machine at the beginning of the block.
    pub fn new(block: &'a Block, store: &'a S) -> Self {
        Self::with_shared(block, store, None)
    }

    /// A machine at the beginning of the block, with shared memory if that is in force by then.
    pub fn with_shared(block: &'a Block, store: &'a S, shared: Option<SharedRegions<'a>>) -> Self {
        Self::with_control(block, store, shared, None)
    }

    /// The same, with transactions that notice when `control` stops the block.
    pub(crate) fn with_control(
        block: &'a Block,
        store: &'a S,
        shared: Option<SharedRegions<'a>>,
        control: Option<Arc<Control>>,
    ) -> Self {
        let state_clear = block.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        let mut state = SequentialState::new(store, &block.block_hashes, state_clear);
        let config = in_force(shared.as_ref().map(|shared| &shared.config), block);
        if let (Some(shared), Some(config)) = (shared, &config) {
            state.set_regions(Address::new(config.precompile.0), shared.regions);
        }
        let mut shared = Shared::new(config);
        shared.watch(control);
        let journal = CollisionJournal::new(state).with_shared(shared);
        let hashes = SharedKeccakCache::default();
        hashes.borrow_mut().turn_to(Some(block));
        let context: SequentialContext<'a, S> = Context {
            block: block.env.clone(),
            tx: TxEnv::default(),
            cfg: CfgEnv::default(),
            journaled_state: journal,
            chain: hashes,
            local: LocalContext::default(),
            error: Ok(()),
        };
        // `with_cfg` tells the journal about the spec, which a field assignment would not.
        let evm = shared::build(context.with_cfg(cfg_env(block)));
        Self { evm, diagnostics: Vec::new(), transfers: None, defers_reward: false }
    }

    /// Makes room for what so many transactions bring, most of them a sender and a recipient of their
    /// own.
    pub(crate) fn expect(&mut self, transactions: usize) {
        self.state().reserve(2 * transactions + 8);
    }

    /// Takes shortcuts from now on.
    pub(crate) fn take_shortcuts(&mut self, shortcuts: Shortcuts) {
        let Shortcuts { transfers, defers_reward } = shortcuts;
        (self.transfers, self.defers_reward) = (transfers, defers_reward);
        keccak::install(&mut self.evm.instruction);
        let watched = self.evm.ctx.journaled_state.shared().is_watched();
        inner_loop::install(&mut self.evm.instruction, watched);
    }

    /// From now on it is this transaction of the block that asks for hashes.
    #[inline]
    pub(crate) fn begin(&mut self, index: usize) {
        self.evm.ctx.chain.borrow_mut().begin(index);
    }

    /// Runs a transaction of the block as [`transact`](Self::transact) does, or without revm
    /// if that is allowed.
    #[inline]
    pub(crate) fn execute(&mut self, tx: &TxEnv) -> Result<ExecutionResult, Failure> {
        if let Some(transfers) = &self.transfers
            && let Some(transfer) = transfers.plan(tx)
        {
            let beneficiary = self.evm.ctx.block.beneficiary;
            let state = self.evm.ctx.journaled_state.db_mut();
            if let Some(result) = state.transfer(transfers, &transfer, beneficiary)? {
                return Ok(result);
            }
        }
        self.transact(tx)
    }

    /// Runs a transaction and commits what it changed. A transaction that fails leaves no trace.
    ///
    /// # Errors
    ///
    /// See [`Failure`].
    #[inline]
    pub fn transact(&mut self, tx: &TxEnv) -> Result<ExecutionResult, Failure> {
        copy_transaction(tx, &mut self.evm.ctx.tx);
        let mut handler = FrameHandler::new(self.defers_reward);
        let result = handler.run(&mut self.evm);
        self.settle(result, handler.deferred())
    }

    /// Runs a transaction, whose changes stay in the journal.
    #[inline]
    pub(crate) fn run(&mut self, tx: &TxEnv) -> Result<ExecutionResult, EVMError<StoreError>> {
        copy_transaction(tx, &mut self.evm.ctx.tx);
        FrameHandler::default().run(&mut self.evm)
    }

    /// Calls a system contract, as the block and not a transaction does, and commits. `None` if
    /// there is no contract at the address.
    ///
    /// # Errors
    ///
    /// See [`Failure`]; a revert is not a failure but a result.
    pub fn system_call(
        &mut self,
        address: Address,
        data: Bytes,
    ) -> Result<Option<ExecutionResult>, Failure> {
        if self.state().account(address)?.is_none_or(|info| info.is_empty_code_hash()) {
            return Ok(None);
        }
        self.pause_shared(true);
        self.evm.ctx.tx = TxEnv::new_system_tx_with_caller(SYSTEM_ADDRESS, address, data);
        let result = FrameHandler::default().run_system_call(&mut self.evm);
        self.pause_shared(false);
        self.settle(result, None).map(Some)
    }

    /// What happens from now on is the block itself, which nothing stops.
    pub(crate) fn watch_no_more(&mut self) {
        self.evm.ctx.journaled_state.shared().watch(None);
    }

    /// Switches shared memory off for a system call, and on again.
    fn pause_shared(&mut self, paused: bool) {
        self.evm.ctx.journaled_state.pause_shared(paused);
        self.state().pause_regions(paused);
    }

    /// Which operations on shared memory failed in the last transaction.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// The block's state.
    pub fn state(&mut self) -> &mut SequentialState<'a, S> {
        self.evm.ctx.journaled_state.db_mut()
    }

    /// The block's state, when the machine is no longer needed.
    pub fn into_state(self) -> SequentialState<'a, S> {
        self.evm.ctx.journaled_state.into_database()
    }

    /// Commits what a finished run changed, with what the beneficiary is to be paid besides, or forgets it.
    #[inline]
    fn settle(
        &mut self,
        result: Result<ExecutionResult, EVMError<StoreError>>,
        reward: Option<U256>,
    ) -> Result<ExecutionResult, Failure> {
        // Read before anything is kept, as revm does it.
        let beneficiary = self.evm.ctx.block.beneficiary;
        let payee = match (&result, reward) {
            (Ok(_), Some(reward)) => self.state().payee(beneficiary).map(|at| Some((at, reward))),
            _ => Ok(None),
        };
        let (result, payee) = match payee {
            Ok(payee) => (result, payee),
            Err(error) => (Err(EVMError::Database(error)), None),
        };
        // What regions were changed by is kept before the rest: by then nothing may stop it.
        let failed = self.state().take_failure().map(Failure::Store);
        let keep = result.is_ok() && failed.is_none();
        let shared = self.evm.ctx.journaled_state.end_shared(keep);
        self.diagnostics = shared.diagnostics;
        if let (Some(effects), true) = (shared.effects, keep) {
            self.state().commit_regions(*effects);
        }
        let mut changes = self.evm.finalize();
        if let Some(failure) = failed {
            return Err(failure);
        }
        let result = self.commit(result, &mut changes)?;
        if let Some((payee, reward)) = payee {
            self.state().reward(beneficiary, payee, reward)?;
        }
        self.evm.ctx.journaled_state.recycle(changes);
        Ok(result)
    }

    #[inline]
    pub(crate) fn commit(
        &mut self,
        result: Result<ExecutionResult, EVMError<StoreError>>,
        changes: &mut EvmState,
    ) -> Result<ExecutionResult, Failure> {
        let state = self.evm.ctx.journaled_state.db_mut();
        if let Some(error) = state.take_failure() {
            return Err(Failure::Store(error));
        }
        if let Some(fault) = state.take_region_fault() {
            return Err(Failure::Shared(fault.to_string()));
        }
        let result = result?;
        state.commit(changes)?;
        Ok(result)
    }
}
