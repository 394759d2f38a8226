//! Filling a database.

use ::redb::ReadableTable;
use alloy_primitives::{Address, B256, U256, keccak256};
use chorus::{
    evm::{AccountInfo, Bytecode, StateDiff},
    store::{
        MemoryStore,
        redb::{Position, RedbError, RedbStore, state_digest},
    },
};

use crate::{
    desk::{Desk, block, hash, options},
    story::{Story, address},
};

#[test]
fn a_state_of_many_batches_comes_back_as_it_went_in() {
    let (desk, state) = (Desk::new(), Story { seed: 1 }.genesis(500));
    let store = RedbStore::create(desk.path(), options().import_batch(100)).unwrap();
    let digest = store.import(&state, None).unwrap();
    assert_eq!(digest, state_digest(&state));
    assert!(store.holds(&state).unwrap());
    assert!(store.to_memory().unwrap() == state);
}

#[test]
fn the_digest_names_the_state_and_nothing_else() {
    let digest = |change: &dyn Fn(&mut chorus::store::MemoryStoreBuilder)| {
        let mut builder = MemoryStore::builder();
        builder.balance(address(1), U256::from(1)).slot(address(1), U256::from(2), U256::from(3));
        change(&mut builder);
        state_digest(&builder.build())
    };
    let designator = Bytecode::new_eip7702(address(3));
    let ordinary = Bytecode::new_legacy(designator.original_bytes());
    let one = U256::from(1);
    let digests = [
        digest(&|_| {}),
        digest(&|builder| _ = builder.balance(address(1), U256::from(2))),
        digest(&|builder| _ = builder.nonce(address(1), 1)),
        digest(&|builder| _ = builder.account(address(2))),
        digest(&|builder| _ = builder.slot(address(1), one, one)),
        digest(&|builder| _ = builder.slot(address(2), one, one)),
        digest(&|builder| _ = builder.bytecode(address(1), designator.clone())),
        digest(&|builder| _ = builder.bytecode(address(1), ordinary.clone())),
        digest(&|builder| _ = builder.block_hash(1, hash(1))),
    ];
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest), "{index}");
    }
    assert_eq!(digests[0], digest(&|builder| _ = builder.slot(address(1), one, U256::ZERO)));
}

#[test]
fn a_database_with_a_state_is_not_imported_into() {
    let state = Story { seed: 1 }.genesis(3);
    let desk = Desk::new();
    let store = desk.with(&state);
    assert!(matches!(store.importer().unwrap_err(), RedbError::Filled { .. }));

    let desk = Desk::new();
    let store = desk.create();
    store.apply(&StateDiff::default(), block(1), None).unwrap();
    let error = store.import(&state, None).unwrap_err();
    assert!(
        matches!(&error, RedbError::Filled { held, .. } if held.contains("block 1")),
        "{error}"
    );
}

#[test]
fn an_import_given_up_leaves_no_state_and_the_next_one_starts_from_nothing() {
    let desk = Desk::new();
    let store = RedbStore::create(desk.path(), options().import_batch(1)).unwrap();
    let mut import = store.importer().unwrap();
    let rich = AccountInfo { balance: U256::from(1), ..AccountInfo::default() };
    import.account(address(9), &rich, [(U256::from(1), U256::from(1))]).unwrap();
    drop(import);
    let unfinished = |error| matches!(error, RedbError::Unfinished { .. });
    assert!(unfinished(store.view().unwrap_err()));
    assert!(unfinished(store.apply(&StateDiff::default(), block(1), None).unwrap_err()));
    drop(store);
    let error = desk.open().unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
    assert!(unfinished(error));

    let state = Story { seed: 1 }.genesis(3);
    let position = Some(Position { number: 4, hash: None });
    let store = RedbStore::open_or_import(desk.path(), &state, position, options()).unwrap();
    assert!(store.to_memory().unwrap() == state);
    assert_eq!(store.last_applied().unwrap(), position);
}

#[test]
fn an_account_is_imported_once_and_with_its_code() {
    let desk = Desk::new();
    let store = desk.create();
    let mut import = store.importer().unwrap();
    import.account(address(1), &AccountInfo::default(), []).unwrap();
    import.account(address(1), &AccountInfo::default(), []).unwrap();
    let error = import.finish(None).unwrap_err();
    assert!(matches!(error, RedbError::Twice { address: twice, .. } if twice == address(1)));

    let mut import = store.importer().unwrap();
    let codeless = AccountInfo { code_hash: hash(1), code: None, ..AccountInfo::default() };
    let error = import.account(address(1), &codeless, []).unwrap_err();
    assert!(matches!(error, RedbError::CodeHash { claimed, .. } if claimed == hash(1)), "{error}");

    let code = Bytecode::new_legacy(vec![1].into());
    let mistaken = AccountInfo { code_hash: B256::ZERO, code: Some(code), ..codeless };
    import.account(address(1), &mistaken, []).unwrap();
    let error = import.finish(None).unwrap_err();
    assert!(matches!(error, RedbError::CodeHash { claimed: B256::ZERO, .. }), "{error}");
    assert!(matches!(store.view().unwrap_err(), RedbError::Unfinished { .. }));
}

#[test]
fn the_later_value_of_a_slot_stands() {
    let desk = Desk::new();
    let store = desk.create();
    let mut import = store.importer().unwrap();
    let (one, two) = (U256::from(1), U256::from(2));
    import.account(address(1), &AccountInfo::default(), [(one, one), (two, two)]).unwrap();
    import.account(address(2), &AccountInfo::default(), [(one, one), (one, two)]).unwrap();
    import.account(address(3), &AccountInfo::default(), [(one, one), (one, U256::ZERO)]).unwrap();
    import.finish(None).unwrap();
    let state = store.to_memory().unwrap();
    let slots = |account| state.get(&address(account)).unwrap().slots().collect::<Vec<_>>();
    assert_eq!(slots(2), [(one, two)]);
    assert_eq!(slots(3), []);
}

#[test]
fn an_imported_state_is_known_until_a_block_is_applied() {
    let (desk, state) = (Desk::new(), Story { seed: 1 }.genesis(3));
    let store = desk.with(&state);
    assert!(store.holds(&state).unwrap());
    store.apply(&StateDiff::default(), block(1), None).unwrap();
    assert!(!store.holds(&state).unwrap());
    drop(store);
    let error = RedbStore::open_or_import(desk.path(), &state, None, options()).unwrap_err();
    assert!(error.to_string().contains("1 block applied since"), "{error}");
    // Where the caller says of which block the state is, that counts too.
    let desk = Desk::new();
    let position = |number| Some(Position { number, hash: None });
    drop(RedbStore::open_or_import(desk.path(), &state, position(4), options()).unwrap());
    let error = RedbStore::open_or_import(desk.path(), &state, position(5), options()).unwrap_err();
    assert!(matches!(error, RedbError::AnotherState { .. }), "{error}");
    drop(RedbStore::open_or_import(desk.path(), &state, None, options()).unwrap());
}

#[test]
fn an_empty_database_can_be_filled_later() {
    let (desk, state) = (Desk::new(), Story { seed: 1 }.genesis(3));
    drop(desk.create());
    let store = desk.open().unwrap();
    assert!(store.to_memory().unwrap().is_empty());
    store.import(&state, None).unwrap();
    assert!(store.to_memory().unwrap() == state);
}

#[test]
fn the_bytes_in_the_file_are_the_documented_ones() {
    let desk = Desk::new();
    let (ordinary, delegating) = (Address::repeat_byte(0xaa), Address::repeat_byte(0xbb));
    let designator = Bytecode::new_eip7702(ordinary);
    let mut builder = MemoryStore::builder();
    builder.nonce(ordinary, 0x0102).balance(ordinary, U256::from(0x0304));
    builder.code(ordinary, vec![0x60, 0x01].into());
    builder.slot(ordinary, U256::from(5), U256::from(0x0600));
    builder.bytecode(delegating, designator.clone());
    let state = builder.block_hash(9, hash(9)).build();
    let store = desk.create();
    let digest = store.import(&state, Some(block(9))).unwrap();
    store.apply(&StateDiff::default(), Position { number: 10, hash: None }, None).unwrap();
    drop(store);

    let code_hash = keccak256([0x60, 0x01]);
    let mut balance = [0; 32];
    balance[30..].copy_from_slice(&[3, 4]);
    let mut slot = [0; 32];
    slot[31] = 5;
    let nonce = [0, 0, 0, 0, 0, 0, 1, 2];
    let delegated = designator.original_bytes();
    let mut codes = vec![
        (code_hash.to_vec(), vec![0x60, 0x01]),
        (keccak256(&delegated).to_vec(), delegated.to_vec()),
    ];
    codes.sort();
    type Records = Vec<(Vec<u8>, Vec<u8>)>;
    let tables: [(&str, Records); 5] = [
        (
            "accounts",
            vec![
                (vec![0xaa; 20], [&[0][..], &nonce, &balance, code_hash.as_slice()].concat()),
                (vec![0xbb; 20], [&[1][..], &[0; 40], keccak256(&delegated).as_slice()].concat()),
            ],
        ),
        ("code", codes),
        ("slots", vec![([&[0xaa; 20][..], &slot].concat(), vec![6, 0])]),
        ("block_hashes", vec![(vec![0, 0, 0, 0, 0, 0, 0, 9], hash(9).to_vec())]),
        (
            "meta",
            vec![
                (b"applied".to_vec(), vec![0, 0, 0, 0, 0, 0, 0, 1]),
                (b"format".to_vec(), vec![0, 0, 0, 1]),
                (b"imported".to_vec(), digest.to_vec()),
                (b"phase".to_vec(), vec![1]),
                (b"position".to_vec(), vec![0, 0, 0, 0, 0, 0, 0, 10]),
            ],
        ),
    ];
    for (table, expected) in tables {
        desk.tamper(table, |records| {
            let records = records.iter().unwrap().map(|record| {
                let (key, value) = record.unwrap();
                (key.value().to_vec(), value.value().to_vec())
            });
            assert_eq!(records.collect::<Vec<_>>(), expected, "{table}");
        });
    }
}
