// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// @title Shared memory
/// @notice Named, permissioned, copy-on-write regions of bytes, at one address of the chain:
///
///     ISharedMemory constant SHARED = ISharedMemory(0x000000000000000000000000000000000000C405);
///
/// Every call acts with the rights of the frame that makes it: those of `address(this)`, also in a library
/// that is called with DELEGATECALL. A mapping belongs to that frame and ends with it.
///
/// Gas is the operation's, and 3 per word of calldata and of return data, errors included. A call that
/// fails reverts with one of the errors below and keeps the rest of the gas; only out of gas takes all.
///
/// @dev Permissions are bits: read 1, write 2, execute 4. An undefined bit anywhere is refused.
interface ISharedMemory {
    // ---- errors ------------------------------------------------------------------------------

    /// @notice A region or block of 0 bytes.
    error ZeroSize();
    /// @notice More bytes than the chain, the block class or the code limit allows.
    error RegionTooLarge(uint256 size, uint256 max);
    /// @notice The transaction has created as many regions as it may.
    error TooManyRegions(uint256 max);
    /// @notice The name is zero.
    error NameInvalid();
    /// @notice The owner has a region of that name and lifetime.
    error RegionExists(bytes32 handle);
    /// @notice An undefined bit, or what the chain or the region does not allow.
    error InvalidOption(uint256 option);
    /// @notice Not the handle of a region.
    error InvalidHandle(bytes32 handle);
    /// @notice The region has been destroyed.
    error StaleHandle(bytes32 handle);
    /// @notice `actor` lacks the permissions `needed`.
    error PermissionDenied(address actor, uint8 needed);
    /// @notice The frame has that window mapped with the same options, as `mapping_`.
    error AlreadyMapped(uint256 mapping_);
    /// @notice `len` bytes at `offset` do not lie within `size` bytes.
    error OutOfBounds(uint256 offset, uint256 len, uint256 size);
    /// @notice The frame has no such mapping.
    error NotMapped(uint256 mapping_);
    /// @notice Only the owner may do that.
    error NotOwner(address actor);
    /// @notice Regions grow only.
    error Shrink(uint256 size, uint256 current);
    /// @notice The transaction itself still maps the region.
    error RegionInUse(uint256 mappings);
    /// @notice The transaction holds as many blocks of the class as it may.
    error PoolExhausted(uint8 class);
    /// @notice A static call may open, map read-only, unmap, read and ask, and nothing else.
    error StaticViolation();
    /// @notice No function of this interface, or arguments that the compiler would not encode so.
    error MalformedCall();
    /// @notice The call brought wei.
    error ValueRefused();

    // ---- regions -----------------------------------------------------------------------------

    /// @notice Takes a block of zeros from the pool, as a region that ends with the transaction.
    /// @param size In bytes.
    /// @param class 0: 64 bytes, 1: 4 KiB, 2: 64 KiB, 3: 1 MiB, 4: the smallest that fits.
    function alloc(uint256 size, uint8 class) external returns (bytes32 handle);

    /// @notice Gives a block of the pool back.
    function free(bytes32 handle) external returns (bool);

    /// @notice Creates a region that the caller owns.
    /// @param name Not zero.
    /// @param size In bytes.
    /// @param permissions The most that anybody may ever do with it.
    /// @param options Bit 0: only copy-on-write mappings; bit 1: a write past the end grows it; bit 2: it is
    /// state and outlives the transaction; bits 3 and 4: compression (0 none, 1 LZ4, 2 Zstandard).
    function create(bytes32 name, uint256 size, uint8 permissions, uint8 options)
        external
        returns (bytes32 handle);

    /// @notice Looks a region up.
    /// @return handle Zero if there is none.
    function open(address owner, bytes32 name) external view returns (bytes32 handle);

    /// @notice Makes a region larger. It never gets smaller.
    function grow(bytes32 handle, uint256 newSize) external returns (bool);

    /// @notice Sets what `to` may do with a region of the caller, from the next mapping on; 0 revokes.
    function grant(bytes32 handle, address to, uint8 permissions) external returns (bool);

    /// @notice Ends a region of the caller.
    function destroy(bytes32 handle) external returns (bool);

    /// @notice The size in bytes, and what the caller may do.
    function info(bytes32 handle) external view returns (uint256 size, uint8 permissions);

    // ---- mappings ----------------------------------------------------------------------------

    /// @notice Maps a region, or a window of it, for the calling frame.
    /// @param options Bit 0: copy-on-write, a snapshot with private writes; bit 1: read-only; bits 2 and 3:
    /// load lazily, prefetch (hints).
    /// @param offset First byte of the window.
    /// @param size Of the window; 0: to the end, wherever that is.
    /// @return mapping_ The frame's ordinal of the mapping, from 1.
    /// @dev In a static call only read-only mappings can be made; declare such a call with
    /// `ISharedMemoryView`.
    function map(bytes32 handle, uint8 options, uint256 offset, uint256 size)
        external
        returns (uint256 mapping_);

    /// @notice Ends a mapping, and with it what a copy-on-write mapping has not published.
    function unmap(uint256 mapping_) external returns (bool);

    /// @notice Writes to the region exactly the bytes that a copy-on-write mapping wrote.
    function publish(uint256 mapping_) external returns (bool);

    /// @notice Reads up to the end of the mapping.
    /// @return data `min(len, size - offset)` bytes.
    function read(uint256 mapping_, uint256 offset, uint256 len)
        external
        view
        returns (bytes memory data);

    /// @notice Reads, with zeros past the end.
    /// @return data Exactly `len` bytes.
    function readPadded(uint256 mapping_, uint256 offset, uint256 len)
        external
        view
        returns (bytes memory data);

    /// @notice Writes up to the end of the mapping.
    /// @return written `min(data.length, size - offset)`, or all of it if the region grows.
    function write(uint256 mapping_, uint256 offset, bytes calldata data)
        external
        returns (uint256 written);

    /// @notice Copies within a mapping, as if through a buffer.
    function copy(uint256 mapping_, uint256 destination, uint256 source, uint256 len)
        external
        returns (bool);
}

/// @title Shared memory, for view functions
/// @notice The functions that a static call may use besides those that `ISharedMemory` declares as view.
interface ISharedMemoryView {
    /// @notice As `ISharedMemory.map`; `options` has to contain read-only (2).
    function map(bytes32 handle, uint8 options, uint256 offset, uint256 size)
        external
        view
        returns (uint256 mapping_);

    /// @notice As `ISharedMemory.unmap`.
    function unmap(uint256 mapping_) external view returns (bool);
}
