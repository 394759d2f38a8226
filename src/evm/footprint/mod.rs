//! What a block's transactions read and write and when: the block as [`sim`] takes it.
//!
//! ```text
//!   block ──► one transaction after another, over a database that notes (noting) ──► sim::Block
//! ```
//!
//! There are two ways to see what transactions share ([`Accounts`]). As the EVM machine does: balances and
//! nonces are merged and predicted and hardly ever bring a transaction to fall, so of an account only
//! its code and its existence as a contract count; a transaction that looks at a balance as a number is
//! taken for one that does not. Or as [`Profile`](super::limit::Profile) does, to which an account is one
//! value: that gives longer chains.
//!
//! Two passes are made and the second one's times kept: the first finds everything cold.

mod noting;

use std::collections::{HashMap, HashSet};

use alloy_primitives::Address;
use revm::{
    ExecuteEvm,
    context::{
        CfgEnv, Context, JournalTr, LocalContext, TxEnv,
        result::{EVMError, ExecutionResult},
    },
    handler::Handler,
    state::{Account, EvmState},
};

use self::noting::{Loaded, Noting};
use super::{
    Block, BlockError, CollisionJournal, StateStore, StoreError,
    inner_loop::FrameHandler,
    limit::{self, Beside},
    machine::batch,
    rules::cfg_env,
    sequential::{Failure, Machine},
    shared::{self, Shared, in_force},
};
use crate::{engine::SharedMemory, sim, sync::time::Duration};

/// Where in a transaction something is read of which only the maker of the block knows.
const BESIDE_AT: f64 = 0.5;

/// What of an account transactions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Its code. Balances are merged, nonces predicted.
    AsMerged,
    /// All of it, as one value; nothing of the beneficiary's.
    AsValues,
}

/// Runs the block twice and records its transactions. One that the block has no room for, or that
/// is invalid, reads, writes and takes nothing. `beside` is what the transactions read and write
/// besides, if their maker knows.
///
/// The times are those of a sequential run that takes notes: give it better ones by
/// [`sim::Block::set_times`].
///
/// # Errors
///
/// Any [`BlockError`] but an invalid transaction.
pub fn record<S: StateStore + ?Sized>(
    block: &Block,
    store: &S,
    memory: Option<&SharedMemory>,
    beside: &[Beside],
    accounts: Accounts,
) -> Result<sim::Block, BlockError> {
    let config = in_force(memory.map(SharedMemory::chain), block);
    let mut transactions = Vec::new();
    for _pass in 0..2 {
        let mut numbers = Numbers::default();
        transactions = vec![sim::Transaction::default(); block.transactions.len()];
        limit::run(block, store, memory, |machine, index, tx| {
            let shared = Shared::new(config.clone());
            let (result, taken) = transact(machine, block, shared, accounts, tx);
            if result.is_ok() {
                let empty = Beside::default();
                let beside = beside.get(index).unwrap_or(&empty);
                transactions[index] = taken.transaction(&mut numbers, beside);
            }
            result
        })?;
    }
    for (index, transaction) in transactions.iter_mut().enumerate() {
        transaction.batch = batch(&block.transactions[index..]);
    }
    Ok(sim::Block { transactions })
}

/// Locations as numbers.
#[derive(Default)]
struct Numbers {
    known: HashMap<Key, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Loaded(Loaded),
    Beside(u64),
}

impl Numbers {
    fn of(&mut self, key: Key) -> sim::Location {
        let next = self.known.len() as u32;
        sim::Location(*self.known.entry(key).or_insert(next))
    }
}

/// What is taken down of one transaction.
struct Taken {
    loads: Vec<(Loaded, Duration)>,
    writes: Vec<Loaded>,
    work: Duration,
}

impl Taken {
    fn transaction(self, numbers: &mut Numbers, beside: &Beside) -> sim::Transaction {
        let mut reads: Vec<_> =
            self.loads.into_iter().map(|(loaded, at)| (Key::Loaded(loaded), at)).collect();
        let halfway = self.work.mul_f64(BESIDE_AT);
        reads.extend(beside.reads.iter().map(|number| (Key::Beside(*number), halfway)));
        reads.sort_by_key(|(_, at)| *at);
        let mut seen = HashSet::new();
        reads.retain(|(key, _)| seen.insert(*key));
        let read = |(key, at): (Key, Duration)| sim::Read {
            location: numbers.of(key),
            at: at.min(self.work),
        };
        let reads = reads.into_iter().map(read).collect();
        let writes = self.writes.into_iter().map(Key::Loaded);
        let writes = writes.chain(beside.writes.iter().copied().map(Key::Beside));
        let mut writes: Vec<_> = writes.map(|key| numbers.of(key)).collect();
        writes.sort_unstable();
        writes.dedup();
        sim::Transaction { work: self.work, reads, writes, batch: 1 }
    }
}

/// Runs a transaction on an EVM of its own, over a database that notes, and commits it.
fn transact<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    shared: Shared,
    accounts: Accounts,
    tx: &TxEnv,
) -> (Result<ExecutionResult, Failure>, Taken) {
    let journal = CollisionJournal::new(Noting::new(machine.state())).with_shared(shared);
    let context: Context<_, TxEnv, CfgEnv, _, _> = Context {
        block: block.env.clone(),
        tx: tx.clone(),
        cfg: CfgEnv::default(),
        journaled_state: journal,
        chain: (),
        local: LocalContext::default(),
        error: Ok(()),
    };
    let mut evm = shared::build(context.with_cfg(cfg_env(block)));
    evm.ctx.journaled_state.db_mut().begin();
    let result: Result<ExecutionResult, EVMError<StoreError>> =
        FrameHandler::default().run(&mut evm);
    let work = evm.ctx.journaled_state.db_mut().elapsed();
    let ended = evm.ctx.journaled_state.end_shared(result.is_ok());
    let mut changes = evm.finalize();
    let mut loads = evm.ctx.journaled_state.into_database().loads;
    let beneficiary = block.env.beneficiary;
    if accounts == Accounts::AsValues {
        loads.retain(|(loaded, _)| *loaded != Loaded::Account(beneficiary));
    }
    let taken = Taken { loads, writes: writes(&changes, beneficiary, accounts), work };
    if let (Some(effects), true) = (ended.effects, result.is_ok()) {
        machine.state().commit_regions(*effects);
    }
    (machine.commit(result, &mut changes), taken)
}

/// What the final state of a transaction writes that others can conflict with.
fn writes(state: &EvmState, beneficiary: Address, accounts: Accounts) -> Vec<Loaded> {
    let is_written = match accounts {
        Accounts::AsMerged => replaces_code,
        Accounts::AsValues => limit::is_written,
    };
    let mut writes = Vec::new();
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        if *address != beneficiary && is_written(account) {
            writes.push(Loaded::Account(*address));
        }
        for (key, slot) in &account.storage {
            if slot.is_changed() {
                writes.push(Loaded::Slot(*address, *key));
            }
        }
    }
    writes
}

/// Whether more of the account changes than its balance and nonce.
fn replaces_code(account: &Account) -> bool {
    account.is_created()
        || account.is_selfdestructed()
        || account.info.code_hash != account.original_info().code_hash
}
