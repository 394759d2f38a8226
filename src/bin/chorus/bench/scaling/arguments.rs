//! What the command line says.

use std::path::PathBuf;

use chorus::{sim::Costs, sync::time::Duration};
use clap::Args;

/// A simulation of blocks on more cores than there are.
#[derive(Args, Debug)]
pub(crate) struct Scaling {
    /// What to simulate (see `chorus bench --list`); every scenario if neither this nor --block is given
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: Vec<String>,

    /// Block directories, or directories of block directories
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) block: Vec<PathBuf>,

    /// Virtual cores; on those that the machine really has, the engine runs as well
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,4,8,16,32,64",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) cores: Vec<u16>,

    /// Transactions per block; each scenario's usual number if absent
    #[arg(long, value_name = "N", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) size: Vec<u32>,

    /// A parameter of the scenarios that have it
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,

    /// Where chance begins, in scenarios and in simulations
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Transactions that may be started and not committed
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "256",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) window: Vec<u32>,

    /// By how many percent times vary around what was measured
    #[arg(long, value_name = "%", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) jitter: u8,

    /// Rounds of measured runs
    #[arg(long, value_name = "K", default_value_t = 7,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,

    #[command(flatten)]
    pub(crate) costs: Given,

    /// Print one JSON object per block and number of cores, one per line, instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE", requires = "block")]
    pub(crate) chain: Option<PathBuf>,
}

/// Costs that replace the measured ones, in nanoseconds.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Costs of the engine, in nanoseconds; measured if absent")]
pub(crate) struct Given {
    /// To set a transaction going
    #[arg(long, value_name = "NS")]
    start: Option<u32>,
    /// To publish a transaction's writes
    #[arg(long, value_name = "NS")]
    publish: Option<u32>,
    /// To commit a transaction that has ended when it was its turn
    #[arg(long, value_name = "NS")]
    commit: Option<u32>,
    /// To commit a transaction that has been published before
    #[arg(long, value_name = "NS")]
    commit_later: Option<u32>,
    /// How long an idle worker looks for work before it sleeps
    #[arg(long, value_name = "NS")]
    spin: Option<u32>,
    /// From a wake-up until the sleeper works
    #[arg(long, value_name = "NS")]
    wake: Option<u32>,
    /// What a wake-up takes the one that wakes
    #[arg(long, value_name = "NS")]
    notify: Option<u32>,
    /// What the first read of each location takes; nothing if absent
    #[arg(long, value_name = "NS")]
    read: Option<u32>,
}

impl Given {
    /// Replaces what is given.
    pub(super) fn replace(self, costs: &mut Costs) {
        let fields = [
            (self.start, &mut costs.start),
            (self.publish, &mut costs.publish),
            (self.commit, &mut costs.commit),
            (self.commit_later, &mut costs.commit_later),
            (self.spin, &mut costs.spin),
            (self.wake, &mut costs.wake),
            (self.notify, &mut costs.notify),
            (self.read, &mut costs.read),
        ];
        for (given, cost) in fields {
            if let Some(nanoseconds) = given {
                *cost = Duration::from_nanos(nanoseconds.into());
            }
        }
    }
}
