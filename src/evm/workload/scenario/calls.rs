//! Deep calls, and contracts that come and go.

use alloy_primitives::{B256, U256, hex};
use revm::primitives::hardfork::SpecId;

use super::{super::world::World, cells::words, parameter::Settings};

/// Calls itself `calldata 0` times, then counts up slot `calldata 1`.
const DIVER: &str = "
    0 CALLDATALOAD DUP1 @down JUMPI
    32 CALLDATALOAD DUP1 SLOAD 1 ADD SWAP1 SSTORE STOP
down:
    1 SWAP1 SUB 0 MSTORE
    32 CALLDATALOAD 32 MSTORE
    0 0 64 0 0 ADDRESS GAS CALL
    @up JUMPI
    0 0 REVERT
up:
    STOP
";

/// Each transaction goes down so many frames, to a slot of its own.
pub(super) fn deep(world: &mut World, size: usize, settings: &Settings) {
    let depth = settings.whole("depth");
    let diver = world.install(DIVER);
    // A frame passes on 63 of 64 parts of its gas: what the last one and each one above it need grows
    // on the way up.
    let growth = (64.0 / 63.0_f64).powi(depth as i32);
    let needed = 30_000.0 * growth + 400.0 * 63.0 * (growth - 1.0);
    for index in 0..size {
        let from = world.sender();
        let data = words(&[U256::from(depth), U256::from(index + 1)]);
        world.call(from, diver, data, 50_000 + needed as u64);
    }
}

/// `sstore(0, 1)`, then returns `selfdestruct(caller())`.
const CHILD: [u8; 16] = hex!("600160005561 33ff 600052 6002601e f3");

/// Creates a child with the salt of calldata 0, or calls it at calldata 1 if that is not zero.
fn parent() -> String {
    format!(
        "
        32 CALLDATALOAD DUP1 @call JUMPI
        0x{} 0 MSTORE
        0 CALLDATALOAD 16 16 0 CREATE2 @end JUMPI
        0 0 REVERT
    call:
        0 0 0 0 0 DUP6 GAS CALL @end JUMPI
        0 0 REVERT
    end:
        STOP
    ",
        hex::encode(CHILD)
    )
}

/// Contracts that are created, destroyed and created again at the same addresses, each with a parent
/// of its own: two transactions for each turn. The rules are those of Shanghai, the last ones under
/// which a contract can be destroyed after the transaction that created it (EIP-6780).
pub(super) fn storm(world: &mut World, size: usize, settings: &Settings) {
    world.spec = SpecId::SHANGHAI;
    let parents: Vec<_> =
        (0..settings.whole("contracts")).map(|_| world.install(&parent())).collect();
    for index in 0..size {
        let parent = parents[index % parents.len()];
        let salt = B256::with_last_byte(7);
        let destroys = index / parents.len() % 2 == 1;
        let child =
            if destroys { parent.create2_from_code(salt, CHILD) } else { Default::default() };
        let from = world.sender();
        let data = words(&[salt.into(), child.into_word().into()]);
        world.call(from, parent, data, 200_000);
    }
}
