//! The state that a block reads.

use chorus::{
    evm::{Block, BlockError, Engine, InvalidPolicy, Sequential, StateStore},
    store::{
        RecordingStore,
        rpc::{CallError, Fault, RpcError, RpcNode},
    },
    sync::Arc,
};
use serde_json::{Map, Value, json};

use super::{FetchError, recorded::Recorded};
use crate::node::state_before;

/// What a node's tracer says.
pub(super) enum Trace {
    /// The text of a `prestate.json`.
    State(String),
    /// Nothing: it has none, or not for that block.
    Refused(RpcError),
}

/// Asks the node's tracer.
pub(super) fn trace(node: &RpcNode, number: u64) -> Result<Trace, RpcError> {
    let method = "debug_traceBlockByNumber";
    let params = format!(r#"["{number:#x}",{{"tracer":"prestateTracer"}}]"#);
    let text = match node.request_blocking(method, params) {
        Ok(text) => text,
        Err(error) => return if refuses(&error) { Ok(Trace::Refused(error)) } else { Err(error) },
    };
    // A tracer that answers something else is as good as none.
    let merged = serde_json::from_str(&text).ok().and_then(|parts| merged(&parts));
    Ok(match merged {
        Some(state) => Trace::State(state.to_string()),
        None => Trace::Refused(RpcError::from(Box::new(CallError {
            node: node.name().to_owned(),
            method,
            params: format!("({number:#x})"),
            attempts: 1,
            fault: Fault::Reply {
                text: text.chars().take(80).collect(),
                reason: "not a list of prestates".into(),
            },
        }))),
    })
}

/// Whether the node is there, but does not trace.
fn refuses(error: &RpcError) -> bool {
    let RpcError::Call(error) = error else { return false };
    match &error.fault {
        Fault::Node { .. } => true,
        fault @ Fault::Status { .. } => !fault.may_pass(),
        _ => false,
    }
}

/// One state from those before each transaction: what a transaction sees and none before it saw was
/// there from the beginning, since whatever an earlier one changed is in that one's part.
fn merged(parts: &Value) -> Option<Value> {
    let mut merged = Map::new();
    for part in parts.as_array()? {
        for (address, entry) in part.get("result")?.as_object()? {
            let known = merged.entry(address.clone()).or_insert_with(|| {
                let mut first = entry.clone();
                first["storage"] = json!({});
                first
            });
            let storage = known["storage"].as_object_mut()?;
            for (slot, value) in
                entry.get("storage").and_then(Value::as_object).into_iter().flatten()
            {
                storage.entry(slot.clone()).or_insert(value.clone());
            }
        }
    }
    Some(Value::Object(merged))
}

/// The text of an `ommers.json`, if the block names ommers and the node knows them.
pub(super) fn ommers(node: &RpcNode, number: u64, block: &str) -> Result<Option<String>, RpcError> {
    let block: Value = serde_json::from_str(block).unwrap_or_default();
    let count = block["uncles"].as_array().map_or(0, Vec::len);
    let mut ommers = Vec::new();
    for index in 0..count {
        let params = format!(r#"["{number:#x}","{index:#x}"]"#);
        match node.request_blocking("eth_getUncleByBlockNumberAndIndex", params) {
            // Without them only the rewards are missing.
            Ok(text) if text.as_ref() == "null" => return Ok(None),
            Err(error) if refuses(&error) => return Ok(None),
            text => ommers.push(text?),
        }
    }
    Ok((count > 0).then(|| format!("[{}]", ommers.join(","))))
}

/// Why the block could not be executed.
pub(super) enum ExecuteError {
    Rpc(RpcError),
    Block(BlockError),
}

impl ExecuteError {
    pub(super) fn of(self, number: u64) -> FetchError {
        match self {
            Self::Rpc(error) => error.into(),
            Self::Block(error) => FetchError::Block { number, error: Box::new(error) },
        }
    }
}

/// Executes the block over the node and notes what it reads. It runs twice: in parallel, so that
/// reads do not wait for each other, and then one by one over what is at hand, for the record.
pub(super) fn execute(
    node: &RpcNode,
    engine: &Engine,
    block: Block,
) -> Result<Recorded, ExecuteError> {
    let number = block.env.number.saturating_to();
    let store = state_before(node, number, block.spec).map_err(ExecuteError::Rpc)?;
    let block = Arc::new(block);
    let shared: Arc<dyn StateStore> = Arc::new(store);
    // Whatever is wrong shows in the second run as well.
    let _ = engine.execute(&block, &shared);
    let recording = RecordingStore::new(shared);
    Sequential::new()
        .execute(&block, &recording, InvalidPolicy::Fail)
        .map_err(ExecuteError::Block)?;
    Ok(Recorded::new(recording.records()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_see_something_saw_it_as_it_was() {
        let parts = json!([
            {"result": {"0x1": {"balance": "0x5", "storage": {"0x1": "0x7"}}}},
            {"result": {"0x1": {"balance": "0x4", "storage": {"0x1": "0x8", "0x2": "0x9"}},
                        "0x2": {"balance": "0x1", "nonce": 3}}},
        ]);
        let expected = json!({
            "0x1": {"balance": "0x5", "storage": {"0x1": "0x7", "0x2": "0x9"}},
            "0x2": {"balance": "0x1", "nonce": 3, "storage": {}},
        });
        assert_eq!(merged(&parts), Some(expected));
        assert_eq!(merged(&json!([{"error": "no"}])), None);
        assert_eq!(merged(&json!({})), None);
    }
}
