//! JSON-RPC: batches and single calls, and the methods of a node.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Batches, Fault, Instead, Shared};

impl Shared {
    /// Status and text of the reply to a request.
    pub(super) fn answer(&self, request: &[u8], fault: Option<&Fault>) -> (u16, String) {
        let request: Value = serde_json::from_slice(request).unwrap();
        let Value::Array(calls) = &request else {
            self.see_batch(1);
            let mut reply = self.reply_to(&request);
            spoil(std::slice::from_mut(&mut reply), fault);
            return (200, reply.to_string());
        };
        self.see_batch(calls.len());
        let batches = *self.batches.lock().unwrap();
        match batches {
            Batches::Refused => return (400, "batches are not supported".to_owned()),
            Batches::UpTo(most) if calls.len() > most => {
                let error = json!({"code": -32600, "message": "batch too large"});
                return (200, json!({"jsonrpc": "2.0", "id": null, "error": error}).to_string());
            }
            _ => {}
        }
        let mut replies: Vec<Value> = calls.iter().map(|call| self.reply_to(call)).collect();
        spoil(&mut replies, fault);
        match fault {
            Some(Fault::MissingItem) => drop(replies.pop()),
            Some(Fault::Reversed) => replies.reverse(),
            _ => {}
        }
        (200, Value::Array(replies).to_string())
    }

    fn see_batch(&self, size: usize) {
        let mut seen = self.seen.lock().unwrap();
        seen.largest_batch = seen.largest_batch.max(size);
    }

    fn reply_to(&self, call: &Value) -> Value {
        let (method, params) = (call["method"].as_str().unwrap(), &call["params"]);
        {
            let mut seen = self.seen.lock().unwrap();
            *seen.methods.entry(method.to_owned()).or_default() += 1;
            seen.calls.push(format!("{method}{params}"));
        }
        let mut reply = json!({"jsonrpc": "2.0", "id": call["id"]});
        let outcome = match self.take_rule(method, &params.to_string()) {
            Some(Instead::Result(result)) => Ok(result),
            Some(Instead::Error(code, message)) => Err((code, message.to_owned())),
            None => self.call(method, params),
        };
        match outcome {
            Ok(result) => reply["result"] = result,
            Err((code, message)) => reply["error"] = json!({"code": code, "message": message}),
        }
        reply
    }

    fn take_rule(&self, method: &str, params: &str) -> Option<Instead> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| {
            rule.times > 0 && rule.method == method && params.contains(&rule.params)
        })?;
        rule.times -= 1;
        Some(rule.instead.clone())
    }

    fn call(&self, method: &str, params: &Value) -> Result<Value, (i64, String)> {
        let absent = || (-32601, format!("the method {method} does not exist/is not available"));
        let no_state = || (-32000, "missing trie node".to_owned());
        let world = &self.world;
        let number = |value: &Value| {
            let text = value.as_str().expect("a block number");
            u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
        };
        let state = |tag: &Value| match tag {
            Value::Object(tag) => world.state_at_hash(tag["blockHash"].as_str().unwrap()),
            tag => world.state_at(number(tag)),
        };
        match method {
            "eth_chainId" => Ok(json!(format!("{:#x}", world.chain_id))),
            "eth_getBlockByNumber" => {
                Ok(world.block(number(&params[0]), params[1].as_bool().unwrap()))
            }
            "eth_getBalance" | "eth_getTransactionCount" | "eth_getCode" => {
                let state = state(&params[1]).ok_or_else(no_state)?;
                let account = state.account(params[0].as_str().unwrap());
                Ok(match method {
                    "eth_getBalance" => json!(format!("{:#x}", account.balance)),
                    "eth_getTransactionCount" => json!(format!("{:#x}", account.nonce)),
                    _ => json!(account.code),
                })
            }
            "eth_getStorageAt" => {
                let state = state(&params[2]).ok_or_else(no_state)?;
                let account = state.account(params[0].as_str().unwrap());
                Ok(json!(account.slot(params[1].as_str().unwrap())))
            }
            "eth_getProof" if self.proofs.load(Ordering::Relaxed) => {
                let state = state(&params[2]).ok_or_else(no_state)?;
                Ok(state.proof(params[0].as_str().unwrap()))
            }
            "debug_traceBlockByNumber" if self.traces.load(Ordering::Relaxed) => {
                assert_eq!(params[1]["tracer"], "prestateTracer");
                world.trace(number(&params[0])).ok_or_else(no_state)
            }
            _ => Err(absent()),
        }
    }
}

fn spoil(replies: &mut [Value], fault: Option<&Fault>) {
    if let Some(Fault::WrongIds) = fault {
        for reply in replies {
            reply["id"] = json!(reply["id"].as_u64().unwrap() + 100_000);
        }
    }
}
