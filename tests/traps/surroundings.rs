//! What a block brings along: hashes of earlier blocks, blobs, withdrawals, system calls. And what
//! must not outlive a transaction.

use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS};
use alloy_primitives::{Address, B256, U256, hex};
use chorus::evm::{BlockError, InvalidPolicy, SpecId, StoreError, TxEnv, Withdrawal};
use revm::bytecode::opcode as op;

use super::{
    code::Code,
    trap::{ETHER, MINER, NUMBER, Trap, account, by},
};

const FRIEND: Address = Address::repeat_byte(0xf1);

fn contract(i: u8) -> Address {
    account(0xc0, i)
}

/// SSTORE(0, BLOCKHASH(NUMBER - 1))
fn hashes() -> Code {
    Code::new().push(1).ops(&[op::NUMBER, op::SUB, op::BLOCKHASH]).store(0)
}

#[test]
fn an_unknown_block_hash_is_an_error_of_the_input_at_the_cursor() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(contract(1), hashes());
    let at = trap.call(contract(1));
    trap.call(contract(1));
    trap.dawdle();
    let error = StoreError::BlockHash { number: NUMBER - 1 };
    for policy in [InvalidPolicy::Skip, InvalidPolicy::Fail] {
        let result = trap.run(policy);
        assert_eq!(result.unwrap_err(), BlockError::Store { index: at, error: error.clone() });
    }
    trap.block.block_hashes.insert(NUMBER - 1, B256::repeat_byte(0xb1));
    assert_eq!(trap.outcome().slot(contract(1), 0), U256::from_be_bytes([0xb1; 32]));

    // An invalid transaction before it is the error, if invalid ones are one.
    trap.block.block_hashes.clear();
    let sender = trap.sender();
    trap.block.transactions[0].env = by(sender, 7, FRIEND);
    let result = trap.run(InvalidPolicy::Fail);
    assert!(matches!(result, Err(BlockError::Invalid { index: 0, .. })), "{result:?}");
}

#[test]
fn an_unknown_block_hash_that_only_a_doomed_incarnation_read_is_no_error() {
    // Asks for the hash while the friend has nothing; the JUMPDEST is behind that, at 33.
    let unless = Code::new().address(FRIEND).ops(&[op::BALANCE]).push(33).ops(&[op::JUMPI]);
    let asks = unless.push(1).ops(&[op::NUMBER, op::SUB, op::BLOCKHASH]).store(0);
    let code = asks.ops(&[op::JUMPDEST]).push(7).store(1);
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(contract(1), Code::slow().call(FRIEND, 1));
    trap.store.balance(contract(1), U256::ONE);
    trap.contract(contract(2), code);
    trap.call(contract(1));
    for _ in 0..4 {
        trap.call(contract(2));
    }
    let facts = trap.outcome();
    assert_eq!(facts.slots(contract(2)), [(1, U256::from(7))]);

    // Without the payment each of them would ask.
    trap.store.balance(contract(1), U256::ZERO);
    let result = trap.run(InvalidPolicy::Skip);
    let error = StoreError::BlockHash { number: NUMBER - 1 };
    assert_eq!(result.unwrap_err(), BlockError::Store { index: 2, error });
}

#[test]
fn transient_storage_ends_with_its_transaction() {
    let mut trap = Trap::new(SpecId::CANCUN);
    // TSTORE(0, TLOAD(0) + 1), then SSTORE(0, SLOAD(0) + TLOAD(0)).
    let count = Code::slow().push(1).push(0).ops(&[op::TLOAD, op::ADD]).push(0);
    let sum = count.ops(&[op::TSTORE]).push(0).ops(&[op::TLOAD]).load(0).ops(&[op::ADD]).store(0);
    trap.contract(contract(1), sum);
    // Calls it three times in one transaction: 1 + 2 + 3.
    let thrice = (0..3).fold(Code::new(), |code, _| code.call(contract(1), 0));
    trap.contract(contract(2), thrice);
    for _ in 0..6 {
        trap.call(contract(1));
        trap.call(contract(2));
    }
    assert_eq!(trap.outcome().slot(contract(1), 0), U256::from(6 * (1 + 6)));
}

#[test]
fn blob_transactions_see_their_blobs_and_burn_their_fee() {
    let mut trap = Trap::new(SpecId::CANCUN);
    // SSTORE(CALLER, BLOBHASH(1)), SSTORE(0, SLOAD(0) + BLOBBASEFEE)
    let look = Code::slow().push(1).ops(&[op::BLOBHASH, op::CALLER, op::SSTORE]);
    trap.contract(contract(1), look.load(0).ops(&[op::BLOBBASEFEE, op::ADD]).store(0));
    let mut expected = vec![(U256::ZERO, U256::from(3))];
    for i in 1..=3 {
        let sender = trap.sender();
        let hash = |of: u8| B256::right_padding_from(&[1, i, of]);
        trap.send(TxEnv {
            tx_type: 3,
            blob_hashes: vec![hash(0), hash(1)],
            max_fee_per_blob_gas: 5,
            gas_priority_fee: Some(0),
            ..by(sender, 0, contract(1))
        });
        expected.push((U256::from_be_slice(sender.as_slice()), hash(1).into()));
    }
    let facts = trap.outcome();
    assert_eq!(facts.change(contract(1)).unwrap().storage, expected);
    for (slot, _) in &expected[1..] {
        let sender = Address::from_word((*slot).into());
        // The price is 1 wei; nobody gets it.
        assert_eq!(facts.balance(sender), ETHER - (2 << 17));
    }
    assert_eq!(facts.change(MINER), None);
    assert_eq!(facts.0.blob_gas_used, 6 << 17);
}

#[test]
fn withdrawals_are_in_the_diff_after_all_transactions() {
    let empty = account(0x0e, 1);
    let mut trap = Trap::new(SpecId::SHANGHAI);
    // SSTORE(0, BALANCE(FRIEND)): what is withdrawn is not yet there.
    trap.contract(contract(1), Code::slow().address(FRIEND).ops(&[op::BALANCE]).store(0));
    trap.store.account(empty);
    let sender = trap.sender();
    trap.send(TxEnv { value: U256::from(3), ..by(sender, 0, FRIEND) });
    trap.call(contract(1));
    trap.dawdle();
    trap.block.withdrawals = vec![
        Withdrawal { address: FRIEND, amount_gwei: 2 },
        Withdrawal { address: empty, amount_gwei: 0 },
        Withdrawal { address: MINER, amount_gwei: 1 },
        Withdrawal { address: FRIEND, amount_gwei: 4 },
    ];
    let facts = trap.outcome();
    assert_eq!(facts.slot(contract(1), 0), U256::from(3));
    assert_eq!((facts.balance(FRIEND), facts.balance(MINER)), (6_000_000_003, 1_000_000_000));
    assert!(facts.change(empty).unwrap().deleted);
}

#[test]
fn system_calls_come_before_the_transactions_and_are_in_the_diff() {
    // The contract of EIP-2935, as deployed.
    let history = hex!(
        "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257"
        "611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
    );
    let parent = B256::repeat_byte(0xab);
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(HISTORY_STORAGE_ADDRESS, history);
    // Stands in for EIP-4788: adds its input to slot 0.
    let adds = Code::slow().push(0).ops(&[op::CALLDATALOAD]).load(0).ops(&[op::ADD]).store(0);
    trap.contract(BEACON_ROOTS_ADDRESS, adds);
    trap.block.system.parent_hash = Some(parent);
    trap.block.system.beacon_root = Some(B256::with_last_byte(40));
    // Asks the history for the parent's hash, and stores it.
    let ask = Code::slow().push(NUMBER - 1).push(0).ops(&[op::MSTORE]).push(32).push(0);
    let ask = ask.push(32).push(0).push(0).address(HISTORY_STORAGE_ADDRESS).push(80_000);
    let store = ask.ops(&[op::CALL, op::POP]).push(0).ops(&[op::MLOAD]).store(0);
    trap.contract(contract(1), store);
    trap.call(contract(1));
    for number in [2, 3, 5] {
        trap.call_with(BEACON_ROOTS_ADDRESS, B256::with_last_byte(number).into());
    }
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.slots(HISTORY_STORAGE_ADDRESS), [(NUMBER - 1, parent.into())]);
    assert_eq!(facts.slot(contract(1), 0), U256::from_be_bytes(parent.0));
    assert_eq!(facts.slot(BEACON_ROOTS_ADDRESS, 0), U256::from(50));

    // Contracts that are absent are passed over.
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.block.system.parent_hash = Some(parent);
    trap.block.system.beacon_root = Some(parent);
    let facts = trap.outcome();
    assert_eq!(
        (facts.change(HISTORY_STORAGE_ADDRESS), facts.change(BEACON_ROOTS_ADDRESS)),
        (None, None)
    );
}
