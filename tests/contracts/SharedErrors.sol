// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISharedMemory, ISharedMemoryView} from "../../src/evm/shared/ISharedMemory.sol";

ISharedMemory constant SHARED = ISharedMemory(0x000000000000000000000000000000000000C405);

/// Meets errors of shared memory as Solidity does: with try and catch, decoded, and let through.
contract SharedErrors {
    /// Catches one error after another and looks at what it says. Returns how many.
    function catchAll(address stranger) external returns (uint256 count) {
        bytes32 region = SHARED.create("errors", 64, 3, 0);
        bytes memory reason;

        try SHARED.create("none", 0, 3, 0) returns (bytes32) {
            revert("a region of 0 bytes");
        } catch (bytes memory data) {
            require(bytes4(data) == ISharedMemory.ZeroSize.selector && data.length == 4, "ZeroSize");
            count++;
        }
        try SHARED.create("errors", 64, 3, 0) returns (bytes32) {
            revert("a name twice");
        } catch (bytes memory data) {
            reason = check(data, ISharedMemory.RegionExists.selector);
            require(abi.decode(reason, (bytes32)) == region, "RegionExists");
            count++;
        }
        try SHARED.info(keccak256("nothing")) returns (uint256, uint8) {
            revert("a handle of nothing");
        } catch (bytes memory data) {
            reason = check(data, ISharedMemory.InvalidHandle.selector);
            require(abi.decode(reason, (bytes32)) == keccak256("nothing"), "InvalidHandle");
            count++;
        }
        try SHARED.open(stranger, "book") returns (bytes32 handle) {
            require(handle != 0, "the stranger has a book");
            try SHARED.map(handle, 0, 0, 0) returns (uint256) {
                revert("mapped without a right");
            } catch (bytes memory data) {
                reason = check(data, ISharedMemory.PermissionDenied.selector);
                (address actor, uint8 needed) = abi.decode(reason, (address, uint8));
                require(actor == address(this) && needed == 3, "PermissionDenied");
                count++;
            }
            try SHARED.destroy(handle) returns (bool) {
                revert("destroyed what is another's");
            } catch (bytes memory data) {
                reason = check(data, ISharedMemory.NotOwner.selector);
                require(abi.decode(reason, (address)) == address(this), "NotOwner");
                count++;
            }
        } catch {
            revert("open fails never");
        }

        // What failed took nothing away: the region is there, and so is the gas.
        uint256 mapping_ = SHARED.map(region, 0, 0, 0);
        uint256 gas_ = gasleft();
        try SHARED.read(mapping_, 64, 1) returns (bytes memory) {
            revert("read beyond the end");
        } catch (bytes memory data) {
            require(gas_ - gasleft() < 5_000, "gas");
            reason = check(data, ISharedMemory.OutOfBounds.selector);
            (uint256 offset, uint256 len, uint256 size) = abi.decode(reason, (uint256, uint256, uint256));
            require(offset == 64 && len == 1 && size == 64, "OutOfBounds");
            count++;
        }
        require(SHARED.write(mapping_, 32, "0123456789abcdef0123456789abcdef!") == 32, "write");
        require(keccak256(SHARED.readPadded(mapping_, 62, 4)) == keccak256("ef\x00\x00"), "read");
    }

    /// Lets an error through.
    function letThrough() external returns (uint256) {
        return SHARED.map(keccak256("nothing"), 0, 0, 0);
    }

    /// Reads in a static call, and catches what is not for one.
    function look(address owner, bytes32 name) external view returns (bytes memory data) {
        ISharedMemoryView shared = ISharedMemoryView(address(SHARED));
        bytes32 region = SHARED.open(owner, name);
        try shared.map(region, 0, 0, 0) returns (uint256) {
            revert("mapped for writing");
        } catch (bytes memory reason) {
            require(bytes4(reason) == ISharedMemory.StaticViolation.selector, "StaticViolation");
        }
        uint256 mapping_ = shared.map(region, 2, 0, 0);
        data = SHARED.read(mapping_, 0, 32);
        require(shared.unmap(mapping_), "unmap");
    }

    /// Calls what is no function of the interface.
    function misspell() external payable returns (bytes memory) {
        (bool success, bytes memory data) = address(SHARED).call(abi.encodeWithSignature("mapp(bytes32)", 0));
        require(!success && bytes4(data) == ISharedMemory.MalformedCall.selector, "MalformedCall");
        (success, data) = address(SHARED).call{value: msg.value}("");
        require(!success, "empty");
        return data;
    }

    /// The arguments of an error with that selector.
    function check(bytes memory data, bytes4 selector) private pure returns (bytes memory arguments) {
        require(bytes4(data) == selector, "another error");
        arguments = new bytes(data.length - 4);
        for (uint256 at = 4; at < data.length; at++) arguments[at - 4] = data[at];
    }
}
