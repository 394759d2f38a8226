// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// One value that every call replaces by a hash of itself: a dependency that nothing can reorder.
contract Counter {
    uint256 public count; // slot 0
    bytes32 public digest; // slot 1

    function step(uint256 rounds) external {
        bytes32 value = keccak256(abi.encode(digest, msg.sender));
        for (uint256 i = 1; i < rounds; i++) {
            value = keccak256(abi.encode(value));
        }
        digest = value;
        count += 1;
    }
}
