//! Where the blocks of `chorus run` read their state: `--store`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use chorus::{
    evm::{Block, ChainSpec, StateStore},
    store::{
        IoPool, IoPoolError, Latency, LatencyStore, MemoryStore,
        redb::{Position, RedbError, RedbOptions, RedbStore},
        rpc::{RpcError, RpcNode},
    },
    sync::time::Duration,
};

use crate::node::{self, Manners, NodeError};

/// Threads that read the database: a solid-state disk serves several reads at a time.
const DISK_THREADS: usize = 8;

/// What `--store` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The block's prestate, in memory.
    Memory,
    /// The same in a database, made if it is not there: a file, or a directory with a file for each
    /// block.
    Redb(PathBuf),
    /// A node's state before the block.
    Rpc(String),
    /// The prestate in memory, with so long a wait for each location that is read for the first time.
    Latency(Duration),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("redb", path)) if !path.is_empty() => Ok(Self::Redb(path.into())),
            Some(("rpc", url)) if !url.is_empty() => Ok(Self::Rpc(url.into())),
            Some(("latency", latency)) => duration(latency).map(Self::Latency),
            _ => Err("expected memory, redb:PATH, rpc:URL or latency:TIME".into()),
        }
    }
}

/// A number with a unit, such as `100us`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ns" => Duration::from_nanos(1),
        "us" | "µs" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return Err(format!("`{text}` is no time: expected a number with ns, us, ms or s")),
    };
    let number: u32 = number.parse().map_err(|reason| format!("`{text}` is no time: {reason}"))?;
    let latency = unit.checked_mul(number).filter(|latency| *latency <= LONGEST);
    latency.ok_or_else(|| format!("`{text}` is longer than {LONGEST:?}"))
}

/// Waits beyond this are a mistake.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreTrouble {
    /// The database.
    #[error(transparent)]
    Redb(#[from] Box<RedbError>),
    /// The threads that read it.
    #[error(transparent)]
    Threads(#[from] IoPoolError),
    /// The directory of databases.
    #[error("{}: several blocks need a directory for their databases: {reason}", path.display())]
    Directory { path: PathBuf, reason: io::Error },
    /// The node.
    #[error(transparent)]
    Node(#[from] Box<NodeError>),
    /// What it was asked.
    #[error(transparent)]
    Rpc(#[from] Box<RpcError>),
    /// A generated block is on no node's chain.
    #[error("--store rpc:URL needs --block: a generated block is on no chain")]
    Generated,
    /// Only a node's answers are kept in a file.
    #[error("--cache keeps a node's answers: it needs --store rpc:URL")]
    NothingToCache,
}

/// Opens the stores of blocks.
pub(crate) enum Stores {
    Memory,
    Redb { path: PathBuf, several: bool, pool: Arc<IoPool> },
    Rpc(Box<RpcNode>),
    Latency(Duration),
}

/// What a block reads.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn StateStore>,
    /// The store, if it is slow on purpose and has to be made cold before each run.
    pub(crate) slow: Option<Arc<LatencyStore>>,
}

impl Stores {
    /// Gets ready for `blocks` blocks.
    pub(crate) fn new(
        choice: &Choice,
        blocks: usize,
        generated: bool,
        manners: &Manners,
        chain: &ChainSpec,
    ) -> Result<Self, StoreTrouble> {
        if manners.cache.is_some() && !matches!(choice, Choice::Rpc(_)) {
            return Err(StoreTrouble::NothingToCache);
        }
        Ok(match choice {
            Choice::Memory => Self::Memory,
            Choice::Latency(latency) => Self::Latency(*latency),
            Choice::Rpc(_) if generated => return Err(StoreTrouble::Generated),
            Choice::Rpc(url) => Self::Rpc(Box::new(manners.connect(url, chain).map_err(Box::new)?)),
            Choice::Redb(path) => {
                // A directory that was made for several blocks serves each of them alone, too.
                let several = blocks > 1 || path.is_dir();
                if several {
                    let trouble = |reason| StoreTrouble::Directory { path: path.clone(), reason };
                    fs::create_dir_all(path).map_err(trouble)?;
                }
                Self::Redb { path: path.clone(), several, pool: IoPool::new(DISK_THREADS)? }
            }
        })
    }

    /// The store of a block whose prestate is known.
    pub(crate) fn open(
        &self,
        block: &Block,
        prestate: &Arc<MemoryStore>,
    ) -> Result<Opened, StoreTrouble> {
        let number = block.env.number.saturating_to();
        let store: Arc<dyn StateStore> = match self {
            Self::Memory => prestate.clone(),
            Self::Redb { path, several, pool } => {
                let path = file_of(path, *several, number);
                let options = RedbOptions::new(pool.clone());
                let before = Position::before(block);
                let database = RedbStore::open_or_import(&path, prestate, before, options);
                Arc::new(database.and_then(|database| database.view()).map_err(Box::new)?)
            }
            Self::Rpc(node) => {
                Arc::new(node::state_before(node, number, block.spec).map_err(Box::new)?)
            }
            Self::Latency(latency) => {
                let slow = LatencyStore::new(prestate.clone(), Latency::Fixed(*latency));
                let slow = Arc::new(slow);
                return Ok(Opened { store: slow.clone(), slow: Some(slow) });
            }
        };
        Ok(Opened { store, slow: None })
    }
}

fn file_of(path: &Path, several: bool, number: u64) -> PathBuf {
    if several { path.join(format!("{number}.redb")) } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_option_says() {
        let parse = |text: &str| text.parse::<Choice>();
        assert_eq!(parse("memory"), Ok(Choice::Memory));
        assert_eq!(parse("redb:a:b"), Ok(Choice::Redb("a:b".into())));
        assert_eq!(parse("rpc:http://x:1"), Ok(Choice::Rpc("http://x:1".into())));
        let latency = Duration::from_micros(100);
        assert_eq!(parse("latency:100us"), Ok(Choice::Latency(latency)));
        for wrong in ["", "disk", "redb:", "rpc:", "latency:", "latency:5", "latency:99999999s"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("latency:1h").unwrap_err().contains("`1h`"));
    }
}
