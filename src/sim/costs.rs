//! What the engine itself costs.

use crate::sync::time::Duration;

/// What things take besides the transactions. All zero is an engine that costs nothing.
///
/// `chorus bench scaling` measures them; see the README's chapter on it for how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// To take a transaction and set it going, or to set going one that has waited.
    pub start: Duration,
    /// To make a transaction's writes visible, or to check those reads again that may have changed.
    pub publish: Duration,
    /// To commit a transaction that ended when it was its turn. One core at a time commits.
    pub commit: Duration,
    /// To commit a transaction that was published before.
    pub commit_later: Duration,
    /// To look for work in vain.
    pub look: Duration,
    /// How long an idle core looks before it sleeps.
    pub spin: Duration,
    /// From a wake-up until the core that slept has something in hand.
    pub wake: Duration,
    /// What a wake-up takes the core that wakes.
    pub notify: Duration,
    /// What the first read of each location takes. The transaction waits, its core does not.
    pub read: Duration,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine panics in that transaction, whenever it runs to its end.
    Panic {
        /// Its index.
        transaction: u32,
    },
    /// A core's worker dies.
    Death {
        /// Which core.
        core: usize,
        /// When.
        at: Duration,
    },
    /// A core is taken away for a while, as operating systems do.
    Stall {
        /// Which core.
        core: usize,
        /// When.
        at: Duration,
        /// How long.
        length: Duration,
    },
}

/// On what a block is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Virtual cores, one worker on each.
    pub cores: usize,
    /// Transactions that may be started and not committed.
    pub window: u32,
    /// Where chance begins: which of two cores is first when their times are equal, and the jitter.
    pub seed: u64,
    /// By how much of itself a time may be longer or shorter than it should be, from 0 to 1.
    pub jitter: f64,
    /// What the engine costs.
    pub costs: Costs,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Settings {
    /// So many cores on which nothing but the transactions takes time, and the engine's usual
    /// window.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            cores,
            window: 256,
            seed: 1,
            jitter: 0.0,
            costs: Costs::default(),
            faults: Vec::new(),
        }
    }
}
