//! What one incarnation has seen and written: its own view of the locations it touched.
//!
//! Pure bookkeeping; it knows no other transaction. The caller reads a location's outer value when
//! the overlay says that it needs one.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{
    Amount, Key, Value,
    amount::{self, Number},
    cell::{Change, Interest, Location, Seen},
};
use crate::state::{Bounds, Cell, EntryId};

/// Below this many locations a scan is faster than an index.
const SCANNED: usize = 12;

/// One location an incarnation touched.
pub(crate) struct Touched<K, V> {
    pub(crate) key: K,
    /// Its entry in the multi-version state, once looked up.
    pub(crate) id: Option<EntryId>,
    pub(crate) seen: Option<Seen<V>>,
    pub(crate) write: Option<Change<V>>,
}

/// Position of a location in its overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// Why a credit or debit was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Insufficient,
    Overflow,
    NotANumber,
}

/// The outer value is not what the incarnation saw of it before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed;

/// The locations an incarnation touched, in the order of first touch.
pub(crate) struct Overlay<K, V> {
    touched: Vec<Touched<K, V>>,
    index: HashMap<K, usize, RandomState>,
    accesses: u64,
}

impl<K, V> Default for Overlay<K, V> {
    fn default() -> Self {
        Self { touched: Vec::new(), index: HashMap::default(), accesses: 0 }
    }
}

impl<K: Key, V: Value> Overlay<K, V> {
    /// The place of `key`, which is touched from now on.
    pub(crate) fn locate(&mut self, key: &K) -> Place {
        let found = if self.touched.len() < SCANNED {
            self.touched.iter().position(|touched| touched.key == *key)
        } else {
            self.index.get(key).copied()
        };
        if let Some(at) = found {
            return Place(at);
        }
        let at = self.touched.len();
        self.touched.push(Touched { key: key.clone(), id: None, seen: None, write: None });
        if self.touched.len() == SCANNED {
            let keys = self.touched.iter().enumerate();
            self.index.extend(keys.map(|(at, touched)| (touched.key.clone(), at)));
        } else if self.touched.len() > SCANNED {
            self.index.insert(key.clone(), at);
        }
        Place(at)
    }

    pub(crate) fn at(&self, place: Place) -> &Touched<K, V> {
        &self.touched[place.0]
    }

    /// The locations, in the order of first touch.
    pub(crate) fn into_touched(self) -> Vec<Touched<K, V>> {
        self.touched
    }

    /// The locations whose outer value was looked at.
    pub(crate) fn observations(&self) -> impl Iterator<Item = (EntryId, &Seen<V>)> {
        self.touched.iter().filter_map(|touched| Some((touched.id?, touched.seen.as_ref()?)))
    }

    /// Counts an access: the machine's measure of work.
    pub(crate) fn count(&mut self) {
        self.accesses += 1;
    }

    pub(crate) fn accesses(&self) -> u64 {
        self.accesses
    }

    /// What the incarnation reads here, or `None` if the outer value is needed for that.
    pub(crate) fn value(&self, place: Place) -> Option<Option<V>> {
        let touched = self.at(place);
        match (&touched.write, &touched.seen) {
            (Some(Change::Set(value)), _) => Some(value.clone()),
            (write, Some(seen)) if matches!(seen.interest, Interest::Value) => {
                let mut value = seen.value.clone();
                if let Some(write) = write {
                    write.apply(&mut value);
                }
                Some(value)
            }
            _ => None,
        }
    }

    /// Whether credits and debits can be checked without the outer value.
    pub(crate) fn can_check(&self, place: Place) -> bool {
        let touched = self.at(place);
        touched.seen.is_some() || matches!(touched.write, Some(Change::Set(_)))
    }

    /// Notes the outer value, and what it is wanted for.
    pub(crate) fn observe(
        &mut self,
        place: Place,
        id: Option<EntryId>,
        value: Option<V>,
        interest: Interest<V>,
    ) -> Result<(), Changed> {
        let touched = &mut self.touched[place.0];
        touched.id = id;
        if let Some(seen) = &touched.seen
            && !Location::<K, V>::holds(&value, seen)
        {
            return Err(Changed);
        }
        // Another value within the bounds: what was decided stands, and its sum is taken from here.
        let bounds = touched.seen.take().map_or_else(Bounds::default, |seen| seen.bounds);
        touched.seen = Some(Seen { value, interest, bounds });
        Ok(())
    }

    /// Writes, or deletes.
    pub(crate) fn set(&mut self, place: Place, value: Option<V>) {
        self.touched[place.0].write = Some(Change::Set(value));
    }

    /// Takes back every write. What was seen stays: the incarnation's end depends on it.
    pub(crate) fn roll_back(&mut self) {
        for touched in &mut self.touched {
            touched.write = None;
        }
    }
}

impl<K: Key, V: Amount> Overlay<K, V> {
    /// Adds `amount` if the sum fits the type.
    pub(crate) fn credit(&mut self, place: Place, amount: u128) -> Result<(), Refusal> {
        self.change(place, amount, |bounds, seen, current| {
            bounds.credit(seen, current, amount).then_some(()).ok_or(Refusal::Overflow)
        })
    }

    /// Subtracts `amount` if that much is there.
    pub(crate) fn debit(&mut self, place: Place, amount: u128) -> Result<(), Refusal> {
        self.change(place, amount.wrapping_neg(), |bounds, seen, current| {
            // More than the whole range of the type: refused whatever is there.
            let least = V::Number::FLOOR.checked_add(amount).ok_or(Refusal::Insufficient)?;
            bounds.debit(seen, current, least).then_some(()).ok_or(Refusal::Insufficient)
        })
    }

    /// Adds `delta` modulo 2^128 if `check` agrees, which is told the rank that was seen and the
    /// one that stands now.
    fn change(
        &mut self,
        place: Place,
        delta: u128,
        check: impl FnOnce(&mut Bounds<u128>, u128, u128) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let touched = &mut self.touched[place.0];
        if let Some(Change::Set(value)) = &mut touched.write {
            let rank = amount::rank_of(value).ok_or(Refusal::NotANumber)?;
            // Its own value: nobody else has a part in this decision.
            check(&mut Bounds::default(), rank, rank)?;
            amount::add_rank(value, delta);
            return Ok(());
        }
        let Some(seen) = &mut touched.seen else {
            debug_assert!(false, "the caller reads what can_check does not find");
            return Err(Refusal::NotANumber);
        };
        let Some(rank) = amount::rank_of(&seen.value) else {
            seen.interest = Interest::Value;
            return Err(Refusal::NotANumber);
        };
        let sum = match &touched.write {
            Some(Change::Add { delta, .. }) => *delta,
            _ => 0,
        };
        check(&mut seen.bounds, rank, rank.wrapping_add(sum))?;
        let delta = sum.wrapping_add(delta);
        touched.write = Some(Change::Add { delta, apply: amount::add_rank::<V> });
        Ok(())
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    const NUMBER: Interest<u8> = Interest::Number(amount::rank_of::<u8>);

    fn with_outer(value: Option<u8>) -> (Overlay<&'static str, u8>, Place) {
        let mut overlay = Overlay::default();
        let place = overlay.locate(&"a");
        overlay.observe(place, None, value, NUMBER).unwrap();
        (overlay, place)
    }

    #[test]
    fn many_locations_are_found_again() {
        let mut overlay: Overlay<u32, u8> = Overlay::default();
        let places: Vec<Place> = (0..100).map(|key| overlay.locate(&key)).collect();
        for (key, place) in (0..100).zip(places) {
            assert_eq!(overlay.locate(&key), place);
        }
    }

    #[test]
    fn checks_hold_for_exactly_the_values_that_decide_alike() {
        let script = |overlay: &mut Overlay<&'static str, u8>, place| {
            [
                overlay.credit(place, 100),
                overlay.debit(place, 120),
                overlay.credit(place, 70),
                overlay.debit(place, 1000),
            ]
        };
        for start in 0..=u8::MAX {
            let (mut overlay, place) = with_outer(Some(start));
            let outcome = script(&mut overlay, place);
            let seen = overlay.at(place).seen.clone().unwrap();
            for other in 0..=u8::MAX {
                let (mut again, place) = with_outer(Some(other));
                assert_eq!(
                    Location::<&str, u8>::holds(&Some(other), &seen),
                    script(&mut again, place) == outcome,
                    "{start} {other}"
                );
            }
        }
    }

    #[test]
    fn a_value_within_the_bounds_replaces_the_one_seen() {
        let (mut overlay, place) = with_outer(Some(10));
        overlay.credit(place, 5).unwrap();
        assert_eq!(overlay.value(place), None);
        overlay.observe(place, None, Some(20), Interest::Value).unwrap();
        assert_eq!(overlay.value(place), Some(Some(25)));
        assert_eq!(overlay.observe(place, None, Some(21), Interest::Value), Err(Changed));
    }

    #[test]
    fn after_a_write_of_its_own_nothing_is_observed() {
        let mut overlay: Overlay<&str, u8> = Overlay::default();
        let place = overlay.locate(&"a");
        overlay.set(place, Some(250));
        assert_eq!(overlay.credit(place, 6), Err(Refusal::Overflow));
        assert_eq!(overlay.credit(place, 5), Ok(()));
        assert_eq!(overlay.value(place), Some(Some(255)));
        assert_eq!(overlay.observations().count(), 0);
        assert!(overlay.at(place).seen.is_none());
    }
}
