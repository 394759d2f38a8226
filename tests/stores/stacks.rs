//! Wrappers on wrappers answer like the state at the bottom.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use alloy_primitives::{Address, U256};
use chorus::store::{
    CachedStore, Fault, FaultyStore, Latency, LatencyStore, MemoryStore, OverlayStore, Query,
    RecordingStore, StateStore, Victims,
};
use proptest::prelude::*;

use crate::world::{address, assert_like_world, world};

#[derive(Clone, Copy, Debug)]
enum Wrapper {
    Slow,
    Bounded,
    SmallCache,
    LargeCache,
    Recording,
    Overlay,
    Late,
}

impl Wrapper {
    fn around(self, inner: Arc<dyn StateStore>) -> Arc<dyn StateStore> {
        let microsecond = Duration::from_micros(1);
        let spread = Latency::Uniform { low: Duration::ZERO, high: 4 * microsecond };
        match self {
            Self::Slow => Arc::new(LatencyStore::new(inner, spread).with_seed(3)),
            Self::Bounded => Arc::new(
                LatencyStore::new(inner, Latency::Fixed(microsecond))
                    .with_max_parallel(NonZeroUsize::MIN),
            ),
            Self::SmallCache => Arc::new(CachedStore::new(inner, 4_000)),
            Self::LargeCache => Arc::new(CachedStore::new(inner, 1 << 20)),
            Self::Recording => Arc::new(RecordingStore::new(inner)),
            Self::Overlay => Arc::new(OverlayStore::new(inner)),
            Self::Late => {
                let late = Victims::Random { probability: 0.3, seed: 9 };
                let fault = Fault::Delay(3 * microsecond);
                Arc::new(FaultyStore::new(inner).with(late, fault).passing())
            }
        }
    }
}

fn wrapper() -> impl Strategy<Value = Wrapper> {
    use Wrapper::{Bounded, LargeCache, Late, Overlay, Recording, Slow, SmallCache};
    prop::sample::select(vec![Slow, Bounded, SmallCache, LargeCache, Recording, Overlay, Late])
}

fn query() -> impl Strategy<Value = Query> {
    let account = || (0..40_u64).prop_map(address);
    prop_oneof![
        account().prop_map(Query::Account),
        (account(), 0..9_u64).prop_map(|(address, slot)| Query::Slot(address, U256::from(slot))),
        (any::<[u8; 20]>(), any::<u64>())
            .prop_map(|(address, slot)| Query::Slot(Address::from(address), U256::from(slot))),
        account().prop_map(Query::HasStorage),
        (0..40_u64).prop_map(Query::BlockHash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_stack_answers_like_the_state_at_its_bottom(
        wrappers in prop::collection::vec(wrapper(), 1..5),
        queries in prop::collection::vec(query(), 1..60),
    ) {
        let world: Arc<MemoryStore> = world();
        let bottom: Arc<dyn StateStore> = world.clone();
        let stack = wrappers.iter().fold(bottom, |inner, wrapper| wrapper.around(inner));
        assert_like_world(&*stack, &world, &queries);
        // Announced, and asked again, now from whatever is warm.
        stack.prefetch(&queries);
        assert_like_world(&*stack, &world, &queries);
        while stack.drive() {}
    }

    #[test]
    fn four_threads_see_one_state(
        wrappers in prop::collection::vec(wrapper(), 1..4),
        queries in prop::collection::vec(query(), 1..40),
    ) {
        let world: Arc<MemoryStore> = world();
        let bottom: Arc<dyn StateStore> = world.clone();
        let stack = wrappers.iter().fold(bottom, |inner, wrapper| wrapper.around(inner));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_like_world(&*stack, &world, &queries));
            }
        });
    }
}
