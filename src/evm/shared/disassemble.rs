//! Code as text, with the names of the chain's opcodes.

use revm::bytecode::opcode::OpCode;

use crate::region::{OperationKind, config::ChainConfig};

/// The name of an opcode, those of shared memory as the chain has them; `None` for an undefined byte.
#[must_use]
pub fn opcode_name(byte: u8, config: &ChainConfig) -> Option<&'static str> {
    match config.operation(byte) {
        Some(kind) => Some(mnemonic(kind)),
        None => OpCode::new(byte).map(|opcode| opcode.as_str()),
    }
}

/// The name of an operation's opcode.
#[must_use]
pub const fn mnemonic(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Alloc => "SHARED_ALLOC",
        OperationKind::Free => "SHARED_FREE",
        OperationKind::Create => "SHARED_CREATE",
        OperationKind::Open => "SHARED_OPEN",
        OperationKind::Map => "SHARED_MAP",
        OperationKind::Unmap => "SHARED_UNMAP",
        OperationKind::Publish => "SHARED_PUBLISH",
        OperationKind::Read => "SHARED_READ",
        OperationKind::ReadPadded => "SHARED_READ_PADDED",
        OperationKind::Write => "SHARED_WRITE",
        OperationKind::Copy => "SHARED_COPY",
        OperationKind::Grow => "SHARED_GROW",
        OperationKind::Grant => "SHARED_GRANT",
        OperationKind::Destroy => "SHARED_DESTROY",
        OperationKind::Exec => "SHARED_EXEC",
        OperationKind::Info => "SHARED_INFO",
    }
}

/// Code as lines of position, name and immediate bytes; an undefined byte is shown as such.
#[must_use]
pub fn disassemble(code: &[u8], config: &ChainConfig) -> Vec<String> {
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(byte) = code.get(at) {
        let name = opcode_name(*byte, config);
        let own = config.operation(*byte).is_some();
        let immediate = match OpCode::new(*byte).filter(|_| !own) {
            Some(opcode) => opcode.info().immediate_size() as usize,
            None => 0,
        };
        let mut line = match name {
            Some(name) => format!("{at:04x} {name}"),
            None => format!("{at:04x} UNDEFINED({byte:#04x})"),
        };
        let end = (at + 1 + immediate).min(code.len());
        if immediate > 0 {
            line.push_str(" 0x");
            line.extend(code[at + 1..end].iter().map(|byte| format!("{byte:02x}")));
        }
        lines.push(line);
        at = end;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::config::SharedMemoryConfig;

    #[test]
    fn opcodes_of_the_chain_have_names_and_no_immediates() {
        let config = SharedMemoryConfig::production().chain;
        let code = [0x60, 0x07, 0xE0, 0xE6 - 1, 0x0c, 0x61, 0x01];
        let lines = disassemble(&code, &config);
        assert_eq!(
            lines,
            [
                "0000 PUSH1 0x07",
                "0002 SHARED_ALLOC",
                "0003 SHARED_UNMAP",
                "0004 UNDEFINED(0x0c)",
                "0005 PUSH2 0x01",
            ]
        );
        for kind in OperationKind::ALL {
            assert_eq!(opcode_name(config.opcodes[kind as usize], &config), Some(mnemonic(kind)));
        }
        assert_eq!(opcode_name(0x01, &config), Some("ADD"));
    }
}
