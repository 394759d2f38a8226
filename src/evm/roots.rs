//! Roots that a header commits to, for whoever has the whole state or the requests at hand.

use alloy_eips::eip7685::Requests;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::TrieAccount;

/// An account of a complete state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullAccount<I> {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// keccak-256 of the code.
    pub code_hash: B256,
    /// All slots; zero ones may be among them and do not count.
    pub storage: I,
}

/// Root of the state trie over all accounts that exist, in any order.
pub fn state_root<A, I>(accounts: A) -> B256
where
    A: IntoIterator<Item = (Address, FullAccount<I>)>,
    I: IntoIterator<Item = (U256, U256)>,
{
    alloy_trie::root::state_root_unhashed(accounts.into_iter().map(|(address, account)| {
        let storage = account.storage.into_iter();
        let storage = storage.filter(|(_, value)| !value.is_zero());
        let account = TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: alloy_trie::root::storage_root_unhashed(
                storage.map(|(slot, value)| (B256::from(slot), value)),
            ),
            code_hash: account.code_hash,
        };
        (address, account)
    }))
}

/// [EIP-7685](https://eips.ethereum.org/EIPS/eip-7685) hash of a block's requests, each with its
/// type byte in front.
pub fn requests_hash(requests: &[Bytes]) -> B256 {
    Requests::new(requests.to_vec()).requests_hash()
}
