//! The text of requests, and what a reply's text says about each of its calls.
//!
//! Calls are matched to replies by their ids and nothing else: nodes may answer a batch in any
//! order, and the reply to another request must not pass for an answer.

use std::fmt::Write;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Fault, call::Call, error::shown};
use crate::sync::Arc;

/// Codes by which nodes and their providers say that the limit of requests is reached.
const LIMIT_CODES: [i64; 2] = [-32005, 429];

/// What the reply says about one call.
pub(super) type Item = Result<Arc<str>, Fault>;

/// The body of a request: one call alone, or several as a batch, with ids from `first` on.
pub(super) fn body(calls: &[Call], first: u64) -> String {
    let mut body = String::with_capacity(160 * calls.len());
    let batch = calls.len() > 1;
    for (id, call) in (first..).zip(calls) {
        body.push(if id == first && batch { '[' } else { ',' });
        let (method, params) = (call.method, &call.params);
        // Writing to a string cannot fail.
        let _ =
            write!(body, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
    }
    match batch {
        true => body.push(']'),
        // The comma that the only call began with.
        false => drop(body.remove(0)),
    }
    body
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<NodeError>,
}

#[derive(Deserialize)]
struct NodeError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Tells a value of null from none at all.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Reply<'_> {
    fn item(&self, text: &[u8]) -> Item {
        match (&self.error, self.result) {
            (Some(error), _) => Err(error.fault()),
            (None, Some(result)) => Ok(result.get().into()),
            (None, None) => Err(unusable(text, "neither result nor error in it")),
        }
    }
}

impl NodeError {
    fn fault(&self) -> Fault {
        let message = shown(&self.message);
        match LIMIT_CODES.contains(&self.code) {
            true => Fault::Limited { code: self.code, message },
            false => Fault::Node { code: self.code, message },
        }
    }
}

fn unusable(text: &[u8], reason: impl Into<String>) -> Fault {
    let text = String::from_utf8_lossy(text);
    let text = if text.is_empty() { "empty".to_owned() } else { shown(&text) };
    Fault::Reply { text, reason: reason.into() }
}

/// What the reply to calls with `count` ids from `first` on says about each. The error: what it says
/// about all of them.
pub(super) fn items(text: &[u8], first: u64, count: usize) -> Result<Vec<Item>, Fault> {
    let start = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match (start, count) {
        (Some(b'['), 2..) => batch_items(text, first, count),
        (Some(b'['), _) => Err(unusable(text, "a batch in answer to a single call")),
        (_, 1) => single_item(text, first).map(|item| vec![item]),
        _ => Err(instead_of_batch(text)),
    }
}

fn single_item(text: &[u8], id: u64) -> Result<Item, Fault> {
    let reply = parsed::<Reply<'_>>(text)?;
    match reply.id.map(RawValue::get) {
        Some(given) if given == id.to_string() => Ok(reply.item(text)),
        // A node that could not read the request does not know its id.
        None | Some("null") if reply.error.is_some() => Ok(reply.item(text)),
        given => Err(unusable(text, wrong_id(given, id))),
    }
}

fn wrong_id(given: Option<&str>, id: u64) -> String {
    format!("its id is {} instead of {id}", given.map_or("missing".to_owned(), shown))
}

fn batch_items(text: &[u8], first: u64, count: usize) -> Result<Vec<Item>, Fault> {
    let replies = parsed::<Vec<&RawValue>>(text)?;
    let mut items: Vec<Option<Item>> = (0..count).map(|_| None).collect();
    let mut stray = None;
    for raw in replies {
        let text = raw.get().as_bytes();
        let place = parsed::<Reply<'_>>(text).and_then(|reply| {
            let given = reply.id.map(RawValue::get);
            let id = given.and_then(|id| id.parse::<u64>().ok());
            let place = id.and_then(|id| id.checked_sub(first)).map(|place| place as usize);
            match place.filter(|place| *place < count) {
                Some(place) => Ok((place, reply.item(text))),
                None => {
                    let given = given.map_or("missing".to_owned(), shown);
                    Err(unusable(text, format!("its id is {given}, which no call has")))
                }
            }
        });
        match place {
            Ok((place, _)) if items[place].is_some() => {
                let twice = format!("the id {} is answered twice", first + place as u64);
                items[place] = Some(Err(unusable(text, twice)));
            }
            Ok((place, item)) => items[place] = Some(item),
            Err(fault) => stray = Some(fault),
        }
    }
    // Where ids are mixed up, what is missing may be what strayed: asking again would hide that.
    let missing = |id| stray.clone().unwrap_or(Fault::Missing { id });
    Ok((first..).zip(items).map(|(id, item)| item.unwrap_or_else(|| Err(missing(id)))).collect())
}

/// A node that does not take the batch answers with one object, or with something else entirely.
fn instead_of_batch(text: &[u8]) -> Fault {
    match parsed::<Reply<'_>>(text) {
        Err(fault) => fault,
        Ok(Reply { error: Some(error), .. }) => error.fault(),
        Ok(_) => unusable(text, "a single result in answer to a batch"),
    }
}

/// The error in a reply that came with a status of failure, if it is one to a single call.
pub(super) fn error_with_status(text: &[u8], id: u64) -> Option<Item> {
    single_item(text, id).ok().filter(Result::is_err)
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|error| unusable(text, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rpc::call::{CallResult, Caller};

    struct Nobody;

    impl Caller for Nobody {
        fn finish(self: Box<Self>, _: CallResult) {}
    }

    fn call(method: &'static str) -> Call {
        Call::new(method, "[1]".to_owned(), 0, Box::new(Nobody))
    }

    fn says(text: &str, count: usize) -> String {
        match items(text.as_bytes(), 7, count) {
            Err(fault) => format!("all: {fault}"),
            Ok(items) => {
                let items = items.into_iter().map(|item| match item {
                    Ok(text) => text.to_string(),
                    Err(fault) => fault.to_string(),
                });
                items.collect::<Vec<_>>().join(" | ")
            }
        }
    }

    #[test]
    fn one_call_is_an_object_and_several_are_an_array() {
        let one = r#"{"jsonrpc":"2.0","id":7,"method":"a","params":[1]}"#;
        assert_eq!(body(&[call("a")], 7), one);
        let other = r#"{"jsonrpc":"2.0","id":8,"method":"b","params":[1]}"#;
        assert_eq!(body(&[call("a"), call("b")], 7), format!("[{one},{other}]"));
    }

    #[test]
    fn a_batch_is_matched_by_id_in_any_order_and_each_item_stands_alone() {
        let text = r#" [{"id":9,"error":{"code":-32005,"message":"slow\ndown"}},
            {"id":7,"result":"0x1"}, {"id":8,"result":null}, {"id":10}]"#;
        let said = says(text, 4);
        assert!(said.starts_with(r#""0x1" | null | the node's limit is reached: error -32005"#));
        assert!(
            said.contains("slow\\ndown | ") && said.ends_with("neither result nor error in it")
        );
    }

    #[test]
    fn what_a_batch_lacks_is_missing_unless_ids_are_mixed_up() {
        assert_eq!(
            says(r#"[{"id":8,"result":1}]"#, 2),
            "the batch's reply has no item with id 7 | 1"
        );
        let stray = says(r#"[{"id":8,"result":1},{"id":99,"result":2}]"#, 2);
        assert!(stray.contains("its id is 99, which no call has") && stray.ends_with("| 1"));
        let twice = says(r#"[{"id":8,"result":1},{"id":8,"result":2}]"#, 2);
        assert!(twice.ends_with("the id 8 is answered twice"), "{twice}");
    }

    #[test]
    fn a_single_reply_has_the_calls_id_or_is_an_error_without_one() {
        assert_eq!(says(r#"{"id":7,"result":"x"}"#, 1), "\"x\"");
        assert!(
            says(r#"{"id":"7","result":"x"}"#, 1).ends_with("its id is \\\"7\\\" instead of 7")
        );
        assert!(says(r#"{"result":"x"}"#, 1).ends_with("its id is missing instead of 7"));
        let error = r#"{"id":null,"error":{"code":-32700,"message":"what?"}}"#;
        assert_eq!(says(error, 1), "error -32700: what?");
        assert_eq!(says(error, 2), "all: error -32700: what?");
    }

    #[test]
    fn what_is_no_reply_is_shown_cut() {
        for (text, count) in [("", 1), ("<html>", 2), ("[1", 2), ("[]", 1), ("{}", 2), ("7", 1)] {
            let said = says(text, count);
            assert!(said.starts_with("all: the reply is "), "{text}: {said}");
        }
        let said = says(&"x".repeat(10_000), 1);
        assert!(said.contains("... (10000 bytes)") && said.len() < 300, "{said}");
    }
}
