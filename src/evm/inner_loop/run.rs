//! The loop.

use alloy_primitives::U256;
use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{CallInput, interpreter::STACK_LIMIT, interpreter_types::Jumps},
    primitives::hardfork::SpecId,
};

use super::{Frame, cost, words};
use crate::evm::shared::SharedJournal;

/// By how many words the stack can grow before the loop begins anew. They are cleared each time: few enough for the
/// compiler to do it in place.
const ROOM: usize = 8;

/// Executes opcodes from the instruction pointer on, as long as they are in the loop and cannot fail. Whether it ended
/// only because it had used up the room that it makes on the stack.
///
/// Not inlined, and nothing is called from within: a call has most registers saved around it, wherever it is.
#[inline(never)]
pub(super) fn run<const POLLED: bool, H>(frame: &mut Frame, host: &mut H) -> bool
where
    H: ContextTr<Journal: SharedJournal>,
{
    let Frame { bytecode, stack, gas, memory, runtime_flag, input, return_data, .. } = frame;
    let Some(targets) = bytecode.legacy_jump_table() else { return false };
    let code = bytecode.bytes_slice();
    let (Ok(mut next), Ok(_)) = (u32::try_from(bytecode.pc()), u32::try_from(code.len())) else {
        return false;
    };
    let before = gas.remaining();
    let mut left = before;
    let spec = runtime_flag.spec_id;
    // At most 1,024 words are on a stack.
    let words = stack.data_mut();
    let mut top = words.len() as u16;
    let roomy = words.len() + ROOM <= STACK_LIMIT;
    if roomy {
        words.extend_from_slice(&[U256::ZERO; ROOM]);
    }
    let stack = words.as_mut_slice();
    let size = memory.len();
    let mut memory = memory.slice_mut(0, size);
    let memory: &mut [u8] = &mut memory;

    // Every arm leaves the loop, in front of its opcode, before it has changed anything.
    macro_rules! pay {
        ($($opcode:path),*) => {
            match left.checked_sub(const { 0 $(+ cost($opcode))* }) {
                Some(rest) => left = rest,
                None => break,
            }
        };
    }
    macro_rules! need {
        ($fork:ident) => {
            if !spec.is_enabled_in(SpecId::$fork) {
                break;
            }
        };
    }
    macro_rules! push {
        ($opcode:path, $bytes:expr, $word:expr) => {{
            let Some(place) = stack.get_mut(usize::from(top)) else { break };
            pay!($opcode);
            *place = $word;
            top += 1;
            next += 1 + $bytes;
        }};
    }
    macro_rules! unary {
        ($opcode:path, $result:expr) => {{
            let Some([.., word]) = stack.get_mut(..usize::from(top)) else { break };
            pay!($opcode);
            *word = $result(*word);
            next += 1;
        }};
    }
    macro_rules! binary {
        ($opcode:path, $result:expr) => {{
            let words = stack.get_mut(..usize::from(top));
            let Some([.., second, first]) = words else { break };
            pay!($opcode);
            *second = $result(*first, *second);
            top -= 1;
            next += 1;
        }};
    }
    macro_rules! poll {
        () => {
            if POLLED && host.journal_mut().shared().is_stopped() {
                break;
            }
        };
    }
    // Goes to a JUMPDEST, and past it if there is gas for it.
    macro_rules! land {
        ($target:expr) => {
            (left, next) = match left.checked_sub(const { cost(op::JUMPDEST) }) {
                Some(rest) => (rest, $target as u32 + 1),
                None => (left, $target as u32),
            }
        };
    }

    // To a target if a word that is on top says so, else past so many bytes.
    macro_rules! branch {
        ($taken:expr, $target:expr, $bytes:expr, $($opcode:path),*) => {{
            let taken = $taken;
            if taken && !targets.is_valid($target) {
                break;
            }
            poll!();
            pay!($($opcode),*);
            top -= 1;
            if taken {
                land!($target);
            } else {
                next += $bytes;
            }
        }};
    }

    loop {
        let (at, height) = (next as usize, usize::from(top));
        let Some(&opcode) = code.get(at) else { break };
        if opcode >= op::PUSH1 {
            if opcode > op::SWAP16 {
                break;
            } else if opcode >= op::SWAP1 {
                let depth = usize::from(opcode - op::SWAP1) + 1;
                let Some([below @ .., first]) = stack.get_mut(..height) else { break };
                let under = below.len().wrapping_sub(depth);
                let Some(other) = below.get_mut(under) else { break };
                if code.get(at + 1) == Some(&op::POP) {
                    pay!(op::SWAP1, op::POP);
                    *other = *first;
                    top -= 1;
                    next += 2;
                } else {
                    pay!(op::SWAP1);
                    std::mem::swap(other, first);
                    next += 1;
                }
            } else if opcode >= op::DUP1 {
                let depth = usize::from(opcode - op::DUP1) + 1;
                let Some(&word) = stack.get(height.wrapping_sub(depth)) else { break };
                let Some(place) = stack.get_mut(height) else { break };
                pay!(op::DUP1);
                *place = word;
                top += 1;
                next += 1;
            } else if opcode == op::PUSH1 {
                let Some(&byte) = code.get(at + 1) else { break };
                if byte == 1 && words::is_address_mask(code, at) {
                    need!(PETERSBURG);
                    if height + 2 >= stack.len() {
                        break;
                    }
                    pay!(op::PUSH1, op::PUSH1, op::PUSH1, op::SHL, op::SUB);
                    stack[height] = words::ADDRESS_MASK;
                    top += 1;
                    next += 8;
                } else {
                    push!(op::PUSH1, 1, U256::from(byte));
                }
            } else if opcode == op::PUSH2 {
                let Some(&[high, low, then]) = code.get(at + 1..at + 4) else { break };
                let word = u16::from_be_bytes([high, low]);
                let target = usize::from(word);
                if height >= stack.len() {
                    break;
                } else if then == op::JUMPI {
                    let Some([.., condition]) = stack.get(..height) else { break };
                    branch!(!condition.is_zero(), target, 4, op::PUSH2, op::JUMPI);
                } else if then == op::JUMP {
                    if !targets.is_valid(target) {
                        break;
                    }
                    poll!();
                    pay!(op::PUSH2, op::JUMP);
                    land!(target);
                } else {
                    push!(op::PUSH2, 2, U256::from(word));
                }
            } else {
                let bytes = opcode - op::PUSH0;
                let Some(word) = words::pushed(code, at + 1, bytes) else { break };
                push!(op::PUSH32, u32::from(bytes), word);
            }
        } else if opcode >= op::POP {
            if opcode == op::JUMPDEST {
                pay!(op::JUMPDEST);
                next += 1;
            } else if opcode >= op::PC {
                match opcode {
                    op::PC => push!(op::PC, 0, U256::from(at)),
                    op::GAS => push!(op::GAS, 0, U256::from(left)),
                    op::PUSH0 => {
                        need!(SHANGHAI);
                        push!(op::PUSH0, 0, U256::ZERO);
                    }
                    _ => break,
                }
            } else if opcode >= op::JUMP {
                if opcode == op::JUMPI {
                    let Some([.., condition, target]) = stack.get(..height) else { break };
                    let (taken, target) = (!condition.is_zero(), words::saturated(target));
                    branch!(taken, target, 1, op::JUMPI);
                    top -= 1;
                } else {
                    let Some([.., target]) = stack.get(..height) else { break };
                    let target = words::saturated(target);
                    if !targets.is_valid(target) {
                        break;
                    }
                    poll!();
                    pay!(op::JUMP);
                    top -= 1;
                    land!(target);
                }
            } else if opcode == op::POP {
                let Some(rest) = top.checked_sub(1) else { break };
                pay!(op::POP);
                top = rest;
                next += 1;
            } else if opcode == op::MLOAD {
                let Some([.., word]) = stack.get_mut(..height) else { break };
                let bytes = memory.get(words::saturated(word)..).and_then(<[u8]>::first_chunk);
                let Some(bytes) = bytes else { break };
                pay!(op::MLOAD);
                *word = U256::from_be_bytes::<32>(*bytes);
                next += 1;
            } else if opcode == op::MSTORE {
                let Some([.., word, offset]) = stack.get(..height) else { break };
                let bytes = memory.get_mut(words::saturated(offset)..);
                let Some(bytes) = bytes.and_then(<[u8]>::first_chunk_mut) else { break };
                pay!(op::MSTORE);
                *bytes = word.to_be_bytes::<32>();
                top -= 2;
                next += 1;
            } else {
                break;
            }
        } else {
            match opcode {
                op::ADD => binary!(op::ADD, words::add),
                op::MUL => binary!(op::MUL, U256::wrapping_mul),
                op::SUB => binary!(op::SUB, words::sub),
                op::LT => binary!(op::LT, |one, other| U256::from(one < other)),
                op::GT => binary!(op::GT, |one, other| U256::from(one > other)),
                op::SLT => binary!(op::SLT, words::signed_less),
                op::SGT => binary!(op::SGT, |one, other| words::signed_less(other, one)),
                op::EQ => binary!(op::EQ, |one, other| U256::from(one == other)),
                op::ISZERO => {
                    let Some([.., word]) = stack.get_mut(..height) else { break };
                    match code.get(at + 1..at + 5) {
                        Some(&[op::PUSH2, high, low, op::JUMPI]) if height < STACK_LIMIT => {
                            let target = usize::from(u16::from_be_bytes([high, low]));
                            branch!(word.is_zero(), target, 5, op::ISZERO, op::PUSH2, op::JUMPI);
                        }
                        _ => unary!(op::ISZERO, |word: U256| U256::from(word.is_zero())),
                    }
                }
                op::AND => binary!(op::AND, |one, other| one & other),
                op::OR => binary!(op::OR, |one, other| one | other),
                op::XOR => binary!(op::XOR, |one, other| one ^ other),
                op::NOT => unary!(op::NOT, |word: U256| !word),
                op::SHL => {
                    need!(PETERSBURG);
                    binary!(op::SHL, words::shl);
                }
                op::SHR => {
                    need!(PETERSBURG);
                    binary!(op::SHR, words::shr);
                }
                op::ADDRESS => push!(op::ADDRESS, 0, input.target_address.into_word().into()),
                op::CALLER => push!(op::CALLER, 0, input.caller_address.into_word().into()),
                op::CALLVALUE => push!(op::CALLVALUE, 0, input.call_value),
                // That of a frame within another lies in the other's memory.
                op::CALLDATALOAD => {
                    let CallInput::Bytes(input) = &input.input else { break };
                    let Some([.., word]) = stack.get_mut(..height) else { break };
                    let bytes = input.get(words::saturated(word)..).and_then(<[u8]>::first_chunk);
                    let Some(bytes) = bytes else { break };
                    pay!(op::CALLDATALOAD);
                    *word = U256::from_be_bytes::<32>(*bytes);
                    next += 1;
                }
                op::CALLDATASIZE => push!(op::CALLDATASIZE, 0, U256::from(input.input.len())),
                op::RETURNDATASIZE => {
                    need!(BYZANTIUM);
                    push!(op::RETURNDATASIZE, 0, U256::from(return_data.0.len()));
                }
                _ => break,
            }
        }
    }
    let full = roomy && usize::from(top) == stack.len();
    words.truncate(usize::from(top));
    // There was as much.
    let _ = gas.record_regular_cost(before - left);
    bytecode.absolute_jump(next as usize);
    full
}
