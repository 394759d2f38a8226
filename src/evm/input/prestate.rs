//! The state before a block: `prestate.json`, and the `alloc` of a genesis file.

use std::collections::HashSet;

use alloy_primitives::{Address, U256};
use revm::{bytecode::Bytecode, primitives::hardfork::SpecId};

use super::{Field, InputError, Tree, field, header::unwrapped};
use crate::store::{MemoryStore, MemoryStoreBuilder};

/// Reads the text of a `prestate.json`, called `name` in messages, for a block under `spec`.
///
/// The rules matter twice: an entry of zeros only is an account before EIP-161 and none after,
/// and code that starts like a delegation is one from Prague on.
pub fn parse_prestate(name: &str, text: &str, spec: SpecId) -> Result<MemoryStore, InputError> {
    let tree = Tree::parse(name, text)?;
    let root = Field::root(name, &tree);
    accounts(&unwrapped(&root), spec, Dialect::Rpc)
}

/// Reads the `alloc` of a genesis file.
pub(crate) fn genesis_state(alloc: &Field<'_>, spec: SpecId) -> Result<MemoryStore, InputError> {
    accounts(alloc, spec, Dialect::Genesis)
}

/// Genesis files may leave out the `0x` of an address and write decimal quantities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Rpc,
    Genesis,
}

fn accounts(root: &Field<'_>, spec: SpecId, dialect: Dialect) -> Result<MemoryStore, InputError> {
    let mut builder = MemoryStore::builder();
    let mut seen = HashSet::new();
    for (key, entry) in root.entries()? {
        let address = address(key, dialect)
            .ok_or_else(|| entry.wrong("its key is not an address (0x and 40 hex digits)"))?;
        // Unequal as text, equal as addresses: upper and lower case.
        if !seen.insert(address) {
            return Err(entry.wrong("the same address has another entry"));
        }
        account(&mut builder, address, &entry, spec, dialect)?;
    }
    Ok(builder.build())
}

fn address(key: &str, dialect: Dialect) -> Option<Address> {
    match dialect {
        Dialect::Genesis if !key.starts_with("0x") => field::fixed(&format!("0x{key}")),
        _ => field::fixed(key),
    }
    .map(Address)
}

fn account(
    builder: &mut MemoryStoreBuilder,
    address: Address,
    entry: &Field<'_>,
    spec: SpecId,
    dialect: Dialect,
) -> Result<(), InputError> {
    if !entry.is_object() {
        return Err(entry.wrong("expected an account object"));
    }
    let quantity = |name| match (entry.opt(name), dialect) {
        (None, _) => Ok(U256::ZERO),
        (Some(field), Dialect::Rpc) => field.u256(),
        (Some(field), Dialect::Genesis) => field.u256_or_decimal(),
    };
    let balance = quantity("balance")?;
    let nonce = match quantity("nonce")?.try_into() {
        Ok(nonce) => nonce,
        Err(_) => return Err(entry.get("nonce")?.wrong("more than 64 bits")),
    };
    let code = match entry.opt("code") {
        Some(field) => field.bytes()?,
        None => Default::default(),
    };
    let storage = storage(entry)?;

    let nothing = balance.is_zero() && nonce == 0 && code.is_empty() && storage.is_empty();
    if nothing && spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        return Ok(());
    }
    builder.account(address).balance(address, balance).nonce(address, nonce);
    if spec.is_enabled_in(SpecId::PRAGUE) {
        builder.code(address, code);
    } else {
        builder.bytecode(address, Bytecode::new_legacy(code));
    }
    for (slot, value) in storage {
        builder.slot(address, slot, value);
    }
    Ok(())
}

/// The slots that are not zero.
fn storage(entry: &Field<'_>) -> Result<Vec<(U256, U256)>, InputError> {
    let Some(storage) = entry.opt("storage") else { return Ok(Vec::new()) };
    let mut seen = HashSet::new();
    let mut slots = Vec::new();
    for (key, value) in storage.entries()? {
        let slot = field::quantity(key)
            .map_err(|reason| value.wrong(format!("its key is not a slot: {reason}")))?;
        if !seen.insert(slot) {
            return Err(value.wrong("the same slot has another entry"));
        }
        let value = value.u256()?;
        if !value.is_zero() {
            slots.push((slot, value));
        }
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;
    use crate::evm::StateStore;

    const A: Address = address!("0xaa000000000000000000000000000000000000aa");

    fn parse(text: &str, spec: SpecId) -> Result<MemoryStore, String> {
        parse_prestate("p.json", text, spec).map_err(|error| error.to_string())
    }

    #[test]
    fn nonces_may_be_numbers_or_hex_and_fields_may_be_absent() {
        for (text, nonce) in [(r#"{"nonce": 7}"#, 7), (r#"{"nonce": "0x1f"}"#, 31)] {
            let text = format!(r#"{{"result": {{"{A}": {text}}}}}"#);
            let store = parse(&text, SpecId::CANCUN).unwrap();
            assert_eq!(store.account(A).unwrap().unwrap().nonce, nonce);
        }
    }

    #[test]
    fn an_entry_of_zeros_is_an_account_only_before_spurious_dragon() {
        let text = format!(r#"{{"{A}": {{"balance": "0x0", "storage": {{"0x0": "0x0"}}}}}}"#);
        let exists = |spec| parse(&text, spec).unwrap().account(A).unwrap().is_some();
        assert!(exists(SpecId::TANGERINE));
        assert!(!exists(SpecId::SPURIOUS_DRAGON));
    }

    #[test]
    fn a_designator_is_a_delegation_from_prague_on() {
        let text = format!(r#"{{"{A}": {{"code": "0xef0100{}"}}}}"#, "11".repeat(20));
        let delegated = |spec| {
            let info = parse(&text, spec).unwrap().account(A).unwrap().unwrap();
            info.code.unwrap().is_eip7702()
        };
        assert!(delegated(SpecId::PRAGUE));
        assert!(!delegated(SpecId::CANCUN));
    }

    #[test]
    fn bad_entries_are_named_with_their_values() {
        let upper = format!("0x{}", A.to_string()[2..].to_uppercase());
        let lower = A.to_string().to_lowercase();
        let cases = [
            ("[]".to_owned(), "p.json: the top level is an array of 0: expected an object"),
            (r#"{"0x12": {}}"#.into(), "p.json: 0x12 is an object of 0: its key is not an address"),
            (
                format!(r#"{{"{lower}": {{"balance": "12"}}}}"#),
                ".balance is \"12\": expected a hex",
            ),
            (format!(r#"{{"{lower}": {{"nonce": "0x10000000000000000"}}}}"#), "more than 64 bits"),
            (format!(r#"{{"{lower}": {{"code": "0x1"}}}}"#), ".code is \"0x1\": "),
            (format!(r#"{{"{lower}": {{}}, "{upper}": {{}}}}"#), "the same address"),
            (
                format!(r#"{{"{lower}": {{"storage": {{"0x1": "0x1", "0x01": "0x2"}}}}}}"#),
                ".storage.0x01 is \"0x2\": the same slot",
            ),
            (format!(r#"{{"{lower}": {{"storage": {{"1": "0x1"}}}}}}"#), "its key is not a slot"),
        ];
        for (text, expected) in cases {
            let error = parse(&text, SpecId::CANCUN).unwrap_err();
            assert!(error.contains(expected), "{error}\n{expected}");
        }
    }
}
