// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IToken {
    function balanceOf(address) external view returns (uint256);
    function transfer(address, uint256) external returns (bool);
}

interface ISwapCallee {
    function onSwap(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external;
}

/// A pool of two tokens whose product of reserves never falls (a fee of 0.3 % stays in the pool),
/// with shares of liquidity, time-weighted prices and flash swaps.
contract Pair {
    uint256 private constant MINIMUM_LIQUIDITY = 1000;

    uint256 public totalSupply; // slot 0: shares of liquidity
    mapping(address => uint256) public balanceOf; // slot 1
    mapping(address => mapping(address => uint256)) public allowance; // slot 2
    address public token0; // slot 3
    address public token1; // slot 4
    uint112 private reserve0; // slot 5, bits 0..112
    uint112 private reserve1; // slot 5, bits 112..224
    uint32 private updated; // slot 5, bits 224..256: when the reserves were last written
    uint256 public price0Cumulative; // slot 6: seconds times price, 112 fractional bits
    uint256 public price1Cumulative; // slot 7
    uint256 private unlocked = 1; // slot 8: 1 outside a call, 2 within

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Mint(address indexed sender, uint256 amount0, uint256 amount1);
    event Burn(address indexed sender, uint256 amount0, uint256 amount1, address indexed to);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);

    error Locked();
    error Overflow();
    error TransferFailed(address token);
    error InsufficientLiquidity();
    error InsufficientInput();
    error InsufficientOutput();
    error InvalidRecipient(address to);
    error ProductFell();

    modifier lock() {
        if (unlocked != 1) revert Locked();
        unlocked = 2;
        _;
        unlocked = 1;
    }

    constructor(address a, address b) {
        (token0, token1) = a < b ? (a, b) : (b, a);
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, updated);
    }

    /// What `amountIn` of a token buys, given the reserves of it and of the other token.
    function getAmountOut(uint256 amountIn, uint256 reserveIn, uint256 reserveOut)
        public
        pure
        returns (uint256)
    {
        if (amountIn == 0) revert InsufficientInput();
        if (reserveIn == 0 || reserveOut == 0) revert InsufficientLiquidity();
        uint256 withFee = amountIn * 997;
        return withFee * reserveOut / (reserveIn * 1000 + withFee);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _move(from, to, value);
        return true;
    }

    /// Issues shares for whatever was sent to the pool since it last looked.
    function mint(address to) external lock returns (uint256 shares) {
        (uint112 old0, uint112 old1,) = getReserves();
        uint256 balance0 = IToken(token0).balanceOf(address(this));
        uint256 balance1 = IToken(token1).balanceOf(address(this));
        uint256 amount0 = balance0 - old0;
        uint256 amount1 = balance1 - old1;
        uint256 supply = totalSupply;
        if (supply == 0) {
            shares = _sqrt(amount0 * amount1) - MINIMUM_LIQUIDITY;
            _issue(address(0), MINIMUM_LIQUIDITY);
        } else {
            uint256 by0 = amount0 * supply / old0;
            uint256 by1 = amount1 * supply / old1;
            shares = by0 < by1 ? by0 : by1;
        }
        if (shares == 0) revert InsufficientLiquidity();
        _issue(to, shares);
        _update(balance0, balance1, old0, old1);
        emit Mint(msg.sender, amount0, amount1);
    }

    /// Redeems the shares that were sent to the pool.
    function burn(address to) external lock returns (uint256 amount0, uint256 amount1) {
        (uint112 old0, uint112 old1,) = getReserves();
        (address t0, address t1) = (token0, token1);
        uint256 balance0 = IToken(t0).balanceOf(address(this));
        uint256 balance1 = IToken(t1).balanceOf(address(this));
        uint256 shares = balanceOf[address(this)];
        uint256 supply = totalSupply;
        amount0 = shares * balance0 / supply;
        amount1 = shares * balance1 / supply;
        if (amount0 == 0 || amount1 == 0) revert InsufficientLiquidity();
        balanceOf[address(this)] = 0;
        totalSupply = supply - shares;
        emit Transfer(address(this), address(0), shares);
        _pay(t0, to, amount0);
        _pay(t1, to, amount1);
        balance0 = IToken(t0).balanceOf(address(this));
        balance1 = IToken(t1).balanceOf(address(this));
        _update(balance0, balance1, old0, old1);
        emit Burn(msg.sender, amount0, amount1, to);
    }

    /// Pays out what is asked for, then checks that enough came in to keep the product.
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data)
        external
        lock
    {
        if (amount0Out == 0 && amount1Out == 0) revert InsufficientOutput();
        (uint112 old0, uint112 old1,) = getReserves();
        if (amount0Out >= old0 || amount1Out >= old1) revert InsufficientLiquidity();
        uint256 balance0;
        uint256 balance1;
        {
            (address t0, address t1) = (token0, token1);
            if (to == t0 || to == t1) revert InvalidRecipient(to);
            if (amount0Out > 0) _pay(t0, to, amount0Out);
            if (amount1Out > 0) _pay(t1, to, amount1Out);
            if (data.length > 0) ISwapCallee(to).onSwap(msg.sender, amount0Out, amount1Out, data);
            balance0 = IToken(t0).balanceOf(address(this));
            balance1 = IToken(t1).balanceOf(address(this));
        }
        uint256 in0 = balance0 > old0 - amount0Out ? balance0 - (old0 - amount0Out) : 0;
        uint256 in1 = balance1 > old1 - amount1Out ? balance1 - (old1 - amount1Out) : 0;
        if (in0 == 0 && in1 == 0) revert InsufficientInput();
        {
            uint256 adjusted0 = balance0 * 1000 - in0 * 3;
            uint256 adjusted1 = balance1 * 1000 - in1 * 3;
            if (adjusted0 * adjusted1 < uint256(old0) * old1 * 1_000_000) revert ProductFell();
        }
        _update(balance0, balance1, old0, old1);
        emit Swap(msg.sender, in0, in1, amount0Out, amount1Out, to);
    }

    /// Pays out whatever the pool holds beyond its reserves.
    function skim(address to) external lock {
        (address t0, address t1) = (token0, token1);
        _pay(t0, to, IToken(t0).balanceOf(address(this)) - reserve0);
        _pay(t1, to, IToken(t1).balanceOf(address(this)) - reserve1);
    }

    /// Takes what the pool holds as its reserves.
    function sync() external lock {
        uint256 balance0 = IToken(token0).balanceOf(address(this));
        uint256 balance1 = IToken(token1).balanceOf(address(this));
        _update(balance0, balance1, reserve0, reserve1);
    }

    function _update(uint256 balance0, uint256 balance1, uint112 old0, uint112 old1) private {
        if (balance0 > type(uint112).max || balance1 > type(uint112).max) revert Overflow();
        uint32 time = uint32(block.timestamp);
        unchecked {
            uint32 elapsed = time - updated;
            if (elapsed > 0 && old0 != 0 && old1 != 0) {
                price0Cumulative += (uint256(old1) << 112) / old0 * elapsed;
                price1Cumulative += (uint256(old0) << 112) / old1 * elapsed;
            }
        }
        reserve0 = uint112(balance0);
        reserve1 = uint112(balance1);
        updated = time;
        emit Sync(uint112(balance0), uint112(balance1));
    }

    function _pay(address token, address to, uint256 value) private {
        (bool ok, bytes memory answer) = token.call(abi.encodeCall(IToken.transfer, (to, value)));
        if (!ok || (answer.length != 0 && !abi.decode(answer, (bool)))) revert TransferFailed(token);
    }

    function _issue(address to, uint256 shares) private {
        totalSupply += shares;
        balanceOf[to] += shares;
        emit Transfer(address(0), to, shares);
    }

    function _move(address from, address to, uint256 value) private {
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }

    function _sqrt(uint256 y) private pure returns (uint256 z) {
        if (y < 4) return y == 0 ? 0 : 1;
        z = y;
        uint256 x = y / 2 + 1;
        while (x < z) {
            z = x;
            x = (y / x + x) / 2;
        }
    }
}
