//! Blocks from files and from a node's answers.
//!
//! | what | shape |
//! |---|---|
//! | `block.json` | the answer of `eth_getBlockByNumber(number, true)` |
//! | `prestate.json` | address → `balance`, `nonce`, `code`, `storage`, as `debug_traceBlockByNumber` with `prestateTracer` answers, merged over the transactions |
//! | `block_hashes.json` (optional) | decimal number → hash, for blocks that read BLOCKHASH |
//! | `ommers.json` (optional) | a list of `eth_getUncleByBlockHashAndIndex` answers, of which `number` and `miner` are read |
//!
//! Each may be wrapped as `{"result": ...}`. [`load_block`] reads a directory of them,
//! [`discover`] finds such directories, and [`Block::from_rpc_json`](crate::evm::Block::from_rpc_json)
//! reads a block alone, for use with any state store.
//!
//! Nothing is trusted. Every field is checked on the way in, a sender is recovered from the
//! signature and compared with `from`, a hash is computed and compared with `hash`, and whatever is wrong
//! is one line that names file, field and value ([`InputError`]). What a file leaves out is left
//! out of the check or of the rule that needs it:
//!
//! - a transaction without signature fields is taken at its `from`;
//! - header claims (`gasUsed`, `receiptsRoot`, `logsBloom`, ...) that are absent are not checked,
//!   nor is a receipts root before Byzantium, where receipts held state roots;
//! - without `parentHash` or `parentBeaconBlockRoot` the system call that would store it is skipped;
//! - a block's answer names its ommers by hash only, so that their rewards need `ommers.json`;
//! - an entry of `prestate.json` whose values are all zero exists before EIP-161 (Spurious
//!   Dragon) and does not from then on. Addresses without an entry do not exist.

mod directory;
mod error;
mod field;
mod header;
mod json;
mod prestate;
mod signature;
mod transaction;

pub use directory::{discover, load_block};
pub use error::InputError;
pub use prestate::parse_prestate;

pub(crate) use field::Field;
pub(crate) use json::Tree;
pub(crate) use prestate::genesis_state;
