//! The timeline of a block: what it says of a block whose every step is known, that it agrees with
//! itself and with the block's statistics whatever happens, and that its exports say the same.

#![cfg(feature = "evm")]
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/executor.rs"]
mod executor;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy_primitives::{Address, B256, TxKind, U256, hex};
use chorus::{
    evm::{
        AccountInfo, Block, BlockEnv, BlockOutcome, CancelToken, Engine, ExecuteOptions, Path,
        Scouting, SpecId, StateStore, StoreError, SystemRules, TxEnv, workload::Workload,
    },
    observe::timeline::{BlockPhase, Cause, Ending, LocationId, Recording, Timeline},
    store::{Answer, MemoryStore, Query, Read},
};
use executor::difference;
use serde_json::Value;

const CONTRACT: Address = Address::repeat_byte(0xc0);

/// Jumps to where the input says:
///
/// | at | what | does |
/// |---|---|---|
/// | 3 | transaction 0 | reads slot 16, sets slot 1 to 7 |
/// | 14 | transaction 1 | reads slot 1, then slot 32 + that, counts down from there, sets slot 2 to 1 |
/// | 43 | transaction 2 | reads slot 48, sets slot 3 to slot 2 |
const CODE: [u8; 55] = hex!(
    "5f3556"
    "5b 6010 54 50 6007 6001 55 00"
    "5b 6001 54 6020 01 54 5b 80 15 6023 57 6001 90 03 6016 56 5b 6001 01 6002 55 00"
    "5b 6030 54 50 6002 54 6003 55 00"
);
const ENTRIES: [u64; 3] = [3, 14, 43];

/// Slot 39 holds it; transaction 1 counts down from it when it has seen what transaction 0 wrote.
const TURNS: u64 = 300_000;

/// Everything is at hand but two slots, each of which is answered when somebody has asked for
/// another one:
///
/// ```text
///  worker   tx 0 reads slot 16 ┐                                ┌► ends    tx 1 again: slot 39 ┐                         ┌► counts, ends
///           waits              └ tx 1 reads slot 32, ends ──────┘          waits               └ tx 2 reads slot 48, waits └► tx 2 ends
///                                                                                                for tx 1 at slot 2
/// ```
struct OneAfterAnother {
    memory: MemoryStore,
    /// Slot 32 and slot 48 have been asked for.
    asked: [AtomicBool; 2],
    owed: Mutex<Vec<Read>>,
}

const HELD: [u64; 2] = [16, 39];
const SIGNALS: [u64; 2] = [32, 48];

impl StateStore for OneAfterAnother {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.memory.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        if HELD.iter().any(|held| slot == U256::from(*held)) {
            return None;
        }
        if let Some(at) = SIGNALS.iter().position(|signal| slot == U256::from(*signal)) {
            self.asked[at].store(true, Ordering::Relaxed);
        }
        self.memory.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.memory.try_has_storage(address)
    }

    fn try_block_hash(&self, _: u64) -> Option<Result<B256, StoreError>> {
        None
    }

    fn fetch(&self, reads: Vec<Read>) {
        self.owed.lock().unwrap().extend(reads);
    }

    fn drive(&self) -> bool {
        let is_due = |read: &mut Read| {
            HELD.iter().zip(&self.asked).any(|(held, asked)| {
                read.query() == Query::Slot(CONTRACT, U256::from(*held))
                    && asked.load(Ordering::Relaxed)
            })
        };
        let due: Vec<Read> = self.owed.lock().unwrap().extract_if(.., is_due).collect();
        for read in due {
            let Query::Slot(address, slot) = read.query() else { unreachable!("only slots") };
            let value = self.memory.try_storage(address, slot).unwrap().map(Answer::Slot);
            read.answer(value);
        }
        !self.owed.lock().unwrap().is_empty()
    }

    fn latency(&self) -> Option<Duration> {
        Some(Duration::from_micros(10))
    }
}

fn sender(i: u64) -> Address {
    Address::left_padding_from(&(0x5e_0000 + i).to_be_bytes())
}

fn one_after_another() -> (Arc<Block>, Arc<dyn StateStore>) {
    let mut store = MemoryStore::builder();
    store.nonce(CONTRACT, 1).code(CONTRACT, CODE.into());
    store.slot(CONTRACT, U256::from(39), U256::from(TURNS));
    let transaction = |(i, entry): (u64, u64)| TxEnv {
        caller: sender(i),
        gas_limit: 30_000_000,
        kind: TxKind::Call(CONTRACT),
        data: U256::from(entry).to_be_bytes_vec().into(),
        ..TxEnv::default()
    };
    let env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    let transactions = (0..3).zip(ENTRIES).map(transaction);
    let mut block = Block::new(SpecId::PRAGUE, 1, env, transactions);
    block.system = SystemRules::default();
    let store = OneAfterAnother {
        memory: store.build(),
        asked: Default::default(),
        owed: Mutex::default(),
    };
    (Arc::new(block), Arc::new(store))
}

fn trace(
    engine: &Engine,
    block: &Arc<Block>,
    store: &Arc<dyn StateStore>,
) -> (BlockOutcome, Timeline) {
    let recording = Recording::new();
    let options = ExecuteOptions::new().trace(&recording);
    let outcome = engine.execute_with(block, store, options).unwrap();
    (outcome, recording.take().expect("a timeline"))
}

fn trace_one_after_another() -> (BlockOutcome, Timeline) {
    let builder = Engine::builder().threads(1).window(2).scouting(Scouting::Off);
    let engine = builder.path(Path::Parallel).build().unwrap();
    let (block, store) = one_after_another();
    trace(&engine, &block, &store)
}

/// The slot that a location of the contract is.
fn slot(timeline: &Timeline, location: LocationId) -> u64 {
    let location = timeline.location(location).unwrap();
    assert_eq!(location.contract, CONTRACT.to_string());
    let slot = location.field.strip_prefix("slot 0x").unwrap();
    u64::from_str_radix(slot, 16).unwrap()
}

#[test]
fn a_wait_an_abort_and_a_read_are_shown_where_they_happened_and_to_whom() {
    let (outcome, timeline) = trace_one_after_another();
    assert_consistent(&timeline, &outcome);
    let shown: Vec<_> = timeline
        .incarnations
        .iter()
        .map(|it| {
            let conflict = it.conflict.map(|location| slot(&timeline, location));
            let waits = it.suspensions.iter().map(|suspension| match suspension.cause {
                Cause::Transaction { writer, location } => {
                    (Some(writer), slot(&timeline, location))
                }
                Cause::Store { location } => (None, slot(&timeline, location)),
                other => panic!("{other:?}"),
            });
            (it.tx, it.number, it.ending, conflict, waits.collect::<Vec<_>>())
        })
        .collect();
    let expected = [
        (0, 0, Ending::Committed, None, vec![(None, 16)]),
        (1, 0, Ending::Aborted, Some(1), vec![]),
        (1, 1, Ending::Committed, None, vec![(None, 39)]),
        (2, 0, Ending::Committed, None, vec![(Some(1), 2)]),
    ];
    assert_eq!(shown, expected);

    // The one that waited was woken by the incarnation that wrote, when that published.
    let waiting = timeline.incarnations[3].suspensions[0];
    assert_eq!(waiting.woken_by, Some(2));
    let woken = waiting.woken.unwrap();
    assert!(woken >= timeline.incarnations[2].span.end, "{timeline:?}");
    assert!((waiting.span.begin..=waiting.span.end).contains(&woken));
    // The store's answers woke the others.
    for at in [0, 2] {
        let waiting = timeline.incarnations[at].suspensions[0];
        assert!(waiting.woken.is_some() && waiting.woken_by.is_none(), "{waiting:?}");
    }
    let phases: Vec<_> = timeline.phases.iter().map(|phase| phase.phase).collect();
    use BlockPhase::{Diff, Epilogue, Prologue, Transactions};
    assert_eq!(phases, [Prologue, Transactions, Epilogue, Diff]);
}

#[test]
fn the_location_that_cost_most_is_on_top() {
    // The counting takes a hundred times as long as everything else, unless this thread is put
    // aside for as long elsewhere.
    let is_on_top = (0..5).any(|_| {
        let (_, timeline) = trace_one_after_another();
        let hottest = timeline.hottest();
        let all: BTreeMap<u64, _> = hottest
            .iter()
            .map(|hot| (slot(&timeline, hot.location), (hot.aborts, hot.waits, hot.reads)))
            .collect();
        let expected = [(1, (1, 0, 0)), (2, (0, 1, 0)), (16, (0, 0, 1)), (39, (0, 0, 1))];
        assert_eq!(all, BTreeMap::from(expected));
        assert!(hottest.is_sorted_by_key(|hot| std::cmp::Reverse(hot.lost)));
        let waited = timeline.incarnations[3].suspensions[0].span.length();
        let of = |slot_wanted| {
            hottest.iter().find(|hot| slot(&timeline, hot.location) == slot_wanted).unwrap()
        };
        assert_eq!(of(2).lost, waited);
        assert_eq!(of(1).lost, timeline.incarnations[1].ran());
        slot(&timeline, hottest[0].location) == 2 && hottest[0].conflicts() == 1
    });
    assert!(is_on_top);
}

/// What holds of every timeline of a block that has an outcome.
fn assert_consistent(timeline: &Timeline, outcome: &BlockOutcome) {
    let statistics = &outcome.statistics;
    assert_eq!(timeline.dropped, 0);
    assert_eq!(timeline.workers, statistics.threads);
    assert_eq!(timeline.transactions, outcome.transactions.len());
    assert_eq!(timeline.incarnations.len() as u64, statistics.incarnations);
    assert_eq!(timeline.suspensions() as u64, statistics.suspensions);
    let committed: Vec<u32> = timeline.commits.iter().map(|commit| commit.tx).collect();
    assert_eq!(committed, (0..timeline.transactions as u32).collect::<Vec<_>>());
    assert!(timeline.commits.is_sorted_by_key(|commit| commit.span.end), "in block order");

    let mut lanes: BTreeMap<usize, Vec<(u64, u64)>> = BTreeMap::new();
    let mut of_transaction: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    assert!(timeline.incarnations.is_sorted_by_key(|it| it.span.begin));
    for incarnation in &timeline.incarnations {
        of_transaction.entry(incarnation.tx).or_default().push(incarnation);
        let span = incarnation.span;
        assert!(span.begin <= span.end && span.end <= timeline.end, "{incarnation:?}");
        // Suspended time is not counted as running.
        let waited: u64 = incarnation.suspensions.iter().map(|it| it.span.length()).sum();
        assert_eq!(incarnation.ran() + waited, span.length(), "{incarnation:?}");
        for suspension in &incarnation.suspensions {
            let woken = suspension.woken.unwrap_or(suspension.span.end);
            assert!((suspension.span.begin..=suspension.span.end).contains(&woken));
            if let Cause::Transaction { writer, .. } = suspension.cause {
                assert!(writer < incarnation.tx, "waits point downwards");
            }
        }
        let lane = lanes.entry(incarnation.worker).or_default();
        lane.extend(incarnation.running().map(|run| (run.begin, run.end)));
    }
    for incarnations in of_transaction.values() {
        let (last, earlier) = incarnations.split_last().unwrap();
        assert_eq!(last.ending, Ending::Committed);
        assert!(last.conflict.is_none());
        for (number, earlier) in earlier.iter().enumerate() {
            assert!(matches!(earlier.ending, Ending::Aborted | Ending::Doomed), "{earlier:?}");
            assert_eq!(earlier.number as usize, number);
            assert!(earlier.span.end <= incarnations[number + 1].span.begin);
        }
    }
    for commit in &timeline.commits {
        let last = of_transaction[&commit.tx].last().unwrap();
        assert!(last.span.end <= commit.span.end);
        lanes.entry(commit.worker).or_default().push((commit.span.begin, commit.span.end));
    }
    for scout in &timeline.scouts {
        lanes.entry(scout.worker).or_default().push((scout.span.begin, scout.span.end));
    }
    for (worker, mut lane) in lanes {
        assert!(worker < timeline.workers);
        lane.sort_unstable();
        assert!(lane.iter().all(|(begin, end)| begin <= end));
        let apart = lane.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        assert!(apart, "two bars of worker {worker} overlap");
    }
    assert!(timeline.phases.windows(2).all(|pair| pair[0].span.end <= pair[1].span.begin));
}

#[test]
fn every_incarnation_begins_and_ends_apart_from_the_others_on_its_worker() {
    for name in ["amm", "mixed", "nonces"] {
        let workload = Workload::by_name(name).expect(name).with_transactions(300);
        let (block, store) = workload.build(7);
        let (block, store): (_, Arc<dyn StateStore>) = (Arc::new(block), Arc::new(store));
        for threads in [1, 2, 4] {
            let engine = Engine::builder().threads(threads).path(Path::Parallel).build().unwrap();
            let plain = engine.execute(&block, &store);
            for _ in 0..3 {
                let (outcome, timeline) = trace(&engine, &block, &store);
                assert_consistent(&timeline, &outcome);
                // Every run that was thrown away says where it was wrong.
                let thrown = timeline.incarnations.iter();
                let mut thrown = thrown.filter(|it| it.ending != Ending::Committed);
                assert!(thrown.all(|it| it.conflict.is_some()), "{name} on {threads}");
                // And nothing has changed by looking.
                assert_eq!(difference(&plain, &Ok(outcome)), None);
            }
            // A recording that nobody gave an engine stays empty.
            assert!(Recording::new().take().is_none());
        }
    }
}

#[test]
fn recording_leaves_the_statistics_of_a_known_block_alone() {
    let (traced, _) = trace_one_after_another();
    let builder = Engine::builder().threads(1).window(2).scouting(Scouting::Off);
    let engine = builder.path(Path::Parallel).build().unwrap();
    let (block, store) = one_after_another();
    let plain = engine.execute(&block, &store).unwrap();
    let numbers = |outcome: &BlockOutcome| {
        let it = &outcome.statistics;
        (it.incarnations, it.suspensions, it.most_suspended, it.wasted_gas, it.scouts)
    };
    assert_eq!(numbers(&traced), numbers(&plain));
    assert_eq!(difference(&Ok(plain), &Ok(traced)), None);
}

#[test]
fn the_direct_way_and_a_block_that_never_began_leave_no_timeline() {
    let (block, store) = Workload::DEFAULT.build(1);
    let (block, store): (_, Arc<dyn StateStore>) = (Arc::new(block), Arc::new(store));
    let engine = Engine::builder().threads(1).path(Path::Direct).build().unwrap();
    let recording = Recording::new();
    let options = || ExecuteOptions::new().trace(&recording);
    engine.execute_with(&block, &store, options()).unwrap();
    assert!(recording.take().is_none());

    let engine = Engine::builder().threads(2).path(Path::Parallel).build().unwrap();
    let token = CancelToken::new();
    token.cancel();
    assert!(engine.execute_with(&block, &store, options().cancel(&token)).is_err());
    assert!(recording.take().is_none());
}

fn events(json: &Value) -> &[Value] {
    json["traceEvents"].as_array().unwrap()
}

#[test]
fn the_trace_json_counts_what_the_statistics_count() {
    let workload = Workload::by_name("mixed").unwrap().with_transactions(300);
    let (block, store) = workload.build(3);
    let (block, store): (_, Arc<dyn StateStore>) = (Arc::new(block), Arc::new(store));
    let engine = Engine::builder().threads(4).path(Path::Parallel).build().unwrap();
    let (outcome, timeline) = trace(&engine, &block, &store);
    check_json(&timeline, &outcome);
    let (outcome, timeline) = trace_one_after_another();
    let json = check_json(&timeline, &outcome);

    // What is known of this block is there as well.
    let of = |kind: &str| {
        let kind = kind.to_owned();
        events(&json).iter().filter(move |event| event["ph"] == kind.as_str())
    };
    let waits: Vec<_> = of("b").map(|event| &event["args"]).collect();
    assert_eq!(waits[2]["transaction"], 1);
    assert_eq!(waits[2]["location"], format!("{CONTRACT} slot 0x2"));
    let hot = &json["otherData"]["hottest"].as_array().unwrap()[0];
    let top = timeline.hottest()[0];
    assert_eq!(hot["field"], timeline.location(top.location).unwrap().field);
    // One arrow, from a slice to a slice.
    let slices: Vec<_> = of("X").filter(|event| event["cat"] == "run").collect();
    for kind in ["s", "f"] {
        let ends: Vec<_> = of(kind).collect();
        assert_eq!(ends.len(), 1);
        let (tid, ts) = (&ends[0]["tid"], ends[0]["ts"].as_f64().unwrap());
        assert!(slices.iter().any(|slice| {
            let begin = slice["ts"].as_f64().unwrap();
            let end = begin + slice["dur"].as_f64().unwrap();
            slice["tid"] == *tid && (begin..=end + 1e-9).contains(&ts)
        }));
    }
}

fn check_json(timeline: &Timeline, outcome: &BlockOutcome) -> Value {
    let title = "a \"block\" </script>";
    let text = timeline.to_chrome(title);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["otherData"]["title"], title);
    let statistics = &outcome.statistics;
    let count = |test: &dyn Fn(&Value) -> bool| {
        events(&json).iter().filter(|event| test(event)).count() as u64
    };
    let of = |category: &str| count(&|event| event["cat"] == category && event["ph"] == "X");
    let first = |event: &Value| event["cat"] == "run" && event["args"]["part"] == 0;
    assert_eq!(count(&first), statistics.incarnations);
    assert_eq!(of("run"), statistics.incarnations + statistics.suspensions);
    assert_eq!(count(&|event| event["ph"] == "b"), statistics.suspensions);
    assert_eq!(count(&|event| event["ph"] == "e"), statistics.suspensions);
    assert_eq!(of("commit"), outcome.transactions.len() as u64);
    assert_eq!(of("phase"), 4);
    assert_eq!(of("scout"), timeline.scouts.len() as u64);

    let names: BTreeSet<_> = events(&json)
        .iter()
        .filter(|event| event["name"] == "thread_name")
        .map(|event| event["tid"].as_u64().unwrap())
        .collect();
    assert_eq!(names, (0..=statistics.threads as u64).collect());
    for event in events(&json) {
        assert!(event["pid"] == 1 && names.contains(&event["tid"].as_u64().unwrap()), "{event}");
        match event["ph"].as_str().unwrap() {
            "M" => {}
            "X" => assert!(event["ts"].as_f64() >= Some(0.0) && event["dur"].as_f64() >= Some(0.0)),
            "b" | "e" | "s" | "f" => {
                assert!(event["ts"].is_number() && event["id"].is_number(), "{event}");
            }
            other => panic!("an event of kind {other}"),
        }
    }
    json
}

#[test]
fn the_page_holds_the_same_data_and_needs_nothing_else() {
    let (_, timeline) = trace_one_after_another();
    let title = "block <7> & \"more\"";
    let page = timeline.to_html(title);
    let open = "<script type=\"application/json\" id=\"data\">";
    let (before, data) = page.split_once(open).unwrap();
    let (data, after) = data.split_once("</script>").unwrap();
    assert_eq!(data, timeline.to_chrome(title));
    assert!(before.contains("<title>block &lt;7> &amp; \"more\" – timeline</title>"));
    for part in [before, after] {
        for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!part.contains(outside), "{outside}");
        }
    }
    assert!(!page.contains("%DATA%") && !page.contains("%TITLE%"));
}
