// Calls itself as often as the first word says, for deep call stacks. The deepest call counts up
// slot 0; a call that could not go deeper (1024 frames, or no gas) notes in slot 1 where it was.
object "Diver" {
    code {
        datacopy(0, dataoffset("Diver_deployed"), datasize("Diver_deployed"))
        return(0, datasize("Diver_deployed"))
    }
    object "Diver_deployed" {
        code {
            let left := calldataload(0)
            if iszero(left) {
                sstore(0, add(sload(0), 1))
                stop()
            }
            mstore(0, sub(left, 1))
            if iszero(call(sub(gas(), 1000), address(), 0, 0, 32, 0, 0)) { sstore(1, left) }
        }
    }
}
