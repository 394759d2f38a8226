//! `chorus fetch`: blocks and the states before them, from a node, as block directories.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the command: block after block |
//! | `directory` | a directory that is there whole or not at all |
//! | `state` | the state a block reads: from the node's tracer, or by executing the block |
//! | `recorded` | what was read, as files |

mod directory;
mod recorded;
mod state;

use std::{io, path::PathBuf};

use chorus::{
    evm::{BlockError, ChainSpec, Engine, EngineError, Path, Sequential, input::InputError},
    store::rpc::{RpcError, RpcNode},
};
use clap::{Args, ValueEnum};

use self::{
    directory::Draft,
    state::{Trace, execute, trace},
};
use crate::{
    check::HeaderChecks,
    inputs,
    node::{Node, NodeError},
    progress::Progress,
    run::Verdict,
};

#[derive(Args, Debug)]
pub(crate) struct Fetch {
    #[command(flatten)]
    node: Node,

    /// Numbers of the blocks
    #[arg(long, value_name = "N", num_args = 1.., required = true)]
    block: Vec<u64>,

    /// Where to put a directory for each block; what is there already is left
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Where the state before a block comes from
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Prestate::Auto)]
    prestate: Prestate,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Prestate {
    /// The node's tracer if it has one, or else execution
    Auto,
    /// The node's tracer (debug_traceBlockByNumber)
    Trace,
    /// Executing the block and noting what it reads, which any archive node will do for
    Execute,
}

/// Why blocks could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The node is of no use.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node does not answer, or not well.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What it answers is no block, or the chain's description is none.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The block cannot be executed.
    #[error("block {number}: {error}")]
    Block { number: u64, error: Box<BlockError> },
    /// The node has no tracer, which was asked for.
    #[error("block {number}: the node does not trace: {error}")]
    NoTracer { number: u64, error: RpcError },
    /// The directory cannot be written.
    #[error("{}: {reason}", .path.display())]
    Write { path: PathBuf, reason: io::Error },
    /// There is something else where the block's directory would be.
    #[error("{} is there and is no block directory", .path.display())]
    Occupied { path: PathBuf },
    /// The engine cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Fetches everything the arguments ask for.
pub(crate) fn run(arguments: &Fetch) -> Result<Verdict, FetchError> {
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let node = arguments.node.connect(&chain)?;
    let engine = Engine::builder().for_remote_store().path(Path::Parallel).build()?;
    let fetcher = Fetcher { chain, node, engine, way: arguments.prestate };
    let progress = Progress::new(arguments.block.len() as u64);
    let mut verdict = Verdict::Matched;
    for number in &arguments.block {
        progress.show(&format!("block {number}"));
        if let Some(draft) = Draft::begin(&arguments.out, *number)? {
            if let Some(complaint) = fetcher.fill(&draft)? {
                verdict = Verdict::Mismatched;
                progress.aside(|| eprintln!("chorus: block {number}: {complaint}"));
            }
            draft.finish()?;
        }
        progress.tick();
    }
    // What could not be kept is asked again another time.
    let _ = fetcher.node.flush_cache();
    Ok(verdict)
}

struct Fetcher {
    chain: ChainSpec,
    node: RpcNode,
    /// Finds out quickly what a block reads, many reads at a time.
    engine: Engine,
    way: Prestate,
}

impl Fetcher {
    /// Writes all files of the block. Says what is wrong if its execution does not give what its
    /// header says.
    fn fill(&self, draft: &Draft) -> Result<Option<String>, FetchError> {
        let number = draft.number;
        let text = self.node.block_json_blocking(number)?;
        draft.write("block.json", &text)?;
        if let Some(ommers) = state::ommers(&self.node, number, &text)? {
            draft.write("ommers.json", &ommers)?;
        }
        // A block before the merge that the loader takes with its ommers.
        draft.write("prestate.json", "{}")?;
        let (block, _) = draft.load(&self.chain)?;
        if self.way != Prestate::Execute {
            match trace(&self.node, number)? {
                Trace::State(prestate) => {
                    draft.write("prestate.json", &prestate)?;
                    let complaint = self.check(draft)?;
                    if complaint.is_none() || self.way == Prestate::Trace {
                        return Ok(complaint);
                    }
                    // A trace tells nothing of BLOCKHASH, and tracers have their errors.
                }
                Trace::Refused(error) if self.way == Prestate::Trace => {
                    return Err(FetchError::NoTracer { number, error });
                }
                Trace::Refused(_) => {}
            }
        }
        let recorded =
            execute(&self.node, &self.engine, block).map_err(|error| error.of(number))?;
        draft.write("prestate.json", &recorded.prestate)?;
        if let Some(hashes) = &recorded.block_hashes {
            draft.write("block_hashes.json", hashes)?;
        }
        self.check(draft)
    }

    /// Executes the block as it lies there.
    fn check(&self, draft: &Draft) -> Result<Option<String>, FetchError> {
        let (block, store) = draft.load(&self.chain)?;
        let outcome = match Sequential::new().execute(&block, &store, Default::default()) {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let checks = HeaderChecks::new(&block.claims, block.spec, &outcome);
        Ok((!checks.matched()).then(|| format!("NOT what the header says: {}", checks.wrong())))
    }
}
