//! How a node is asked.

use crate::sync::time::Duration;

#[cfg(feature = "redb")]
use super::cache::CacheOptions;

/// How a node is asked. The defaults suit a node at some distance that serves others as well.
#[derive(Clone, Debug)]
pub struct RpcOptions {
    /// Requests under way at a time, each on a connection of its own that is kept. Default: 8.
    pub in_flight: usize,
    /// Calls in one request (a JSON-RPC batch), at most. A node that refuses a batch is sent
    /// smaller ones from then on, down to single calls. Default: 100; 1 makes no batches.
    pub batch: usize,
    /// How long a call that could be sent waits for others to go with, at most; never longer than a
    /// sixteenth of what a request takes. While all connections are busy calls gather anyway.
    /// Default: 2 ms.
    pub gather: Duration,
    /// How long a request may take until its reply is read. Default: 10 s.
    pub request_timeout: Duration,
    /// How often a call is sent before its failure counts, if the failure may pass: no connection, a
    /// connection that breaks, a timeout, the statuses 429, 502, 503 and 504, an error that
    /// says the limit of requests is reached, and a batch's reply without the call's. Default: 7.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one, and a random part of up
    /// to a half is taken off. Where the node says how long to wait (`Retry-After` in seconds),
    /// that is done. Default: 50 ms.
    pub backoff: Duration,
    /// The longest such pause. Default: 5 s.
    pub longest_backoff: Duration,
    /// The time that a call has from its first sending, with all its attempts. Default: 60 s.
    pub deadline: Duration,
    /// The largest reply that is read, in bytes; the request whose reply is larger counts as refused.
    /// Default: 64 MiB.
    pub largest_reply: usize,
    /// Whether to use `eth_getProof`, as long as the node answers it. It gives balance, nonce and
    /// hash of the code in one call, and it alone says whether an account has storage. Default: yes.
    pub proofs: bool,
    /// How state is addressed. Default: by number.
    pub pin: Pin,
    /// Which accounts count as existing. Default: [`Existence::NotEmpty`].
    pub existence: Existence,
    /// A file that keeps answers between runs. Default: none.
    #[cfg(feature = "redb")]
    pub cache: Option<CacheOptions>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            in_flight: 8,
            batch: 100,
            gather: Duration::from_millis(2),
            request_timeout: Duration::from_secs(10),
            attempts: 7,
            backoff: Duration::from_millis(50),
            longest_backoff: Duration::from_secs(5),
            deadline: Duration::from_secs(60),
            largest_reply: 64 << 20,
            proofs: true,
            pin: Pin::Number,
            existence: Existence::NotEmpty,
            #[cfg(feature = "redb")]
            cache: None,
        }
    }
}

/// How the block whose state is read is named to the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// By its number, which every node understands. Right for blocks that are final.
    #[default]
    Number,
    /// By its hash (EIP-1898), so that a reorganisation cannot change answers under a run.
    Hash,
}

/// Which accounts exist. The protocol has no call that says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existence {
    /// Those with a nonce, a balance or code. From EIP-161 (Spurious Dragon) on there are no
    /// others.
    #[default]
    NotEmpty,
    /// Before EIP-161 accounts could be empty, and a call to one is cheaper than a call to none. A
    /// node like geth gives an account without code the hash of no bytes in `eth_getProof`, and one that is
    /// absent the hash zero; that is trusted here. A node that makes no difference, or has no proofs,
    /// cannot serve such blocks exactly.
    ByCodeHash,
}
