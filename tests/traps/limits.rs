//! What a transaction alone cannot know: how much gas and blob gas the block has left for it.

use alloy_primitives::{Address, B256, U256};
use chorus::evm::{BlockError, Invalid, InvalidPolicy, SpecId, TransactionOutcome, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::Code,
    trap::{Trap, account, by},
};

const FRIEND: Address = Address::repeat_byte(0xf1);

/// A transfer by a sender of its own that asks for so much gas, and uses 21,000.
fn asks(trap: &mut Trap, gas_limit: u64) -> usize {
    let sender = trap.sender();
    trap.send(TxEnv { gas_limit, value: U256::ONE, ..by(sender, 0, FRIEND) })
}

/// A transfer with so many blobs.
fn with_blobs(trap: &mut Trap, count: usize) -> usize {
    let env = by(trap.sender(), 0, FRIEND);
    trap.send(TxEnv {
        tx_type: 3,
        gas_limit: 21_000,
        value: U256::ONE,
        blob_hashes: vec![B256::with_last_byte(1) | B256::right_padding_from(&[1]); count],
        max_fee_per_blob_gas: 1,
        gas_priority_fee: Some(0),
        ..env
    })
}

/// Both policies: skipped with the reason, or the block's error.
fn refuses(trap: &mut Trap, at: usize, reason: Invalid) {
    let facts = trap.outcome_of_valid();
    assert_eq!(facts.0.transactions[at], TransactionOutcome::Skipped(reason.clone()));
    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: at, reason });
}

#[test]
fn a_block_that_is_full_has_no_room_for_more_gas() {
    let mut trap = Trap::bare(SpecId::CANCUN);
    trap.block.env.gas_limit = 200_000;
    for _ in 0..4 {
        asks(&mut trap, 50_000);
    }
    let over = asks(&mut trap, 116_001);
    let exact = asks(&mut trap, 116_000);
    for _ in 0..4 {
        asks(&mut trap, 21_000);
    }
    let last = asks(&mut trap, 21_000);
    refuses(&mut trap, over, Invalid::BlockGas { gas_limit: 116_001, available: 116_000 });
    let facts = trap.outcome_of_valid();
    assert_eq!(facts.executed(exact).cumulative_gas, 5 * 21_000);
    let reason = Invalid::BlockGas { gas_limit: 21_000, available: 11_000 };
    assert_eq!(facts.0.transactions[last], TransactionOutcome::Skipped(reason));
    assert_eq!((facts.0.gas_used, facts.balance(FRIEND)), (9 * 21_000, 9));
}

#[test]
fn room_depends_on_what_an_earlier_transaction_turns_out_to_use() {
    let [payer, burner] = [account(0xc0, 1), account(0xc0, 2)];
    let mut trap = Trap::bare(SpecId::CANCUN);
    trap.block.env.gas_limit = 200_000;
    trap.contract(payer, Code::slow().call(FRIEND, 1));
    trap.store.balance(payer, U256::ONE);
    // Uses all it asks for while the friend has nothing; the JUMPDEST is at 26.
    let burn = Code::new().address(FRIEND).ops(&[op::BALANCE]).push(26);
    trap.contract(burner, burn.ops(&[op::JUMPI, op::INVALID, op::JUMPDEST]));
    for (gas_limit, callee) in [(90_000, payer), (90_000, burner), (100_000, burner)] {
        let sender = trap.sender();
        trap.send(TxEnv { gas_limit, ..by(sender, 0, callee) });
    }
    let facts = trap.outcome();
    assert!(facts.gas(0) > 50_000);
    assert!([1, 2].into_iter().all(|at| facts.succeeded(at) && facts.gas(at) < 25_000));

    // Without the payment the first has burnt what the second asks for.
    trap.block.transactions[0].env.data = vec![0; 1_000].into();
    trap.store.balance(payer, U256::ZERO);
    let facts = trap.outcome_of_valid();
    assert_eq!((facts.succeeded(1), facts.gas(1)), (false, 90_000));
    let available = 200_000 - 90_000 - facts.gas(0);
    let reason = Invalid::BlockGas { gas_limit: 100_000, available };
    assert_eq!(facts.0.transactions[2], TransactionOutcome::Skipped(reason));
}

#[test]
fn blob_gas_is_counted_over_the_block() {
    let mut trap = Trap::new(SpecId::CANCUN);
    with_blobs(&mut trap, 3);
    with_blobs(&mut trap, 1);
    let over = with_blobs(&mut trap, 3);
    let exact = with_blobs(&mut trap, 2);
    let full = with_blobs(&mut trap, 1);
    trap.dawdle();
    let reason = Invalid::BlobGas { blob_gas: 3 << 17, available: 2 << 17 };
    refuses(&mut trap, over, reason);
    let facts = trap.outcome_of_valid();
    assert!(facts.succeeded(exact));
    let reason = Invalid::BlobGas { blob_gas: 1 << 17, available: 0 };
    assert_eq!(facts.0.transactions[full], TransactionOutcome::Skipped(reason));
    assert_eq!((facts.0.blob_gas_used, facts.balance(FRIEND)), (6 << 17, 3));
}

#[test]
fn what_is_skipped_takes_no_room() {
    let mut trap = Trap::bare(SpecId::CANCUN);
    trap.block.env.gas_limit = 100_000;
    // Not valid for another reason, each with much gas and all the blobs there are.
    for _ in 0..5 {
        let at = with_blobs(&mut trap, 6);
        let env = &mut trap.block.transactions[at].env;
        (env.nonce, env.gas_limit) = (3, 90_000);
    }
    let blobs = with_blobs(&mut trap, 6);
    let last = asks(&mut trap, 79_000);
    let facts = trap.outcome_of_valid();
    assert_eq!(facts.executed(blobs).cumulative_gas, 21_000);
    assert_eq!(facts.executed(last).cumulative_gas, 42_000);
    assert_eq!(facts.0.blob_gas_used, 6 << 17);
}
