// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IPayable {
    function transfer(address, uint256) external returns (bool);
}

/// A pot of tokens that everyone may claim an equal share of, once. All claims debit one balance.
contract Airdrop {
    address public token; // slot 0
    uint256 public share; // slot 1
    mapping(address => bool) public claimed; // slot 2

    event Claimed(address indexed account, uint256 amount);

    error AlreadyClaimed(address account);
    error TransferFailed();

    constructor(address token_, uint256 share_) {
        token = token_;
        share = share_;
    }

    function claim() external {
        if (claimed[msg.sender]) revert AlreadyClaimed(msg.sender);
        claimed[msg.sender] = true;
        if (!IPayable(token).transfer(msg.sender, share)) revert TransferFailed();
        emit Claimed(msg.sender, share);
    }
}
