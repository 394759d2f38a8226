//! Sends calls: collects them into batches, bounds the requests in flight, tries again.
//!
//! ```text
//!  submit ──► queue ──► sender (one of `in_flight`) ──► request ──► each call of it:
//!               ▲                                                    answered ──► caller
//!               │                                                    failed   ──► caller
//!               └── put back, after a pause ◄────────────────────── may pass
//! ```
//!
//! A sender is a task. It waits a moment for company, takes the most urgent calls, sends them as
//! one request, and goes on until the queue is empty. While one pauses it takes nothing, so a node in
//! trouble gets fewer requests by itself; and where the node names a time to be left alone all
//! senders keep it.

use std::future::{Future, poll_fn};

use tokio::{runtime::Handle, time::sleep};

use super::{
    Fault, RpcError, RpcOptions,
    call::{Call, CallResult, Caller},
    http::Http,
    latency::Latency,
    queue::Queue,
    retry::Backoff,
    wire,
};
use crate::{
    store::Flight,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        time::{Duration, Instant},
    },
};

/// What was sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RpcStatistics {
    /// HTTP requests, those that failed included.
    pub requests: u64,
    /// Calls in them, repeated ones included.
    pub calls: u64,
    /// Calls that were sent again.
    pub repeated: u64,
}

/// The counters are for reading only, so none of them orders anything.
#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    calls: AtomicU64,
    repeated: AtomicU64,
}

/// One node.
pub(super) struct Client {
    http: Http,
    pub(super) options: RpcOptions,
    pub(super) name: String,
    pub(super) handle: Handle,
    queue: Queue,
    /// The largest batch that the node has not refused.
    batch: AtomicUsize,
    ids: AtomicU64,
    backoff: Backoff,
    pub(super) latency: Latency,
    /// Until when the node wants to be left alone.
    quiet_until: Mutex<Option<Instant>>,
    counters: Counters,
}

impl Client {
    pub(super) fn new(url: &str, options: RpcOptions, handle: Handle) -> Result<Self, RpcError> {
        let http = Http::new(url, &options)?;
        Ok(Self {
            name: http.name(),
            http,
            handle,
            queue: Queue::default(),
            batch: AtomicUsize::new(options.batch.max(1)),
            ids: AtomicU64::new(1),
            backoff: Backoff::default(),
            latency: Latency::default(),
            quiet_until: Mutex::new(None),
            counters: Counters::default(),
            options,
        })
    }

    /// Takes calls over. Their callers are told, on the runtime.
    pub(super) fn submit(self: &Arc<Self>, calls: Vec<Call>) {
        let senders = self.queue.put(calls, self.options.in_flight, self.batch());
        for _ in 0..senders {
            let sender = Sender { client: self.clone(), taker: true, counted: true };
            self.handle.spawn(sender.run());
        }
    }

    /// One call, as a future that needs no runtime.
    pub(super) fn call(
        self: &Arc<Self>,
        method: &'static str,
        params: String,
        rank: u32,
    ) -> impl Future<Output = CallResult> + Send + use<> {
        let flight = Arc::new(Flight::default());
        let caller = Waiting { flight: flight.clone(), method, node: self.name.clone() };
        self.submit(vec![Call::new(method, params, rank, Box::new(caller))]);
        async move {
            let landed = poll_fn(|context| match flight.poll(context.waker()) {
                Some(result) => std::task::Poll::Ready(result),
                None => std::task::Poll::Pending,
            });
            landed.await
        }
    }

    pub(super) fn statistics(&self) -> RpcStatistics {
        RpcStatistics {
            requests: self.counters.requests.load(Ordering::Relaxed),
            calls: self.counters.calls.load(Ordering::Relaxed),
            repeated: self.counters.repeated.load(Ordering::Relaxed),
        }
    }

    fn batch(&self) -> usize {
        // Only ever lowered, and a sender that sees an older value makes a batch that is refused.
        self.batch.load(Ordering::Relaxed)
    }

    /// Waits for company: calls that are put down at nearly the same time go as one request.
    async fn gather(&self) {
        let pause = self.options.gather.min(self.latency.get() / 16);
        // The runtime's clock ticks in milliseconds; below that the wait would be longer than meant.
        if self.batch() > 1 && pause >= Duration::from_millis(1) {
            sleep(pause).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    async fn keep_quiet(&self) {
        loop {
            let until = *self.quiet_until.lock();
            let now = Instant::now();
            match until.filter(|until| *until > now) {
                Some(until) => sleep(until - now).await,
                None => return,
            }
        }
    }

    /// Sends calls once. Those to be sent again come back, with the pause before that.
    async fn send(&self, mut calls: Vec<Call>) -> (Vec<Call>, Duration) {
        self.keep_quiet().await;
        let now = Instant::now();
        for call in &mut calls {
            call.since.get_or_insert(now);
            self.counters.repeated.fetch_add(u64::from(call.attempts > 0), Ordering::Relaxed);
            call.attempts += 1;
        }
        let count = calls.len();
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.counters.calls.fetch_add(count as u64, Ordering::Relaxed);
        let first = self.ids.fetch_add(count as u64, Ordering::Relaxed);
        let spent = calls.iter().filter_map(|call| call.since).map(|since| since.elapsed()).max();
        let left = self.options.deadline.saturating_sub(spent.unwrap_or_default());
        let timeout = self.options.request_timeout.min(left.max(Duration::from_millis(1)));
        let reply = self.http.post(wire::body(&calls, first), timeout).await;
        if reply.is_ok() {
            self.latency.note(now.elapsed());
        }
        let items = match reply {
            Ok(text) => wire::items(&text, first, count),
            Err((fault, text)) if count == 1 && !fault.may_pass() => {
                wire::error_with_status(&text, first).map(|item| vec![item]).ok_or(fault)
            }
            Err((fault, _)) => Err(fault),
        };
        match items {
            Err(fault) if count > 1 && fault.refuses_batch() => self.halve(calls, &fault),
            Err(fault) => self.settle(calls, std::iter::repeat(Err(fault))),
            Ok(items) => self.settle(calls, items.into_iter()),
        }
    }

    /// The node takes no batch of this size.
    fn halve(&self, mut calls: Vec<Call>, fault: &Fault) -> (Vec<Call>, Duration) {
        let half = calls.len() / 2;
        if self.batch.fetch_min(half, Ordering::Relaxed) > half {
            tracing::debug!(node = %self.name, %fault, batch = half, "batches are made smaller");
        }
        for call in &mut calls {
            // The refusal says nothing about the call.
            call.attempts -= 1;
        }
        (calls, Duration::ZERO)
    }

    /// Hands over what is final, and returns the rest with the longest pause that any of it needs.
    fn settle(
        &self,
        calls: Vec<Call>,
        items: impl Iterator<Item = wire::Item>,
    ) -> (Vec<Call>, Duration) {
        let mut again = Vec::new();
        let mut pause = Duration::ZERO;
        for (call, item) in calls.into_iter().zip(items) {
            let fault = match item {
                Ok(result) => {
                    call.succeed(result);
                    continue;
                }
                Err(fault) => fault,
            };
            match self.backoff.after(&call, &fault, &self.options) {
                None => call.fail(&self.name, fault),
                Some(longer) => {
                    if let Fault::Status { after: Some(after), .. } = fault {
                        self.leave_alone(after);
                    }
                    tracing::debug!(method = call.method, %fault, attempt = call.attempts, "again");
                    pause = pause.max(longer);
                    again.push(call);
                }
            }
        }
        (again, pause)
    }

    fn leave_alone(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut quiet_until = self.quiet_until.lock();
        *quiet_until = Some(quiet_until.map_or(until, |earlier| earlier.max(until)));
    }
}

/// A task that sends. Ending early, because its runtime does, it takes with it what it holds and,
/// if it is the last, what waits: that fails rather than never being answered.
struct Sender {
    client: Arc<Client>,
    /// What the queue counts it as.
    taker: bool,
    counted: bool,
}

impl Sender {
    async fn run(mut self) {
        self.client.gather().await;
        loop {
            let calls = self.client.queue.take(self.client.batch());
            self.taker = false;
            if calls.is_empty() {
                self.counted = false;
                return;
            }
            let calls: Vec<_> = calls.into_iter().filter(|call| !call.lets_go()).collect();
            if !calls.is_empty() {
                let (again, pause) = self.client.send(calls).await;
                if !pause.is_zero() {
                    sleep(pause).await;
                }
                self.client.queue.return_to_take();
                self.taker = true;
                self.client.submit(again);
            } else {
                self.client.queue.return_to_take();
                self.taker = true;
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if self.counted {
            // Dropped here, without the queue's lock.
            drop(self.client.queue.lose_sender(self.taker));
        }
    }
}

/// Leaves a call's result in a flight.
struct Waiting {
    flight: Arc<Flight<CallResult>>,
    method: &'static str,
    node: String,
}

impl Caller for Waiting {
    fn finish(self: Box<Self>, result: CallResult) {
        self.flight.land(result);
    }

    fn lets_go(&self) -> bool {
        Arc::strong_count(&self.flight) == 1
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // After a result this changes nothing: the first one stands.
        let fault = Fault::Cut("the runtime has ended".into());
        self.flight.land(Err(Box::new(super::CallError {
            node: std::mem::take(&mut self.node),
            method: self.method,
            params: "(...)".into(),
            attempts: 0,
            fault,
        })));
    }
}
