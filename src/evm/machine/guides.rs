//! What a worker remembers of the tables of its block, of code that it called and of what it hashed. Its
//! coroutines share it: they take turns.

use super::{
    EvmMachine,
    cells::{AccountCell, SlotCell},
    codes::Codes,
};
use crate::{
    context::Run,
    evm::{Block, keccak::SharedKeccakCache},
    region::known::Known,
    state::Guide,
    sync::Arc,
};

/// The guides of one worker, for one block at a time.
#[derive(Default)]
pub(crate) struct Guides {
    /// Whose tables they belong to. Held, so that no other block has its address meanwhile.
    run: Option<Arc<Run<EvmMachine>>>,
    pub(super) accounts: Guide<AccountCell>,
    pub(super) slots: Guide<SlotCell>,
    /// Regions and pages.
    pub(super) regions: Known,
    /// What was hashed.
    pub(super) hashes: SharedKeccakCache<Arc<Block>>,
    /// Copies of code.
    pub(super) codes: Codes,
}

impl Guides {
    /// From now on they are used for this block.
    pub(super) fn turn_to(&mut self, run: &Arc<Run<EvmMachine>>) {
        if !self.run.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, run)) {
            self.end_block();
            self.hashes.borrow_mut().turn_to(Some(run.machine.block.clone()));
            self.run = Some(run.clone());
        }
    }

    /// Lets go of the block.
    pub(super) fn end_block(&mut self) {
        if self.run.take().is_some() {
            self.accounts.forget();
            self.slots.forget();
            self.regions.forget();
            self.hashes.borrow_mut().turn_to(None);
            self.codes.forget();
        }
    }
}
