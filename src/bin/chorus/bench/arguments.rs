//! What the command line says.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::Path;

#[derive(Args, Debug)]
pub(crate) struct Scenarios {
    /// What to measure (see --list); every scenario if neither this nor --block is given
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: Vec<String>,

    /// List the scenarios with their parameters, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// Block directories, or directories of block directories
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) block: Vec<PathBuf>,

    /// Worker threads; as many as the machine has cores if absent
    #[arg(long, value_name = "N", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Vec<u16>,

    /// Transactions per block; each scenario's usual number if absent
    #[arg(long, value_name = "N", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) size: Vec<u32>,

    /// Where chance begins
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// A parameter of the scenarios that have it
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,

    /// Timed pairs of runs, after one untimed run of each kind
    #[arg(long, value_name = "K", default_value_t = 11,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repeat: u32,

    /// Measure as well what the engine makes of blocks of which it remembers the former runs
    #[arg(long)]
    pub(crate) warm: bool,

    /// Milliseconds to sleep before each timed run, as a node does before its next block
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=60_000))]
    pub(crate) pause: u32,

    /// Which way blocks take through the engine
    #[arg(long, value_enum, default_value_t = Path::Auto)]
    pub(crate) path: Path,

    /// Print one JSON object per scenario and number of threads, one per line, instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page with charts, the table and its data
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE", requires = "block")]
    pub(crate) chain: Option<PathBuf>,
}

/// One run of one case.
#[derive(Args, Debug)]
pub(crate) struct Peak {
    #[arg(long)]
    pub(crate) scenario: Option<String>,
    #[arg(long, default_value_t = 1)]
    pub(crate) size: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) param: Vec<String>,
    #[arg(long)]
    pub(crate) block: Option<PathBuf>,
    #[arg(long)]
    pub(crate) chain: Option<PathBuf>,
    /// One transaction after another if absent.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    #[arg(long, value_enum, default_value_t = Path::Auto)]
    pub(crate) path: Path,
}
