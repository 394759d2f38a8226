//! Operations with small operands.

use alloy_primitives::{Address, U256};
use chorus::region::{Handle, Operation};

use super::{name, word};

/// The contract of most tests.
pub(crate) const CONTRACT: Address = Address::repeat_byte(0xc0);

pub(crate) fn create(text: &str, size: u64, options: u64) -> Operation {
    let (size, permissions, options) = (word(size), word(7), word(options));
    Operation::Create { name: name(text), size, permissions, options }
}

pub(crate) fn alloc(size: u64, class: u64) -> Operation {
    Operation::Alloc { size: word(size), class: word(class) }
}

pub(crate) fn map(handle: Handle, options: u64) -> Operation {
    Operation::Map { handle, options: word(options), offset: word(0), size: word(0) }
}

pub(crate) fn read(mapping: u64, offset: u64, len: u64) -> Operation {
    Operation::Read { mapping: word(mapping), offset: word(offset), len: word(len) }
}

pub(crate) fn read_padded(mapping: u64, offset: u64, len: u64) -> Operation {
    Operation::ReadPadded { mapping: word(mapping), offset: word(offset), len: word(len) }
}

pub(crate) fn unmap(mapping: u64) -> Operation {
    Operation::Unmap { mapping: word(mapping) }
}

pub(crate) fn publish(mapping: u64) -> Operation {
    Operation::Publish { mapping: word(mapping) }
}

pub(crate) fn copy(mapping: u64, destination: u64, source: u64, len: u64) -> Operation {
    let (mapping, len) = (word(mapping), word(len));
    Operation::Copy { mapping, destination: word(destination), source: word(source), len }
}

pub(crate) fn open(owner: Address, text: &str) -> Operation {
    let owner = U256::from_be_slice(owner.as_slice());
    Operation::Open { owner, name: name(text) }
}

pub(crate) fn grow(handle: Handle, size: u64) -> Operation {
    Operation::Grow { handle, size: word(size) }
}

pub(crate) fn grant(handle: Handle, to: Address, permissions: u64) -> Operation {
    let address = U256::from_be_slice(to.as_slice());
    Operation::Grant { handle, address, permissions: word(permissions) }
}

pub(crate) fn exec(handle: Handle, offset: u64, len: u64) -> Operation {
    Operation::Exec { handle, offset: word(offset), len: word(len), limit: 0 }
}
