//! The contracts of `tests/contracts` as blocks hold them: bytecode, calldata and slot numbers.
//!
//! Slot numbers are those of the storage layout in `tests/contracts/README.md`.

use alloy_primitives::{Address, Bytes, U256, hex, keccak256};
use revm::bytecode::Bytecode;

/// Slots of `Erc20.sol`.
pub(super) mod erc20 {
    pub(in super::super) const SUPPLY: u64 = 0;
    pub(in super::super) const BALANCES: u64 = 1;
    pub(in super::super) const ALLOWANCES: u64 = 2;
}

/// Slots of `Pair.sol`.
pub(super) mod pair {
    pub(in super::super) const SHARES: u64 = 0;
    pub(in super::super) const TOKEN0: u64 = 3;
    pub(in super::super) const TOKEN1: u64 = 4;
    /// Both reserves and the time they were written.
    pub(in super::super) const RESERVES: u64 = 5;
    pub(in super::super) const PRICE0: u64 = 6;
    pub(in super::super) const PRICE1: u64 = 7;
    pub(in super::super) const UNLOCKED: u64 = 8;
}

/// Slots of `Router.sol`.
pub(super) mod router {
    pub(in super::super) const PAIRS: u64 = 0;
}

/// Slots of `Airdrop.sol`.
pub(super) mod airdrop {
    pub(in super::super) const TOKEN: u64 = 0;
    pub(in super::super) const SHARE: u64 = 1;
}

/// One of the contracts that workloads deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contract {
    Erc20,
    Pair,
    Router,
    Counter,
    Nft,
    Airdrop,
    Factory,
}

impl Contract {
    /// The code, analysed.
    pub(super) fn code(self) -> Bytecode {
        let text = match self {
            Self::Erc20 => include_str!("../../../tests/contracts/Erc20.hex"),
            Self::Pair => include_str!("../../../tests/contracts/Pair.hex"),
            Self::Router => include_str!("../../../tests/contracts/Router.hex"),
            Self::Counter => include_str!("../../../tests/contracts/Counter.hex"),
            Self::Nft => include_str!("../../../tests/contracts/Nft.hex"),
            Self::Airdrop => include_str!("../../../tests/contracts/Airdrop.hex"),
            Self::Factory => include_str!("../../../tests/contracts/Factory.hex"),
        };
        let code = hex::decode(text.trim()).expect("the embedded bytecode is hexadecimal");
        Bytecode::new_legacy(code.into())
    }
}

/// Calldata: the selector of `signature`, then one word per argument.
///
/// A dynamic argument is spelled out by the caller: its offset, length and elements are words too.
pub(super) fn call(signature: &str, words: &[U256]) -> Bytes {
    let mut data = Vec::with_capacity(4 + 32 * words.len());
    data.extend_from_slice(&keccak256(signature)[..4]);
    for word in words {
        data.extend_from_slice(&word.to_be_bytes::<32>());
    }
    data.into()
}

/// An address as an ABI or storage word.
pub(super) fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// The slot of `mapping[key]` for a Solidity mapping at `slot`.
pub(super) fn mapping(slot: U256, key: Address) -> U256 {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(key.into_word().as_slice());
    bytes[32..].copy_from_slice(&slot.to_be_bytes::<32>());
    keccak256(bytes).into()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, bytes, uint};

    use super::*;

    #[test]
    fn calldata_of_a_transfer_is_what_every_wallet_sends() {
        let to = address!("000000000000000000000000000000000000beef");
        let data = call("transfer(address,uint256)", &[word(to), U256::from(5)]);
        let expected = bytes!(
            "a9059cbb000000000000000000000000000000000000000000000000000000000000beef"
            "0000000000000000000000000000000000000000000000000000000000000005"
        );
        assert_eq!(data, expected);
    }

    /// Slot of `balances[0x…01]` with the mapping at slot 0, from the Solidity documentation's
    /// formula.
    #[test]
    fn a_mapping_entry_lies_at_the_hash_of_key_and_slot() {
        let key = address!("0000000000000000000000000000000000000001");
        let expected =
            uint!(0xada5013122d395ba3c54772283fb069b10426056ef8ca54750cb9bb552a59e7d_U256);
        assert_eq!(mapping(U256::ZERO, key), expected);
    }
}
