//! A call that waits for its reply, and several that make one answer.

use super::{CallError, Fault, error::shown};
use crate::sync::{Arc, Mutex, time::Instant};

/// The JSON text of a result, or why there is none.
pub(super) type CallResult = Result<Arc<str>, Box<CallError>>;

/// Takes what came of a call.
pub(super) trait Caller: Send {
    /// The call is over. Called once.
    fn finish(self: Box<Self>, result: CallResult);

    /// Asked when the call is about to be sent: whether it can be left.
    fn lets_go(&self) -> bool {
        false
    }
}

/// One call of a method. Dropping it drops the caller without a result.
pub(super) struct Call {
    /// The method.
    pub(super) method: &'static str,
    /// Its parameters, a JSON array.
    pub(super) params: String,
    /// How urgent it is: lowest first.
    pub(super) rank: u32,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// When it was first sent.
    pub(super) since: Option<Instant>,
    caller: Box<dyn Caller>,
}

impl Call {
    /// A call that has not been sent.
    pub(super) fn new(
        method: &'static str,
        params: String,
        rank: u32,
        caller: Box<dyn Caller>,
    ) -> Self {
        Self { method, params, rank, attempts: 0, since: None, caller }
    }

    /// Whether nobody wants it any more.
    pub(super) fn lets_go(&self) -> bool {
        self.caller.lets_go()
    }

    /// Hands a result over.
    pub(super) fn succeed(self, result: Arc<str>) {
        self.caller.finish(Ok(result));
    }

    /// Gives up.
    pub(super) fn fail(self, node: &str, fault: Fault) {
        let error = CallError {
            node: node.to_owned(),
            method: self.method,
            params: bracketed(&self.params),
            attempts: self.attempts,
            fault,
        };
        self.caller.finish(Err(Box::new(error)));
    }
}

/// Parameters as messages show them.
pub(super) fn bracketed(params: &str) -> String {
    let inner = params.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    format!("({})", shown(inner.unwrap_or(params)).replace('\\', ""))
}

/// Takes what came of several calls.
pub(super) trait GroupCaller: Send {
    /// All calls are over; the results are in the order of the calls.
    fn finish(self: Box<Self>, results: Vec<CallResult>);

    /// See [`Caller::lets_go`].
    fn lets_go(&self) -> bool;
}

struct Group {
    results: Vec<Option<CallResult>>,
    caller: Option<Box<dyn GroupCaller>>,
}

struct Member {
    group: Arc<Mutex<Group>>,
    place: usize,
}

/// The calls of a group. If one of them is dropped the caller is, once all are over.
pub(super) fn group(
    calls: Vec<(&'static str, String)>,
    rank: u32,
    caller: Box<dyn GroupCaller>,
) -> Vec<Call> {
    let results = calls.iter().map(|_| None).collect();
    let group = Arc::new(Mutex::new(Group { results, caller: Some(caller) }));
    let member = |(place, (method, params))| {
        Call::new(method, params, rank, Box::new(Member { group: group.clone(), place }))
    };
    calls.into_iter().enumerate().map(member).collect()
}

impl Caller for Member {
    fn finish(self: Box<Self>, result: CallResult) {
        let whole = {
            let mut group = self.group.lock();
            group.results[self.place] = Some(result);
            match group.results.iter().all(Option::is_some) {
                true => Some((std::mem::take(&mut group.results), group.caller.take())),
                false => None,
            }
        };
        if let Some((results, Some(caller))) = whole {
            caller.finish(results.into_iter().flatten().collect());
        }
    }

    fn lets_go(&self) -> bool {
        let group = self.group.lock();
        group.caller.as_ref().is_some_and(|caller| caller.lets_go())
    }
}
