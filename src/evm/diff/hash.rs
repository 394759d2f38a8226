//! A hash of a state diff that an outsider can recompute.

use alloy_primitives::{Address, B256, Keccak256};

use crate::evm::{AccountChange, StateDiff};

impl StateDiff {
    /// keccak-256 of the accounts of the diff, one after another in ascending order of their
    /// addresses, each encoded as follows. Integers are big-endian.
    ///
    /// | bytes | field |
    /// |---|---|
    /// | 20 | address |
    /// | 1 | flags, see below |
    /// | 32, if flag 3 | new balance |
    /// | 8, if flag 4 | new nonce |
    /// | 32, if flag 5 | keccak-256 of the new code |
    /// | 4 | number of changed slots |
    /// | 64 each | changed slots in ascending order: slot, new value |
    ///
    /// | flag | value | meaning |
    /// |---|---|---|
    /// | 0 | 1 | wiped: the account existed before the block and was destroyed within it |
    /// | 1 | 2 | deleted: it existed before the block and does not after it |
    /// | 2 | 4 | created: it did not exist before the block and does after it |
    /// | 3 | 8 | the balance differs from before the block |
    /// | 4 | 16 | the nonce differs |
    /// | 5 | 32 | the code differs |
    ///
    /// For an account that was created or wiped, a field differs if it is not the empty account's,
    /// and a slot is changed if it is not zero. A deleted account has flags 0 and 1, no field, and 0
    /// slots. The hash of an empty diff is that of no bytes.
    pub fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        let mut buffer = Vec::with_capacity(256);
        for (address, change) in &self.accounts {
            buffer.clear();
            encode(address, change, &mut buffer);
            hasher.update(&buffer);
        }
        hasher.finalize()
    }
}

fn encode(address: &Address, change: &AccountChange, out: &mut Vec<u8>) {
    let flags = u8::from(change.wiped)
        | u8::from(change.deleted) << 1
        | u8::from(change.created) << 2
        | u8::from(change.balance.is_some()) << 3
        | u8::from(change.nonce.is_some()) << 4
        | u8::from(change.code.is_some()) << 5;
    out.extend_from_slice(address.as_slice());
    out.push(flags);
    if let Some(balance) = change.balance {
        out.extend_from_slice(&balance.to_be_bytes::<32>());
    }
    if let Some(nonce) = change.nonce {
        out.extend_from_slice(&nonce.to_be_bytes());
    }
    if let Some((hash, _)) = &change.code {
        out.extend_from_slice(hash.as_slice());
    }
    out.extend_from_slice(&(change.storage.len() as u32).to_be_bytes());
    for (slot, value) in &change.storage {
        out.extend_from_slice(&slot.to_be_bytes::<32>());
        out.extend_from_slice(&value.to_be_bytes::<32>());
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{U256, b256, hex, keccak256};
    use revm::bytecode::Bytecode;

    use super::*;

    #[test]
    fn an_empty_diff_hashes_to_the_keccak_of_nothing() {
        let nothing = b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(StateDiff::default().hash(), nothing);
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let code = Bytecode::new_legacy(hex!("00").into());
        let changed = AccountChange {
            wiped: true,
            balance: Some(U256::from(0x1234)),
            nonce: Some(7),
            code: Some((code.hash_slow(), code)),
            storage: vec![(U256::from(1), U256::from(2)), (U256::from(3), U256::MAX)],
            ..Default::default()
        };
        let deleted = AccountChange { wiped: true, deleted: true, ..Default::default() };
        let diff = StateDiff {
            accounts: vec![
                (Address::repeat_byte(0x11), changed),
                (Address::repeat_byte(0x22), deleted),
            ],
        };
        let bytes = hex!(
            "1111111111111111111111111111111111111111"
            "39"
            "0000000000000000000000000000000000000000000000000000000000001234"
            "0000000000000007"
            "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"
            "00000002"
            "0000000000000000000000000000000000000000000000000000000000000001"
            "0000000000000000000000000000000000000000000000000000000000000002"
            "0000000000000000000000000000000000000000000000000000000000000003"
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "2222222222222222222222222222222222222222"
            "03"
            "00000000"
        );
        assert_eq!(diff.hash(), keccak256(bytes));
    }
}
