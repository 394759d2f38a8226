//! Stock revm, as it comes: a second opinion on the reference, and a view of what runs.

use std::convert::Infallible;

use chorus::{
    evm::{
        Block, Invalid, TransactionOutcome,
        rules::{BlockSums, cfg_env},
    },
    store::MemoryStore,
};
use revm::{
    Context, DatabaseRef, InspectCommitEvm, Inspector, MainBuilder, MainContext,
    SystemCallCommitEvm,
    bytecode::Bytecode,
    context::{
        CfgEnv,
        result::{EVMError, ExecutionResult},
    },
    database::State,
    interpreter::{Interpreter, interpreter::EthInterpreter, interpreter_types::Jumps},
    primitives::{Address, B256, U256, hardfork::SpecId},
    state::AccountInfo,
};

/// How often each instruction ran.
#[derive(Clone, Debug)]
pub(crate) struct Instructions(pub(crate) [u64; 256]);

impl<CTX> Inspector<CTX, EthInterpreter> for Instructions {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CTX) {
        self.0[usize::from(interpreter.bytecode.opcode())] += 1;
    }
}

struct Db<'a> {
    block: &'a Block,
    store: &'a MemoryStore,
}

impl DatabaseRef for Db<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.store.get(&address).map(|account| account.info().clone()))
    }

    fn code_by_hash_ref(&self, _: B256) -> Result<Bytecode, Infallible> {
        unreachable!("accounts come with their code")
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.store.get(&address).map(|account| account.slot(slot)).unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.block.block_hashes[&number])
    }
}

/// A transaction's result, or why it is left out.
pub(crate) type Verdict = Result<ExecutionResult, Invalid>;

/// What chorus's outcome says of a transaction.
pub(crate) fn verdict(outcome: &TransactionOutcome) -> Verdict {
    match outcome {
        TransactionOutcome::Executed(executed) => Ok(executed.result.clone()),
        TransactionOutcome::Skipped(reason) => Err(reason.clone()),
    }
}

/// Runs the prologue's system calls and the transactions; invalid ones are left out.
pub(crate) fn run(
    block: &Block,
    store: &MemoryStore,
    instructions: &mut Instructions,
) -> Vec<Verdict> {
    let state = State::builder().with_database_ref(Db { block, store }).build();
    // EIP-161 is not for the database to know: the journal decides what becomes of empty accounts.
    let cfg: CfgEnv<SpecId> = cfg_env(block);
    let mut evm = Context::mainnet()
        .with_db(state)
        .with_block(block.env.clone())
        .with_cfg(cfg)
        .build_mainnet_with_inspector(instructions);
    let calls = [
        (super::generate::Who::System(0).address(), block.system.beacon_root),
        (super::generate::Who::System(1).address(), block.system.parent_hash),
    ];
    for (address, word) in calls {
        if let (Some(word), Some(_)) = (word, store.get(&address)) {
            evm.system_call_commit(address, word.into()).expect("a system call runs");
        }
    }
    let mut sums = BlockSums::default();
    let mut verdicts = Vec::new();
    for transaction in &block.transactions {
        let tx = &transaction.env;
        let verdict = sums.admit(block, tx).and_then(|()| {
            evm.inspect_tx_commit(tx.clone()).map_err(|error| match error {
                EVMError::Transaction(reason) => Invalid::Transaction(reason),
                error => panic!("neither result nor invalid transaction: {error}"),
            })
        });
        if let Ok(result) = &verdict {
            sums.add(tx, result);
        }
        verdicts.push(verdict);
    }
    verdicts
}
