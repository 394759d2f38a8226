//! Transactions that load many accounts which do not exist, and come back to each of them.

use alloy_primitives::{Address, U256};
use chorus::evm::{SpecId, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::Code,
    trap::{Trap, account, by},
};

/// As many as one transaction looks at.
const CROWD: u8 = 60;

fn somebody(i: u8) -> Address {
    account(0xab, i)
}

fn contract(i: u8) -> Address {
    account(0xc0, i)
}

/// SSTORE(1, 1,000 + what all of them have, counted there and back).
fn census() -> Code {
    let there_and_back = (0..CROWD).chain((0..CROWD).rev());
    let count = |code: Code, i| code.address(somebody(i)).ops(&[op::BALANCE, op::ADD]);
    there_and_back.fold(Code::slow().push(1_000), count).store(1)
}

#[test]
fn whoever_looks_at_a_crowd_sees_those_who_come_into_being() {
    for spec in [SpecId::HOMESTEAD, SpecId::SPURIOUS_DRAGON, SpecId::CANCUN] {
        let mut trap = Trap::new(spec);
        let payments = [(1, 7, 3), (3, 50, 4)];
        for (at, to, wei) in payments {
            trap.contract(contract(at), Code::slow().call(somebody(to), wei));
            trap.store.balance(contract(at), U256::from(wei));
        }
        for at in [0, 2, 4] {
            trap.contract(contract(at), census());
        }
        for at in 0..5 {
            trap.call(contract(at));
        }
        trap.dawdle();
        let facts = trap.outcome();
        let seen = [0, 2, 4].map(|at| facts.slot(contract(at), 1).to::<u64>());
        assert_eq!(seen, [1_000, 1_006, 1_014], "{spec:?}");
    }
}

#[test]
fn a_crowd_that_is_touched_exists_before_eip_161_and_does_not_since() {
    let touch = (0..CROWD).fold(Code::slow(), |code, i| code.call(somebody(i), 0).ops(&[op::POP]));
    for (spec, created) in [(SpecId::HOMESTEAD, true), (SpecId::SPURIOUS_DRAGON, false)] {
        let mut trap = Trap::new(spec);
        trap.contract(contract(0), touch.clone());
        trap.contract(contract(1), Code::slow().address(somebody(9)).ops(&[op::SELFDESTRUCT]));
        for _ in 0..3 {
            let sender = trap.sender();
            trap.send(TxEnv { gas_limit: 6_000_000, ..by(sender, 0, contract(0)) });
        }
        trap.call(contract(1));
        let facts = trap.outcome();
        let exists = |i| facts.change(somebody(i)).is_some_and(|change| change.created);
        assert!((0..CROWD).all(|i| exists(i) == created), "{spec:?}");
        assert!(!exists(CROWD));
    }
}
