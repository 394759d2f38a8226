//! What a database says of itself.

use std::path::Path;

use alloy_primitives::B256;

use super::{
    RedbError,
    layout::{
        FORMAT, META, META_APPLIED, META_FORMAT, META_IMPORTED, META_PHASE, META_POSITION,
        PHASE_COMPLETE, PHASE_IMPORTING, decode_format, decode_hash, decode_number, decode_phase,
        decode_position, encode_position,
    },
    table::{Readable, Writable, get, put, remove},
};
use crate::evm::Block;

/// A block by its place in the chain: the one whose state a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The block's number.
    pub number: u64,
    /// Its hash, if it is known. A genesis file, for one, does not say it.
    pub hash: Option<B256>,
}

impl Position {
    /// The block before `block`, whose state `block` starts from; `None` for a genesis block, and
    /// for a number beyond 64 bits.
    pub fn before(block: &Block) -> Option<Self> {
        let number = u64::try_from(block.env.number).ok()?.checked_sub(1)?;
        let hash = block.system.parent_hash.or_else(|| block.block_hashes.get(&number).copied());
        Some(Self { number, hash })
    }

    /// Whether both can be the same block: a hash that is not known contradicts none.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let differ = |(one, other)| one != other;
        self.number == other.number && !self.hash.zip(other.hash).is_some_and(differ)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.hash {
            Some(hash) => write!(f, "block {} ({hash})", self.number),
            None => write!(f, "block {}", self.number),
        }
    }
}

/// The table `meta`, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// No import is under way.
    pub(super) complete: bool,
    pub(super) position: Option<Position>,
    /// The digest of the imported state.
    pub(super) imported: Option<B256>,
    /// Blocks applied since the import.
    pub(super) applied: u64,
}

impl Meta {
    pub(super) fn read(path: &Path, table: &impl Readable) -> Result<Self, RedbError> {
        // The format first: under another one nothing else means what it means here.
        let found =
            required(path, META_FORMAT, get(path, META, table, META_FORMAT, decode_format)?)?;
        if found != FORMAT {
            return Err(RedbError::Format { path: path.into(), found, supported: FORMAT });
        }
        let complete = get(path, META, table, META_PHASE, decode_phase)?;
        let applied = get(path, META, table, META_APPLIED, decode_number)?;
        Ok(Self {
            complete: required(path, META_PHASE, complete)?,
            position: get(path, META, table, META_POSITION, decode_position)?,
            imported: get(path, META, table, META_IMPORTED, decode_hash)?,
            applied: required(path, META_APPLIED, applied)?,
        })
    }

    pub(super) fn write(&self, path: &Path, table: &mut Writable<'_>) -> Result<(), RedbError> {
        let phase = if self.complete { PHASE_COMPLETE } else { PHASE_IMPORTING };
        put(path, table, META_FORMAT, &FORMAT.to_be_bytes())?;
        put(path, table, META_PHASE, &[phase])?;
        put(path, table, META_APPLIED, &self.applied.to_be_bytes())?;
        match &self.position {
            Some(position) => put(path, table, META_POSITION, &encode_position(position))?,
            None => remove(path, table, META_POSITION).map(|()| false)?,
        };
        match &self.imported {
            Some(digest) => put(path, table, META_IMPORTED, digest.as_slice())?,
            None => remove(path, table, META_IMPORTED).map(|()| false)?,
        };
        Ok(())
    }

    /// The state in words, for messages.
    pub(super) fn describe(&self) -> String {
        let mut words = match self.position {
            Some(position) => format!("after {position}"),
            None => "after an unnamed block".to_owned(),
        };
        match self.imported {
            Some(digest) => words += &format!(", imported as {digest}"),
            None => words += ", nothing imported",
        }
        match self.applied {
            0 => {}
            1 => words += ", 1 block applied since",
            applied => words += &format!(", {applied} blocks applied since"),
        }
        words
    }
}

fn required<T>(path: &Path, key: &[u8], value: Option<T>) -> Result<T, RedbError> {
    value.ok_or_else(|| RedbError::record(path, META.name, key, &[], "it is missing"))
}
