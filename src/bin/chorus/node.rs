//! The node that `fetch`, `replay` and `run --store rpc:URL` ask.

use std::path::PathBuf;

use chorus::{
    evm::{ChainSpec, SpecId},
    store::rpc::{
        CacheOptions, Existence, IfUnusable, RpcError, RpcHeader, RpcNode, RpcOptions, RpcStore,
    },
    sync::time::Duration,
};
use clap::Args;

/// Which node, and how it is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Node {
    /// The node's address, http or https
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: String,

    #[command(flatten)]
    pub(crate) manners: Manners,
}

/// What the options below stand under, for they mean nothing to other stores.
const HEADING: &str = "Asking a node (--rpc URL, --store rpc:URL)";

/// How a node is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Manners {
    /// Keep the node's answers in a file, so that nothing is asked twice
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub(crate) cache: Option<PathBuf>,

    /// Requests under way at a time
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = HEADING,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: u16,

    /// Calls in one request, at most
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = HEADING,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,

    /// Seconds that one request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, help_heading = HEADING,
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,

    /// How often a call is sent before its failure counts, if the failure may pass
    #[arg(long, value_name = "N", default_value_t = 7, help_heading = HEADING,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
}

/// Why a node cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// It does not answer, or not well.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// It is another chain's.
    #[error(
        "{node} is on chain {found}, not on {expected} (--chain names another chain's genesis file)"
    )]
    Chain { node: String, found: u64, expected: u64 },
}

impl Node {
    /// Connects, and says so if there is a cache that cannot be used.
    pub(crate) fn connect(&self, chain: &ChainSpec) -> Result<RpcNode, NodeError> {
        self.manners.connect(&self.rpc, chain)
    }
}

impl Manners {
    /// Connects to the node at an address.
    pub(crate) fn connect(&self, url: &str, chain: &ChainSpec) -> Result<RpcNode, NodeError> {
        // Answers can be had again: a damaged file is no reason to stop, but one to speak.
        let cache =
            self.cache.clone().map(|path| CacheOptions { path, if_unusable: IfUnusable::Ignore });
        let request_timeout = Duration::from_secs(self.timeout.into());
        let options = RpcOptions {
            in_flight: self.in_flight.into(),
            batch: self.batch.into(),
            request_timeout,
            deadline: RpcOptions::default().deadline.max(request_timeout * 2),
            attempts: self.attempts,
            cache,
            ..RpcOptions::default()
        };
        let node = RpcNode::connect_blocking(url, options, None)?;
        if node.chain_id() != chain.chain_id {
            let (name, found) = (node.name().to_owned(), node.chain_id());
            return Err(NodeError::Chain { node: name, found, expected: chain.chain_id });
        }
        if let Some(trouble) = node.cache_trouble() {
            eprintln!("chorus: {trouble}; going on without it");
        }
        Ok(node)
    }
}

/// The state that a block starts from. Before EIP-161 accounts could be empty.
pub(crate) fn state_before(
    node: &RpcNode,
    number: u64,
    spec: SpecId,
) -> Result<RpcStore, RpcError> {
    Ok(node.state_before_blocking(number)?.with_existence(existence(spec)))
}

/// [`state_before`], of a block whose parent's hash is known: nothing has to be asked.
pub(crate) fn state_after(node: &RpcNode, parent: RpcHeader, spec: SpecId) -> RpcStore {
    node.state_at(parent).with_existence(existence(spec))
}

fn existence(spec: SpecId) -> Existence {
    match spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        true => Existence::NotEmpty,
        false => Existence::ByCodeHash,
    }
}
