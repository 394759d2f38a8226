//! What a block's change makes of an account that is known, or partly known.

use revm::state::AccountInfo;

use crate::evm::AccountChange;

/// Whether the change says all about the account and its storage, whatever they were before.
pub(super) fn is_whole(change: &AccountChange) -> bool {
    change.deleted || change.wiped || change.created
}

/// The account after the change, from the account before it.
pub(super) fn after(change: &AccountChange, before: Option<AccountInfo>) -> Option<AccountInfo> {
    if change.deleted {
        return None;
    }
    // After a wipe the fields differ from those of an empty account, as for one that was not there.
    let before = if is_whole(change) { None } else { before };
    let mut account = before.unwrap_or_default();
    if let Some(balance) = change.balance {
        account.balance = balance;
    }
    if let Some(nonce) = change.nonce {
        account.nonce = nonce;
    }
    if let Some((hash, code)) = &change.code {
        account.code_hash = *hash;
        account.code = Some(code.clone());
    }
    Some(account)
}

/// The same for a change that may be of storage only, and so make no account.
pub(super) fn over(change: &AccountChange, before: Option<AccountInfo>) -> Option<AccountInfo> {
    let fields = change.balance.is_some() || change.nonce.is_some() || change.code.is_some();
    if fields || is_whole(change) { after(change, before) } else { before }
}
