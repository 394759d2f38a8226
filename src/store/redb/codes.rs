//! Code that was read lately, analysed and with its hash checked.
//!
//! Reading a code means hashing and analysing it, and most accounts that a block calls share few
//! codes with one another and with the blocks around. What a hash names never changes, so the
//! views of all states share one cache.

use alloy_primitives::B256;
use quick_cache::{
    DefaultHashBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use revm::bytecode::Bytecode;

/// What one entry takes beyond its code, about.
const ENTRY_BYTES: u64 = 200;
/// What one code has on average, about.
const USUAL_BYTES: u64 = 4096;

/// A code by its hash and its kind: the bytes of a delegation are ordinary code before Prague.
type Key = (B256, bool);

/// See the module.
pub(super) struct Codes(Cache<Key, Bytecode, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Bytecode> for Bytes {
    fn weight(&self, _: &Key, code: &Bytecode) -> u64 {
        // Analysed code has a bit of jump table per byte.
        let code = code.len() as u64;
        ENTRY_BYTES + code + code / 8
    }
}

impl Codes {
    /// A cache of about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = bytes as u64;
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).max(1);
        let hasher = DefaultHashBuilder::default();
        Self(Cache::with(entries, bytes, Bytes, hasher, DefaultLifecycle::default()))
    }

    pub(super) fn get(&self, hash: B256, delegation: bool) -> Option<Bytecode> {
        self.0.get(&(hash, delegation))
    }

    pub(super) fn put(&self, hash: B256, delegation: bool, code: Bytecode) {
        self.0.insert((hash, delegation), code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(byte: u8) -> (B256, Bytecode) {
        let code = Bytecode::new_legacy(vec![byte | 1; 1000 + usize::from(byte)].into());
        (code.hash_slow(), code)
    }

    #[test]
    fn no_more_is_kept_than_asked_for() {
        let codes = Codes::new(20_000);
        for byte in 0..200 {
            let (hash, analysed) = code(byte);
            codes.put(hash, false, analysed);
        }
        let kept = (0..200).filter(|byte| codes.get(code(*byte).0, false).is_some()).count();
        assert!((1..=20).contains(&kept), "{kept}");
        // Nothing at all is fine too.
        let codes = Codes::new(0);
        let (hash, analysed) = code(1);
        codes.put(hash, false, analysed);
        assert_eq!(codes.get(hash, false), None);
    }

    #[test]
    fn a_kind_of_code_is_not_the_other() {
        let codes = Codes::new(1 << 20);
        let (hash, analysed) = code(1);
        codes.put(hash, false, analysed);
        assert!(codes.get(hash, false).is_some());
        assert!(codes.get(hash, true).is_none());
    }
}
