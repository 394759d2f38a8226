//! What can go wrong between here and a node.

use crate::{evm::input::InputError, sync::time::Duration};

/// Texts longer than this are cut in messages.
const SHOWN: usize = 120;

/// Why a node is of no use, or not for what was asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcError {
    /// The address is none, or none of a kind that is spoken.
    #[error("{url}: {reason}")]
    Url {
        /// The address, without what may be secret in it.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The machinery for asking could not be set up.
    #[error("setting up HTTP: {reason}")]
    Setup {
        /// What failed.
        reason: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Box<CallError>),
    /// The node has no such block.
    #[error("{node}: there is no block {number}")]
    NoBlock {
        /// The node.
        node: String,
        /// The block asked for.
        number: u64,
    },
    /// There is nothing before the first block.
    #[error("block 0 cannot be executed: it is the state that the chain begins with")]
    Genesis,
    /// The file of answers cannot be used.
    #[cfg(feature = "redb")]
    #[error(transparent)]
    Cache(#[from] super::cache::CacheError),
}

/// A call that failed for good.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{node}: {method}{params}: {fault}{}", tries(*.attempts))]
pub struct CallError {
    /// The node, without what may be secret in its address.
    pub node: String,
    /// The method called.
    pub method: &'static str,
    /// Its parameters as JSON in brackets, cut if long.
    pub params: String,
    /// How often the call was sent.
    pub attempts: u32,
    /// What was wrong.
    pub fault: Fault,
}

fn tries(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

/// What was wrong with a call's reply, or in place of one.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    /// No connection came about.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Cut(String),
    /// The reply took too long.
    #[error("no reply within {0:?}")]
    Timeout(Duration),
    /// Another status than success.
    #[error("HTTP status {status}{}", colon(.body))]
    Status {
        /// The status.
        status: u16,
        /// The beginning of what came with it.
        body: String,
        /// How long the node wants to be left alone, if it says.
        after: Option<Duration>,
    },
    /// The node's limit of requests is reached.
    #[error("the node's limit is reached: error {code}: {message}")]
    Limited {
        /// The error's code.
        code: i64,
        /// The error's message, cut if long.
        message: String,
    },
    /// The node says that it cannot answer.
    #[error("error {code}: {message}")]
    Node {
        /// The error's code.
        code: i64,
        /// The error's message, cut if long.
        message: String,
    },
    /// The reply is larger than what is read.
    #[error("the reply is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The reply is no JSON-RPC reply.
    #[error("the reply is {text}: {reason}")]
    Reply {
        /// Its beginning.
        text: String,
        /// Why it is none.
        reason: String,
    },
    /// The reply to a batch has nothing for the call.
    #[error("the batch's reply has no item with id {id}")]
    Missing {
        /// The call's id.
        id: u64,
    },
    /// The value is not what the method answers.
    #[error("{field} is {value}: {reason}")]
    Value {
        /// Where in the result, or `result` for the whole.
        field: String,
        /// The value, cut if long.
        value: String,
        /// What was expected.
        reason: String,
    },
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Fault {
    /// Whether it may pass, so that trying again is worth it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Cut(_)
            | Self::Timeout(_)
            | Self::Limited { .. }
            | Self::Missing { .. } => true,
            Self::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Node { .. } | Self::TooLarge { .. } | Self::Reply { .. } | Self::Value { .. } => {
                false
            }
        }
    }

    /// Whether a smaller batch may fare better.
    pub(super) fn refuses_batch(&self) -> bool {
        match self {
            Self::Status { .. } => !self.may_pass(),
            Self::TooLarge { .. } | Self::Node { .. } => true,
            _ => false,
        }
    }
}

impl From<InputError> for Fault {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Field { field, value, reason, .. } => {
                Self::Value { field: placed(&field), value, reason }
            }
            InputError::Missing { field, hint, .. } => Self::Value {
                field: placed(&field),
                value: format!("missing{hint}"),
                reason: "needed".into(),
            },
            other => Self::Reply { text: "no JSON value".into(), reason: other.to_string() },
        }
    }
}

fn placed(field: &str) -> String {
    if field == "the top level" { "the result".to_owned() } else { format!("the result's {field}") }
}

/// Text from outside as messages show it: on one line, and not long.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str(&format!("... ({} bytes)", text.len()));
    }
    shown
}
