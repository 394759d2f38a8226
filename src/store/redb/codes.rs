//! Code that was read lately, analysed and with its hash checked.
//!
//! Most accounts that a block calls share few codes with one another and with the blocks around,
//! and reading a code means hashing and analysing it. What the hash names never changes, so views
//! of all states share one cache.
//!
//! Two generations bound it: what is used goes to the young one; when that has half of the bytes,
//! it becomes the old one, and what was old and not used meanwhile is forgotten.

use alloy_primitives::{B256, map::HashMap};
use revm::bytecode::Bytecode;

use crate::sync::Mutex;

/// A code by its hash and its kind: the bytes of a delegation are ordinary code before Prague.
type Key = (B256, bool);

/// See the module.
#[derive(Debug)]
pub(super) struct Codes {
    /// How many bytes one generation may have.
    half: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Bytecode>,
    /// Bytes of the young codes.
    bytes: usize,
    old: HashMap<Key, Bytecode>,
}

impl Codes {
    /// A cache of at most `bytes` of code.
    pub(super) fn new(bytes: usize) -> Self {
        Self { half: bytes / 2, generations: Mutex::default() }
    }

    pub(super) fn get(&self, hash: B256, delegation: bool) -> Option<Bytecode> {
        let key = (hash, delegation);
        let mut generations = self.generations.lock();
        if let Some(code) = generations.young.get(&key) {
            return Some(code.clone());
        }
        let code = generations.old.remove(&key)?;
        generations.add(key, code.clone(), self.half);
        Some(code)
    }

    pub(super) fn put(&self, hash: B256, delegation: bool, code: Bytecode) {
        self.generations.lock().add((hash, delegation), code, self.half);
    }
}

impl Generations {
    fn add(&mut self, key: Key, code: Bytecode, half: usize) {
        let bytes = code.original_byte_slice().len();
        if bytes > half || self.young.contains_key(&key) {
            return;
        }
        if self.bytes + bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.young.insert(key, code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(byte: u8) -> (B256, Bytecode) {
        let code = Bytecode::new_legacy(vec![byte; 10].into());
        (code.hash_slow(), code)
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        // Two codes in each generation.
        let codes = Codes::new(40);
        let (used, analysed) = code(0);
        codes.put(used, false, analysed);
        for byte in 1..20 {
            let (hash, analysed) = code(byte);
            codes.put(hash, false, analysed);
            assert!(codes.get(used, false).is_some(), "after {byte}");
        }
        let held = (0..20).filter(|byte| codes.get(code(*byte).0, false).is_some()).count();
        assert!(held <= 4, "{held}");
    }

    #[test]
    fn a_kind_of_code_is_not_the_other() {
        let codes = Codes::new(1000);
        let (hash, analysed) = code(1);
        codes.put(hash, false, analysed);
        assert!(codes.get(hash, true).is_none());
    }

    #[test]
    fn what_exceeds_a_generation_is_not_kept() {
        let codes = Codes::new(10);
        let (hash, analysed) = code(1);
        codes.put(hash, false, analysed);
        assert!(codes.get(hash, false).is_none());
    }
}
