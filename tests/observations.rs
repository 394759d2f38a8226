//! What a transaction says that it saw is all that it depended on: run on another world in which all
//! of that holds, it comes to the same, with the same changes. This is what makes a parallel run the
//! serial one.
//!
//! `CHORUS_CASES` sets the number of programs.
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/region_program.rs"]
mod region_program;
#[path = "common/region_run.rs"]
mod region_run;
#[path = "common/region_world.rs"]
mod region_world;

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use chorus::region::{
    Permissions, Session,
    content::PageKey,
    handle::{Address, Handle},
    operation::{Fault, Output},
    page::{Page, page_mut},
    page_map::PageNumber,
    session::Effects,
};
use proptest::prelude::*;

use self::{
    region_program::{Choices, Program, Purse, Raw, Step, programs, raws, sidecar},
    region_run::{Done, Run},
    region_world::MapWorld,
};

/// What somebody else does before the transaction.
#[derive(Clone, Copy, Debug)]
struct Poke {
    kind: u8,
    region: u8,
    at: u16,
    value: u8,
}

fn pokes() -> impl Strategy<Value = Vec<Poke>> {
    let poke = (any::<u8>(), any::<u8>(), any::<u16>(), any::<u8>())
        .prop_map(|(kind, region, at, value)| Poke { kind, region, at, value });
    prop::collection::vec(poke, 1..4)
}

impl Poke {
    /// Some regions' words, presence, sizes, grants, existence. Few different values, so that some
    /// are what was there.
    fn apply(self, world: &mut MapWorld) {
        let ids: Vec<_> = world.meta.keys().copied().collect();
        let Some(id) = ids.get(usize::from(self.region) % ids.len().max(1)) else { return };
        let Some(meta) = world.meta.get_mut(id) else { return };
        let generation = meta.generation;
        match (self.kind, &mut meta.live) {
            (..200, Some(live)) => {
                let last = (live.size - 1) / 4096;
                let page = PageNumber(u64::from(self.at / 4096) % (last + 1));
                let key = PageKey { region: *id, generation, page };
                let present = world.pages.contains_key(&key);
                if present || self.kind < 30 {
                    let page = world.pages.entry(key).or_insert_with(Page::zeroed);
                    // Mostly where programs look: around the beginnings.
                    let byte = if self.kind < 150 { self.at % 160 } else { self.at % 4096 };
                    page_mut(page)[usize::from(byte)] = self.value % 4;
                }
            }
            (200..215, Some(live)) => live.size += u64::from(self.at % 100),
            (215..240, Some(live)) => {
                let who = Address::from_number(u64::from(self.value % 4) + 1);
                let what = Permissions::from_operand(region_run::word(self.value / 4 % 8));
                live.grant(who, what.unwrap());
            }
            (240..248, live) => *live = None,
            (_, _) => meta.generation += 1,
        }
        let meta = &world.meta;
        world.pages.retain(|key, _| {
            let meta = &meta[&key.region];
            meta.live.is_some() && meta.generation == key.generation
        });
    }
}

/// Turns raw steps into operations as a run goes on, and notes what they came to.
struct Recorder {
    run: Run,
    handles: Vec<Handle>,
    /// Live mappings of each open frame, by ordinal.
    steps: Vec<Step>,
    results: Vec<Result<Done, Fault>>,
}

impl Recorder {
    fn new(program: &Program, world: MapWorld, handles: Vec<Handle>) -> Self {
        let run = Run::new(program.config(), world);
        Self { run, handles, steps: Vec::new(), results: Vec::new() }
    }

    fn record(&mut self, raws: &[Raw]) {
        // Ordinals of mappings with about their sizes, for each open frame. They need not be live any
        // more: a program may well get them wrong.
        let mut frames: Vec<Vec<(u64, u64)>> = vec![Vec::new()];
        for raw in raws {
            let mappings = |frame: usize| frames.get(frame).cloned().unwrap_or_default();
            let depth = self.run.session.depth();
            let choices = Choices { handles: &self.handles, mappings: &mappings, depth };
            let step = raw.step(&choices);
            self.play(&step);
            if let Step::Operation { call, .. } = &step
                && let Some(Ok(Done { output: Output::Mapping(ordinal), .. })) = self.results.last()
            {
                frames[call.frame].push((*ordinal, 8192));
            }
            frames.resize(self.run.session.depth() + 1, Vec::new());
            self.steps.push(step);
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Operation { call, purse, operation, data } => {
                let mut call = *call;
                if let Purse::Only(gas) = purse {
                    call.gas = *gas;
                }
                let result = self.run.ask_as(call, operation, data);
                if let Ok(Done { output: Output::Handle(Some(handle)), .. }) = &result
                    && !self.handles.contains(handle)
                {
                    self.handles.push(*handle);
                }
                self.results.push(result);
            }
            Step::Checkpoint { frame } => self.run.session.checkpoint(*frame),
            Step::Commit => self.run.session.commit(),
            Step::Revert => self.run.session.revert(),
        }
    }

    fn finish(mut self) -> (Vec<Result<Done, Fault>>, Effects, MapWorld) {
        while self.run.session.checkpoints() > 0 {
            self.run.session.commit();
        }
        let config = self.run.session.config().clone();
        let session = std::mem::replace(&mut self.run.session, Session::new(config, 0));
        (self.results, session.finish(true), self.run.world)
    }
}

/// How many worlds were different enough, and how many of them were the same to the transaction.
static DIFFERENT: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);

fn check(program: &Program, last: &[Raw], pokes: &[Poke]) -> Result<(), TestCaseError> {
    // Transactions before it make the first world.
    let mut world = MapWorld::default();
    let mut handles = vec![world.attach(&sidecar())];
    for raws in &program.transactions {
        let mut recorder = Recorder::new(program, world.clone(), handles);
        recorder.record(raws);
        handles = recorder.handles.clone();
        let (_, effects, _) = recorder.finish();
        world.apply(&effects);
    }
    let mut other = world.clone();
    pokes.iter().for_each(|poke| poke.apply(&mut other));

    let mut recorder = Recorder::new(program, world.clone(), handles.clone());
    recorder.record(last);
    let steps = recorder.steps.clone();
    let (expected, seen, _) = recorder.finish();
    prop_assert!(world.holds(&seen), "what it saw holds where it saw it");
    if other.content() == world.content() {
        return Ok(());
    }
    DIFFERENT.fetch_add(1, Relaxed);
    if !other.holds(&seen) {
        return Ok(());
    }
    HELD.fetch_add(1, Relaxed);

    let mut replay = Recorder::new(program, other.clone(), handles);
    steps.iter().for_each(|step| replay.play(step));
    let (found, changed, _) = replay.finish();
    for ((step, expected), found) in steps
        .iter()
        .filter(|step| matches!(step, Step::Operation { .. }))
        .zip(&expected)
        .zip(&found)
    {
        prop_assert_eq!(expected, found, "{:?}", step);
    }
    prop_assert_eq!(seen.usage, changed.usage);
    let (mut merged, mut serial) = (other.clone(), other);
    merged.apply(&seen);
    serial.apply(&changed);
    prop_assert_eq!(&merged.meta, &serial.meta);
    let (merged, serial) = (merged.content().1, serial.content().1);
    prop_assert!(merged.keys().eq(serial.keys()));
    for (key, page) in &merged {
        let differing = (0..4096).find(|at| page[*at] != serial[key][*at]);
        prop_assert_eq!(differing, None, "{:?}", key);
    }
    Ok(())
}

#[test]
fn what_was_seen_is_all_that_a_transaction_depends_on() {
    let cases = std::env::var("CHORUS_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = ProptestConfig {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases.unwrap_or(1000))
    };
    let done = Cell::new(0);
    proptest!(config, |(program in programs(2, 40), last in raws(25), pokes in pokes())| {
        check(&program, &last, &pokes)?;
        done.set(done.get() + 1);
    });
    // Otherwise the test would show nothing.
    let (different, held) = (DIFFERENT.load(Relaxed), HELD.load(Relaxed));
    assert!(held * 20 > done.get(), "{} cases, {different} different, {held} held", done.get());
    println!("{} cases, {different} different worlds, {held} of them the same to it", done.get());
}
