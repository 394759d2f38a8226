// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ephemeral} from "./Ephemeral.sol";

/// Creates contracts at addresses known beforehand (CREATE2). Each creation raises its nonce.
contract Factory {
    uint256 public deployed; // slot 0

    event Deployed(address indexed child, bytes32 indexed salt);

    function deploy(bytes32 salt) external payable returns (address child) {
        child = address(new Ephemeral{salt: salt, value: msg.value}(uint256(salt)));
        deployed += 1;
        emit Deployed(child, salt);
    }

    /// Creates a contract and destroys it in the same transaction.
    function flash(bytes32 salt) external payable {
        Ephemeral child = new Ephemeral{salt: salt, value: msg.value}(uint256(salt));
        child.set(1);
        child.destroy();
    }

    receive() external payable {}
}
