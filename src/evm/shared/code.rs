//! The one byte of code at the precompile's address.
//!
//! Solidity looks whether there is code before it calls, and catches no error where there is none. So
//! while a transaction runs, the account has the byte 0x00 (STOP, which never runs: the precompile
//! answers first). It is put on when a journal loads the account, and taken off when the journal is
//! finalised, so no state ever has it. An account that has code of its own keeps that.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, b256};
use revm::{
    bytecode::Bytecode,
    state::{AccountInfo, EvmState},
};

/// keccak256(0x00)
const CODE_HASH: B256 = b256!("bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a");

/// Puts the byte on an account that has no code, whether or not it exists.
pub(crate) fn put_on(info: Option<AccountInfo>) -> Option<AccountInfo> {
    let mut info = info.unwrap_or_default();
    if info.code_hash == KECCAK256_EMPTY {
        info.code_hash = CODE_HASH;
        info.code = Some(Bytecode::new_legacy(Bytes::from_static(&[0])));
    }
    Some(info)
}

/// Takes the byte off again.
pub(crate) fn take_off(state: &mut EvmState, precompile: Address) {
    if let Some(account) = state.get_mut(&precompile)
        && account.info.code_hash == CODE_HASH
    {
        account.info.code_hash = KECCAK256_EMPTY;
        account.info.code = Some(Bytecode::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_byte() {
        assert_eq!(alloy_primitives::keccak256([0]), CODE_HASH);
    }
}
