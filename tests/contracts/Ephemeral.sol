// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A contract that remembers one value and leaves when asked, sending its balance to the caller.
/// (Since EIP-6780 it really leaves only in the transaction that created it.)
contract Ephemeral {
    uint256 public value; // slot 0

    constructor(uint256 first) payable {
        value = first;
    }

    function set(uint256 next) external payable {
        value = next;
    }

    function destroy() external {
        selfdestruct(payable(msg.sender));
    }

    receive() external payable {}
}
