//! Runs a transaction's operations on a [`MapWorld`], one call after the other.
// Each test program uses another part of it.
#![allow(dead_code, clippy::disallowed_types)]

use std::sync::Arc;

use chorus::region::{
    config::{ChainConfig, SharedMemoryConfig},
    error::RegionError,
    handle::{Address, Handle},
    operation::{Access, Call, Fault, Operation, Output},
    session::{Effects, Session},
};
use ruint::aliases::U256;

use crate::region_world::MapWorld;

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) gas: u64,
    pub(crate) output: Output,
    /// What was read.
    pub(crate) bytes: Vec<u8>,
}

/// A transaction in progress. Its fields say who asks next, and how.
pub(crate) struct Run {
    pub(crate) session: Session,
    pub(crate) world: MapWorld,
    pub(crate) actor: Address,
    pub(crate) is_static: bool,
    pub(crate) gas: u64,
    /// How often the world let it wait.
    pub(crate) waits: usize,
    /// How often an operation was asked for.
    asked: usize,
}

/// More than anything costs that a test does.
pub(crate) const PLENTY: u64 = 1 << 60;

/// Those of a chain in operation, with regions that are small enough to be filled.
pub(crate) fn chain() -> ChainConfig {
    SharedMemoryConfig::production().chain
}

pub(crate) fn word(number: impl TryInto<u64, Error: std::fmt::Debug>) -> U256 {
    U256::from(number.try_into().unwrap())
}

/// A name of text, padded on the right.
pub(crate) fn name(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

pub(crate) fn address(number: u64) -> Address {
    Address::from_number(number)
}

/// An address as an operand.
pub(crate) fn account(number: u64) -> U256 {
    U256::from(number)
}

impl Run {
    pub(crate) fn new(config: ChainConfig, world: MapWorld) -> Self {
        Self {
            session: Session::new(Arc::new(config), 0),
            world,
            actor: address(1),
            is_static: false,
            gas: PLENTY,
            waits: 0,
            asked: 0,
        }
    }

    /// On the chain of [`chain`], in an empty world.
    pub(crate) fn start() -> Self {
        Self::new(chain(), MapWorld::default())
    }

    /// Who asks in a frame of that depth.
    pub(crate) fn call_in(&self, frame: usize) -> Call {
        Call { frame, actor: self.actor, is_static: self.is_static, gas: self.gas }
    }

    pub(crate) fn ask(&mut self, operation: Operation) -> Result<Done, Fault> {
        let call = self.call_in(self.session.depth());
        self.ask_as(call, &operation, &[])
    }

    /// Has the operation analysed, again after each wait, and carried out. Every other read and write
    /// is done in one step, so that what holds of two steps holds of one.
    pub(crate) fn ask_as(
        &mut self,
        call: Call,
        operation: &Operation,
        data: &[u8],
    ) -> Result<Done, Fault> {
        self.asked += 1;
        if self.asked.is_multiple_of(2)
            && let Some(result) = self.ask_at_once(&call, operation, data)
        {
            return result;
        }
        let plan = loop {
            match self.session.analyse(&mut self.world, &call, operation) {
                Err(Fault::Wait) => self.waits += 1,
                other => break other?,
            }
        };
        let (gas, count) = (plan.gas, plan.bytes as usize);
        let mut bytes = Vec::new();
        let output = match operation {
            Operation::Read { .. } => {
                bytes = vec![0xEE; count];
                self.session.read(plan, &mut bytes)
            }
            Operation::ReadPadded { len, .. } => {
                bytes = vec![0; usize::try_from(*len).unwrap()];
                self.session.read(plan, &mut bytes)
            }
            Operation::Write { .. } => self.session.write(plan, &data[..count]),
            Operation::Exec { .. } => {
                bytes = self.session.code(plan);
                Output::Bytes(bytes.len() as u64)
            }
            _ => self.session.execute(plan),
        };
        Ok(Done { gas, output, bytes })
    }

    /// A read or write in one step. `None`: it is neither, or of more bytes than there are.
    fn ask_at_once(
        &mut self,
        call: &Call,
        operation: &Operation,
        data: &[u8],
    ) -> Option<Result<Done, Fault>> {
        const MOST: usize = 1 << 20;
        let mut bytes = Vec::new();
        let moved = loop {
            let Self { session, world, .. } = self;
            let moved = match *operation {
                Operation::Read { mapping, offset, len } => {
                    let count = usize::try_from(len).ok().filter(|count| *count <= MOST)?;
                    bytes = vec![0xEE; count];
                    session.read_at(world, call, &Access { mapping, offset, len }, &mut bytes)
                }
                Operation::Write { mapping, offset, len } => {
                    usize::try_from(len).ok().filter(|count| *count <= data.len())?;
                    session.write_at(world, call, &Access { mapping, offset, len }, data)
                }
                _ => return None,
            };
            match moved {
                Err(Fault::Wait) => self.waits += 1,
                moved => break moved,
            }
        };
        Some(moved.map(|moved| {
            let count = moved.bytes as usize;
            assert!(bytes.iter().skip(count).all(|byte| *byte == 0xEE), "no more than there is");
            bytes.truncate(count);
            Done { gas: moved.gas, output: Output::Bytes(moved.bytes), bytes }
        }))
    }

    /// What an operation would cost, which it is not made to do.
    pub(crate) fn price(&mut self, operation: Operation) -> u64 {
        let call = self.call_in(self.session.depth());
        self.session.analyse(&mut self.world, &call, &operation).unwrap().gas
    }

    /// Why an operation fails.
    pub(crate) fn error(&mut self, operation: Operation) -> RegionError {
        match self.ask(operation) {
            Err(Fault::Failed { error, .. }) => error,
            other => panic!("{other:?} instead of an error"),
        }
    }

    fn handle(&mut self, operation: Operation) -> Handle {
        match self.ask(operation).unwrap().output {
            Output::Handle(Some(handle)) => handle,
            other => panic!("{other:?} instead of a handle"),
        }
    }

    /// A region with all permissions.
    pub(crate) fn create(&mut self, text: &str, size: u64, options: u64) -> Handle {
        self.create_with(text, size, 7, options)
    }

    pub(crate) fn create_with(
        &mut self,
        text: &str,
        size: u64,
        permissions: u64,
        options: u64,
    ) -> Handle {
        self.handle(create(text, size, permissions, options))
    }

    pub(crate) fn alloc(&mut self, size: u64, class: u64) -> Handle {
        self.handle(Operation::Alloc { size: word(size), class: word(class) })
    }

    pub(crate) fn open(&mut self, owner: u64, text: &str) -> Option<Handle> {
        match self.ask(open(owner, text)).unwrap().output {
            Output::Handle(handle) => handle,
            other => panic!("{other:?} instead of a handle"),
        }
    }

    /// Maps the whole region.
    pub(crate) fn map(&mut self, handle: Handle, options: u64) -> u64 {
        self.window(handle, options, 0, 0)
    }

    pub(crate) fn window(&mut self, handle: Handle, options: u64, offset: u64, size: u64) -> u64 {
        match self.ask(map(handle, options, offset, size)).unwrap().output {
            Output::Mapping(ordinal) => ordinal,
            other => panic!("{other:?} instead of a mapping"),
        }
    }

    pub(crate) fn unmap(&mut self, mapping: u64) {
        self.ask(Operation::Unmap { mapping: word(mapping) }).unwrap();
    }

    pub(crate) fn publish(&mut self, mapping: u64) -> u64 {
        self.ask(publish(mapping)).unwrap().gas
    }

    pub(crate) fn read(&mut self, mapping: u64, offset: u64, len: u64) -> Vec<u8> {
        self.ask(read(mapping, offset, len)).unwrap().bytes
    }

    /// Writes all the bytes, and says what that costs.
    pub(crate) fn write(&mut self, mapping: u64, offset: u64, data: &[u8]) -> u64 {
        let done = self.try_write(mapping, offset, data).unwrap();
        assert_eq!(done.output, Output::Bytes(data.len() as u64));
        done.gas
    }

    pub(crate) fn try_write(
        &mut self,
        mapping: u64,
        offset: u64,
        data: &[u8],
    ) -> Result<Done, Fault> {
        let call = self.call_in(self.session.depth());
        self.ask_as(call, &write(mapping, offset, data.len() as u64), data)
    }

    pub(crate) fn copy(&mut self, mapping: u64, destination: u64, source: u64, len: u64) -> u64 {
        self.ask(copy(mapping, destination, source, len)).unwrap().gas
    }

    pub(crate) fn grant(&mut self, handle: Handle, to: u64, permissions: u64) -> u64 {
        self.ask(grant(handle, to, permissions)).unwrap().gas
    }

    pub(crate) fn grow(&mut self, handle: Handle, size: u64) -> u64 {
        self.ask(Operation::Grow { handle, size: word(size) }).unwrap().gas
    }

    pub(crate) fn destroy(&mut self, handle: Handle) -> u64 {
        self.ask(Operation::Destroy { handle }).unwrap().gas
    }

    /// The size, and the actor's permissions.
    pub(crate) fn info(&mut self, handle: Handle) -> (u64, u8) {
        match self.ask(Operation::Info { handle }).unwrap().output {
            Output::Info { size, permissions } => (size, permissions),
            other => panic!("{other:?} instead of info"),
        }
    }

    /// Begins a call frame.
    pub(crate) fn enter(&mut self) {
        self.session.checkpoint(true);
    }

    /// Ends the transaction, and starts the next one in the world that it leaves.
    pub(crate) fn next(&mut self) -> Effects {
        let config = self.session.config().clone();
        let effects = std::mem::replace(&mut self.session, Session::new(config, 0)).finish(true);
        self.world.apply(&effects);
        effects
    }
}

pub(crate) fn create(text: &str, size: u64, permissions: u64, options: u64) -> Operation {
    Operation::Create {
        name: name(text),
        size: word(size),
        permissions: word(permissions),
        options: word(options),
    }
}

pub(crate) fn open(owner: u64, text: &str) -> Operation {
    Operation::Open { owner: account(owner), name: name(text) }
}

pub(crate) fn map(handle: Handle, options: u64, offset: u64, size: u64) -> Operation {
    Operation::Map { handle, options: word(options), offset: word(offset), size: word(size) }
}

pub(crate) fn publish(mapping: u64) -> Operation {
    Operation::Publish { mapping: word(mapping) }
}

pub(crate) fn read(mapping: u64, offset: u64, len: u64) -> Operation {
    Operation::Read { mapping: word(mapping), offset: word(offset), len: word(len) }
}

pub(crate) fn read_padded(mapping: u64, offset: u64, len: u64) -> Operation {
    Operation::ReadPadded { mapping: word(mapping), offset: word(offset), len: word(len) }
}

pub(crate) fn write(mapping: u64, offset: u64, len: u64) -> Operation {
    Operation::Write { mapping: word(mapping), offset: word(offset), len: word(len) }
}

pub(crate) fn copy(mapping: u64, destination: u64, source: u64, len: u64) -> Operation {
    Operation::Copy {
        mapping: word(mapping),
        destination: word(destination),
        source: word(source),
        len: word(len),
    }
}

pub(crate) fn grant(handle: Handle, to: u64, permissions: u64) -> Operation {
    Operation::Grant { handle, address: account(to), permissions: word(permissions) }
}
