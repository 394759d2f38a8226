//! The precompile's calls, as Solidity encodes them.
//!
//! ```text
//!  call    selector ‖ word ‖ word ‖ …              write: … ‖ 0x60 ‖ length ‖ bytes, padded with zeros
//!  result  word, or two words (info), or 0x20 ‖ length ‖ bytes, padded with zeros (read, readPadded)
//!  error   selector ‖ word ‖ word ‖ …
//! ```
//!
//! Calldata is taken as the compiler makes it: nothing may be missing, left over, or elsewhere. What
//! a word means is not decided here: the analysis gets all of it, so that a `uint8` of 259 fails as the
//! opcode's operand would, and is never cut to 3.

use std::ops::Range;

use alloy_primitives::{U256, keccak256};

use crate::region::{Handle, Operation, OperationKind, Output, error::Reason};

const WORD: usize = 32;

/// The functions, by selector: the first four bytes of the signature's hash.
pub(super) const FUNCTIONS: [(u32, &str, OperationKind); 15] = [
    (0x2a36_bd3b, "alloc(uint256,uint8)", OperationKind::Alloc),
    (0xc830_62c6, "free(bytes32)", OperationKind::Free),
    (0x0a53_98b1, "create(bytes32,uint256,uint8,uint8)", OperationKind::Create),
    (0x8a0a_a665, "open(address,bytes32)", OperationKind::Open),
    (0xc490_df22, "map(bytes32,uint8,uint256,uint256)", OperationKind::Map),
    (0x9173_832a, "unmap(uint256)", OperationKind::Unmap),
    (0xcc4e_f119, "publish(uint256)", OperationKind::Publish),
    (0xdcd1_749b, "read(uint256,uint256,uint256)", OperationKind::Read),
    (0x8382_8853, "readPadded(uint256,uint256,uint256)", OperationKind::ReadPadded),
    (0x396e_9b3a, "write(uint256,uint256,bytes)", OperationKind::Write),
    (0x3c57_549a, "copy(uint256,uint256,uint256,uint256)", OperationKind::Copy),
    (0xb8a3_cf1b, "grow(bytes32,uint256)", OperationKind::Grow),
    (0x9885_f633, "grant(bytes32,address,uint8)", OperationKind::Grant),
    (0x6e0b_d282, "destroy(bytes32)", OperationKind::Destroy),
    (0xb64a_097e, "info(bytes32)", OperationKind::Info),
];

/// The error of a call that is none: an unknown function, or arguments of another shape.
pub(super) const MALFORMED_CALL: &str = "MalformedCall()";
/// The error of a call that brings wei.
pub(super) const VALUE_REFUSED: &str = "ValueRefused()";

/// A call of the precompile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) operation: Operation,
    /// Where in the calldata the bytes to write are.
    pub(super) data: Range<usize>,
}

/// Reads a call. `None` if it is malformed.
pub(super) fn decode(calldata: &[u8]) -> Option<Request> {
    let (selector, arguments) = calldata.split_first_chunk::<4>()?;
    let selector = u32::from_be_bytes(*selector);
    let (.., kind) = FUNCTIONS.iter().find(|(known, ..)| *known == selector)?;
    let mut data = 0..0;
    let operation = match kind {
        OperationKind::Alloc => {
            let [size, class] = words(arguments)?;
            Operation::Alloc { size, class }
        }
        OperationKind::Free => {
            let [region] = words(arguments)?;
            Operation::Free { handle: handle(region) }
        }
        OperationKind::Create => {
            let [name, size, permissions, options] = words(arguments)?;
            Operation::Create { name: name.to_be_bytes(), size, permissions, options }
        }
        OperationKind::Open => {
            let [owner, name] = words(arguments)?;
            Operation::Open { owner, name: name.to_be_bytes() }
        }
        OperationKind::Map => {
            let [region, options, offset, size] = words(arguments)?;
            Operation::Map { handle: handle(region), options, offset, size }
        }
        OperationKind::Unmap => {
            let [mapping] = words(arguments)?;
            Operation::Unmap { mapping }
        }
        OperationKind::Publish => {
            let [mapping] = words(arguments)?;
            Operation::Publish { mapping }
        }
        OperationKind::Read => {
            let [mapping, offset, len] = words(arguments)?;
            Operation::Read { mapping, offset, len }
        }
        OperationKind::ReadPadded => {
            let [mapping, offset, len] = words(arguments)?;
            Operation::ReadPadded { mapping, offset, len }
        }
        OperationKind::Write => {
            let (head, tail) = arguments.split_at_checked(4 * WORD)?;
            let [mapping, offset, place, len] = words(head)?;
            let bytes = usize::try_from(len).ok().filter(|bytes| *bytes <= tail.len())?;
            let canonical = place == U256::from(3 * WORD)
                && tail.len() == bytes.next_multiple_of(WORD)
                && tail[bytes..].iter().all(|byte| *byte == 0);
            if !canonical {
                return None;
            }
            let start = 4 + 4 * WORD;
            data = start..start + bytes;
            Operation::Write { mapping, offset, len }
        }
        OperationKind::Copy => {
            let [mapping, destination, source, len] = words(arguments)?;
            Operation::Copy { mapping, destination, source, len }
        }
        OperationKind::Grow => {
            let [region, size] = words(arguments)?;
            Operation::Grow { handle: handle(region), size }
        }
        OperationKind::Grant => {
            let [region, address, permissions] = words(arguments)?;
            Operation::Grant { handle: handle(region), address, permissions }
        }
        OperationKind::Destroy => {
            let [region] = words(arguments)?;
            Operation::Destroy { handle: handle(region) }
        }
        OperationKind::Info => {
            let [region] = words(arguments)?;
            Operation::Info { handle: handle(region) }
        }
        OperationKind::Exec => return None,
    };
    Some(Request { operation, data })
}

/// Exactly so many words.
fn words<const N: usize>(bytes: &[u8]) -> Option<[U256; N]> {
    if bytes.len() != N * WORD {
        return None;
    }
    let mut words = [U256::ZERO; N];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(WORD)) {
        *word = U256::from_be_slice(bytes);
    }
    Some(words)
}

fn handle(word: U256) -> Handle {
    Handle(word.to_be_bytes())
}

/// Length of a result in bytes, if the operation itself gives back `bytes` bytes.
pub(super) fn result_length(kind: OperationKind, bytes: u64) -> u64 {
    let word = WORD as u64;
    match kind {
        OperationKind::Info => 2 * word,
        OperationKind::Read | OperationKind::ReadPadded => bytes
            .checked_next_multiple_of(word)
            .map_or(u64::MAX, |bytes| bytes.saturating_add(2 * word)),
        _ => word,
    }
}

/// The result of an operation that gives back no bytes.
pub(super) fn encode(output: &Output) -> Vec<u8> {
    match output {
        Output::Handle(handle) => handle.map_or([0; WORD], |handle| handle.0).to_vec(),
        Output::Mapping(number) | Output::Bytes(number) => word(U256::from(*number)).to_vec(),
        Output::Info { size, permissions } => {
            [word(U256::from(*size)), word(U256::from(*permissions))].concat()
        }
        Output::Done => word(U256::ONE).to_vec(),
    }
}

/// A result of `len` bytes, and where they go.
pub(super) fn encode_bytes(len: usize) -> (Vec<u8>, Range<usize>) {
    let mut result = vec![0; 2 * WORD + len.next_multiple_of(WORD)];
    result[..WORD].copy_from_slice(&word(U256::from(WORD)));
    result[WORD..2 * WORD].copy_from_slice(&word(U256::from(len)));
    (result, 2 * WORD..2 * WORD + len)
}

/// A Solidity custom error.
pub(super) fn encode_error(signature: &str, words: &[U256]) -> Vec<u8> {
    let mut error = keccak256(signature)[..4].to_vec();
    error.extend(words.iter().flat_map(|value| word(*value)));
    error
}

/// A failure of an operation as a Solidity custom error.
pub(super) fn encode_reason(reason: &Reason) -> Vec<u8> {
    encode_error(reason.signature, &reason.words)
}

fn word(value: U256) -> [u8; WORD] {
    value.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_of_the_signatures() {
        for (selector, signature, _) in FUNCTIONS {
            assert_eq!(selector.to_be_bytes(), keccak256(signature)[..4], "{signature}");
        }
    }

    fn call(selector: u32, words: &[u64]) -> Vec<u8> {
        let mut call = selector.to_be_bytes().to_vec();
        call.extend(words.iter().flat_map(|value| word(U256::from(*value))));
        call
    }

    #[test]
    fn every_function_wants_its_words_and_no_byte_more_or_less() {
        for (selector, signature, kind) in FUNCTIONS {
            let count = signature.matches(',').count() + 1;
            if kind == OperationKind::Write {
                continue;
            }
            let whole = call(selector, &vec![1; count]);
            assert_eq!(decode(&whole).unwrap().operation.kind(), kind);
            assert_eq!(decode(&whole[..whole.len() - 1]), None, "{signature}");
            assert_eq!(decode(&[&whole[..], &[0]].concat()), None, "{signature}");
            assert_eq!(decode(&whole[..4]), None, "{signature}");
        }
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0x2a, 0x36, 0xbd]), None);
        assert_eq!(decode(&call(0x1234_5678, &[1, 2])), None);
    }

    #[test]
    fn bytes_to_write_stand_where_the_compiler_puts_them() {
        let selector = FUNCTIONS[9].0;
        let mut whole = call(selector, &[1, 7, 0x60, 3]);
        whole.extend_from_slice(b"abc");
        whole.resize(4 + 5 * WORD, 0);
        let request = decode(&whole).unwrap();
        assert_eq!(&whole[request.data.clone()], b"abc");
        let (mapping, offset, len) = (U256::from(1), U256::from(7), U256::from(3));
        assert_eq!(request.operation, Operation::Write { mapping, offset, len });

        let changed = |at: usize, byte: u8| {
            let mut call = whole.clone();
            call[at] = byte;
            call
        };
        assert_eq!(decode(&changed(4 + 3 * WORD - 1, 0x80)), None, "another place");
        assert_eq!(decode(&changed(4 + 4 * WORD - 1, 33)), None, "more than there is");
        assert_eq!(decode(&changed(4 + 3 * WORD, 0xff)), None, "a length beyond all memory");
        assert_eq!(decode(&changed(4 + 4 * WORD + 3, 1)), None, "padding that is not zero");
        assert_eq!(decode(&whole[..4 + 4 * WORD + 3]), None, "no padding");
        let empty = call(selector, &[1, 7, 0x60, 0]);
        assert!(decode(&empty).unwrap().data.is_empty());
    }

    #[test]
    fn results_have_the_length_that_was_paid_for() {
        for len in [0, 1, 31, 32, 33, 4096] {
            let (result, place) = encode_bytes(len);
            assert_eq!(result.len() as u64, result_length(OperationKind::Read, len as u64));
            assert_eq!(place.len(), len);
        }
        assert_eq!(result_length(OperationKind::Read, u64::MAX), u64::MAX);
        assert_eq!(encode(&Output::Info { size: 5, permissions: 3 }).len(), 64);
        assert_eq!(encode(&Output::Done), word(U256::ONE));
        assert_eq!(encode(&Output::Handle(None)), [0; 32]);
    }
}
