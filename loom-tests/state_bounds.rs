//! `state::bounds`, with the entry and the commit cursor: deltas add up in any order, and a debit
//! that was decided on an old value is decided again.

use chorus::{
    scheduler::{CommitCursor, Finish, Phase, Step},
    state::{Bounds, Cell, Entry, Read, TxIndex},
    sync::{Arc, Mutex, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "credits_commute",
        threads: 2,
        bound: 3,
        weakenings: &["cursor.word"],
        run: credits_commute,
    },
    Model {
        name: "a_debit_that_a_lower_credit_makes_good_succeeds",
        threads: 2,
        bound: 3,
        weakenings: &["bounds.debit"],
        run: a_debit_that_a_lower_credit_makes_good_succeeds,
    },
    Model {
        name: "a_debit_that_a_lower_debit_leaves_uncovered_is_refused",
        threads: 2,
        bound: 3,
        weakenings: &["bounds.debit"],
        run: a_debit_that_a_lower_debit_leaves_uncovered_is_refused,
    },
];

/// A balance that is changed by differences and observed by the checks they passed.
struct Balance;

impl Cell for Balance {
    type Key = u32;
    type Value = u64;
    type Change = i64;
    type Seen = Bounds<u64>;

    fn apply(value: &mut u64, change: &i64) {
        // Total: a speculative sum may leave the range, and is validated away.
        *value = value.saturating_add_signed(*change);
    }

    fn holds(value: &u64, seen: &Bounds<u64>) -> bool {
        seen.contains(*value)
    }
}

/// What a transaction wants to add, and what an incarnation of it observed and did.
struct Transaction {
    wants: i64,
    phase: Phase,
    trace: Mutex<Option<(Bounds<u64>, i64)>>,
}

struct Block {
    balance: Entry<Balance>,
    cursor: CommitCursor,
    transactions: [Transaction; 2],
    /// What each transaction did in the end.
    done: Mutex<Vec<i64>>,
}

impl Block {
    fn new(balance: u64, wants: [i64; 2]) -> Arc<Self> {
        let transaction =
            |wants| Transaction { wants, phase: Phase::default(), trace: Mutex::new(None) };
        let block = Self {
            balance: Entry::default(),
            cursor: CommitCursor::new(),
            transactions: wants.map(transaction),
            done: Mutex::new(Vec::new()),
        };
        block.balance.fill(balance);
        Arc::new(block)
    }

    fn execute(&self, tx: TxIndex) {
        let Transaction { wants, phase, trace } = &self.transactions[tx.get()];
        assert!(phase.start().is_some());
        let Read::Value(seen) = self.balance.peek(tx) else { panic!("nobody waits here") };
        let mut bounds = Bounds::default();
        let amount = wants.unsigned_abs();
        let granted = match *wants < 0 {
            true => bounds.debit(seen, seen, amount),
            false => bounds.credit(seen, seen, amount),
        };
        let change = if granted { *wants } else { 0 };
        *trace.lock() = Some((bounds, change));
        // Deltas tell nobody: the cursor validates.
        self.balance.publish(tx, change, &mut Vec::new());
        assert_eq!(phase.finish(), Finish::Executed);
        self.cursor.advance(|at| self.commit(at));
    }

    fn commit(&self, at: TxIndex) -> Step {
        let Some(transaction) = self.transactions.get(at.get()) else { return Step::NotYet };
        if !transaction.phase.is_executed() {
            return Step::NotYet;
        }
        let Some((bounds, change)) = transaction.trace.lock().take() else {
            panic!("executed, so there is a trace")
        };
        if !self.balance.holds(&bounds) {
            self.balance.retract(at);
            assert!(transaction.phase.abort());
            return Step::NotYet;
        }
        self.balance.commit(at, &mut Vec::new());
        assert!(transaction.phase.commit());
        self.done.lock().push(change);
        Step::Committed
    }

    /// Runs the block on two threads and returns what the transactions did, and the balance.
    fn run(self: Arc<Self>) -> ([i64; 2], u64, u64) {
        let other = thread::spawn({
            let block = self.clone();
            move || block.execute(TxIndex(1))
        });
        self.execute(TxIndex(0));
        other.join().unwrap();
        let upper = &self.transactions[1].phase;
        if !upper.is_committed() {
            assert!(upper.is_idle(), "committed or aborted, not left lying");
            self.execute(TxIndex(1));
        }
        let done = self.done.lock().clone().try_into().expect("both committed");
        (done, self.balance.committed().expect("filled"), upper.incarnation())
    }
}

fn credits_commute() {
    let (done, balance, aborts) = Block::new(5, [3, 4]).run();
    assert_eq!((done, balance, aborts), ([3, 4], 12, 0), "in any order, without an abort");
}

fn a_debit_that_a_lower_credit_makes_good_succeeds() {
    let (done, balance, _) = Block::new(1, [3, -2]).run();
    assert_eq!((done, balance), ([3, -2], 2));
}

fn a_debit_that_a_lower_debit_leaves_uncovered_is_refused() {
    let (done, balance, _) = Block::new(5, [-4, -3]).run();
    assert_eq!((done, balance), ([-4, 0], 1));
}
