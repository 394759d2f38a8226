//! The sequential reference on blocks of a few transactions: what surrounds the transactions, and
//! what a diff means.
#![cfg(feature = "evm")]

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, b256, hex};
use chorus::{
    evm::{
        AccountChange, AccountInfo, BlobSchedule, Block, BlockEnv, BlockError, BlockOutcome,
        HeaderClaims, Invalid, InvalidPolicy, Ommer, Sequential, SpecId, StateStore, StoreError,
        SystemRules, Transaction, TransactionOutcome, TxEnv, Withdrawal, roots,
    },
    store::{MemoryStore, MemoryStoreBuilder},
};

const SENDER: Address = Address::repeat_byte(0x51);
const MINER: Address = Address::repeat_byte(0x3a);
const TARGET: Address = Address::repeat_byte(0x7a);
const ETHER: u64 = 1_000_000_000_000_000_000;

fn block(spec: SpecId, transactions: Vec<TxEnv>) -> Block {
    let env = BlockEnv {
        number: U256::from(100),
        beneficiary: MINER,
        gas_limit: 1_000_000,
        ..BlockEnv::default()
    };
    let transactions =
        transactions.into_iter().map(|env| Transaction { env, ..Transaction::default() }).collect();
    Block {
        spec,
        chain_id: 1,
        env,
        transactions,
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        block_hashes: Default::default(),
        blobs: BlobSchedule {
            max_blobs: 6,
            max_blobs_per_transaction: None,
            update_fraction: 3_338_477,
        },
        system: SystemRules::default(),
        claims: HeaderClaims::default(),
        sidecars: Vec::new(),
    }
}

fn call(nonce: u64, to: Address, gas_limit: u64) -> TxEnv {
    TxEnv { caller: SENDER, nonce, gas_limit, kind: TxKind::Call(to), ..TxEnv::default() }
}

fn pre() -> MemoryStoreBuilder {
    let mut builder = MemoryStore::builder();
    builder.balance(SENDER, U256::from(ETHER));
    builder
}

fn execute(block: &Block, store: &impl StateStore) -> BlockOutcome {
    Sequential::new().execute(block, store, InvalidPolicy::Fail).unwrap()
}

fn change(outcome: &BlockOutcome, address: Address) -> Option<&AccountChange> {
    let mut accounts = outcome.diff.accounts.iter();
    accounts.find(|(changed, _)| *changed == address).map(|(_, change)| change)
}

#[test]
fn a_transaction_that_asks_for_more_gas_than_the_block_has_left_is_invalid() {
    let transactions = vec![
        call(0, TARGET, 990_000),
        call(1, TARGET, 979_001),
        call(1, TARGET, 979_000),
        call(2, TARGET, 100_000),
    ];
    let block = block(SpecId::CANCUN, transactions);
    let store = pre().build();
    let full = Invalid::BlockGas { gas_limit: 979_001, available: 979_000 };
    let error = Sequential::new().execute(&block, &store, InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: 1, reason: full.clone() });

    let outcome = Sequential::new().execute(&block, &store, InvalidPolicy::Skip).unwrap();
    assert_eq!(outcome.transactions[1], TransactionOutcome::Skipped(full));
    let cumulative: Vec<_> = outcome.executed().map(|executed| executed.cumulative_gas).collect();
    assert_eq!(cumulative, [21_000, 42_000, 63_000]);
}

#[test]
fn a_skipped_transaction_leaves_no_trace() {
    let store = pre().build();
    let mut poor = call(1, TARGET, 21_000);
    poor.value = U256::from(2 * ETHER);
    let with = block(
        SpecId::CANCUN,
        vec![call(0, TARGET, 21_000), call(7, TARGET, 21_000), poor, call(1, TARGET, 21_000)],
    );
    let without = block(SpecId::CANCUN, vec![call(0, TARGET, 21_000), call(1, TARGET, 21_000)]);
    let outcome = Sequential::new().execute(&with, &store, InvalidPolicy::Skip).unwrap();
    let expected = execute(&without, &store);
    assert_eq!(outcome.diff, expected.diff);
    assert_eq!(outcome.gas_used, expected.gas_used);
    assert!(outcome.executed().eq(expected.executed()));
    assert!(matches!(outcome.transactions[1], TransactionOutcome::Skipped(_)));
    assert!(matches!(outcome.transactions[2], TransactionOutcome::Skipped(_)));
}

#[test]
fn blob_gas_is_limited_for_the_whole_block() {
    let blobs = |nonce, count| {
        let mut hash = B256::ZERO;
        hash[0] = 1;
        TxEnv {
            tx_type: 3,
            chain_id: Some(1),
            blob_hashes: vec![hash; count],
            max_fee_per_blob_gas: 1,
            gas_priority_fee: Some(0),
            ..call(nonce, TARGET, 21_000)
        }
    };
    let block = block(SpecId::CANCUN, vec![blobs(0, 4), blobs(1, 3), blobs(1, 2)]);
    let outcome = Sequential::new().execute(&block, &pre().build(), InvalidPolicy::Skip).unwrap();
    let reason = Invalid::BlobGas { blob_gas: 3 << 17, available: 2 << 17 };
    assert_eq!(outcome.transactions[1], TransactionOutcome::Skipped(reason));
    assert_eq!(outcome.blob_gas_used, 6 << 17);
}

#[test]
fn types_that_revm_does_not_check_are_invalid() {
    let store = pre().build();
    for tx in [
        TxEnv { tx_type: 5, ..call(0, TARGET, 21_000) },
        TxEnv { tx_type: 3, kind: TxKind::Create, ..call(0, TARGET, 100_000) },
        TxEnv { tx_type: 4, kind: TxKind::Create, ..call(0, TARGET, 100_000) },
    ] {
        let block = block(SpecId::PRAGUE, vec![tx]);
        let result = Sequential::new().execute(&block, &store, InvalidPolicy::Fail);
        let Err(BlockError::Invalid { index: 0, reason: Invalid::Transaction(_) }) = result else {
            panic!("{result:?}");
        };
    }
}

#[test]
fn the_dao_fork_moves_whole_balances() {
    let dao = address!("bb9bc244d798123fde783fcc1c72d3bb8c189413");
    let refund = address!("bf4ed7b27f1d666546e30d74d50d173d20bca754");
    let mut builder = pre();
    builder
        .balance(dao, U256::from(30))
        .nonce(dao, 1)
        .balance(refund, U256::from(4))
        .nonce(refund, 1);
    let mut block = block(SpecId::HOMESTEAD, vec![]);
    block.system.dao_fork = true;
    let outcome = execute(&block, &builder.clone().build());
    assert_eq!(change(&outcome, dao).unwrap().balance, Some(U256::ZERO));
    assert_eq!(change(&outcome, refund).unwrap().balance, Some(U256::from(34)));
}

#[test]
fn the_parent_hash_goes_to_the_history_contract_if_there_is_one() {
    let history = address!("0000f90827f1c53a10cb7a02335b175320002935");
    let code = hex!(
        "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257"
        "611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
    );
    let parent = B256::repeat_byte(0xab);
    let mut block = block(SpecId::PRAGUE, vec![]);
    block.system.parent_hash = Some(parent);
    let mut builder = pre();
    assert_eq!(execute(&block, &builder.clone().build()).diff.accounts, []);
    builder.code(history, code.into()).nonce(history, 1);
    let outcome = execute(&block, &builder.clone().build());
    let expected = AccountChange {
        storage: vec![(U256::from(99), parent.into())],
        ..AccountChange::default()
    };
    assert_eq!(outcome.diff.accounts, [(history, expected)]);
}

#[test]
fn rewards_grow_with_ommers_and_shrink_with_their_age() {
    let mut block = block(SpecId::BYZANTIUM, vec![]);
    block.system.block_reward = U256::from(3 * ETHER);
    let ommer = Address::repeat_byte(0x0a);
    block.ommers =
        vec![Ommer { number: 99, beneficiary: ommer }, Ommer { number: 94, beneficiary: MINER }];
    let outcome = execute(&block, &pre().build());
    let share = |eighths: u64| U256::from(ETHER) * U256::from(3 * eighths) / U256::from(8);
    let two_shares = U256::from(3 * ETHER) / U256::from(16);
    let miner = U256::from(3 * ETHER) + two_shares + share(2);
    assert_eq!(change(&outcome, MINER).unwrap().balance, Some(miner));
    assert_eq!(change(&outcome, ommer).unwrap().balance, Some(share(7)));

    block.ommers[0].number = 93;
    let error = Sequential::new().execute(&block, &pre().build(), InvalidPolicy::Fail);
    assert!(matches!(error, Err(BlockError::Environment(_))), "{error:?}");
}

#[test]
fn withdrawals_are_paid_in_gwei_and_touch_even_if_they_pay_nothing() {
    let empty = Address::repeat_byte(0xee);
    let absent = Address::repeat_byte(0xaa);
    let mut block = block(SpecId::SHANGHAI, vec![]);
    block.withdrawals = vec![
        Withdrawal { address: TARGET, amount_gwei: 2 },
        Withdrawal { address: empty, amount_gwei: 0 },
        Withdrawal { address: absent, amount_gwei: 0 },
        Withdrawal { address: TARGET, amount_gwei: 3 },
    ];
    let mut builder = pre();
    builder.account(empty);
    let outcome = execute(&block, &builder.clone().build());
    let paid = change(&outcome, TARGET).unwrap();
    assert!(paid.created);
    assert_eq!(paid.balance, Some(U256::from(5_000_000_000u64)));
    let removed = change(&outcome, empty).unwrap();
    assert!(removed.wiped && removed.deleted);
    assert_eq!(change(&outcome, absent), None);
}

#[test]
fn requests_carry_their_type_and_a_failing_contract_ends_the_block() {
    let withdrawals = address!("00000961ef480eb55e80d19ad83579a64c007002");
    let consolidations = address!("0000bbddc7ce488642fb579f8b00f3a590007251");
    let mut block = block(SpecId::PRAGUE, vec![]);
    block.system.requests = true;
    let mut builder = pre();
    assert_eq!(execute(&block, &builder.clone().build()).requests, Vec::<Bytes>::new());

    // PUSH3 aabbcc, MSTORE at 0, RETURN the last 3 bytes; and STOP, which returns nothing.
    builder.code(withdrawals, hex!("62aabbcc5f526003601df3").into());
    builder.code(consolidations, hex!("00").into());
    let outcome = execute(&block, &builder.clone().build());
    assert_eq!(outcome.requests, [Bytes::from(hex!("01aabbcc"))]);
    // sha256(sha256(01aabbcc))
    let hash = b256!("8053cefe887c01df53ed249a88f280c4a550f84faf7363d29acaad6b57b0c4eb");
    assert_eq!(roots::requests_hash(&outcome.requests), hash);

    builder.code(consolidations, hex!("5f5ffd").into());
    let error = Sequential::new().execute(&block, &builder.clone().build(), InvalidPolicy::Fail);
    let Err(BlockError::System { address, .. }) = error else { panic!("{error:?}") };
    assert_eq!(address, consolidations);
}

#[test]
fn a_destroyed_account_that_comes_back_is_wiped_and_holds_only_what_came_later() {
    // PUSH20 miner, SELFDESTRUCT
    let destroy: Bytes = [&hex!("73")[..], MINER.as_slice(), &hex!("ff")].concat().into();
    let mut builder = pre();
    builder.balance(TARGET, U256::from(5)).nonce(TARGET, 1).code(TARGET, destroy).slot(
        TARGET,
        U256::from(1),
        U256::from(9),
    );
    let mut gift = call(1, TARGET, 21_000);
    gift.value = U256::from(5);
    let block = block(SpecId::SHANGHAI, vec![call(0, TARGET, 100_000), gift]);
    let outcome = execute(&block, &builder.clone().build());
    let expected =
        AccountChange { wiped: true, balance: Some(U256::from(5)), ..AccountChange::default() };
    assert_eq!(change(&outcome, TARGET), Some(&expected));
}

#[test]
fn a_value_that_is_put_back_is_no_change() {
    // SSTORE(1, CALLDATASIZE)
    let mut builder = pre();
    builder.nonce(TARGET, 1).code(TARGET, hex!("36600155").into());
    let mut one = call(0, TARGET, 100_000);
    one.data = hex!("00").into();
    let block = block(SpecId::CANCUN, vec![one, call(1, TARGET, 100_000)]);
    let outcome = execute(&block, &builder.clone().build());
    assert_eq!(change(&outcome, TARGET), None);
    assert_eq!(change(&outcome, SENDER).unwrap().nonce, Some(2));
}

#[test]
fn storage_makes_a_creation_collide() {
    let created = SENDER.create(0);
    let mut tx = call(0, TARGET, 100_000);
    tx.kind = TxKind::Create;
    let block = block(SpecId::CANCUN, vec![tx]);
    let mut builder = pre();
    builder.balance(created, U256::from(1));
    assert!(execute(&block, &builder.clone().build()).executed().all(|tx| tx.result.is_success()));
    builder.slot(created, U256::from(7), U256::from(8));
    let outcome = execute(&block, &builder.clone().build());
    let result = &outcome.executed().next().unwrap().result;
    assert!(result.is_halt(), "{result:?}");
    assert_eq!(outcome.gas_used, 100_000);
    assert_eq!(change(&outcome, created), None);
}

/// A store that fails to say one thing.
struct Broken(MemoryStore, &'static str);

impl StateStore for Broken {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        if self.1 == "account" && address == TARGET {
            return Some(Err(StoreError::Account { address, reason: "gone".into() }));
        }
        self.0.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        if self.1 == "slot" {
            return Some(Err(StoreError::Slot { address, slot, reason: "gone".into() }));
        }
        self.0.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        if self.1 == "probe" {
            return Some(Err(StoreError::Account { address, reason: "gone".into() }));
        }
        self.0.try_has_storage(address)
    }
}

#[test]
fn a_failing_read_names_its_transaction() {
    let mut builder = pre();
    builder.nonce(TARGET, 1).code(TARGET, hex!("600154").into());
    builder.balance(SENDER.create(1), U256::from(1));
    let other = Address::repeat_byte(1);
    let mut create = call(1, TARGET, 100_000);
    create.kind = TxKind::Create;
    for (what, second) in
        [("account", call(1, TARGET, 50_000)), ("slot", call(1, TARGET, 50_000)), ("probe", create)]
    {
        let block = block(SpecId::CANCUN, vec![call(0, other, 21_000), second]);
        let store = Broken(builder.clone().build(), what);
        for policy in [InvalidPolicy::Fail, InvalidPolicy::Skip] {
            let result = Sequential::new().execute(&block, &store, policy);
            assert!(
                matches!(result, Err(BlockError::Store { index: 1, .. })),
                "{what}: {result:?}"
            );
        }
    }
}

#[test]
fn a_block_hash_that_nobody_knows_is_an_error_of_the_input() {
    // BLOCKHASH(NUMBER - 1)
    let mut builder = pre();
    builder.nonce(TARGET, 1).code(TARGET, hex!("600143034000").into());
    let mut block = block(SpecId::CANCUN, vec![call(0, TARGET, 50_000)]);
    let store = builder.clone().build();
    let result = Sequential::new().execute(&block, &store, InvalidPolicy::Skip);
    let error = StoreError::BlockHash { number: 99 };
    assert_eq!(result.unwrap_err(), BlockError::Store { index: 0, error });
    block.block_hashes.insert(99, B256::repeat_byte(1));
    execute(&block, &store);
}
