// A contract that runs its calldata as a program, for generated blocks.
//
// Compiled for Homestead, so that it runs from Frontier on; instructions of later forks are given
// as bytes, and halt the call where they do not exist yet. `acc` takes in everything that the
// program reads, so that whatever it writes, logs or returns afterwards depends on it.
//
// An operation is one byte and its operands:
//
//   00                           stop, as at the end of the calldata
//   01 slot                      acc <- SLOAD
//   02 slot value                SSTORE
//   03 slot                      SSTORE acc
//   04 slot value                slot += value
//   05 address                   acc <- BALANCE
//   06 address                   acc <- EXTCODEHASH (Petersburg)
//   07 address                   acc <- EXTCODESIZE
//   08 address                   acc <- the first 32 bytes of code (EXTCODECOPY)
//   09 address kind gas value length:2 data
//                                acc <- success and first word of the answer of kind
//                                0 CALL, 1 CALLCODE, 2 DELEGATECALL, 3 STATICCALL (Byzantium)
//   0a value length:2 code       acc <- CREATE
//   0b value salt length:2 code  acc <- CREATE2 (Petersburg)
//   0c address                   SELFDESTRUCT
//   0d                           REVERT with acc (Byzantium)
//   0e                           LOG1 with topic acc and data acc
//   0f slot                      acc <- TLOAD (Cancun)
//   10 slot value                TSTORE (Cancun)
//   11 distance                  acc <- BLOCKHASH of the block that far back
//   12                           acc <- SELFBALANCE (Istanbul)
//   13                           acc <- balance of COINBASE
//   14                           acc <- CALLER, ORIGIN, CALLVALUE, GASPRICE
//   15 length:2                  skip that many bytes if acc is even
//   16 count                     acc <- acc hashed that often
//   17                           acc <- SLOAD of slot acc % 8
//   18 value                     SSTORE to slot acc % 8
//   19                           INVALID
//   1a                           acc <- GAS
//   1b index                     acc <- BLOBHASH (Cancun)
//
// An address is 20 bytes; all of them ff means the contract created last. A call's gas is counted
// in 1024, 0 being half of what is left and ff all of it. A value is in wei up to 7f; 80 is all
// that the contract has, and 81 what acc says, up to 255.
object "Script" {
    code {
        datacopy(0, dataoffset("Script_deployed"), datasize("Script_deployed"))
        return(0, datasize("Script_deployed"))
    }
    object "Script_deployed" {
        code {
            let acc := 1
            let last := 0
            let pc_ := 0
            for {} lt(pc_, calldatasize()) {} {
                let w := calldataload(pc_)
                switch byte(0, w)
                case 0x01 {
                    acc := mix(acc, sload(byte(1, w)))
                    pc_ := add(pc_, 2)
                }
                case 0x02 {
                    sstore(byte(1, w), byte(2, w))
                    pc_ := add(pc_, 3)
                }
                case 0x03 {
                    sstore(byte(1, w), acc)
                    pc_ := add(pc_, 2)
                }
                case 0x04 {
                    sstore(byte(1, w), add(sload(byte(1, w)), byte(2, w)))
                    pc_ := add(pc_, 3)
                }
                case 0x05 {
                    acc := mix(acc, balance(target(w, last)))
                    pc_ := add(pc_, 21)
                }
                case 0x06 {
                    acc := mix(acc, verbatim_1i_1o(hex"3f", target(w, last)))
                    pc_ := add(pc_, 21)
                }
                case 0x07 {
                    acc := mix(acc, extcodesize(target(w, last)))
                    pc_ := add(pc_, 21)
                }
                case 0x08 {
                    extcodecopy(target(w, last), 0, 0, 32)
                    acc := mix(acc, mload(0))
                    pc_ := add(pc_, 21)
                }
                case 0x09 {
                    acc := perform(acc, last, pc_, w)
                    pc_ := add(pc_, add(26, pair(24, w)))
                }
                case 0x0a {
                    let length := pair(2, w)
                    calldatacopy(64, add(pc_, 4), length)
                    last := create(amount(byte(1, w), acc), 64, length)
                    acc := mix(acc, last)
                    pc_ := add(pc_, add(4, length))
                }
                case 0x0b {
                    let length := pair(3, w)
                    calldatacopy(64, add(pc_, 5), length)
                    last := verbatim_4i_1o(hex"f5", amount(byte(1, w), acc), 64, length, byte(2, w))
                    acc := mix(acc, last)
                    pc_ := add(pc_, add(5, length))
                }
                case 0x0c { selfdestruct(target(w, last)) }
                case 0x0d {
                    mstore(0, acc)
                    verbatim_2i_0o(hex"fd", 0, 32)
                }
                case 0x0e {
                    mstore(0, acc)
                    log1(0, 32, acc)
                    pc_ := add(pc_, 1)
                }
                case 0x0f {
                    acc := mix(acc, verbatim_1i_1o(hex"5c", byte(1, w)))
                    pc_ := add(pc_, 2)
                }
                case 0x10 {
                    verbatim_2i_0o(hex"5d", byte(1, w), byte(2, w))
                    pc_ := add(pc_, 3)
                }
                case 0x11 {
                    acc := mix(acc, blockhash(sub(number(), byte(1, w))))
                    pc_ := add(pc_, 2)
                }
                case 0x12 {
                    acc := mix(acc, verbatim_0i_1o(hex"47"))
                    pc_ := add(pc_, 1)
                }
                case 0x13 {
                    acc := mix(acc, balance(coinbase()))
                    pc_ := add(pc_, 1)
                }
                case 0x14 {
                    acc := mix(mix(mix(mix(acc, caller()), origin()), callvalue()), gasprice())
                    pc_ := add(pc_, 1)
                }
                case 0x15 {
                    pc_ := add(pc_, 3)
                    if iszero(and(acc, 1)) {
                        pc_ := add(pc_, pair(1, w))
                    }
                }
                case 0x16 {
                    for { let i := byte(1, w) } i { i := sub(i, 1) } {
                        mstore(0, acc)
                        acc := keccak256(0, 32)
                    }
                    pc_ := add(pc_, 2)
                }
                case 0x17 {
                    acc := mix(acc, sload(and(acc, 7)))
                    pc_ := add(pc_, 1)
                }
                case 0x18 {
                    sstore(and(acc, 7), byte(1, w))
                    pc_ := add(pc_, 2)
                }
                case 0x19 { invalid() }
                case 0x1a {
                    acc := mix(acc, gas())
                    pc_ := add(pc_, 1)
                }
                case 0x1b {
                    acc := mix(acc, verbatim_1i_1o(hex"49", byte(1, w)))
                    pc_ := add(pc_, 2)
                }
                default { pc_ := calldatasize() }
            }
            mstore(0, acc)
            return(0, 32)

            function mix(acc_, value) -> mixed {
                mixed := add(mul(acc_, 31), value)
            }

            // Two bytes of the operation, as a number.
            function pair(i, w) -> number_ {
                number_ := add(mul(byte(i, w), 256), byte(add(i, 1), w))
            }

            // Bytes 1 to 20 of the operation.
            function target(w, last_) -> address_ {
                address_ := and(div(w, 0x10000000000000000000000), 0xffffffffffffffffffffffffffffffffffffffff)
                if eq(address_, 0xffffffffffffffffffffffffffffffffffffffff) { address_ := last_ }
            }

            function amount(operand, acc_) -> wei_ {
                wei_ := operand
                if eq(operand, 0x80) { wei_ := balance(address()) }
                if eq(operand, 0x81) { wei_ := and(acc_, 0xff) }
            }

            function perform(acc_, last_, start, w) -> mixed {
                let to := target(w, last_)
                let length := pair(24, w)
                let limit := mul(byte(22, w), 1024)
                if iszero(limit) { limit := div(gas(), 2) }
                if eq(byte(22, w), 0xff) { limit := gas() }
                let value := amount(byte(23, w), acc_)
                calldatacopy(64, add(start, 26), length)
                mstore(0, 0)
                let done
                switch byte(21, w)
                case 0 { done := call(limit, to, value, 64, length, 0, 32) }
                case 1 { done := callcode(limit, to, value, 64, length, 0, 32) }
                case 2 { done := delegatecall(limit, to, 64, length, 0, 32) }
                default { done := verbatim_6i_1o(hex"fa", limit, to, 64, length, 0, 32) }
                mixed := mix(mix(acc_, done), mload(0))
            }
        }
    }
}
