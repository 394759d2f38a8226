//! A node on the loopback: a real HTTP/1.1 server that answers JSON-RPC from block directories, well or
//! in one of many bad ways.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the server: what it serves, how it misbehaves, what it saw |
//! | `connection` | HTTP: requests, replies, and the faults of the transport |
//! | `answer` | JSON-RPC: batches, methods, and the faults of the protocol |
//! | `world` | blocks and the states before them |

// Each test binary uses what it needs of this module.
#![allow(dead_code)]
// It is the other side of the wire; no protocol of the crate is at stake in it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod answer;
mod connection;
mod world;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

pub(crate) use world::World;

/// A way to answer a request badly.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection is closed as soon as it is there.
    CloseAtAccept,
    /// Half of the reply, then the end.
    CloseMidReply,
    /// Nothing at all, then the end.
    CloseBeforeReply,
    /// The reply comes late.
    Slow(Duration),
    /// A status, with a `Retry-After` and a text.
    Status(u16, Option<&'static str>, &'static str),
    /// A text in place of the reply.
    Text(&'static str),
    /// Spaces before the reply.
    Oversized(usize),
    /// Every id is another.
    WrongIds,
    /// A batch's reply lacks its last item.
    MissingItem,
    /// A batch's reply is in the opposite order.
    Reversed,
}

/// Whether batches are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batches {
    /// Of any size.
    Taken,
    /// Up to a size, beyond it an error object.
    UpTo(usize),
    /// None: status 400 and a text.
    Refused,
}

/// What the server does with a single call in place of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    /// This result.
    Result(Value),
    /// This error.
    Error(i64, &'static str),
}

/// A rule for calls: method, part of the parameters' text, what to do, how often.
struct Rule {
    method: &'static str,
    params: String,
    instead: Instead,
    times: usize,
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) largest_batch: usize,
    /// The most requests that were answered at a time.
    pub(crate) most_at_once: usize,
    at_once: usize,
    pub(crate) methods: BTreeMap<String, usize>,
    /// Every call with its parameters, in order.
    pub(crate) calls: Vec<String>,
}

impl Seen {
    pub(crate) fn calls_of(&self, method: &str) -> usize {
        self.methods.get(method).copied().unwrap_or_default()
    }
}

struct Shared {
    world: World,
    faults: Mutex<Vec<(Fault, usize)>>,
    rules: Mutex<Vec<Rule>>,
    batches: Mutex<Batches>,
    delay: Mutex<Duration>,
    proofs: AtomicBool,
    traces: AtomicBool,
    seen: Mutex<Seen>,
    ended: AtomicBool,
}

/// A server that ends when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves what is in `world`.
    pub(crate) fn new(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            world,
            faults: Mutex::default(),
            rules: Mutex::default(),
            batches: Mutex::new(Batches::Taken),
            delay: Mutex::default(),
            proofs: AtomicBool::new(true),
            traces: AtomicBool::new(false),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next so many requests, or connections, meet the fault.
    pub(crate) fn fault(&self, fault: Fault, times: usize) {
        self.shared.faults.lock().unwrap().push((fault, times));
    }

    /// The faults that were not met yet are not met any more.
    pub(crate) fn clear_faults(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// The next so many calls of a method whose parameters contain `params` get something else.
    pub(crate) fn instead(
        &self,
        method: &'static str,
        params: &str,
        instead: Instead,
        times: usize,
    ) {
        let params = params.to_owned();
        self.shared.rules.lock().unwrap().push(Rule { method, params, instead, times });
    }

    pub(crate) fn set_batches(&self, batches: Batches) {
        *self.shared.batches.lock().unwrap() = batches;
    }

    /// Every reply takes so long.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    pub(crate) fn set_proofs(&self, proofs: bool) {
        self.shared.proofs.store(proofs, Ordering::Relaxed);
    }

    pub(crate) fn set_traces(&self, traces: bool) {
        self.shared.traces.store(traces, Ordering::Relaxed);
    }

    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets what was seen.
    pub(crate) fn reset(&self) {
        let mut seen = self.shared.seen.lock().unwrap();
        // Requests that are being answered end later.
        *seen = Seen { at_once: seen.at_once, ..Seen::default() };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// The address of a port where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
