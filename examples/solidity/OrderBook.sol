// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ISharedMemory} from "../../src/evm/shared/ISharedMemory.sol";

ISharedMemory constant SHARED = ISharedMemory(0x000000000000000000000000000000000000C405);

uint8 constant READ_WRITE = 3;
uint8 constant PERSISTENT = 4;

/// Owns the book: a page of 128 orders, each a word. 0 is a free place.
contract Maker {
    /// Creates the book, for `taker` to fill orders.
    function open(address taker) external {
        bytes32 book = SHARED.create("book", 4096, READ_WRITE, PERSISTENT);
        SHARED.grant(book, taker, READ_WRITE);
        // A first word, so that the page is there.
        SHARED.write(SHARED.map(book, 0, 0, 0), 0, abi.encode(uint256(0)));
    }

    /// Places an order.
    function place(uint256 at, uint256 amount) external {
        bytes32 book = SHARED.open(address(this), "book");
        // The mapping ends with this call.
        uint256 mapping_ = SHARED.map(book, 0, 0, 0);
        SHARED.write(mapping_, 32 * at, abi.encode(amount));
    }
}

/// Fills orders of a maker's book.
contract Taker {
    error Nothing(uint256 at);
    error NoBook(address maker);

    mapping(address buyer => uint256) public bought;

    /// Takes the order from the book.
    function fill(address maker, uint256 at) external {
        bytes32 book = SHARED.open(maker, "book");
        if (book == 0) revert NoBook(maker);
        // An error of shared memory is a custom error, which this call reverts with in turn.
        uint256 mapping_ = SHARED.map(book, 0, 0, 0);
        uint256 amount = abi.decode(SHARED.read(mapping_, 32 * at, 32), (uint256));
        if (amount == 0) revert Nothing(at);
        bought[msg.sender] += amount;
        SHARED.write(mapping_, 32 * at, abi.encode(uint256(0)));
    }
}
