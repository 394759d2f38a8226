//! `chorus replay`: a range of blocks from a node, each against its header.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the command: block after block |
//! | `ahead` | the next block, fetched while one runs |
//! | `line` | what is printed of a block |

mod ahead;
mod line;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use chorus::{
    evm::{BlockError, Engine, EngineError, input::InputError},
    store::rpc::RpcError,
    sync::time::Instant,
};
use clap::Args;

use self::{ahead::Ahead, line::Line};
use crate::{
    arguments::Path,
    inputs,
    node::{Node, NodeError},
    run::Verdict,
};

#[derive(Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    node: Node,

    /// The first block
    #[arg(long, value_name = "A")]
    from: u64,

    /// The last block
    #[arg(long, value_name = "B")]
    to: u64,

    /// Worker threads; as many as the machine has cores if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Which way blocks take through the engine
    #[arg(long, value_enum, default_value_t = Path::Parallel)]
    path: Path,

    /// Print one JSON object per block, one per line
    #[arg(long)]
    json: bool,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
}

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// There is nothing in the range.
    #[error("--from {from} is after --to {to}")]
    Range { from: u64, to: u64 },
    /// The node is of no use.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node does not answer, or not well.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What it answers is no block, or the chain's description is none.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The node did not answer a read.
    #[error("block {number}: {error}")]
    Read { number: u64, error: Box<BlockError> },
    /// The engine cannot be set up as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Replays everything the arguments ask for.
pub(crate) fn run(arguments: &Replay) -> Result<Verdict, ReplayError> {
    let (from, to) = (arguments.from, arguments.to);
    if from > to {
        return Err(ReplayError::Range { from, to });
    }
    if from == 0 {
        return Err(RpcError::Genesis.into());
    }
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let node = arguments.node.connect(&chain)?;
    let mut builder = Engine::builder().for_remote_store().path(arguments.path.into());
    if let Some(threads) = arguments.threads {
        builder = builder.threads(threads.into());
    }
    let engine = builder.build()?;
    let (mut blocks, mut wrong) = (0_u64, 0_u64);
    let mut ahead = Ahead::new(node.clone(), chain, from..=to);
    while let Some(next) = ahead.next() {
        let work = next?;
        let number = work.number();
        let begin = Instant::now();
        let outcome = engine.execute(&work.block, &work.store);
        let took = begin.elapsed();
        if let Err(error @ BlockError::Store { .. }) = outcome {
            return Err(ReplayError::Read { number, error: Box::new(error) });
        }
        let line = Line::new(&work.block, &outcome, took);
        blocks += 1;
        wrong += u64::from(!line.matched);
        print(&line, arguments.json)?;
    }
    // What could not be kept is asked again another time.
    let _ = node.flush_cache();
    if !arguments.json {
        let blocks = if blocks == 1 { "1 block".to_owned() } else { format!("{blocks} blocks") };
        let verdict = match wrong {
            0 => "everything matches".to_owned(),
            1 => "1 block does NOT match".to_owned(),
            _ => format!("{wrong} blocks do NOT match"),
        };
        let sent = node.statistics();
        let (requests, calls) = (sent.requests, sent.calls);
        writeln!(io::stdout(), "{blocks}, {requests} requests of {calls} calls: {verdict}.")?;
    }
    Ok(if wrong == 0 { Verdict::Matched } else { Verdict::Mismatched })
}

fn print(line: &Line, json: bool) -> Result<(), ReplayError> {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", serde_json::to_string(line).map_err(io::Error::from)?)?,
        false => writeln!(out, "{line}")?,
    }
    // Whoever reads along sees each block when it is done.
    Ok(out.flush()?)
}
