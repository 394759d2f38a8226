//! Programs of the `Script` contract (`tests/contracts/Script.yul`) and code to create.

use revm::bytecode::opcode;

use super::{
    Who,
    assembler::{Code, proxy},
};

/// An amount of wei that an operation sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wei {
    /// So much, up to 127.
    Exactly(u8),
    /// All that the contract has.
    All,
    /// Up to 255, depending on all that the program has read.
    Dependent,
}

impl Wei {
    fn byte(self) -> u8 {
        match self {
            Self::Exactly(wei) => wei & 0x7f,
            Self::All => 0x80,
            Self::Dependent => 0x81,
        }
    }
}

/// The four ways to call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CallKind {
    /// CALL.
    Call,
    /// CALLCODE.
    Code,
    /// DELEGATECALL.
    Delegate,
    /// STATICCALL.
    Static,
}

/// An operation; see `Script.yul` for what each does. `acc` takes in whatever is read.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Load { slot: u8 },
    Store { slot: u8, value: u8 },
    StoreAcc { slot: u8 },
    Increase { slot: u8, by: u8 },
    LoadDependent,
    StoreDependent { value: u8 },
    Balance(Who),
    CodeHash(Who),
    CodeSize(Who),
    CodeCopy(Who),
    Call { to: Who, kind: CallKind, gas: u8, value: Wei, program: Vec<Op> },
    Create { value: Wei, init: Init },
    Create2 { value: Wei, salt: u8, init: Init },
    SelfDestruct(Who),
    Revert,
    Invalid,
    Log,
    TransientLoad { slot: u8 },
    TransientStore { slot: u8, value: u8 },
    BlockHash { back: u8 },
    SelfBalance,
    CoinbaseBalance,
    Environment,
    IfOdd(Vec<Op>),
    Hash { rounds: u8 },
    Gas,
    BlobHash { index: u8 },
}

/// The calldata of a program.
pub(crate) fn encode(program: &[Op]) -> Vec<u8> {
    let mut data = Vec::new();
    for op in program {
        op.append(&mut data);
    }
    data
}

/// A length operand. Programs are far shorter than 64 KiB.
fn length(data: &[u8]) -> [u8; 2] {
    u16::try_from(data.len()).expect("programs are shorter than 64 KiB").to_be_bytes()
}

impl Op {
    fn append(&self, data: &mut Vec<u8>) {
        let mut about = |code: u8, who: &Who| {
            data.push(code);
            data.extend_from_slice(who.address().as_slice());
        };
        match self {
            Self::Balance(who) => about(0x05, who),
            Self::CodeHash(who) => about(0x06, who),
            Self::CodeSize(who) => about(0x07, who),
            Self::CodeCopy(who) => about(0x08, who),
            Self::SelfDestruct(heir) => about(0x0c, heir),
            Self::Call { to, kind, gas, value, program } => {
                let inner = encode(program);
                about(0x09, to);
                data.extend_from_slice(&[*kind as u8, *gas, value.byte()]);
                data.extend_from_slice(&length(&inner));
                data.extend_from_slice(&inner);
            }
            Self::Create { value, init } => {
                let code = init.code();
                data.extend_from_slice(&[0x0a, value.byte()]);
                data.extend_from_slice(&length(&code));
                data.extend_from_slice(&code);
            }
            Self::Create2 { value, salt, init } => {
                let code = init.code();
                data.extend_from_slice(&[0x0b, value.byte(), *salt]);
                data.extend_from_slice(&length(&code));
                data.extend_from_slice(&code);
            }
            Self::IfOdd(program) => {
                let inner = encode(program);
                data.push(0x15);
                data.extend_from_slice(&length(&inner));
                data.extend_from_slice(&inner);
            }
            Self::Load { slot } => data.extend_from_slice(&[0x01, *slot]),
            Self::Store { slot, value } => data.extend_from_slice(&[0x02, *slot, *value]),
            Self::StoreAcc { slot } => data.extend_from_slice(&[0x03, *slot]),
            Self::Increase { slot, by } => data.extend_from_slice(&[0x04, *slot, *by]),
            Self::Revert => data.push(0x0d),
            Self::Log => data.push(0x0e),
            Self::TransientLoad { slot } => data.extend_from_slice(&[0x0f, *slot]),
            Self::TransientStore { slot, value } => data.extend_from_slice(&[0x10, *slot, *value]),
            Self::BlockHash { back } => data.extend_from_slice(&[0x11, *back]),
            Self::SelfBalance => data.push(0x12),
            Self::CoinbaseBalance => data.push(0x13),
            Self::Environment => data.push(0x14),
            Self::Hash { rounds } => data.extend_from_slice(&[0x16, *rounds]),
            Self::LoadDependent => data.push(0x17),
            Self::StoreDependent { value } => data.extend_from_slice(&[0x18, *value]),
            Self::Invalid => data.push(0x19),
            Self::Gas => data.push(0x1a),
            Self::BlobHash { index } => data.extend_from_slice(&[0x1b, *index]),
        }
    }
}

/// What a contract is created with.
#[derive(Clone, Debug)]
pub(crate) enum Init {
    /// Becomes a proxy to script 0.
    Proxy,
    /// The same, after writing a slot.
    Storing { slot: u8, value: u8 },
    /// The same, after running a program in the constructor.
    Running(Vec<Op>),
    /// Becomes an account without code.
    Empty,
    /// Self-destructs in the constructor.
    Doomed(Who),
    /// Fails: REVERT, or an unknown instruction before Byzantium.
    Failing,
    /// Returns code that starts with 0xEF: refused from London on.
    Reserved,
    /// Returns what looks like an EIP-7702 delegation: refused from London on.
    Designator,
}

impl Init {
    /// The init code.
    pub(crate) fn code(&self) -> Vec<u8> {
        let script = Who::Script(0).address();
        let code = Code::default();
        match self {
            Self::Proxy => code.deploy(&proxy(script)),
            Self::Storing { slot, value } => {
                let code = code.push((*value).into()).push((*slot).into()).op(opcode::SSTORE);
                code.deploy(&proxy(script))
            }
            Self::Running(program) => {
                // The program lies behind everything else, so the code is laid out twice: once
                // to learn how long it is.
                let data = encode(program);
                let lay_out = |offset| {
                    Code::default()
                        .copy(offset, data.len())
                        .run(script, |code| code.push(data.len()))
                        .deploy(&proxy(script))
                };
                let offset = lay_out(0).bytes().len();
                lay_out(offset).ops(&data)
            }
            Self::Empty => code.op(opcode::STOP),
            Self::Doomed(heir) => code.push_address(heir.address()).op(opcode::SELFDESTRUCT),
            Self::Failing => code.push(0).push(0).op(opcode::REVERT),
            Self::Reserved => code.deploy(&[0xef]),
            Self::Designator => code.deploy(&[&[0xef, 0x01, 0x00], script.as_slice()].concat()),
        }
        .bytes()
    }
}
