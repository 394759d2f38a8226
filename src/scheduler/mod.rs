//! Who runs next, who waits for whom, and who commits.
//!
//! ```text
//!            ┌────────── ReadyQueue: fresh counter + returned heap, lowest index first
//!            ▼
//!   worker ─► start ─► poll ─┬─► finished ─► publish ─► CommitCursor ─► committed
//!      ▲                     ├─► doomed ───► back to the ReadyQueue
//!      │                     └─► waits ────► Waiters of the transaction it waits for
//!      │                                          │ published
//!      └────────────── Mailbox (resume) ◄─────────┘
//! ```
//!
//! Invariants
//!
//! 1. A context runs on at most one worker at a time, and, once started, only on that one.
//! 2. Every wait has a registered waker and points to a lower transaction ([`Waiters`]).
//! 3. A worker sleeps only after it announced itself and found nothing to do ([`Sleepers`]). Mail, and
//!    the end of the block, wake whom they are for. An offer or a moved cursor need not: whoever
//!    made it is awake and looks for work before it sleeps, so all sleep only when nothing is left.
//! 4. Transactions commit in block order, each once ([`CommitCursor`]).
//! 5. Commits stall at the commit limit, if somebody sets one; whoever raises it wakes a worker.
//! 6. Transactions start within the [`Window`] above the frontier, which bounds how many are started and
//!    uncommitted, and which the frontier is always in, so it can always run: progress. The window can
//!    shrink while the block runs, down to the frontier alone ([`Scheduler::restrain`]), which wakes nobody:
//!    less may start than before.
//! 7. A transaction is anyone's to run, or reserved for the commit step ([`Turn`]), which then is work at
//!    the frontier. A reserved one holds nothing, and does not count for the window.
//!
//! Transactions start in block order, but for long ones that would be run alone at the end
//! ([`EarlyStarts`]).
//!
//! Nothing here knows what a transaction is; [`crate::context`] drives this with a machine.

mod cursor;
mod early;
mod mailbox;
mod phase;
mod ready;
mod sleep;
mod turn;
mod waiters;
mod window;

pub use cursor::{Closed, CommitCursor, Step};
pub use early::EarlyStarts;
pub use mailbox::{Mailbox, MailboxFull};
pub use phase::{Finish, Phase, Stale, Suspend, Wake};
pub use ready::ReadyQueue;
pub use sleep::{DEFAULT_SPINS, Sleepers, Woken, WorkerId};
pub use turn::Turn;
pub use waiters::Waiters;
pub use window::Window;

use crossbeam_utils::CachePadded;

use crate::{
    state::TxIndex,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        weakened,
    },
};

/// The scheduling state of one block.
pub struct Scheduler {
    slots: Box<[CachePadded<Slot>]>,
    ready: ReadyQueue,
    cursor: CommitCursor,
    sleepers: Sleepers,
    mailboxes: Box<[Mailbox<TxIndex>]>,
    stopped: AtomicBool,
    /// Transactions at and above this may not commit yet.
    commit_limit: AtomicU32,
    window: Window,
}

#[derive(Default)]
struct Slot {
    phase: Phase,
    turn: Turn,
    waiters: Waiters,
    /// The worker that started the context.
    owner: AtomicU32,
}

impl Scheduler {
    /// For `transactions` transactions on `workers` workers, with at most `window` transactions
    /// started and uncommitted.
    pub fn new(transactions: u32, workers: usize, window: u32) -> Self {
        Self::starting_at(0, transactions, workers, window)
    }

    /// The same, for the transactions from `first` on: those below it have been committed otherwise.
    pub fn starting_at(first: u32, transactions: u32, workers: usize, window: u32) -> Self {
        Self::within(Window::new(transactions, window), first, transactions, workers)
    }

    /// The same, with some transactions reserved for the commit step.
    pub fn with_turns(first: u32, reserved: &[bool], workers: usize, window: u32) -> Self {
        let transactions = reserved.len() as u32;
        let window = Window::new(transactions, window).without(reserved);
        let scheduler = Self::within(window, first, transactions, workers);
        for (slot, _) in scheduler.slots.iter().zip(reserved).filter(|(_, reserved)| **reserved) {
            slot.turn.reserve();
        }
        scheduler
    }

    fn within(window: Window, first: u32, transactions: u32, workers: usize) -> Self {
        let contexts = window.contexts().min(transactions);
        Self {
            slots: (0..transactions).map(|_| CachePadded::new(Slot::default())).collect(),
            ready: ReadyQueue::starting_at(first, transactions),
            cursor: CommitCursor::at(TxIndex(first)),
            sleepers: Sleepers::new(workers),
            mailboxes: (0..workers).map(|_| Mailbox::new(contexts as usize)).collect(),
            stopped: AtomicBool::new(first >= transactions),
            commit_limit: AtomicU32::new(u32::MAX),
            window,
        }
    }

    /// Lets some transactions start before their turn.
    #[must_use]
    pub fn with_early_starts(mut self, early: EarlyStarts) -> Self {
        self.ready = self.ready.with_early_starts(early);
        self
    }

    /// Number of transactions.
    pub fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether the block has no transaction.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The phase of a transaction.
    pub fn phase(&self, tx: TxIndex) -> &Phase {
        &self.slots[tx.get()].phase
    }

    /// Who runs a transaction.
    #[inline]
    pub fn turn(&self, tx: TxIndex) -> &Turn {
        &self.slots[tx.get()].turn
    }

    /// The queue of transactions that can run.
    pub fn ready(&self) -> &ReadyQueue {
        &self.ready
    }

    /// The commit cursor.
    pub fn cursor(&self) -> &CommitCursor {
        &self.cursor
    }

    /// The mailbox of a worker.
    pub fn mailbox(&self, worker: usize) -> &Mailbox<TxIndex> {
        &self.mailboxes[worker]
    }

    /// First index that nobody may take up yet.
    pub fn window_end(&self) -> u32 {
        self.window.far(self.cursor.frontier().0)
    }

    /// Transactions below this have been handed out to workers, at least once.
    pub fn started(&self) -> u32 {
        self.ready.started()
    }

    /// First index that may not start yet if it was reserved, or started before.
    pub fn near_end(&self) -> u32 {
        self.window.near(self.cursor.frontier().0)
    }

    /// From now on the window is of `size`; transactions that are started go on, and those that come back
    /// wait for their turn. Never more than the block began with, and 1 is for good: it ends
    /// speculation. Called by a worker, which goes on to look for work, and wakes others when there is
    /// more than it takes.
    pub fn restrain(&self, size: u32) {
        self.window.restrain(size);
    }

    /// Whether speculation was ended.
    pub fn is_restrained(&self) -> bool {
        self.window.is_restrained()
    }

    /// Whether the transaction at the commit cursor is reserved for the commit step, and the block has one
    /// worker: several look ahead first.
    #[inline]
    pub fn awaits_turn(&self) -> bool {
        self.mailboxes.len() == 1 && self.window.has_reserved() && {
            let frontier = self.cursor.frontier();
            frontier.0 < self.len() && self.turn(frontier).is_reserved()
        }
    }

    /// Notes that `worker` runs the context of `tx` from now on.
    pub fn own(&self, tx: TxIndex, worker: usize) {
        // Relaxed: read only by those who see the context suspended, which happens later in the
        // phase word's order.
        self.slots[tx.get()].owner.store(worker as u32, Ordering::Relaxed);
    }

    /// The worker that runs, or ran, the context of `tx`.
    pub fn owner(&self, tx: TxIndex) -> usize {
        self.slots[tx.get()].owner.load(Ordering::Relaxed) as usize
    }

    /// Wakes the worker that ran `tx`, if it sleeps: something is left for it to do.
    pub fn wake_owner(&self, tx: TxIndex) {
        self.sleepers.notify(WorkerId(self.owner(tx)));
    }

    /// Whether the transaction at the commit cursor awaits its commit, or its run there, and may be
    /// committed.
    pub fn can_commit(&self) -> bool {
        let frontier = self.cursor.frontier();
        frontier.0 < self.len()
            && self.may_commit(frontier)
            && (self.phase(frontier).is_executed() || self.turn(frontier).is_reserved())
    }

    /// Whether the commit limit is above `tx`.
    pub fn may_commit(&self, tx: TxIndex) -> bool {
        // Relaxed: a worker about to sleep must see the limit raised or be seen asleep, and the
        // fences of `Sleepers` see to that.
        tx.0 < self.commit_limit.load(Ordering::Relaxed)
    }

    /// Lets the first `limit` transactions commit, and the others not yet. Called before the block's
    /// workers begin.
    pub fn limit_commits(&self, limit: u32) {
        self.commit_limit.store(limit, Ordering::Relaxed);
    }

    /// Lets more transactions commit. Called from any thread.
    pub fn allow_commits(&self, limit: u32) {
        if self.commit_limit.fetch_max(limit, Ordering::Relaxed) < limit
            && !weakened("scheduler.allow-wakes")
        {
            self.sleepers.notify_one();
        }
    }

    /// Makes `reader` a waiter of `writer`. `false`: the writer has published, read again.
    #[must_use]
    pub fn wait_for(&self, writer: TxIndex, reader: TxIndex) -> bool {
        debug_assert!(writer < reader, "waits point to lower transactions");
        let slot = &self.slots[writer.get()];
        slot.waiters.register(&slot.phase, reader)
    }

    /// Wakes whoever waits for `tx`, whose phase says that it has published. One that waits before
    /// its start is offered again.
    pub fn release_waiters(&self, tx: TxIndex) {
        for reader in self.slots[tx.get()].waiters.drain() {
            if self.phase(reader).is_idle() && !weakened("scheduler.release-idle") {
                self.offer(reader);
            } else {
                self.wake(reader);
            }
        }
    }

    /// Something `tx` may wait for happened.
    pub fn wake(&self, tx: TxIndex) {
        if self.phase(tx).wake() == Wake::Deliver {
            self.deliver(tx);
        }
    }

    /// Tells readers that something they read changed. `told` is emptied.
    pub fn tell(&self, told: &mut Vec<TxIndex>) {
        if told.len() > 1 {
            told.sort_unstable();
            told.dedup();
        }
        for tx in told.drain(..) {
            match self.phase(tx).mark_stale() {
                Stale::Deliver => self.deliver(tx),
                Stale::Revalidate => self.offer(tx),
                Stale::Nothing => {}
            }
        }
    }

    /// Puts `tx` on offer again. Called by a worker, which goes on to look for work and so finds it
    /// if nobody else does: no sleeper need be woken for it.
    pub fn offer(&self, tx: TxIndex) {
        self.ready.push(tx);
    }

    /// Wakes a sleeping worker if there is work left. A worker calls this when it has taken
    /// something to do, so that work which came up meanwhile does not wait for it.
    ///
    /// That nothing is slept through does not hang on this. Whoever offers work is awake and looks for
    /// more before it sleeps; a sleeper that announced itself before the work came up is merely
    /// woken one step later.
    pub fn share(&self) {
        if self.sleepers.any_asleep() && self.has_offer() {
            self.sleepers.notify_one();
        }
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.mailboxes.len()
    }

    /// Wakes a sleeping worker, if there is one, to look whether it can help a context that waits.
    /// It may come too late or find nothing; no work hangs on it.
    pub fn call_help(&self) {
        if self.sleepers.any_asleep() {
            self.sleepers.notify_one();
        }
    }

    /// Ends the block: workers leave, sleeping ones too.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if !weakened("scheduler.stop-wakes") {
            self.sleepers.close();
        }
    }

    /// Whether the block has ended.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Whether there is something for `worker` to do, the end of the block included.
    pub fn has_work(&self, worker: usize) -> bool {
        self.is_stopped()
            || self.mailboxes[worker].has_mail()
            || (self.can_commit() && !weakened("scheduler.sleep-commits"))
            || self.has_offer()
    }

    /// Whether a transaction is on offer.
    fn has_offer(&self) -> bool {
        let frontier = self.cursor.frontier().0;
        self.ready.has_work(self.window.near(frontier), self.window.far(frontier))
    }

    /// Sleeps until there may be work for `worker`.
    pub fn sleep(&self, worker: usize) {
        let _ = self.sleepers.park_unless(WorkerId(worker), || self.has_work(worker));
    }

    /// What [`sleep`](Self::sleep) does, for a worker that is no thread and cannot block: `true`, and it
    /// counts as asleep until [`is_woken`](Self::is_woken), or there is work.
    #[must_use]
    pub fn lie_down(&self, worker: usize) -> bool {
        self.sleepers.lie_down_unless(WorkerId(worker), || self.has_work(worker))
    }

    /// Whether somebody has woken this worker since it lay down. Says so once.
    #[must_use]
    pub fn is_woken(&self, worker: usize) -> bool {
        self.sleepers.is_woken(WorkerId(worker))
    }

    fn deliver(&self, tx: TxIndex) {
        let owner = self.owner(tx);
        let sent = self.mailboxes[owner].send(tx);
        debug_assert!(sent.is_ok(), "one message per started context fits the window");
        if !weakened("scheduler.deliver-wakes") {
            self.sleepers.notify(WorkerId(owner));
        }
    }
}
