//! How far forecasts reach: a store that answers when it is looked after, and one worker, so that how often
//! transactions wait does not hang on time.

use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, U256, hex, keccak256};
use chorus::{
    evm::{Block, BlockEnv, SpecId, StateStore, TxEnv},
    store::{MemoryStore, Query, Read},
};

use crate::{
    executor,
    patience::in_time,
    stores::{driven, said},
    world::{CONTRACT, MINER, call, expected, parallel, sender},
};

/// Places of the mappings, each of which takes the caller.
const PLACES: [u8; 3] = [1, 2, 3];

/// What a store holds that answers when it is looked after for the second time.
struct Shelf {
    world: Arc<MemoryStore>,
    /// This is held back for so many looks more.
    held: Option<(Query, u32)>,
    /// What was fetched since the last look.
    fresh: Vec<Read>,
    /// What was fetched before.
    due: Vec<Read>,
}

impl Shelf {
    /// What is answered at this look. The others are due at the next one.
    fn look(&mut self) -> Vec<Read> {
        let due = std::mem::replace(&mut self.due, std::mem::take(&mut self.fresh));
        let (back, answered) = due.into_iter().partition(|read| match &mut self.held {
            Some((query, looks)) if *query == read.query() && *looks > 0 => {
                *looks -= 1;
                true
            }
            _ => false,
        });
        self.due.extend::<Vec<_>>(back);
        answered
    }
}

/// A store of the world that answers so.
fn shelved(world: Arc<MemoryStore>, held: Option<(Query, u32)>) -> Arc<dyn StateStore> {
    let shelf = Arc::new(Mutex::new(Shelf { world, held, fresh: Vec::new(), due: Vec::new() }));
    let own = shelf.clone();
    driven(
        move |reads| shelf.lock().unwrap().fresh.extend(reads),
        move || {
            let answered = own.lock().unwrap().look();
            let world = own.lock().unwrap().world.clone();
            for read in answered {
                let result = said(&world, read.query());
                read.answer(result);
            }
            let shelf = own.lock().unwrap();
            !shelf.fresh.is_empty() || !shelf.due.is_empty()
        },
    )
}

/// The caller's entry of the mapping at that place.
fn entry(caller: Address, place: u8) -> U256 {
    let bytes = [caller.into_word(), U256::from(place).into()].concat();
    keccak256(bytes).into()
}

/// So many calls of one function, each of which reads entries of its own, but for the first ones, which have a word too
/// many and end at once.
fn block(transactions: u64, refused: u64) -> (Arc<Block>, Arc<MemoryStore>) {
    let read =
        |place| [&hex!("33 5f 52 60")[..], &[place], &hex!("6020 52 6040 5f 20 54 50")].concat();
    let code = [&hex!("36 6004 14 6008 57 00 5b")[..], &PLACES.map(read).concat()].concat();
    let mut memory = MemoryStore::builder();
    memory.nonce(CONTRACT, 1).code(CONTRACT, code.into());
    let calls = (0..transactions).map(|i| {
        PLACES.iter().for_each(|place| {
            memory.slot(CONTRACT, entry(sender(i), *place), U256::from(i));
        });
        call(i, &[&[1, 2, 3, 4][..], if i < refused { &[0; 32] } else { &[] }].concat())
    });
    let calls: Vec<TxEnv> = calls.collect();
    let env = BlockEnv { gas_limit: u64::MAX, beneficiary: MINER, ..BlockEnv::default() };
    (Arc::new(Block::new(SpecId::PRAGUE, 1, env, calls)), Arc::new(memory.build()))
}

/// How often transactions of the block wait, in that window, with one location held back.
fn waits(
    (block, world): (Arc<Block>, Arc<MemoryStore>),
    window: u32,
    held: Option<(Query, u32)>,
) -> u64 {
    let expected = expected(&block, &*world);
    let store = shelved(world, held);
    let engine = parallel(1).window(window).reads_in_flight(4096).build().unwrap();
    let actual = engine.execute(&block, &store);
    assert_eq!(executor::difference(&expected, &actual), None);
    actual.unwrap().statistics.suspensions
}

#[test]
fn who_was_looked_at_before_anything_was_known_is_forecast_when_something_is() {
    in_time(|| {
        // As many as are looked at when the block begins: twice the window.
        let waits = waits(block(200, 0), 100, None);
        assert!(waits < 20, "{waits}");
    });
}

#[test]
fn forecasts_stay_ahead_of_what_starts_though_the_frontier_is_held_up() {
    in_time(|| {
        // Long enough for the way ahead to have become short.
        let held = Query::Slot(CONTRACT, entry(sender(1_000), PLACES[0]));
        let waits = waits(block(1_500, 0), 400, Some((held, 390)));
        assert!(waits < 20, "{waits}");
    });
}

#[test]
fn a_first_call_that_reads_nothing_keeps_nobody_from_being_forecast() {
    in_time(|| {
        let waits = waits(block(200, 3), 100, None);
        assert!(waits < 20, "{waits}");
    });
}
