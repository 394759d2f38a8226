//! A location as it follows from the words of a call.
//!
//! | a word is | for instance |
//! |---|---|
//! | the sender, the contract that is called | whose balance is debited |
//! | a word of the calldata | to whom |
//! | what the transaction read elsewhere, as an address | the pool that a router looks up |
//! | a constant | a token that the code names |
//!
//! A slot is a constant, or what comes of hashing words with it: `keccak(word ++ base)` is the entry of the
//! mapping at `base`, which may be a struct or again a mapping.

use alloy_primitives::{Address, U256};
use revm::context::TxEnv;
use smallvec::SmallVec;

use super::preimages::Preimages;

/// How many words of the calldata are looked at.
const WORDS: usize = 24;
/// How deep mappings in mappings may be.
const DEPTH: usize = 4;
/// Bytes that name the function.
const SELECTOR: usize = 4;

/// Where a word comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Caller,
    To,
    Data(u8),
    /// What was read at that step, as an address.
    Value(u8),
    Constant(U256),
}

/// The place of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    base: U256,
    /// From the outermost mapping inwards: the key, and the field of what is found there.
    levels: SmallVec<[(Word, u8); 2]>,
}

/// A location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Account(Word),
    Slot(Word, Key),
}

/// A location of one transaction whose slot is still to be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unhashed {
    Account(Address),
    Slot(Address, U256, Keys),
}

/// What is hashed with a slot one after the other, each with the field of what is found there.
pub(super) type Keys = SmallVec<[(U256, u8); 2]>;

/// A location of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Account(Address),
    Slot(Address, U256),
}

/// A call from outside.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    caller: U256,
    to: U256,
    data: &'a [u8],
}

impl<'a> Call<'a> {
    /// `None`: it creates a contract, or names no function.
    pub(super) fn of(tx: &'a TxEnv) -> Option<Self> {
        let to = tx.kind.to()?;
        let data = tx.data.get(SELECTOR..)?;
        Some(Self { caller: word(tx.caller), to: word(*to), data })
    }

    /// Contract and function.
    pub(super) fn function(tx: &TxEnv) -> Option<(Address, [u8; SELECTOR])> {
        Some((*tx.kind.to()?, *tx.data.first_chunk()?))
    }

    fn data(&self, at: usize) -> Option<U256> {
        self.data.get(at * 32..at * 32 + 32).map(U256::from_be_slice)
    }

    /// What the word is, given what was read at the steps.
    fn resolve(&self, word: Word, values: &[Option<U256>]) -> Option<U256> {
        match word {
            Word::Caller => Some(self.caller),
            Word::To => Some(self.to),
            Word::Data(at) => self.data(at.into()),
            Word::Value(step) => values.get(usize::from(step)).copied().flatten(),
            Word::Constant(word) => Some(word),
        }
    }

    /// Where the word may come from.
    fn explain(&self, word: U256, values: &[Option<U256>]) -> Word {
        if word == self.caller {
            return Word::Caller;
        }
        if word == self.to {
            return Word::To;
        }
        if word.is_zero() {
            return Word::Constant(word);
        }
        let from_data = (0..WORDS).map_while(|at| self.data(at)).position(|data| data == word);
        if let Some(at) = from_data {
            return Word::Data(at as u8);
        }
        match values.iter().position(|value| *value == Some(word)) {
            Some(step) => Word::Value(step as u8),
            None => Word::Constant(word),
        }
    }
}

impl Word {
    /// Whether it is the same in all calls of the function.
    fn is_fixed(self) -> bool {
        matches!(self, Self::To | Self::Constant(_))
    }

    /// The steps whose values it takes, as bits.
    fn needs(self) -> u64 {
        match self {
            Self::Value(step) => 1 << step,
            _ => 0,
        }
    }
}

impl Place {
    /// The location in that call; `hash` says what a key and a place are hashed to. `None`: something that
    /// it takes is not known, or is no address.
    pub(super) fn resolve(
        &self,
        call: &Call<'_>,
        values: &[Option<U256>],
        hash: impl Fn(U256, U256) -> U256,
    ) -> Option<Location> {
        Some(match self.unhashed(call, values)? {
            Unhashed::Account(address) => Location::Account(address),
            Unhashed::Slot(address, base, keys) => {
                let inner = |slot, (key, field)| behind(hash(key, slot), field);
                Location::Slot(address, keys.into_iter().fold(base, inner))
            }
        })
    }

    /// The same, as far as nothing is hashed.
    pub(super) fn unhashed(&self, call: &Call<'_>, values: &[Option<U256>]) -> Option<Unhashed> {
        let contract = |word| as_address(call.resolve(word, values)?);
        Some(match self {
            Self::Account(word) => Unhashed::Account(contract(*word)?),
            Self::Slot(word, Key { base, levels }) => {
                let key = |(word, field): &_| Some((call.resolve(*word, values)?, *field));
                let keys: Option<Keys> = levels.iter().map(key).collect();
                Unhashed::Slot(contract(*word)?, *base, keys?)
            }
        })
    }

    /// Of two words that are hashed one after the other, whether the first is the greater one: what is
    /// looked up by two tokens, say, is often found under the lower one.
    pub(super) fn order(&self, call: &Call<'_>, values: &[Option<U256>]) -> usize {
        match self {
            Self::Slot(_, Key { levels, .. }) if levels.len() > 1 => {
                let word = |at: usize| call.resolve(levels[at].0, values);
                usize::from(word(0) > word(1))
            }
            _ => 0,
        }
    }

    /// How the location may follow from the call. `None`: it is the same for all calls of the function,
    /// so that nothing is to be foreseen.
    pub(super) fn explain(
        location: Location,
        call: &Call<'_>,
        values: &[Option<U256>],
        hashed: &Preimages,
    ) -> Option<Self> {
        match location {
            Location::Account(address) => {
                let contract = call.explain(word(address), values);
                (!contract.is_fixed()).then_some(Self::Account(contract))
            }
            Location::Slot(address, slot) => {
                let contract = call.explain(word(address), values);
                let mut key = Key { base: slot, levels: SmallVec::new() };
                while key.levels.len() < DEPTH
                    && let Some((hashed, field)) = hashed.find(key.base)
                {
                    key.levels.push((call.explain(hashed.key, values), field));
                    key.base = hashed.place;
                }
                key.levels.reverse();
                let fixed =
                    contract.is_fixed() && key.levels.iter().all(|(word, _)| word.is_fixed());
                (!fixed).then_some(Self::Slot(contract, key))
            }
        }
    }

    /// The steps whose values it takes, as bits.
    pub(super) fn needs(&self) -> u64 {
        match self {
            Self::Account(word) => word.needs(),
            Self::Slot(word, key) => {
                key.levels.iter().fold(word.needs(), |needs, (word, _)| needs | word.needs())
            }
        }
    }
}

/// What was read, if it looks like an address: contracts are called that storage names.
pub(super) fn named_by(value: U256) -> Option<U256> {
    let low = value & U256::MAX.wrapping_shr(96);
    (low.wrapping_shr(64) != U256::ZERO).then_some(low)
}

/// The slot of a field of what is found at a hash.
pub(super) fn behind(hash: U256, field: u8) -> U256 {
    hash.wrapping_add(U256::from(field))
}

fn as_address(word: U256) -> Option<Address> {
    let named = !word.is_zero() && word.wrapping_shr(160).is_zero();
    named.then(|| Address::from_word(word.into()))
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}
