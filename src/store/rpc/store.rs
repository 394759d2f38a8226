//! The state after one block of a node, as a store.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;
use tokio::runtime::Handle;

use super::{
    Existence, Pin, RpcError, RpcHeader, RpcNode, RpcOptions,
    account::{Found, Lost, Plan},
    call::{CallResult, GroupCaller, group},
    runtime::block_on,
    waiting::{Waiting, Wanted},
};
use crate::{
    store::{Answer, Query, Read, StateStore, StoreError},
    sync::{Arc, time::Duration},
};

/// The state after one block of a node. What it has answered once it has at hand from then on.
#[derive(Clone)]
pub struct RpcStore {
    inner: Arc<Open>,
}

impl std::fmt::Debug for RpcStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcStore")
            .field("node", &self.node().name())
            .field("at", &self.inner.0.at)
            .finish_non_exhaustive()
    }
}

/// Held by those who may still ask; when the last of them goes, what is in flight is not wanted.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.waiting.close();
    }
}

struct Shared {
    node: RpcNode,
    at: RpcHeader,
    /// The block as calls name it, a JSON value.
    tag: String,
    existence: Existence,
    waiting: Waiting,
}

impl RpcStore {
    /// Connects to a node for the state after block `at`; executing block N needs the state after
    /// block N - 1. To use several blocks' states over the same connections, connect a [`RpcNode`].
    ///
    /// # Errors
    ///
    /// See [`RpcNode::connect`] and [`RpcNode::state_after`].
    pub async fn connect(
        url: &str,
        at: u64,
        options: RpcOptions,
        handle: Option<Handle>,
    ) -> Result<Self, RpcError> {
        RpcNode::connect(url, options, handle).await?.state_after(at).await
    }

    /// [`connect`](Self::connect), blocking. Not for the only thread of the runtime that is given.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn connect_blocking(
        url: &str,
        at: u64,
        options: RpcOptions,
        handle: Option<Handle>,
    ) -> Result<Self, RpcError> {
        block_on(Self::connect(url, at, options, handle))
    }

    pub(super) fn new(node: RpcNode, at: RpcHeader, existence: Existence) -> Self {
        let tag = match node.inner.client.options.pin {
            Pin::Number => format!(r#""{:#x}""#, at.number),
            Pin::Hash => format!(r#"{{"blockHash":"{}"}}"#, at.hash),
        };
        let shared = Shared { node, at, tag, existence, waiting: Waiting::default() };
        shared.waiting.learn(Query::BlockHash(at.number), Answer::BlockHash(at.hash));
        Self { inner: Arc::new(Open(Arc::new(shared))) }
    }

    /// The same state under another rule of existence. Nothing of it is at hand yet, and it makes no
    /// use of a cache, in which the rule is not written, unless the rule is the ordinary one.
    #[must_use]
    pub fn with_existence(&self, existence: Existence) -> Self {
        Self::new(self.node().clone(), self.at(), existence)
    }

    /// The node.
    pub fn node(&self) -> &RpcNode {
        &self.inner.0.node
    }

    /// The block whose changes are the last in this state.
    pub fn at(&self) -> RpcHeader {
        self.inner.0.at
    }
}

impl StateStore for RpcStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        let query = Query::Account(address);
        self.inner.0.waiting.known(query).map(|answer| answer.into_account(query))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let query = Query::Slot(address, slot);
        self.inner.0.waiting.known(query).map(|answer| answer.into_slot(query))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        let query = Query::HasStorage(address);
        self.inner.0.waiting.known(query).map(|answer| answer.into_has_storage(query))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        if number > self.at().number {
            return Some(Err(StoreError::BlockHash { number }));
        }
        let query = Query::BlockHash(number);
        self.inner.0.waiting.known(query).map(|answer| answer.into_block_hash(query))
    }

    fn fetch(&self, mut reads: Vec<Read>) {
        reads.retain(Read::is_wanted);
        let wanted = self.inner.0.waiting.want(reads);
        self.inner.0.look_up(wanted);
    }

    fn latency(&self) -> Option<Duration> {
        Some(self.node().inner.client.latency.get())
    }

    fn prefetch(&self, queries: &[Query]) {
        let wanted = self.inner.0.waiting.want_some_time(queries);
        self.inner.0.look_up(wanted);
    }
}

impl Shared {
    /// Looks in the cache's file, if there is one, and asks the node for the rest.
    fn look_up(self: &Arc<Self>, wanted: Vec<Wanted>) {
        if wanted.is_empty() {
            return;
        }
        #[cfg(feature = "redb")]
        if let Some(cache) = self.cache() {
            let looked_up = LookedUp { shared: self.clone(), wanted: Some(wanted) };
            let cache = cache.clone();
            self.node.handle().spawn_blocking(move || looked_up.in_file(&cache));
            return;
        }
        self.ask(wanted);
    }

    /// Under another rule of existence answers differ from those in the file.
    #[cfg(feature = "redb")]
    fn cache(&self) -> Option<&Arc<super::cache::Cache>> {
        self.node.cache().filter(|_| self.existence == Existence::NotEmpty)
    }

    fn ask(self: &Arc<Self>, wanted: Vec<Wanted>) {
        let mut calls = Vec::new();
        for wanted in wanted {
            let plan = Plan::new(wanted.query, &self.tag, self.node.uses_proofs());
            let asked = plan.calls.clone();
            let landing = Landing { shared: self.clone(), plan, wanted, landed: false };
            if asked.is_empty() {
                Box::new(landing).finish(Vec::new());
            } else {
                calls.extend(group(asked, wanted.rank, Box::new(landing)));
            }
        }
        if !calls.is_empty() {
            self.node.inner.client.submit(calls);
        }
    }

    fn learn(&self, query: Query, answer: Answer) {
        #[cfg(feature = "redb")]
        if let Some(cache) = self.cache()
            && cache.put(&self.node.scope(self.at), query, &answer)
        {
            let cache = cache.clone();
            self.node.handle().spawn_blocking(move || {
                if let Err(error) = cache.flush() {
                    tracing::warn!(%error, "answers are not kept");
                }
            });
        }
        self.waiting.settle(query, Ok(answer));
    }
}

/// Queries on their way through the file. If the runtime ends before they are looked up they fail.
#[cfg(feature = "redb")]
struct LookedUp {
    shared: Arc<Shared>,
    wanted: Option<Vec<Wanted>>,
}

#[cfg(feature = "redb")]
impl LookedUp {
    fn in_file(mut self, cache: &super::cache::Cache) {
        let Some(wanted) = self.wanted.take() else { return };
        let queries: Vec<_> = wanted.iter().map(|wanted| wanted.query).collect();
        let shared = &self.shared;
        let options = &shared.node.inner.client.options;
        let refuses = options
            .cache
            .as_ref()
            .is_some_and(|options| options.if_unusable == super::IfUnusable::Refuse);
        let answers = match cache.get(&shared.node.scope(shared.at), &queries) {
            Ok(answers) => answers,
            Err(error) if refuses => {
                for query in queries {
                    shared.waiting.settle(query, Err(StoreError::failed(query, error.to_string())));
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the node is asked instead");
                vec![None; queries.len()]
            }
        };
        let mut missing = Vec::new();
        for (wanted, answer) in wanted.into_iter().zip(answers) {
            match answer {
                Some(answer) => shared.waiting.settle(wanted.query, Ok(answer)),
                None => missing.push(wanted),
            }
        }
        shared.ask(missing);
    }
}

#[cfg(feature = "redb")]
impl Drop for LookedUp {
    fn drop(&mut self) {
        for wanted in self.wanted.take().into_iter().flatten() {
            self.shared.waiting.lose(wanted);
        }
    }
}

/// Where the results of a query's calls arrive.
struct Landing {
    shared: Arc<Shared>,
    plan: Plan,
    wanted: Wanted,
    landed: bool,
}

impl GroupCaller for Landing {
    fn finish(mut self: Box<Self>, results: Vec<CallResult>) {
        self.landed = true;
        let node = &self.shared.node;
        let query = self.plan.query;
        match self.plan.read(node.name(), results, self.shared.existence) {
            Ok(Found { answer, besides }) => {
                if let Some((query, answer)) = besides {
                    self.shared.learn(query, answer);
                }
                self.shared.learn(query, answer);
            }
            Err(Lost::NoProofs(error)) => {
                node.doubt_proofs(&error);
                self.shared.ask(vec![self.wanted]);
            }
            Err(Lost::Failed(error)) => {
                let error = StoreError::failed(query, error.to_string());
                self.shared.waiting.settle(query, Err(error));
            }
        }
    }

    fn lets_go(&self) -> bool {
        self.shared.waiting.lets_go(self.wanted)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // The runtime has ended, or the query was let go.
        if !self.landed {
            self.shared.waiting.lose(self.wanted);
        }
    }
}
