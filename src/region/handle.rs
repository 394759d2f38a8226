//! Who owns a region, what it is called, and the opaque identity that stands for both.
//!
//! ```text
//!  handle   0 ........ 23 | 24 ....... 31
//!           region id     | generation, big-endian
//!           keccak256(kind ‖ owner ‖ name)[..24]
//! ```
//!
//! | kind | keccak over | generation |
//! |---|---|---|
//! | 0 persistent | kind ‖ owner ‖ name | creations under this owner and name, from 1; survives destroy |
//! | 1 transaction | kind ‖ owner ‖ name (zero for a pool block) | the transaction's ordinal of creations, from 1; journaled |
//! | 2 sidecar | kind ‖ length ‖ bytes, the length as 8 bytes big-endian | 0 |
//!
//! A handle is never an address of the host, and equal programs get equal handles on every machine.

use std::fmt;

use super::keccak::keccak256;

/// An account: the owner of a region, or whom rights are granted to. 20 bytes, as Ethereum's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The address whose last eight bytes are `number`. For accounts that only need to differ.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 20];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// A region's name under its owner: 32 bytes that are not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; 32]);

/// What cannot name a region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// All 32 bytes are zero, or there are none.
    #[error("a region's name must not be zero")]
    Zero,
    /// It does not fit.
    #[error("{name:?} has {length} bytes, a region's name has at most 32")]
    TooLong {
        /// The name.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
}

impl Name {
    /// A name from its 32 bytes.
    ///
    /// # Errors
    ///
    /// [`NameError::Zero`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, NameError> {
        if bytes == [0; 32] { Err(NameError::Zero) } else { Ok(Self(bytes)) }
    }

    /// A name from text of at most 32 bytes, padded with zeros on the right.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let mut bytes = [0; 32];
        let length = text.len();
        let Some(place) = bytes.get_mut(..length) else {
            return Err(NameError::TooLong { name: text.to_owned(), length });
        };
        place.copy_from_slice(text.as_bytes());
        Self::from_bytes(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        match std::str::from_utf8(&self.0[..end]) {
            Ok(text) if !text.contains(char::is_control) => f.write_str(text),
            _ => hex(&self.0, f),
        }
    }
}

/// How long a region lives, which decides who can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// State: survives the block.
    Persistent = 0,
    /// Ends with the transaction that created it.
    Transaction = 1,
    /// Part of the block's input.
    Sidecar = 2,
}

/// A region without its generation: what its owner and name come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId([u8; 24]);

impl RegionId {
    /// The identity of what `owner` calls `name`; no name for a pool block.
    #[must_use]
    pub fn of(kind: Kind, owner: Address, name: Option<Name>) -> Self {
        let name = name.map_or([0; 32], |name| name.0);
        Self::first_24(keccak256(&[&[kind as u8], &owner.0, &name]))
    }

    /// The identity of a sidecar with this content.
    #[must_use]
    pub fn of_sidecar(bytes: &[u8]) -> Self {
        let length = (bytes.len() as u64).to_be_bytes();
        Self::first_24(keccak256(&[&[Kind::Sidecar as u8], &length, bytes]))
    }

    fn first_24(hash: [u8; 32]) -> Self {
        let mut id = [0; 24];
        id.copy_from_slice(&hash[..24]);
        Self(id)
    }

    /// The 24 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// The handle of one of its generations.
    #[must_use]
    pub fn at(self, generation: u64) -> Handle {
        let mut bytes = [0; 32];
        bytes[..24].copy_from_slice(&self.0);
        bytes[24..].copy_from_slice(&generation.to_be_bytes());
        Handle(bytes)
    }
}

impl fmt::Debug for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// The opaque identity of one region.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 32]);

impl Handle {
    /// What it is a generation of.
    #[must_use]
    pub fn id(&self) -> RegionId {
        let mut id = [0; 24];
        id.copy_from_slice(&self.0[..24]);
        RegionId(id)
    }

    /// Which generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let mut generation = [0; 8];
        generation.copy_from_slice(&self.0[24..]);
        u64::from_be_bytes(generation)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_its_id_and_generation() {
        let owner = Address::from_number(7);
        let name = Name::new("orders").unwrap();
        let id = RegionId::of(Kind::Persistent, owner, Some(name));
        let handle = id.at(0x0102_0304_0506_0708);
        assert_eq!(handle.id(), id);
        assert_eq!(handle.generation(), 0x0102_0304_0506_0708);
        assert_eq!(&handle.0[24..], &[1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn kinds_owners_and_names_are_told_apart() {
        let owner = Address::from_number(7);
        let name = Some(Name::new("orders").unwrap());
        let ids = [
            RegionId::of(Kind::Persistent, owner, name),
            RegionId::of(Kind::Transaction, owner, name),
            RegionId::of(Kind::Transaction, owner, None),
            RegionId::of(Kind::Persistent, Address::from_number(8), name),
            RegionId::of(Kind::Persistent, owner, Some(Name::new("order").unwrap())),
            RegionId::of_sidecar(b""),
            RegionId::of_sidecar(b"\0"),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{at}");
        }
    }

    #[test]
    fn names_are_padded_and_never_zero() {
        assert_eq!(Name::new(""), Err(NameError::Zero));
        assert_eq!(Name::new("\0\0"), Err(NameError::Zero));
        assert!(matches!(Name::new(&"x".repeat(33)), Err(NameError::TooLong { length: 33, .. })));
        assert_eq!(Name::new("ab").unwrap().bytes()[..3], *b"ab\0");
        assert_eq!(Name::new("ab").unwrap().to_string(), "ab");
    }
}
