// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IPair {
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256, uint256, address, bytes calldata) external;
}

interface ISpendable {
    function transferFrom(address, address, uint256) external returns (bool);
}

/// The entry that people swap through: it moves the tokens in and walks a path of pools.
contract Router {
    mapping(address => mapping(address => address)) public pairFor; // slot 0, lower address first

    error Expired(uint256 deadline);
    error NoPair(address a, address b);
    error InvalidPath();
    error TransferFailed(address token);
    error InsufficientOutput(uint256 amount, uint256 wanted);

    function register(address a, address b, address pair) external {
        (address low, address high) = a < b ? (a, b) : (b, a);
        pairFor[low][high] = pair;
    }

    function getAmountsOut(uint256 amountIn, address[] memory path)
        public
        view
        returns (uint256[] memory amounts)
    {
        if (path.length < 2) revert InvalidPath();
        amounts = new uint256[](path.length);
        amounts[0] = amountIn;
        for (uint256 i = 0; i + 1 < path.length; i++) {
            (uint112 reserve0, uint112 reserve1,) = IPair(_pair(path[i], path[i + 1])).getReserves();
            (uint256 reserveIn, uint256 reserveOut) =
                path[i] < path[i + 1] ? (reserve0, reserve1) : (reserve1, reserve0);
            uint256 withFee = amounts[i] * 997;
            amounts[i + 1] = withFee * reserveOut / (reserveIn * 1000 + withFee);
        }
    }

    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external returns (uint256[] memory amounts) {
        if (block.timestamp > deadline) revert Expired(deadline);
        amounts = getAmountsOut(amountIn, path);
        uint256 last = amounts[amounts.length - 1];
        if (last < amountOutMin) revert InsufficientOutput(last, amountOutMin);
        address pair = _pair(path[0], path[1]);
        if (!ISpendable(path[0]).transferFrom(msg.sender, pair, amountIn)) {
            revert TransferFailed(path[0]);
        }
        for (uint256 i = 0; i + 1 < path.length; i++) {
            uint256 out = amounts[i + 1];
            (uint256 out0, uint256 out1) =
                path[i] < path[i + 1] ? (uint256(0), out) : (out, uint256(0));
            address next = i + 2 < path.length ? _pair(path[i + 1], path[i + 2]) : to;
            IPair(pair).swap(out0, out1, next, "");
            pair = next;
        }
    }

    function _pair(address a, address b) private view returns (address pair) {
        (address low, address high) = a < b ? (a, b) : (b, a);
        pair = pairFor[low][high];
        if (pair == address(0)) revert NoPair(a, b);
    }
}
