//! `region::versions`, with `region::session`: what transactions of a block do to one region comes to
//! what a one-by-one run makes of it.
//!
//! The metadata comes straight from the versions here; the way through the registry is explored in
//! `engine_shared.rs`.

use std::task::Poll;

use chorus::{
    context::{Attempt, Machine, Run, work},
    region::{
        Address, Call, Fault, Handle, Name, Operation, Permissions, RegionError, RegionOptions,
        Session,
        change::{RegionChange, RegionChanges, RegionSums},
        config::{ChainConfig, SharedMemoryConfig},
        content::PageKey,
        direct::DirectRegions,
        handle::{Kind, RegionId},
        known::Known,
        meta::{Birth, Live, Meta},
        page::{PAGE_BYTES, Page, WORD_BYTES, page_mut},
        page_map::PageNumber,
        regions::Regions,
        sidecar::Sidecar,
        versions::{BlockRegions, RegionTrace},
        world::{Found, Interrupt, World},
    },
    registry::Lease,
    scheduler::Scheduler,
    state::{Read, TxIndex},
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
        thread,
    },
};
use ruint::aliases::U256;

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_write_is_refused_where_its_grant_was_revoked_before",
        threads: 2,
        bound: 5,
        weakenings: &["run.validate", "versions.validate-metas", "versions.withdraw-pages"],
        run: a_write_is_refused_where_its_grant_was_revoked_before,
    },
    Model {
        name: "what_a_worker_remembers_is_refused_where_it_was_revoked_before",
        threads: 2,
        bound: 5,
        weakenings: &["run.validate", "versions.validate-metas", "entry.touch"],
        run: what_a_worker_remembers_is_refused_where_it_was_revoked_before,
    },
    Model {
        name: "different_words_of_a_page_are_merged_and_nobody_runs_again",
        threads: 2,
        bound: 4,
        weakenings: &["content.merge-words", "content.compare-words"],
        run: different_words_of_a_page_are_merged_and_nobody_runs_again,
    },
    Model {
        name: "journals_published_in_any_order_are_merged_at_commit",
        threads: 3,
        bound: 5,
        weakenings: &["content.merge-words", "versions.commit-published", "page.copy-shared"],
        run: journals_published_in_any_order_are_merged_at_commit,
    },
    Model {
        name: "a_reader_sees_what_a_journal_hands_over_or_is_told",
        threads: 2,
        bound: 4,
        weakenings: &["versions.validate-pages", "entry.publish-tells"],
        run: a_reader_sees_what_a_journal_hands_over_or_is_told,
    },
    Model {
        name: "what_only_an_aborted_journal_wrote_is_gone",
        threads: 2,
        bound: 4,
        weakenings: &[
            "versions.retract-pages",
            "versions.withdraw-pages",
            "versions.withdraw-kept",
        ],
        run: what_only_an_aborted_journal_wrote_is_gone,
    },
];

const OWNER: u64 = 1;
const GUEST: u64 = 2;
const LOW: TxIndex = TxIndex(0);
const MIDDLE: TxIndex = TxIndex(1);
const READER: TxIndex = TxIndex(2);
const WORDS_PER_PAGE: u64 = (PAGE_BYTES / WORD_BYTES) as u64;

/// One operation on the region, which has two pages.
#[derive(Clone, Copy)]
enum Step {
    /// Maps the whole of it, to be written.
    Map,
    /// Takes back what was granted to the guest.
    Revoke,
    /// Reads a word.
    Read(u64),
    /// Writes a word: what was read last, and so much more.
    Write(u64, u8),
}

/// What a transaction does, and as whom.
#[derive(Clone, Copy)]
struct Script {
    actor: u64,
    steps: &'static [Step],
}

fn region() -> Handle {
    let name = Name::new("ledger").unwrap();
    RegionId::of(Kind::Persistent, Address::from_number(OWNER), Some(name)).at(1)
}

fn key(page: u64) -> PageKey {
    PageKey { region: region().id(), generation: 1, page: PageNumber(page) }
}

/// The chain's part, at level Strict.
fn config() -> Arc<ChainConfig> {
    let mut chain = SharedMemoryConfig::production().chain;
    chain.active_from = Some(0);
    Arc::new(chain)
}

/// A region of the owner's that the guest may write. Of its pages, `present` are there, whose words
/// 0 and 1 are ones.
fn base(present: u64) -> Arc<Regions> {
    let birth = Arc::new(Birth {
        owner: Address::from_number(OWNER),
        name: Some(Name::new("ledger").unwrap()),
        ceiling: Permissions::ALL,
        options: RegionOptions::PERSISTENT,
    });
    let mut live = Live { birth, size: 2 * PAGE_BYTES as u64, grants: Default::default() };
    live.grant(Address::from_number(GUEST), Permissions::READ | Permissions::WRITE);
    let page = |number| {
        let mut page = Page::zeroed();
        page_mut(&mut page)[..2 * WORD_BYTES].fill(1);
        (PageNumber(number), page)
    };
    let change = RegionChange {
        id: region().id(),
        after: Meta { generation: 1, live: Some(live) },
        pages: (0..present).map(page).collect(),
    };
    let empty = Regions::new();
    let changes = RegionChanges {
        base_root: empty.root(),
        regions: vec![change],
        ..RegionChanges::default()
    };
    Arc::new(empty.apply(&changes).unwrap())
}

/// What an operation came to: the word read last, or why it was refused.
type Result = std::result::Result<u8, RegionError>;

/// A script on its way.
struct Progress {
    session: Session,
    script: Script,
    at: usize,
    last: u8,
    results: Vec<Result>,
}

impl Progress {
    fn new(script: Script) -> Self {
        let session = Session::new(config(), 0);
        Self { session, script, at: 0, last: 0, results: Vec::new() }
    }

    /// Goes on to the end, or to where it has to wait. A refusal is an end.
    fn go_on(&mut self, world: &mut dyn World) -> Poll<()> {
        while let Some(step) = self.script.steps.get(self.at) {
            let zero = U256::ZERO;
            let (mapping, len) = (U256::from(1), U256::from(WORD_BYTES));
            let offset = |word: u64| U256::from(word * WORD_BYTES as u64);
            let handle = region();
            let operation = match *step {
                Step::Map => Operation::Map { handle, options: zero, offset: zero, size: zero },
                Step::Revoke => {
                    Operation::Grant { handle, address: U256::from(GUEST), permissions: zero }
                }
                Step::Read(word) => Operation::Read { mapping, offset: offset(word), len },
                Step::Write(word, _) => Operation::Write { mapping, offset: offset(word), len },
            };
            let actor = Address::from_number(self.script.actor);
            let call = Call { frame: 0, actor, is_static: false, gas: u64::MAX };
            let plan = match self.session.analyse(world, &call, &operation) {
                Ok(plan) => plan,
                Err(Fault::Wait) => return Poll::Pending,
                Err(Fault::Failed { error, .. }) => {
                    self.results.push(Err(error));
                    return Poll::Ready(());
                }
                Err(fault) => panic!("{fault:?}"),
            };
            let mut word = [0; WORD_BYTES];
            match *step {
                Step::Map | Step::Revoke => drop(self.session.execute(plan)),
                Step::Read(_) => {
                    self.session.read(plan, &mut word);
                    self.last = word[0];
                }
                Step::Write(_, more) => {
                    word.fill(self.last + more);
                    self.session.write(plan, &word);
                }
            }
            self.results.push(Ok(self.last));
            self.at += 1;
        }
        Poll::Ready(())
    }
}

/// What a one-by-one run comes to.
fn one_by_one(base: &Arc<Regions>, scripts: &[Script]) -> (Vec<Vec<Result>>, RegionChanges) {
    let mut regions = DirectRegions::new(config(), base.clone(), 1);
    let mut results = Vec::new();
    for script in scripts {
        let mut progress = Progress::new(*script);
        assert!(progress.go_on(&mut regions).is_ready());
        regions.apply(progress.session.finish(true));
        results.push(progress.results);
    }
    (results, regions.finish())
}

/// The regions below a transaction, without the registry between.
struct Below<'a> {
    regions: &'a BlockRegions,
    tx: TxIndex,
    scheduler: Option<&'a Scheduler>,
    /// What the worker remembers, if it does.
    known: Option<&'a mut Known>,
}

impl Below<'_> {
    fn wait_for(&self, writer: TxIndex) -> std::result::Result<(), Interrupt> {
        if self.scheduler.is_none_or(|scheduler| scheduler.wait_for(writer, self.tx)) {
            return Err(Interrupt::Wait);
        }
        thread::yield_now();
        Ok(())
    }
}

impl World for Below<'_> {
    fn meta(
        &mut self,
        id: RegionId,
    ) -> std::result::Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        if let Some(known) = &mut self.known
            && let Some((entry, meta)) = self.regions.known_meta(known, id)
        {
            return Ok(Found { entry: Some(entry), value: (meta, None) });
        }
        loop {
            match self.regions.meta(self.tx, id) {
                (entry, Read::Value(meta)) => {
                    return Ok(Found { entry: Some(entry), value: (meta, None) });
                }
                (_, Read::Blocked(writer)) => self.wait_for(writer)?,
                (_, Read::Unknown) => {}
            }
        }
    }

    fn page(&mut self, key: PageKey) -> std::result::Result<Found<Option<Arc<Page>>>, Interrupt> {
        loop {
            match self.regions.page(self.tx, key).map_err(|_| Interrupt::Stop)? {
                (entry, Read::Value(value)) => return Ok(Found { entry: Some(entry), value }),
                (_, Read::Blocked(writer)) => self.wait_for(writer)?,
                (_, Read::Unknown) => {}
            }
        }
    }

    fn sidecar(&mut self, _: Handle) -> Option<Arc<Sidecar>> {
        None
    }
}

/// A block of scripts.
struct Block {
    scripts: &'static [Script],
    regions: BlockRegions,
    committed: Mutex<(Vec<Vec<Result>>, RegionSums)>,
}

/// What an incarnation leaves.
struct Trace {
    regions: Box<RegionTrace>,
    results: Vec<Result>,
}

impl Machine for Block {
    type Trace = Trace;
    type Task = (TxIndex, Progress);
    type Worker = Option<Known>;
    type Error = usize;

    fn transactions(&self) -> u32 {
        self.scripts.len() as u32
    }

    fn start(run: &Arc<Run<Self>>, _: &mut Option<Known>, tx: TxIndex) -> Self::Task {
        (tx, Progress::new(run.machine.scripts[tx.get()]))
    }

    fn poll(
        run: &Arc<Run<Self>>,
        known: &mut Option<Known>,
        (tx, progress): &mut Self::Task,
    ) -> Poll<Attempt<Trace>> {
        let phase = run.scheduler.phase(*tx);
        let regions = &run.machine.regions;
        let news = phase.is_stale() && phase.take_stale();
        if run.scheduler.is_stopped() || news && !regions.session_may_hold(*tx, &progress.session) {
            return Poll::Ready(Attempt::Doomed { wasted: 0 });
        }
        let (scheduler, known) = (Some(&run.scheduler), known.as_mut());
        let mut below = Below { regions, tx: *tx, scheduler, known };
        progress.go_on(&mut below).map(|()| {
            let session = std::mem::replace(&mut progress.session, Session::new(config(), 0));
            let results = std::mem::take(&mut progress.results);
            Attempt::Finished(Trace { regions: regions.trace(session.finish(true)), results })
        })
    }

    fn retire(_: &mut Option<Known>, _: Self::Task, _: bool) {}

    fn worker_died(worker: usize) -> usize {
        worker
    }

    fn end_block(_: &mut Option<Known>) {}

    fn validate(&self, _: TxIndex, trace: &Trace) -> bool {
        self.regions.validate(&trace.regions)
    }

    fn may_hold(&self, tx: TxIndex, trace: &Trace) -> bool {
        self.regions.may_hold(tx, &trace.regions)
    }

    fn publish(&self, tx: TxIndex, trace: &mut Trace, old: Option<Trace>, told: &mut Vec<TxIndex>) {
        self.regions.publish(tx, &mut trace.regions, told);
        if let Some(old) = old {
            self.regions.withdraw(tx, &old.regions, Some(&trace.regions), told);
        }
    }

    fn retract(&self, tx: TxIndex, trace: &Trace) {
        self.regions.retract(tx, &trace.regions);
    }

    fn commit(
        &self,
        tx: TxIndex,
        trace: Trace,
        published: bool,
        old: Option<Trace>,
        told: &mut Vec<TxIndex>,
    ) -> std::result::Result<(), usize> {
        if let Some(old) = old.filter(|_| !published) {
            self.regions.withdraw(tx, &old.regions, Some(&trace.regions), told);
        }
        let (results, sums) = &mut *self.committed.lock();
        self.regions.commit(tx, &trace.regions, sums, told);
        results.push(trace.results);
        Ok(())
    }

    fn work(_: &Trace) -> u64 {
        1
    }
}

/// Executes a block of two transactions, checks that it comes to what a one-by-one run comes to, and
/// returns what it ran on. Each of two workers has one of them in hand already, and what is left when
/// both have finished is not concurrent, or the model would be ten times as large. The worker of the second
/// one may have met the region before.
fn execute(present: u64, scripts: &'static [Script; 2], has_met: bool) -> Arc<Run<Block>> {
    fn finish(run: &Arc<Run<Block>>, tx: TxIndex, known: &mut Option<Known>) {
        let mut task = Block::start(run, known, tx);
        match Block::poll(run, known, &mut task) {
            Poll::Ready(Attempt::Finished(trace)) => {
                run.finish(tx.get(), tx, trace, false, &mut Vec::new());
            }
            Poll::Ready(Attempt::Doomed { wasted }) => run.doomed(tx, wasted),
            Poll::Pending => panic!("nothing to wait for"),
        }
    }
    let base = base(present);
    let regions = BlockRegions::new(config(), base.clone(), 1);
    let run = Arc::new(Run::new(Block { scripts, regions, committed: Mutex::default() }, 2, 2));
    assert_eq!(run.scheduler.ready().pop_fresh(2, u32::MAX, |_| 2), 0..2);
    for tx in [LOW, MIDDLE] {
        assert_eq!(run.scheduler.phase(tx).start(), Some(0));
        run.scheduler.own(tx, tx.get());
    }
    let mut known = None;
    if has_met {
        // As the registry fills it, for whoever asks first.
        let _ = run.machine.regions.meta(LOW, region().id());
        // From the second use on it has a copy.
        for _ in 0..2 {
            let known = known.get_or_insert_with(Known::default);
            assert!(run.machine.regions.known_meta(known, region().id()).is_some());
        }
    }
    let other = thread::spawn({
        let run = run.clone();
        move || finish(&run, MIDDLE, &mut known)
    });
    finish(&run, LOW, &mut None);
    other.join().unwrap();
    work(&run, 0, &mut None);
    assert_eq!(run.take_error(), None);
    let (results, sums) = std::mem::take(&mut *run.machine.committed.lock());
    let changes = run.machine.regions.finish(sums);
    assert_eq!((results, changes), one_by_one(&base, scripts));
    run
}

/// The owner takes the guest's grant back; after it, the guest writes.
static REVOKE_AND_WRITE: [Script; 2] = [
    Script { actor: OWNER, steps: &[Step::Revoke] },
    Script { actor: GUEST, steps: &[Step::Map, Step::Write(0, 7)] },
];

fn a_write_is_refused_where_its_grant_was_revoked_before() {
    let run = execute(0, &REVOKE_AND_WRITE, false);
    let (_, left) = run.machine.regions.page(READER, key(0)).unwrap();
    assert_eq!(left, Read::Value(None), "what was written before it was refused is withdrawn");
}

/// The same where the guest's worker goes by what it remembers of the region, without asking.
fn what_a_worker_remembers_is_refused_where_it_was_revoked_before() {
    execute(0, &REVOKE_AND_WRITE, true);
}

/// One writes a word, the other reads and writes the next one, and both pages were there before.
fn different_words_of_a_page_are_merged_and_nobody_runs_again() {
    let run = execute(
        1,
        &[
            Script { actor: OWNER, steps: &[Step::Map, Step::Write(0, 7)] },
            Script { actor: GUEST, steps: &[Step::Map, Step::Read(1), Step::Write(1, 7)] },
        ],
        false,
    );
    assert_eq!(run.scheduler.phase(MIDDLE).incarnation(), 0);
}

/// A finished session by hand.
fn journal(regions: &BlockRegions, tx: TxIndex, script: Script) -> (Box<RegionTrace>, Vec<Result>) {
    let mut progress = Progress::new(script);
    let mut below = Below { regions, tx, scheduler: None, known: None };
    assert!(progress.go_on(&mut below).is_ready(), "nothing to wait for");
    (regions.trace(progress.session.finish(true)), progress.results)
}

static WRITE_BOTH_WORDS: [Script; 3] = [
    Script { actor: OWNER, steps: &[Step::Map, Step::Write(0, 7)] },
    Script { actor: GUEST, steps: &[Step::Map, Step::Write(1, 8)] },
    Script { actor: OWNER, steps: &[Step::Map, Step::Read(0), Step::Read(1), Step::Write(2, 1)] },
];

/// Two publish at once, and a higher one has read the words of both, in the middle of it.
fn journals_published_in_any_order_are_merged_at_commit() {
    let base = base(1);
    let regions = Arc::new(BlockRegions::new(config(), base.clone(), 1));
    // The lowest has run, or there would be hundreds of times as many interleavings.
    let has_run = (LOW, Some(journal(&regions, LOW, WRITE_BOTH_WORDS[LOW.get()])));
    let writers = [has_run, (MIDDLE, None)].map(|(tx, done)| {
        let regions = regions.clone();
        thread::spawn(move || {
            let mut told = Vec::new();
            let run = || journal(&regions, tx, WRITE_BOTH_WORDS[tx.get()]);
            let (mut trace, results) = done.unwrap_or_else(run);
            regions.publish(tx, &mut trace, &mut told);
            (trace, results, told.contains(&READER))
        })
    });
    let (mut last, mut seen) = journal(&regions, READER, WRITE_BOTH_WORDS[2]);
    let writers = writers.map(|writer| writer.join().unwrap());

    let (mut results, mut sums) = (Vec::new(), RegionSums::default());
    let news = writers.iter().any(|(_, _, told)| *told);
    for (tx, (trace, its, _)) in [LOW, MIDDLE].into_iter().zip(writers) {
        assert!(regions.validate(&trace), "neither has observed what the other wrote");
        regions.commit(tx, &trace, &mut sums, &mut Vec::new());
        results.push(its);
    }
    let holds = regions.validate(&last);
    assert_eq!(holds, seen[1..3] == [Ok(7), Ok(8)], "the words alone decide: {seen:?}");
    assert!(holds || news, "whoever saw an old word is told");
    if !holds {
        (last, seen) = journal(&regions, READER, WRITE_BOTH_WORDS[2]);
    }
    regions.commit(READER, &last, &mut sums, &mut Vec::new());
    results.push(seen);
    assert_eq!((results, regions.finish(sums)), one_by_one(&base, &WRITE_BOTH_WORDS));
}

static WRITE_BOTH_PAGES: [Script; 2] = [
    Script { actor: OWNER, steps: &[Step::Map, Step::Write(0, 7), Step::Write(WORDS_PER_PAGE, 8)] },
    Script { actor: GUEST, steps: &[Step::Map, Step::Read(0), Step::Read(WORDS_PER_PAGE)] },
];

/// A journal goes the whole way, from the session to the commit, while a higher one reads.
fn a_reader_sees_what_a_journal_hands_over_or_is_told() {
    let base = base(2);
    let regions = Arc::new(BlockRegions::new(config(), base.clone(), 1));
    let [writes, reads] = WRITE_BOTH_PAGES;
    let writer = thread::spawn({
        let regions = regions.clone();
        move || {
            let (mut told, mut sums) = (Vec::new(), RegionSums::default());
            let (mut trace, results) = journal(&regions, LOW, writes);
            regions.publish(LOW, &mut trace, &mut told);
            assert!(regions.validate(&trace));
            regions.commit(LOW, &trace, &mut sums, &mut told);
            (results, sums, told.contains(&MIDDLE))
        }
    });
    let (mut trace, mut seen) = journal(&regions, MIDDLE, reads);
    let (results, mut sums, told) = writer.join().unwrap();

    let [first, second] = [&seen[1], &seen[2]].map(|word| *word.as_ref().unwrap());
    assert!([1, 7].contains(&first) && [1, 8].contains(&second), "a word is old or new, whole");
    let holds = (first, second) == (7, 8);
    assert_eq!(regions.validate(&trace), holds);
    assert_eq!(told, !holds);
    if !holds {
        (trace, seen) = journal(&regions, MIDDLE, reads);
    }
    regions.commit(MIDDLE, &trace, &mut sums, &mut Vec::new());
    let product = (vec![results, seen], regions.finish(sums));
    assert_eq!(product, one_by_one(&base, &WRITE_BOTH_PAGES));
}

/// One incarnation writes both pages, and the next one the first page alone. The reader looks at the
/// second page, at any time.
fn what_only_an_aborted_journal_wrote_is_gone() {
    let regions = Arc::new(BlockRegions::new(config(), base(2), 1));
    let both = WRITE_BOTH_PAGES[0];
    let first = Script { actor: OWNER, steps: &[Step::Map, Step::Write(0, 9)] };
    let retracted = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (regions, retracted) = (regions.clone(), retracted.clone());
        move || {
            let mut told = [false; 2];
            let mut note = |at: usize, them: &mut Vec<TxIndex>| {
                told[at] |= them.contains(&MIDDLE);
                them.clear();
            };
            let mut them = Vec::new();
            let (mut aborted, _) = journal(&regions, LOW, both);
            regions.publish(LOW, &mut aborted, &mut them);
            note(0, &mut them);
            regions.retract(LOW, &aborted);
            retracted.store(true, Release);
            let (mut trace, _) = journal(&regions, LOW, first);
            regions.publish(LOW, &mut trace, &mut them);
            regions.withdraw(LOW, &aborted, Some(&trace), &mut them);
            note(1, &mut them);
            told
        }
    });
    let word = |read: Read<Option<Arc<Page>>>| match read {
        Read::Value(Some(page)) => page.word(0)[0],
        Read::Blocked(LOW) => 0,
        other => panic!("nobody made it {other:?}"),
    };
    let is_retracted = retracted.load(Acquire);
    let seen = word(regions.page(MIDDLE, key(1)).unwrap().1);
    let [told_of_publish, told_of_withdrawal] = writer.join().unwrap();
    match seen {
        1 => assert_eq!(told_of_publish, told_of_withdrawal),
        8 => assert!(!is_retracted && !told_of_publish && told_of_withdrawal),
        // Blocked, so it has read nothing that could be news.
        0 => assert!(!told_of_publish && !told_of_withdrawal),
        other => panic!("nobody wrote {other}"),
    }
    let words = [0, 1].map(|page| word(regions.page(MIDDLE, key(page)).unwrap().1));
    assert_eq!(words, [9, 1]);
}
