// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A collection that anyone mints from. All mints meet at `nextId`.
contract Nft {
    uint256 public nextId; // slot 0
    mapping(uint256 => address) public ownerOf; // slot 1
    mapping(address => uint256) public balanceOf; // slot 2
    mapping(uint256 => address) public getApproved; // slot 3

    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    error NotAllowed(address caller, uint256 id);

    function mint() external returns (uint256 id) {
        id = nextId++;
        ownerOf[id] = msg.sender;
        balanceOf[msg.sender] += 1;
        emit Transfer(address(0), msg.sender, id);
    }

    function approve(address spender, uint256 id) external {
        if (ownerOf[id] != msg.sender) revert NotAllowed(msg.sender, id);
        getApproved[id] = spender;
    }

    function transferFrom(address from, address to, uint256 id) external {
        if (ownerOf[id] != from || (msg.sender != from && msg.sender != getApproved[id])) {
            revert NotAllowed(msg.sender, id);
        }
        delete getApproved[id];
        ownerOf[id] = to;
        balanceOf[from] -= 1;
        balanceOf[to] += 1;
        emit Transfer(from, to, id);
    }
}
