//! `engine::shared`: the whole way of a question to the registry, from a context and back to it.
//!
//! Here the threads are workers: they ask, let the registry work, and sleep where nothing is left to
//! do. One that sleeps beside its question, or beside another's, stays parked for ever, which loom
//! reports as a deadlock. A batch is one message, so that each visit ends with mail left, if it can.

use std::task::{Poll, Waker};

use chorus::{
    context::{Attempt, Machine, Run, work},
    engine::{
        SharedMemory,
        shared::model::{Block, Questions, waker},
    },
    region::{
        Address, Call, Fault, Name, Operation, Permissions, RegionOptions, Session,
        change::{RegionChange, RegionChanges},
        config::SharedMemoryConfig,
        handle::{Kind, RegionId},
        meta::{Birth, Live, Meta},
        versions::RegionTrace,
        world::Interrupt,
    },
    scheduler::{Scheduler, Suspend},
    state::{Read, TxIndex},
    sync::{Arc, Mutex, thread},
};
use ruint::aliases::U256;

use crate::{models::Model, registry_reply::Unpark};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_worker_with_nothing_to_do_leaves_no_mail_behind",
        threads: 2,
        bound: 3,
        weakenings: &["shared.serve", "shared.serve-again", "ask.waker"],
        run: a_worker_with_nothing_to_do_leaves_no_mail_behind,
    },
    Model {
        name: "a_full_mailbox_answers_everybody",
        threads: 2,
        bound: 3,
        weakenings: &["ask.waker", "actor.freeing-wakes"],
        run: a_full_mailbox_answers_everybody,
    },
    Model {
        name: "a_cancelled_question_harms_nobody",
        threads: 2,
        bound: 3,
        weakenings: &["shared.serve", "actor.freeing-wakes"],
        run: a_cancelled_question_harms_nobody,
    },
    Model {
        name: "the_frontier_asks_although_the_mailbox_is_full",
        threads: 2,
        bound: 4,
        weakenings: &["ask.reserved"],
        run: the_frontier_asks_although_the_mailbox_is_full,
    },
    Model {
        name: "questions_side_by_side_are_both_answered",
        threads: 2,
        bound: 3,
        weakenings: &["ask.side-by-side"],
        run: questions_side_by_side_are_both_answered,
    },
    Model {
        name: "a_lookup_waits_for_a_transaction_that_is_about_to_write",
        threads: 2,
        bound: 3,
        weakenings: &["world.wait-anyway", "waiters.recheck"],
        run: a_lookup_waits_for_a_transaction_that_is_about_to_write,
    },
    Model {
        name: "a_host_commits_beside_a_block_that_keeps_its_regions",
        threads: 2,
        bound: 3,
        weakenings: &["ask.waker", "actor.freeing-wakes"],
        run: a_host_commits_beside_a_block_that_keeps_its_regions,
    },
    Model {
        name: "a_worker_sent_home_leaves_no_host_waiting",
        threads: 2,
        bound: 3,
        weakenings: &["shared.end-serves"],
        run: a_worker_sent_home_leaves_no_host_waiting,
    },
    Model {
        name: "contexts_that_another_worker_answers_are_woken_and_committed",
        threads: 2,
        bound: 2,
        weakenings: &["shared.serve-again", "ask.waker", "scheduler.deliver-wakes"],
        run: contexts_that_another_worker_answers_are_woken_and_committed,
    },
];

const OWNER: u64 = 1;

/// Shared memory with no region, whose registry has so many ordinary places for mail.
fn memory(mailbox: usize) -> Arc<SharedMemory> {
    let mut config = SharedMemoryConfig::production();
    config.chain.active_from = Some(0);
    config.host.registry_mailbox = mailbox;
    // No part of these models, and each block of a pool is an object of the explorer.
    config.host.pools.blocks = [0; 4];
    SharedMemory::new(config).unwrap()
}

fn begin(memory: &Arc<SharedMemory>) -> Arc<Block> {
    Arc::new(Block::begin(memory, 1).unwrap())
}

fn id(number: u64) -> RegionId {
    let name = Name::new("ledger").unwrap();
    RegionId::of(Kind::Persistent, Address::from_number(number), Some(name))
}

/// What a worker does before it sleeps.
fn serve(block: &Block) {
    while block.serve() {}
}

/// A context that asks one question, on a worker that has nothing else.
fn ask(block: &Block, tx: u32, id: RegionId) {
    let (mut questions, waker) = (Questions::default(), Unpark::waker());
    loop {
        match questions.poll(block, TxIndex(tx), id, false, &waker) {
            Poll::Ready(answer) => return assert_eq!(answer, Read::Value(Meta::default())),
            Poll::Pending => {
                serve(block);
                thread::park();
            }
        }
    }
}

/// The idle worker may have taken the first question when the second one is asked, and finds it
/// only if it looks again.
fn a_worker_with_nothing_to_do_leaves_no_mail_behind() {
    let block = begin(&memory(2));
    let idle = thread::spawn({
        let block = block.clone();
        move || serve(&block)
    });
    ask(&block, 0, id(1));
    ask(&block, 1, id(1));
    idle.join().unwrap();
}

fn a_full_mailbox_answers_everybody() {
    let block = begin(&memory(1));
    let other = thread::spawn({
        let block = block.clone();
        move || ask(&block, 1, id(1))
    });
    ask(&block, 2, id(1));
    other.join().unwrap();
}

/// An incarnation is doomed when it has asked, whether its question has a place or waits for one.
/// Its worker goes on and finds nothing else to do.
fn a_cancelled_question_harms_nobody() {
    let block = begin(&memory(1));
    let other = thread::spawn({
        let block = block.clone();
        move || ask(&block, 1, id(1))
    });
    let mut doomed = Questions::default();
    let _ = doomed.poll(&block, TxIndex(2), id(1), false, &Unpark::waker());
    drop(doomed);
    serve(&block);
    other.join().unwrap();
}

fn the_frontier_asks_although_the_mailbox_is_full() {
    let block = begin(&memory(1));
    let waiting = [1, 2].map(|tx| {
        let mut questions = Questions::default();
        let asked = questions.poll(&block, TxIndex(tx), id(1), false, Waker::noop());
        assert!(asked.is_pending());
        questions
    });
    let other = thread::spawn({
        let block = block.clone();
        move || serve(&block)
    });
    let mut frontier = Questions::default();
    let mut poll = || frontier.poll(&block, TxIndex(0), id(1), true, Waker::noop());
    let asked = poll();
    other.join().unwrap();
    serve(&block);
    assert!(asked.is_ready() || poll().is_ready(), "it had not to wait for a place");
    drop(waiting);
}

/// A closure joins two lookups, of which one has no place at first.
fn questions_side_by_side_are_both_answered() {
    let block = begin(&memory(1));
    let other = thread::spawn({
        let block = block.clone();
        move || serve(&block)
    });
    let (mut questions, waker) = (Questions::default(), Unpark::waker());
    let mut left = vec![id(1), id(2)];
    loop {
        left.retain(|id| questions.poll(&block, TxIndex(2), *id, false, &waker).is_pending());
        if left.is_empty() {
            break;
        }
        serve(&block);
        thread::park();
    }
    other.join().unwrap();
}

/// A session that creates the region, as the writer's incarnations do.
fn create(block: &Block, scheduler: &Scheduler, tx: TxIndex) -> Box<RegionTrace> {
    let mut session = Session::new(block.regions().config().clone(), 0);
    let mut questions = Questions::default();
    let operation = Operation::Create {
        name: *Name::new("ledger").unwrap().bytes(),
        size: U256::from(64),
        permissions: U256::from(Permissions::ALL.bits()),
        options: U256::from(RegionOptions::PERSISTENT.bits()),
    };
    let actor = Address::from_number(OWNER);
    let call = Call { frame: 0, actor, is_static: false, gas: u64::MAX };
    loop {
        let analysed = questions.with_world(block, scheduler, tx, Waker::noop(), |world| {
            session.analyse(world, &call, &operation)
        });
        match analysed {
            Ok(plan) => {
                session.execute(plan);
                return block.regions().trace(session.finish(true));
            }
            Err(Fault::Wait) => serve(block),
            Err(fault) => panic!("{fault:?}"),
        }
    }
}

/// The writer's first incarnation was aborted, and its next one publishes while the reader looks. The
/// transaction below both stays where it is, so nobody has to commit.
fn a_lookup_waits_for_a_transaction_that_is_about_to_write() {
    let [writer, reader] = [1, 2].map(TxIndex);
    let block = begin(&memory(2));
    let scheduler = Arc::new(Scheduler::new(3, 1, 3));
    assert_eq!(scheduler.ready().pop_fresh(3, u32::MAX, |_| 3), 0..3);
    let mut trace = create(&block, &scheduler, writer);
    let mut again = create(&block, &scheduler, writer);
    let mut told = Vec::new();
    assert!(scheduler.phase(writer).start().is_some());
    block.regions().publish(writer, &mut trace, &mut told);
    let _ = scheduler.phase(writer).finish();
    block.regions().retract(writer, &trace);
    assert!(scheduler.phase(writer).abort());

    assert!(scheduler.phase(writer).start().is_some());
    let other = thread::spawn({
        let (block, scheduler) = (block.clone(), scheduler.clone());
        move || {
            block.regions().publish(writer, &mut again, &mut told);
            let _ = scheduler.phase(writer).finish();
            scheduler.release_waiters(writer);
        }
    });
    assert!(scheduler.phase(reader).start().is_some());
    scheduler.own(reader, 0);
    let (mut questions, mut mail) = (Questions::default(), Vec::new());
    let found = loop {
        let looked = questions
            .with_world(&block, &scheduler, reader, Waker::noop(), |world| world.meta(id(OWNER)));
        match looked {
            Ok(found) => break found.value.0,
            Err(Interrupt::Stop) => panic!("there is an answer"),
            // The question itself is answered by the reader's own worker, and the rest is worth a
            // wait.
            Err(Interrupt::Wait) if block.serve() => {}
            Err(Interrupt::Wait) => {
                if scheduler.phase(reader).suspend() == Suspend::Parked {
                    while mail.is_empty() {
                        scheduler.sleep(0);
                        scheduler.mailbox(0).drain(&mut mail);
                    }
                    assert_eq!(mail.pop(), Some(reader));
                    assert!(scheduler.phase(reader).resume());
                }
            }
        }
    };
    assert!(found.live.is_some(), "what was about to be written is there");
    other.join().unwrap();
}

/// Changes that create the region, on shared memory without any; and its metadata after them.
fn changes(memory: &SharedMemory) -> (RegionChanges, Meta) {
    let birth = Arc::new(Birth {
        owner: Address::from_number(OWNER),
        name: Some(Name::new("ledger").unwrap()),
        ceiling: Permissions::ALL,
        options: RegionOptions::PERSISTENT,
    });
    let live = Live { birth, size: 64, grants: Default::default() };
    let after = Meta { generation: 1, live: Some(live) };
    let change = RegionChange { id: id(OWNER), after: after.clone(), pages: Vec::new() };
    let (base_root, regions) = (memory.root(), vec![change]);
    (RegionChanges { block: 1, base_root, regions, ..RegionChanges::default() }, after)
}

/// The block began before the host's commit, and answers from what it began with.
fn a_host_commits_beside_a_block_that_keeps_its_regions() {
    let memory = memory(1);
    let block = begin(&memory);
    let (changes, after) = changes(&memory);
    let other = thread::spawn({
        let block = block.clone();
        move || {
            ask(&block, 0, id(OWNER));
            // A worker that finds a question of the host, and leaves it to its asker, is none.
            serve(&block);
        }
    });
    memory.commit(&changes).unwrap();
    assert_eq!(memory.regions().meta(id(OWNER)), after);
    other.join().unwrap();
    let next = Block::begin(&memory, 2).unwrap();
    assert_eq!(next.regions().meta(TxIndex(0), id(OWNER)).1, Read::Value(after));
}

/// A worker's last visit is to a question that nobody needs any more, and it does not come again,
/// since its block has ended.
fn a_worker_sent_home_leaves_no_host_waiting() {
    let memory = memory(2);
    let block = begin(&memory);
    let (changes, after) = changes(&memory);
    let asked = Questions::default().poll(&block, TxIndex(0), id(1), false, Waker::noop());
    assert!(asked.is_pending());
    let other = thread::spawn({
        let block = block.clone();
        move || {
            let _ = block.serve();
        }
    });
    drop(block);
    memory.commit(&changes).unwrap();
    assert_eq!(memory.regions().meta(id(OWNER)), after);
    other.join().unwrap();
}

/// A block whose transactions ask one question each.
struct Asking {
    block: Arc<Block>,
    committed: Mutex<u32>,
}

impl Machine for Asking {
    type Trace = ();
    type Task = (TxIndex, Questions, Waker);
    type Worker = ();
    type Error = usize;

    fn transactions(&self) -> u32 {
        2
    }

    fn start(run: &Arc<Run<Self>>, (): &mut (), tx: TxIndex) -> Self::Task {
        (tx, Questions::default(), waker(run, tx))
    }

    fn poll(
        run: &Arc<Run<Self>>,
        (): &mut (),
        (tx, questions, waker): &mut Self::Task,
    ) -> Poll<Attempt<()>> {
        let first = run.scheduler.cursor().frontier() == *tx;
        questions.poll(&run.machine.block, *tx, id(1), first, waker).map(|answer| {
            assert_eq!(answer, Read::Value(Meta::default()));
            Attempt::Finished(())
        })
    }

    fn serve(run: &Arc<Run<Self>>, (): &mut (), _: usize, _: bool) -> bool {
        run.machine.block.serve()
    }

    fn retire((): &mut (), _: Self::Task, _: bool) {}

    fn worker_died(worker: usize) -> usize {
        worker
    }

    fn end_block((): &mut ()) {}

    fn validate(&self, _: TxIndex, (): &()) -> bool {
        true
    }

    fn may_hold(&self, _: TxIndex, (): &()) -> bool {
        true
    }

    fn publish(&self, _: TxIndex, (): &mut (), _: Option<()>, _: &mut Vec<TxIndex>) {}

    fn retract(&self, _: TxIndex, (): &()) {}

    fn commit(
        &self,
        _: TxIndex,
        (): (),
        _: bool,
        _: Option<()>,
        _: &mut Vec<TxIndex>,
    ) -> Result<(), usize> {
        *self.committed.lock() += 1;
        Ok(())
    }

    fn work((): &()) -> u64 {
        0
    }
}

/// All of the protocol together: a worker with its contexts, their phases and wakers, and another
/// worker, of an engine that shares the registry.
fn contexts_that_another_worker_answers_are_woken_and_committed() {
    let block = begin(&memory(1));
    let other = thread::spawn({
        let block = block.clone();
        move || serve(&block)
    });
    let run = Arc::new(Run::new(Asking { block, committed: Mutex::new(0) }, 1, 2));
    work(&run, 0, &mut ());
    other.join().unwrap();
    assert_eq!(*run.machine.committed.lock(), 2);
}
