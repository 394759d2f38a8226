//! What the command line says.

use std::path::PathBuf;

use chorus::{
    evm::{InvalidPolicy, Path as EnginePath},
    region::config::SharedMemoryConfig,
    sync::thread::available_parallelism,
};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    bench::{Peak, Scaling, Scenarios},
    fetch::Fetch,
    node::Manners,
    replay::Replay,
    stores::Choice,
    trace::Trace,
};

/// Executes ordered blocks of transactions in parallel, with the sequential result.
#[derive(Debug, Parser)]
#[command(name = "chorus", version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run blocks in parallel and one transaction after another, and compare (the default)
    Run(Run),
    /// Fetch blocks and the states before them from a node, as block directories
    Fetch(Fetch),
    /// Execute a range of a node's blocks, each against its header
    Replay(Replay),
    /// Show one block's way through the engine: who ran what when, and what was waited for
    Trace(Trace),
    /// Measure contention, scenario by scenario
    Bench(Bench),
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) what: Option<BenchOf>,
    #[command(flatten)]
    pub(crate) scenarios: Scenarios,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchOf {
    /// How much of a slow store's latency the engine hides
    Latency(Latency),
    /// How blocks would do on more cores than there are: the real scheduler on virtual time
    Scaling(Box<Scaling>),
    /// The peak memory of one run, in a process of its own
    #[command(hide = true)]
    Peak(Peak),
}

#[derive(Args, Debug)]
pub(crate) struct Latency {
    /// Block directories, or directories of block directories; generated independent work if absent
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) block: Vec<PathBuf>,

    /// What a cold read takes, in microseconds
    #[arg(long, value_name = "US", value_delimiter = ',', default_value = "0,10,100,1000",
          value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub(crate) latency: Vec<u64>,

    /// Worker threads
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,

    /// Timed runs one by one per block and latency, after each of which the engine runs once, or, over a slow store, five
    /// times
    #[arg(long, value_name = "K", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,

    /// Whether transactions are run ahead to find out what they will read
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) scouting: Scouting,

    /// Print one JSON object per block and latency, one per line, instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE", requires = "block")]
    pub(crate) chain: Option<PathBuf>,
}

impl Arguments {
    /// No subcommand is `run`.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Block directories, or directories of block directories; a generated block if absent
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) block: Vec<PathBuf>,

    /// Worker threads; as many as the machine has cores if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Timed pairs of runs per block, after one untimed run of each kind
    #[arg(long, value_name = "K", default_value_t = 11,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: u32,

    /// Which way blocks take through the engine
    #[arg(long, value_enum, default_value_t = Path::Auto)]
    pub(crate) path: Path,

    /// What to do with a transaction that may not be in its block
    #[arg(long, value_enum, default_value_t = Policy::Fail)]
    pub(crate) policy: Policy,

    /// Print one JSON object per block, one per line, instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Write metrics in Prometheus text format; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,

    /// Give the blocks shared memory, without a region at the beginning of each
    #[arg(long, value_enum, value_name = "PRESET", default_value_t = SharedMemory::Off)]
    pub(crate) shared_memory: SharedMemory,

    /// Where both engines read state: memory, redb:PATH (a database, made from the block's prestate if
    /// it is not there; for several blocks a directory of them), rpc:URL (a node's state before the
    /// block) or latency:TIME (memory, but the first read of each location takes that long, as in
    /// 100us)
    #[arg(long, value_name = "STORE", default_value = "memory")]
    pub(crate) store: Choice,

    #[command(flatten)]
    pub(crate) manners: Manners,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE", requires = "block")]
    pub(crate) chain: Option<PathBuf>,
}

impl Run {
    /// Worker threads to use.
    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            Some(threads) => threads.into(),
            None => available_parallelism(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// The engine chooses, block by block
    #[default]
    Auto,
    /// Always in parallel, also where nothing can be gained
    Parallel,
    /// Always one transaction after another
    Direct,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scouting {
    /// Where a read takes long enough to be worth it
    #[default]
    Auto,
    /// Never: the reads of a transaction follow one another
    Off,
}

impl From<Scouting> for chorus::evm::Scouting {
    fn from(scouting: Scouting) -> Self {
        match scouting {
            Scouting::Auto => Self::Auto,
            Scouting::Off => Self::Off,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// The block is refused
    Fail,
    /// The transaction is left out
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SharedMemory {
    /// None: its opcodes are undefined
    Off,
    /// As a chain in operation
    Production,
    /// Smaller limits, and the rights of the ceiling only
    Development,
    /// Limits that tests reach, and no check of rights
    Testing,
}

impl From<SharedMemory> for SharedMemoryConfig {
    fn from(preset: SharedMemory) -> Self {
        match preset {
            SharedMemory::Off => Self::off(),
            SharedMemory::Production => Self::production(),
            SharedMemory::Development => Self::development(),
            SharedMemory::Testing => Self::testing(),
        }
    }
}

impl From<Policy> for InvalidPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Fail => Self::Fail,
            Policy::Skip => Self::Skip,
        }
    }
}

impl From<Path> for EnginePath {
    fn from(path: Path) -> Self {
        match path {
            Path::Auto => Self::Auto,
            Path::Parallel => Self::Parallel,
            Path::Direct => Self::Direct,
        }
    }
}
