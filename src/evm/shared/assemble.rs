//! Code from text, with the names of the chain's opcodes: no compiler knows them.
//!
//! | word | what it becomes |
//! |---|---|
//! | `SHARED_MAP`, `JUMPI`, ... | the opcode; PUSH and its kind are written as what they push |
//! | `26`, `0x1a` | PUSH of a number, as short as it can be |
//! | `"book"` | PUSH32 of up to 32 bytes of text without a blank, zeros on the right: Solidity's `bytes32` |
//! | `done:` | JUMPDEST, as a place to jump to |
//! | `@done` | PUSH2 of that place |
//! | `; text` | nothing, to the end of the line |

use std::collections::HashMap;

use alloy_primitives::{Bytes, U256};
use revm::bytecode::opcode::{self, OpCode};

use super::disassemble::opcode_name;
use crate::region::config::ChainConfig;

/// Text that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// Neither an opcode of the chain nor anything else.
    #[error("line {line}: {word} is no opcode without immediates, number, text or label")]
    Unknown {
        /// Where, from 1.
        line: usize,
        /// What it says.
        word: String,
    },
    /// A place that is nowhere.
    #[error("line {line}: there is no label {label}")]
    NoLabel {
        /// Where, from 1.
        line: usize,
        /// Its name.
        label: String,
    },
    /// A place in two places.
    #[error("line {line}: the label {label} is there twice")]
    LabelTwice {
        /// Where for the second time, from 1.
        line: usize,
        /// Its name.
        label: String,
    },
    /// Places beyond two bytes.
    #[error("{size} bytes of code, labels reach 65,536")]
    TooLong {
        /// In bytes.
        size: usize,
    },
}

/// Makes code of text.
///
/// ```
/// use chorus::{evm::shared::{assemble, disassemble}, region::config::SharedMemoryConfig};
///
/// let chain = SharedMemoryConfig::production().chain;
/// let code = assemble("CALLDATASIZE @done JUMPI 4 300 SHARED_ALLOC done: STOP", &chain)?;
/// assert_eq!(disassemble(&code, &chain)[3..], [
///     "0005 PUSH1 0x04",
///     "0007 PUSH2 0x012c",
///     "000a SHARED_ALLOC",
///     "000b JUMPDEST",
///     "000c STOP",
/// ]);
/// # Ok::<(), chorus::evm::shared::AssembleError>(())
/// ```
///
/// # Errors
///
/// [`AssembleError`], naming line and word.
pub fn assemble(text: &str, config: &ChainConfig) -> Result<Bytes, AssembleError> {
    let mut code = Vec::new();
    let mut labels = HashMap::new();
    let mut jumps = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        let words = words.split(';').next().unwrap_or_default();
        for word in words.split_whitespace() {
            if let Some(label) = word.strip_suffix(':') {
                if labels.insert(label, code.len()).is_some() {
                    return Err(AssembleError::LabelTwice { line, label: label.to_owned() });
                }
                code.push(opcode::JUMPDEST);
            } else if let Some(label) = word.strip_prefix('@') {
                jumps.push((line, label, code.len() + 1));
                code.extend([opcode::PUSH2, 0, 0]);
            } else {
                let unknown = || AssembleError::Unknown { line, word: word.to_owned() };
                let bytes = literal(word).or_else(|| Some(vec![byte_of(word, config)?]));
                code.extend(bytes.ok_or_else(unknown)?);
            }
        }
    }
    let size = code.len();
    for (line, label, at) in jumps {
        let missing = || AssembleError::NoLabel { line, label: label.to_owned() };
        let place = *labels.get(label).ok_or_else(missing)?;
        let place = u16::try_from(place).map_err(|_| AssembleError::TooLong { size })?;
        code[at..at + 2].copy_from_slice(&place.to_be_bytes());
    }
    Ok(code.into())
}

/// A push of a number or a text.
fn literal(word: &str) -> Option<Vec<u8>> {
    if let Some(text) = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let mut bytes = [0; 33];
        bytes[0] = opcode::PUSH32;
        bytes[1..].get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        return Some(bytes.into());
    }
    if !word.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let number: U256 = word.parse().ok()?;
    // PUSH0 is not for every fork.
    let length = number.byte_len().max(1);
    let mut bytes = vec![opcode::PUSH1 + (length as u8 - 1)];
    bytes.extend_from_slice(&number.to_be_bytes::<32>()[32 - length..]);
    Some(bytes)
}

/// The opcode of that name, if it stands alone.
fn byte_of(word: &str, config: &ChainConfig) -> Option<u8> {
    let byte = (0..=u8::MAX).find(|byte| opcode_name(*byte, config) == Some(word))?;
    let alone = |code: OpCode| code.info().immediate_size() == 0;
    (config.operation(byte).is_some() || OpCode::new(byte).is_some_and(alone)).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{OperationKind, config::SharedMemoryConfig};

    fn chain() -> ChainConfig {
        SharedMemoryConfig::production().chain
    }

    #[test]
    fn words_become_opcodes_pushes_and_places() {
        let text =
            "0 0x1a 256 ; a comment with ADD\n here: @here JUMP @end \"ab\" end: SHARED_EXEC";
        let mut expected = vec![0x60, 0, 0x60, 0x1a, 0x61, 1, 0];
        expected.extend([0x5b, 0x61, 0, 7, 0x56, 0x61, 0, 48, 0x7f, b'a', b'b']);
        expected.extend([0; 30]);
        expected.extend([0x5b, 0xEE]);
        assert_eq!(assemble(text, &chain()).unwrap()[..], expected);
        let greatest = format!("{}", U256::MAX);
        assert_eq!(assemble(&greatest, &chain()).unwrap()[..], [&[0x7f][..], &[0xff; 32]].concat());
    }

    #[test]
    fn opcodes_are_where_the_chain_has_them() {
        let mut chain = chain();
        chain.opcodes[OperationKind::Map as usize] = 0x0c;
        assert_eq!(assemble("SHARED_MAP", &chain).unwrap()[..], [0x0c]);
    }

    #[test]
    fn what_is_no_code_is_named_with_its_line() {
        let error = |text: &str| assemble(text, &chain()).unwrap_err().to_string();
        assert!(error("ADD\nFOO").starts_with("line 2: FOO"));
        assert!(error("PUSH1 4").contains("PUSH1"));
        assert!(error("0x1g").contains("0x1g"));
        assert!(error(&"9".repeat(80)).contains("999"));
        assert!(error("\"a text that is longer than 32 bytes\"").contains("\"a"));
        assert!(error(&format!("\"{}\"", "x".repeat(33))).contains("xxx"));
        assert!(error("@there").contains("no label there"));
        assert!(error("a:\na:").starts_with("line 2: the label a"));
        let long = format!("{} a: @a", "STOP ".repeat(65_536));
        assert!(error(&long).contains("65540 bytes"));
    }
}
