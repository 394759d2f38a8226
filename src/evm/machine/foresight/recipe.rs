//! What calls of one function read.
//!
//! A recipe is a list of steps; a step is a place, which may take what was read at steps before it. When a
//! call has ended, each step is judged by it: did it name a location, and did the call read that? What
//! the call read and no step named becomes a step of its own. After [`TRIALS`] calls the recipe is as
//! good as it gets.

use alloy_primitives::U256;

use super::{
    place::{Call, Location, Place, named_by},
    preimages::Preimages,
};
use crate::evm::keccak;

/// How many calls a function is learned from.
pub(super) const TRIALS: u32 = 32;
/// How many steps a recipe has: as many as a word has bits.
pub(super) const STEPS: usize = 64;
/// A step is judged once it has named so many locations.
const FAIR: u32 = 4;
/// A step is followed if one of so many locations that it named was read.
const WORTH: u32 = 4;

/// The steps of a function.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipe {
    pub(super) steps: Vec<Step>,
    /// The steps whose values others take, as bits.
    pub(super) wanted: u64,
    /// The calls that it was learned from.
    pub(super) trials: u32,
}

/// A location that calls of a function read.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    /// The steps whose values it takes, as bits.
    pub(super) needs: u64,
    /// By the order of the words that are hashed.
    judged: [Judged; 2],
}

/// How often a step was right.
#[derive(Clone, Copy, Debug, Default)]
struct Judged {
    /// It named a location.
    named: u32,
    /// The call read that.
    read: u32,
}

impl Judged {
    fn is_followed(self) -> bool {
        self.named < FAIR || self.read * WORTH >= self.named
    }
}

impl Step {
    /// Whether it is right often enough.
    pub(super) fn is_followed(&self, call: &Call<'_>, values: &[Option<U256>]) -> bool {
        match self.judged.map(Judged::is_followed) {
            [one, other] if one == other => one,
            judged => judged[self.place.order(call, values)],
        }
    }
}

impl Recipe {
    /// The steps that take one of those values, as bits.
    pub(super) fn needing(&self, values: u64) -> u64 {
        let needing = self.steps.iter().enumerate().filter(|(_, step)| step.needs & values != 0);
        needing.fold(0, |steps, (at, _)| steps | 1 << at)
    }

    /// Learns from a call that read those locations, with the values of slots.
    pub(super) fn learn(
        &mut self,
        call: &Call<'_>,
        reads: &[(Location, U256)],
        hashed: &Preimages,
    ) {
        self.trials += 1;
        let mut known = vec![false; reads.len()];
        let mut values = Vec::with_capacity(STEPS);
        for step in &mut self.steps {
            let location = step.place.resolve(call, &values, keccak::entry);
            let found = reads.iter().position(|(read, _)| Some(*read) == location);
            let judged = &mut step.judged[step.place.order(call, &values)];
            judged.named += u32::from(location.is_some());
            judged.read += u32::from(found.is_some());
            values.push(found.and_then(|found| {
                known[found] = true;
                named_by(reads[found].1)
            }));
        }
        for ((location, value), _) in reads.iter().zip(known).filter(|(_, known)| !known) {
            if self.steps.len() == STEPS {
                break;
            }
            let Some(place) = Place::explain(*location, call, &values, hashed) else { continue };
            let needs = place.needs();
            self.wanted |= needs;
            let mut judged = [Judged::default(); 2];
            judged[place.order(call, &values)] = Judged { named: 1, read: 1 };
            self.steps.push(Step { place, needs, judged });
            values.push(named_by(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, TxKind, keccak256};
    use revm::context::TxEnv;

    use super::{super::preimages::Hashed, *};

    const TO: Address = Address::repeat_byte(0xee);

    fn word(address: Address) -> U256 {
        address.into_word().into()
    }

    fn address(of: u8) -> Address {
        Address::repeat_byte(of)
    }

    /// A call of one function by a sender, with words.
    fn call(from: u8, words: &[U256]) -> TxEnv {
        let mut data = vec![1, 2, 3, 4];
        words.iter().for_each(|word| data.extend(word.to_be_bytes::<32>()));
        let kind = TxKind::Call(TO);
        TxEnv { caller: address(from), kind, data: data.into(), ..TxEnv::default() }
    }

    /// The entry of a mapping, which is hashed.
    fn entry(hashed: &mut Preimages, key: U256, place: U256) -> U256 {
        let bytes = [key.to_be_bytes::<32>(), place.to_be_bytes::<32>()].concat();
        let hash = keccak256(bytes).into();
        hashed.note(Hashed { key, place, hash });
        hash
    }

    /// What the steps name in a call, when the values of the slots are those.
    fn named(recipe: &Recipe, env: &TxEnv, reads: &[(Location, U256)]) -> Vec<Location> {
        let call = Call::of(env).expect("it is a call");
        let mut values = Vec::new();
        let mut named = Vec::new();
        for step in &recipe.steps {
            let location = step.place.resolve(&call, &values, keccak::entry);
            let read = reads.iter().find(|(read, _)| Some(*read) == location);
            values.push(read.and_then(|(_, value)| named_by(*value)));
            let followed = step.is_followed(&call, &values);
            named.extend(location.filter(|_| followed));
        }
        named
    }

    /// A router that looks up the pool of two tokens under the lower one, has the sender's allowance in
    /// a mapping of mappings, and reads a field of a struct of the pool.
    fn swap(from: u8, tokens: [u8; 2]) -> (TxEnv, Vec<(Location, U256)>, Preimages) {
        let mut hashed = Preimages::default();
        let words = tokens.map(|token| word(address(token)));
        let pool = address(tokens[0] ^ tokens[1]);
        let (low, high) = (words[0].min(words[1]), words[0].max(words[1]));
        let of_low = entry(&mut hashed, low, U256::from(7));
        let found = entry(&mut hashed, high, of_low);
        let of_sender = entry(&mut hashed, word(address(from)), U256::from(2));
        let allowed = entry(&mut hashed, word(TO), of_sender);
        let held = entry(&mut hashed, word(pool), U256::from(1)) + U256::from(3);
        let reads = vec![
            (Location::Slot(TO, found), word(pool)),
            (Location::Slot(address(tokens[0]), allowed), U256::MAX),
            (Location::Slot(address(tokens[0]), held), U256::from(5)),
            (Location::Slot(pool, U256::from(8)), U256::ONE),
            (Location::Slot(TO, U256::from(9)), U256::ONE),
            (Location::Account(pool), U256::ZERO),
            (Location::Account(address(0xcc)), U256::ZERO),
        ];
        (call(from, &words), reads, hashed)
    }

    #[test]
    fn what_one_call_read_is_named_for_another_with_other_words() {
        let mut recipe = Recipe::default();
        let (env, reads, hashed) = swap(1, [0x11, 0x22]);
        recipe.learn(&Call::of(&env).expect("it is a call"), &reads, &hashed);
        let (env, reads, _) = swap(2, [0x33, 0x44]);
        let mut expected: Vec<_> = reads.iter().map(|(location, _)| *location).collect();
        // The same for all calls: nothing is foreseen.
        expected.retain(|location| {
            *location != Location::Slot(TO, U256::from(9))
                && *location != Location::Account(address(0xcc))
        });
        assert_eq!(named(&recipe, &env, &reads), expected);
    }

    #[test]
    fn what_is_found_under_the_lower_of_two_is_named_for_either_order() {
        let mut recipe = Recipe::default();
        let tokens = |at: u8| if at.is_multiple_of(2) { [at, at + 100] } else { [at + 100, at] };
        for at in 1..20 {
            let (env, reads, hashed) = swap(at + 200, tokens(at));
            recipe.learn(&Call::of(&env).expect("it is a call"), &reads, &hashed);
        }
        for at in 20..22 {
            let (env, reads, _) = swap(at + 200, tokens(at));
            let named = named(&recipe, &env, &reads);
            let found: Vec<_> =
                named.iter().filter(|named| reads.iter().any(|(read, _)| read == *named)).collect();
            assert_eq!((found.len(), named.len()), (5, 5));
        }
        assert_eq!(recipe.trials, 19);
    }

    #[test]
    fn a_guess_that_is_mostly_wrong_is_given_up() {
        let mut recipe = Recipe::default();
        for at in 1..10 {
            let env = call(at, &[U256::from(at)]);
            let slot = if at == 1 { 1 } else { 1000 + u64::from(at) };
            let reads = [(Location::Slot(address(at), U256::from(slot)), U256::ZERO)];
            let call = Call::of(&env).expect("it is a call");
            recipe.learn(&call, &reads, &Preimages::default());
        }
        let env = call(99, &[U256::from(99)]);
        let first = Location::Slot(address(99), U256::ONE);
        assert!(!named(&recipe, &env, &[]).contains(&first));
        assert!(recipe.steps.len() <= STEPS);
    }

    #[test]
    fn no_recipe_is_longer_than_it_may_be() {
        let mut recipe = Recipe::default();
        for at in 0..100 {
            let env = call(1, &[]);
            let slot = U256::from(1000 + at);
            let reads = [(Location::Slot(address(1), slot), U256::MAX)];
            let call = Call::of(&env).expect("it is a call");
            recipe.learn(&call, &reads, &Preimages::default());
        }
        assert_eq!(recipe.steps.len(), STEPS);
    }
}
