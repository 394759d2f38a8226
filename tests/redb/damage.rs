//! What is wrong with a file is an error that says where and what.

use std::fs;

use alloy_primitives::{B256, U256, keccak256};
use chorus::{
    evm::{AccountChange, Bytecode, StateDiff, StateStore},
    store::{
        MemoryStore, StoreError,
        redb::{RedbError, RedbStore},
    },
};
use redb::{Database, TableDefinition};

use crate::{
    desk::{Desk, Table, block, hash, options},
    story::{Story, address},
};

/// One account with code and a slot.
fn small() -> MemoryStore {
    let mut builder = MemoryStore::builder();
    builder.balance(address(1), U256::from(5)).code(address(1), vec![0x60; 40].into());
    builder.slot(address(1), U256::from(1), U256::from(2)).block_hash(7, hash(7)).build()
}

fn code_hash() -> B256 {
    keccak256([0x60; 40])
}

fn slot_key() -> Vec<u8> {
    [address(1).as_slice(), &U256::from(1).to_be_bytes::<32>()].concat()
}

/// A database of [`small`] of which a record was changed.
fn tampered(table: &'static str, change: impl FnOnce(&mut Table<'_>)) -> (Desk, RedbStore) {
    let desk = Desk::new();
    drop(desk.with(&small()));
    desk.tamper(table, change);
    let store = desk.open().unwrap();
    (desk, store)
}

fn overwritten(table: &'static str, key: &[u8], value: &[u8]) -> (Desk, RedbStore) {
    tampered(table, |records| _ = records.insert(key, value).unwrap())
}

/// That the error is of this record, and says `reason`.
fn assert_record(error: &RedbError, table: &str, key: &[u8], value: &[u8], reason: &str) {
    let message = error.to_string();
    assert!(message.contains(reason), "{message}");
    let RedbError::Record { path, table: found, key: in_key, value: in_value, .. } = error else {
        panic!("{error}");
    };
    assert!(path.ends_with("state.redb"));
    assert_eq!(*found, table);
    assert_eq!(*in_key, alloy_primitives::hex::encode(key));
    assert_eq!(*in_value, alloy_primitives::hex::encode(value));
}

#[test]
fn a_damaged_account_is_named_with_its_value() {
    let key = address(1).as_slice().to_vec();
    let mut strange = [0; 73];
    strange[0] = 2;
    let cases: [(&[u8], &str); 4] = [
        (&[], "0 bytes, expected 73"),
        (&[0; 72], "72 bytes, expected 73"),
        (&[0; 74], "74 bytes, expected 73"),
        (&strange, "its kind of code is 2"),
    ];
    for (value, reason) in cases {
        let (_desk, mut store) = overwritten("accounts", &key, value);
        assert_record(&store.to_memory().unwrap_err(), "accounts", &key, value, reason);
        assert_record(&store.verify().unwrap_err(), "accounts", &key, value, reason);

        let view = store.view().unwrap();
        let error = view.account(address(1)).unwrap_err();
        let StoreError::Account { address: of, reason: said } = error else { panic!("{error}") };
        assert_eq!(of, address(1));
        assert!(said.contains(reason), "{said}");

        // A block that changes the account is refused, and the state stays.
        let change = AccountChange { nonce: Some(1), ..AccountChange::default() };
        let diff = StateDiff { accounts: vec![(address(0), change.clone()), (address(1), change)] };
        let error = store.apply(&diff, block(1), None).unwrap_err();
        assert_record(&error, "accounts", &key, value, reason);
        let fresh = store.view().unwrap();
        assert_eq!(fresh.account(address(0)), Ok(None));
        assert_eq!(store.last_applied().unwrap(), None);
    }
}

#[test]
fn a_damaged_slot_is_named_with_its_value() {
    let cases: [(&[u8], &str); 4] = [
        (&[], "it is empty"),
        (&[0, 1], "starts with a zero byte"),
        (&[1; 33], "33 bytes, expected 1 to 32"),
        (&[0; 32], "starts with a zero byte"),
    ];
    for (value, reason) in cases {
        let (_desk, store) = overwritten("slots", &slot_key(), value);
        assert_record(&store.to_memory().unwrap_err(), "slots", &slot_key(), value, reason);
        let error = store.view().unwrap().storage(address(1), U256::from(1)).unwrap_err();
        let StoreError::Slot { address: of, slot, reason: said } = error else { panic!("{error}") };
        assert_eq!((of, slot), (address(1), U256::from(1)));
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn damaged_code_is_found_by_its_hash() {
    for value in [&[0x60; 39][..], &[], &[0x61; 40]] {
        let (_desk, store) = overwritten("code", code_hash().as_slice(), value);
        let reason = format!("the hash of this code is {}", keccak256(value));
        let error = store.to_memory().unwrap_err();
        assert_record(&error, "code", code_hash().as_slice(), value, &reason);
        let error = store.view().unwrap().account(address(1)).unwrap_err();
        assert!(error.to_string().contains(&reason), "{error}");
    }
}

#[test]
fn code_that_is_missing_or_no_delegation_is_told_by_the_account() {
    let (_desk, store) = tampered("code", |code| _ = code.remove(code_hash().as_slice()).unwrap());
    let error = store.view().unwrap().account(address(1)).unwrap_err();
    assert!(error.to_string().contains("no code has the hash"), "{error}");
    assert!(error.to_string().contains(&format!("{:x}", code_hash())), "{error}");

    let record = |kind: u8, hash: B256| [&[kind][..], &[0; 40], hash.as_slice()].concat();
    for (hash, reason) in [
        (code_hash(), "its code is no delegation"),
        (Bytecode::default().hash_slow(), "its code is empty, and no delegation"),
    ] {
        let key = address(1).as_slice().to_vec();
        let (_desk, store) = overwritten("accounts", &key, &record(1, hash));
        let error = store.to_memory().unwrap_err();
        assert_record(&error, "accounts", &key, &record(1, hash), reason);
    }
}

#[test]
fn keys_of_wrong_length_and_slots_without_account_are_found_by_reading_everything() {
    let orphan = [address(2).as_slice(), &[1; 32]].concat();
    let cases: [(&str, &[u8], &[u8], &str); 6] = [
        ("accounts", &[1; 19], &[0; 73], "19 bytes, expected 20"),
        ("slots", &[1; 51], &[1], "51 bytes, expected 52"),
        ("slots", &orphan, &[1], "does not exist"),
        ("code", &[1; 31], &[1], "31 bytes, expected 32"),
        ("block_hashes", &[1; 7], &[1; 32], "7 bytes, expected 8"),
        ("block_hashes", &[1; 8], &[1; 31], "31 bytes, expected 32"),
    ];
    for (table, key, value, reason) in cases {
        let table: &'static str = table;
        let (_desk, mut store) = overwritten(table, key, value);
        assert_record(&store.verify().unwrap_err(), table, key, value, reason);
    }
}

#[test]
fn a_damaged_block_hash_is_not_a_missing_one() {
    let (_desk, store) = overwritten("block_hashes", &7u64.to_be_bytes(), &[1; 33]);
    let view = store.view().unwrap();
    let error = view.block_hash(7).unwrap_err();
    assert!(matches!(error, StoreError::BlockHashUnread { number: 7, .. }), "{error}");
    assert_eq!(view.block_hash(8), Err(StoreError::BlockHash { number: 8 }));
}

#[test]
fn what_a_database_says_of_itself_is_checked_first() {
    let cases: [(&str, &[u8], &str); 7] = [
        ("format", &[0, 0, 0], "3 bytes, expected 4"),
        ("phase", &[2], "its phase is 2"),
        ("phase", &[], "0 bytes, expected 1"),
        ("position", &[0; 9], "9 bytes, expected 8 or 40"),
        ("position", &[0; 7], "7 bytes, expected 8 or 40"),
        ("imported", &[0; 31], "31 bytes, expected 32"),
        ("applied", &[0; 4], "4 bytes, expected 8"),
    ];
    for (key, value, reason) in cases {
        let desk = Desk::new();
        drop(desk.with(&small()));
        desk.tamper("meta", |meta| _ = meta.insert(key.as_bytes(), value).unwrap());
        let error = desk.open().unwrap_err();
        assert_record(&error, "meta", key.as_bytes(), value, reason);
    }
    for key in ["format", "phase", "applied"] {
        let desk = Desk::new();
        drop(desk.with(&small()));
        desk.tamper("meta", |meta| _ = meta.remove(key.as_bytes()).unwrap());
        assert_record(&desk.open().unwrap_err(), "meta", key.as_bytes(), &[], "it is missing");
    }
}

#[test]
fn another_format_is_refused_with_both_numbers() {
    let desk = Desk::new();
    drop(desk.with(&small()));
    desk.tamper("meta", |meta| _ = meta.insert(&b"format"[..], &[0, 0, 0, 9][..]).unwrap());
    for error in [
        desk.open().unwrap_err(),
        RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap_err(),
    ] {
        assert!(matches!(error, RedbError::Format { found: 9, supported: 1, .. }), "{error}");
    }
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_alone() {
    let mut zeros_then_something = vec![0; 10_000];
    zeros_then_something[9_999] = 1;
    for content in [&b"x"[..], b"hello, this is a text file", &zeros_then_something] {
        let desk = Desk::new();
        fs::write(desk.path(), content).unwrap();
        for error in [
            desk.open().unwrap_err(),
            RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap_err(),
        ] {
            let head = alloy_primitives::hex::encode(&content[..content.len().min(9)]);
            assert!(matches!(error, RedbError::NotADatabase { .. }), "{error}");
            assert!(error.to_string().contains(&head), "{error}");
        }
        let error = RedbStore::create(desk.path(), options()).unwrap_err();
        assert!(matches!(error, RedbError::Exists { .. }), "{error}");
        assert_eq!(fs::read(desk.path()).unwrap(), content);
    }
}

#[test]
fn a_redb_database_of_something_else_is_refused() {
    let desk = Desk::new();
    desk.tamper("cats", |cats| _ = cats.insert(&b"tom"[..], &b"grey"[..]).unwrap());
    let foreign = |error: RedbError| {
        assert!(matches!(error, RedbError::Foreign { table: "meta", .. }), "{error}");
    };
    foreign(desk.open().unwrap_err());
    foreign(RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap_err());

    // A table of that name, of other types.
    let desk = Desk::new();
    let database = Database::create(desk.path()).unwrap();
    let write = database.begin_write().unwrap();
    let numbers: TableDefinition<'_, u64, u64> = TableDefinition::new("meta");
    write.open_table(numbers).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    foreign(desk.open().unwrap_err());
}

#[test]
fn a_table_that_is_gone_is_named() {
    for table in ["accounts", "code", "slots", "block_hashes"] {
        let desk = Desk::new();
        drop(desk.with(&small()));
        let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(table);
        let database = Database::create(desk.path()).unwrap();
        let write = database.begin_write().unwrap();
        assert!(write.delete_table(definition).unwrap());
        write.commit().unwrap();
        drop(database);
        let error = desk.open().unwrap().view().unwrap_err();
        assert!(
            matches!(error, RedbError::Foreign { table: gone, .. } if gone == table),
            "{error}"
        );
    }
}

#[test]
fn a_database_that_is_open_elsewhere_is_locked() {
    let desk = Desk::new();
    let store = desk.with(&small());
    let view = store.view().unwrap();
    let locked = |error: RedbError| assert!(matches!(error, RedbError::Locked { .. }), "{error}");
    locked(desk.open().unwrap_err());
    locked(RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap_err());
    drop(store);
    // The view still reads the file.
    locked(desk.open().unwrap_err());
    drop(view);
    desk.open().unwrap();
}

#[test]
fn an_absent_file_is_an_error_and_creates_nothing() {
    let desk = Desk::new();
    let error = desk.open().unwrap_err();
    assert!(matches!(error, RedbError::Io { .. }), "{error}");
    assert!(error.to_string().contains("state.redb"), "{error}");
    assert!(!desk.path().exists());
    // A directory is none either.
    fs::create_dir(desk.path()).unwrap();
    assert!(matches!(desk.open().unwrap_err(), RedbError::Io { .. }));
    // Nor can one be made in a directory that is not there.
    let nowhere = desk.path().join("nowhere").join("state.redb");
    let error = RedbStore::open_or_import(nowhere, &small(), None, options()).unwrap_err();
    assert!(matches!(error, RedbError::Io { .. }), "{error}");
}

#[test]
fn an_interrupted_creation_says_so_and_is_done_again() {
    // What is left: nothing, some of it, zeros, or a header without its mark.
    let mut header = vec![0; 1 << 20];
    header[9..300].fill(7);
    for content in [&[][..], &[0; 5], &[0; 1 << 20], &header] {
        let desk = Desk::new();
        fs::write(desk.path(), content).unwrap();
        let error = desk.open().unwrap_err();
        assert!(matches!(error, RedbError::Unfinished { .. }), "{error}");
        let store = RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap();
        assert!(store.to_memory().unwrap() == small());
    }
    // The library came to its end, and no table was made.
    let desk = Desk::new();
    drop(Database::create(desk.path()).unwrap());
    let error = desk.open().unwrap_err();
    assert!(matches!(error, RedbError::Unfinished { .. }), "{error}");
    let store = RedbStore::open_or_import(desk.path(), &small(), None, options()).unwrap();
    assert!(store.to_memory().unwrap() == small());
}

#[test]
fn a_file_that_was_cut_is_an_error_wherever_it_was_cut() {
    let desk = Desk::new();
    let state = Story { seed: 1 }.genesis(400);
    drop(desk.with(&state));
    let whole = fs::read(desk.path()).unwrap();
    for eighth in 0..8 {
        for odd in [0, 1, 100] {
            let length = whole.len() * eighth / 8 + odd;
            fs::write(desk.path(), &whole[..length]).unwrap();
            match desk.open() {
                Ok(mut store) => match store.verify() {
                    Ok(()) => assert!(store.to_memory().unwrap() == state, "{length}"),
                    Err(error) => assert!(error.to_string().contains("state.redb"), "{error}"),
                },
                Err(error) => assert!(error.to_string().contains("state.redb"), "{error}"),
            }
        }
    }
}
