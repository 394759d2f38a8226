//! State from an Ethereum node, over JSON-RPC and HTTP.
//!
//! ```text
//!  reads ──► store ──► waiting ──► cache's file ──► plan: which calls ──► client
//!              ▲       (one call     (if any)        (account)             │ queue, batches,
//!              │        for all)                                           │ retries
//!              └──────── answers ◄──── checked values ◄──── replies ◄──── HTTP
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `store` | [`RpcStore`]: the state after one block |
//! | `node` | [`RpcNode`]: a node, its blocks, what its states share |
//! | `waiting` | who waits for which answer, and what is known |
//! | `account` | which calls answer a query, and what their results say |
//! | `call` | a call, and several that make one answer |
//! | `client` | senders: batches, bounded concurrency, trying again |
//! | `queue` | calls that wait to be sent |
//! | `retry` | pauses between attempts |
//! | `latency` | what a request takes |
//! | `wire` | the JSON around calls and results |
//! | `http` | one request |
//! | `runtime` | where requests run |
//! | `cache`, `cached` | a file that keeps answers, and their bytes |
//! | `options`, `error` | what can be set, what can go wrong |
//!
//! # What holds
//!
//! - Every read that is handed over is answered: by a value, by an error that names the call, or, when the
//!   runtime ends, as dropped. A call ends within [`RpcOptions::deadline`] of its first sending.
//! - A read that nobody wants any more by the time it could be sent is not sent.
//! - At most [`RpcOptions::in_flight`] requests are under way, and the most urgent reads go first.
//! - No value is used that is not of the form, length and range that its method answers, under the id
//!   that was asked. What fails this is an error at once; only what may pass is tried again.
//! - Keys in an address (its path, query and password) are in no message.
//!
//! The tasks in here are tokio's, since the HTTP library is; their queues and counters are the
//! crate's own ([`crate::sync`]). No worker of the engine ever waits in here.

mod account;
#[cfg(feature = "redb")]
mod cache;
#[cfg(feature = "redb")]
mod cached;
mod call;
mod client;
mod error;
mod http;
mod latency;
mod node;
mod options;
mod queue;
mod retry;
mod runtime;
mod store;
mod waiting;
mod wire;

pub use client::RpcStatistics;
pub use error::{CallError, Fault, RpcError};
pub use node::{RpcHeader, RpcNode};
pub use options::{Existence, Pin, RpcOptions};
pub use store::RpcStore;

#[cfg(feature = "redb")]
pub use cache::{CacheError, CacheOptions, IfUnusable};
