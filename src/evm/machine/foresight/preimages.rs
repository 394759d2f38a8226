//! What a transaction hashed.
//!
//! Solidity puts the entry of a mapping at the hash of its key and the mapping's own place, 64 bytes. Who
//! sees those bytes knows how a slot's number came about. They are noted while a function is being
//! learned, in blocks over a slow store, where hashes that a forecast has computed are not computed again;
//! in others, hashes are remembered and guessed (`keccak`).

use alloy_primitives::U256;
use revm::{
    bytecode::opcode as op,
    context::JournalTr,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, interpreter::EthInterpreter,
    },
};

use super::super::handler::{EvmContext, PooledEvm};
use crate::evm::keccak;

/// How many hashes are noted of one transaction.
const MOST: usize = 128;
/// Bytes of a key and a place.
const LENGTH: usize = 64;
/// How far behind the place of an entry its last field may lie.
const FIELDS: U256 = U256::from_limbs([32, 0, 0, 0]);

/// Hashes of two words, if they are wanted.
#[derive(Debug, Default)]
pub(in super::super) struct Preimages {
    wanted: bool,
    hashes: Vec<Hashed>,
}

/// The hash of a key and a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed {
    pub(super) key: U256,
    pub(super) place: U256,
    pub(super) hash: U256,
}

impl Preimages {
    /// Forgets all, and notes from now on what is hashed, or not.
    pub(in super::super) fn begin(&mut self, wanted: bool) {
        self.wanted = wanted;
        self.hashes.clear();
    }

    /// Whether they are noted.
    pub(in super::super) fn are_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn note(&mut self, hashed: Hashed) {
        if self.hashes.len() < MOST {
            self.hashes.push(hashed);
        }
    }

    /// The hash that `slot` is, or lies a few fields behind.
    pub(super) fn find(&self, slot: U256) -> Option<(Hashed, u8)> {
        self.hashes.iter().rev().find_map(|hashed| {
            let field = slot.wrapping_sub(hashed.hash);
            (field < FIELDS).then(|| (*hashed, field.to::<u8>()))
        })
    }
}

/// Replaces the instruction that hashes. What it costs stays.
pub(in super::super) fn install(evm: &mut PooledEvm<'_>) {
    let table = evm.instruction.instruction_table_mut();
    table[op::KECCAK256 as usize] = Instruction::new(keccak256);
}

fn keccak256(
    context: InstructionContext<'_, EvmContext<'_>, EthInterpreter>,
) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let wanted = match &interpreter.stack.data()[..] {
        [.., length, offset] if *length == U256::from(LENGTH) => {
            host.journaled_state.db().preimages.are_wanted().then_some(*offset)
        }
        _ => None,
    };
    let context = InstructionContext { interpreter: &mut *interpreter, host: &mut *host };
    keccak::instruction_beside(context, |host, input| {
        let (key, place) = words(input)?;
        let view = host.journaled_state.db();
        view.run().machine.storage.foreseen.find(view.tx, key, place)
    })?;
    if let Some(offset) = wanted
        && let Ok(offset) = usize::try_from(offset)
        && let Some(hash) = interpreter.stack.data().last()
        && let Some((key, place)) = words(&interpreter.memory.slice_len(offset, LENGTH))
    {
        let hashed = Hashed { key, place, hash: *hash };
        host.journaled_state.db_mut().preimages.note(hashed);
    }
    Ok(())
}

/// Key and place, if those are what is hashed.
fn words(input: &[u8]) -> Option<(U256, U256)> {
    let [key, place] = input.as_chunks::<32>().0 else { return None };
    (input.len() == LENGTH).then(|| (U256::from_be_bytes(*key), U256::from_be_bytes(*place)))
}
