//! A node: its chain, its blocks, and the states after them.

use std::future::Future;

use alloy_primitives::B256;
use tokio::runtime::Handle;

use super::{
    RpcError, RpcOptions, RpcStore,
    account::{Asked, Reply, check_number, header_hash},
    call::CallResult,
    client::{Client, RpcStatistics},
    runtime::{Home, block_on},
};
#[cfg(feature = "redb")]
use super::{
    cache::{Cache, CacheError, IfUnusable},
    cached::Scope,
};
use crate::{
    evm::input::{Field, InputError},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// A connected node. Cloning shares everything: connections, queue and cache.
///
/// Its futures need no particular runtime. Requests run on the runtime whose handle it was given,
/// which must have time and I/O enabled; without one they run on a thread of its own, which ends
/// when the node and its stores are gone. The `_blocking` methods block the calling thread: on the only
/// thread of the runtime that was given they would wait for ever.
#[derive(Clone)]
pub struct RpcNode {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) client: Arc<Client>,
    chain_id: OnceLock<u64>,
    /// Whether `eth_getProof` is still believed in.
    proofs: AtomicBool,
    #[cfg(feature = "redb")]
    cache: OnceLock<Result<Arc<Cache>, CacheError>>,
    /// Ends our own runtime, if there is one, with the node.
    _home: Home,
}

impl std::fmt::Debug for RpcNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcNode").field("node", &self.name()).finish_non_exhaustive()
    }
}

/// Where a block stands in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcHeader {
    /// The block's number.
    pub number: u64,
    /// The block's hash.
    pub hash: B256,
}

impl RpcNode {
    /// Connects to the node at an `http` or `https` address and asks for its chain. With a handle no
    /// runtime is started.
    ///
    /// # Errors
    ///
    /// A bad address, a node that does not answer, a cache that cannot be used.
    pub async fn connect(
        url: &str,
        options: RpcOptions,
        handle: Option<Handle>,
    ) -> Result<Self, RpcError> {
        let home = Home::new(handle)?;
        let proofs = options.proofs;
        let client = Arc::new(Client::new(url, options, home.handle().clone())?);
        let inner = Inner {
            client,
            chain_id: OnceLock::new(),
            proofs: AtomicBool::new(proofs),
            #[cfg(feature = "redb")]
            cache: OnceLock::new(),
            _home: home,
        };
        let node = Self { inner: Arc::new(inner) };
        #[cfg(feature = "redb")]
        node.open_cache().await?;
        let asked: Asked = ("eth_chainId", "[]".into());
        let text = node.call(asked.clone()).await?;
        let chain_id = node.reply(&asked, &text).read(|field| field.u64())?;
        // Nobody else has set it: the node is not shared yet.
        let _ = node.inner.chain_id.set(chain_id);
        Ok(node)
    }

    /// [`connect`](Self::connect), blocking.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn connect_blocking(
        url: &str,
        options: RpcOptions,
        handle: Option<Handle>,
    ) -> Result<Self, RpcError> {
        block_on(Self::connect(url, options, handle))
    }

    /// Scheme, host and port.
    pub fn name(&self) -> &str {
        &self.inner.client.name
    }

    /// The chain id.
    pub fn chain_id(&self) -> u64 {
        self.inner.chain_id.get().copied().unwrap_or_default()
    }

    /// What was sent so far.
    pub fn statistics(&self) -> RpcStatistics {
        self.inner.client.statistics()
    }

    /// The state after a block, which is where the next one starts.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or has no such block.
    pub async fn state_after(&self, number: u64) -> Result<RpcStore, RpcError> {
        let header = self.header(number).await?;
        Ok(self.state_at(header))
    }

    /// The state after a block of which number and hash are known. Nothing is asked: if the node has
    /// no such block its reads fail.
    pub fn state_at(&self, header: RpcHeader) -> RpcStore {
        RpcStore::new(self.clone(), header, self.inner.client.options.existence)
    }

    /// [`state_after`](Self::state_after), blocking.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn state_after_blocking(&self, number: u64) -> Result<RpcStore, RpcError> {
        block_on(self.state_after(number))
    }

    /// The state that a block starts from.
    ///
    /// # Errors
    ///
    /// Those of [`state_after`](Self::state_after), and [`RpcError::Genesis`] for block 0.
    pub async fn state_before(&self, number: u64) -> Result<RpcStore, RpcError> {
        self.state_after(number.checked_sub(1).ok_or(RpcError::Genesis)?).await
    }

    /// [`state_before`](Self::state_before), blocking.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn state_before_blocking(&self, number: u64) -> Result<RpcStore, RpcError> {
        block_on(self.state_before(number))
    }

    /// Number and hash of a block.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or has no such block.
    pub async fn header(&self, number: u64) -> Result<RpcHeader, RpcError> {
        let asked = asked_block(number, false);
        let text = self.call(asked.clone()).await?;
        let hash = self.block(number, &asked, &text, header_hash)?;
        Ok(RpcHeader { number, hash })
    }

    /// A block with its transactions, as the node's JSON
    /// ([`Block::from_rpc_json`](crate::evm::Block::from_rpc_json) reads it).
    ///
    /// # Errors
    ///
    /// If the node does not answer, or has no such block.
    pub async fn block_json(&self, number: u64) -> Result<Arc<str>, RpcError> {
        let asked = asked_block(number, true);
        let text = self.call(asked.clone()).await?;
        self.block(number, &asked, &text, check_number)?;
        Ok(text)
    }

    /// [`block_json`](Self::block_json), blocking.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn block_json_blocking(&self, number: u64) -> Result<Arc<str>, RpcError> {
        block_on(self.block_json(number))
    }

    /// Calls any method with parameters given as a JSON array; the result is JSON as well.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or answers with an error.
    pub async fn request(
        &self,
        method: &'static str,
        params: String,
    ) -> Result<Arc<str>, RpcError> {
        Ok(self.call((method, params)).await?)
    }

    /// [`request`](Self::request), blocking.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn request_blocking(
        &self,
        method: &'static str,
        params: String,
    ) -> Result<Arc<str>, RpcError> {
        block_on(self.request(method, params))
    }

    /// Reads a block, unless the node says that there is none.
    fn block<T>(
        &self,
        number: u64,
        asked: &Asked,
        text: &str,
        read: impl FnOnce(&Field<'_>, u64) -> Result<T, InputError>,
    ) -> Result<T, RpcError> {
        if text == "null" {
            return Err(RpcError::NoBlock { node: self.name().to_owned(), number });
        }
        Ok(self.reply(asked, text).read(|block| read(block, number))?)
    }

    fn reply<'a>(&'a self, asked: &'a Asked, text: &'a str) -> Reply<'a> {
        Reply { asked, node: self.name(), text }
    }

    fn call(&self, (method, params): Asked) -> impl Future<Output = CallResult> + Send + use<> {
        self.inner.client.call(method, params, 0)
    }
}

/// What the store needs of its node.
impl RpcNode {
    #[cfg(feature = "redb")]
    pub(super) fn scope(&self, header: RpcHeader) -> Scope {
        Scope { chain_id: self.chain_id(), number: header.number, hash: header.hash }
    }

    pub(super) fn uses_proofs(&self) -> bool {
        // What it decides is which calls are made, and either answers: no ordering is needed.
        self.inner.proofs.load(Ordering::Relaxed)
    }

    pub(super) fn doubt_proofs(&self, why: &super::CallError) {
        if self.inner.proofs.swap(false, Ordering::Relaxed) {
            tracing::warn!(%why, "the node gives no proofs: accounts cost a call more, and all are taken to have no storage where that is asked");
        }
    }

    #[cfg(feature = "redb")]
    pub(super) fn handle(&self) -> &Handle {
        &self.inner.client.handle
    }
}

#[cfg(feature = "redb")]
impl RpcNode {
    /// Why the cache is not used, if one was asked for and its faults are ignored.
    pub fn cache_trouble(&self) -> Option<&CacheError> {
        self.inner.cache.get()?.as_ref().err()
    }

    /// Writes answers that are yet to be written into the cache, and blocks until they are on disk.
    /// This happens by itself every few hundred answers, and when the node and all its stores are gone.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn flush_cache(&self) -> Result<(), RpcError> {
        match self.cache() {
            Some(cache) => Ok(cache.flush()?),
            None => Ok(()),
        }
    }

    pub(super) fn cache(&self) -> Option<&Arc<Cache>> {
        self.inner.cache.get()?.as_ref().ok()
    }

    async fn open_cache(&self) -> Result<(), RpcError> {
        let Some(options) = self.inner.client.options.cache.clone() else { return Ok(()) };
        let path = options.path.clone();
        let opened = self.handle().spawn_blocking(move || Cache::open(&path)).await;
        let opened = opened.map_err(|error| RpcError::Setup { reason: error.to_string() })?;
        match opened {
            Err(error) if options.if_unusable == IfUnusable::Refuse => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "answers are not kept");
                let _ = self.inner.cache.set(Err(error));
            }
            Ok(cache) => {
                let _ = self.inner.cache.set(Ok(Arc::new(cache)));
            }
        }
        Ok(())
    }
}

fn asked_block(number: u64, transactions: bool) -> Asked {
    ("eth_getBlockByNumber", format!(r#"["{number:#x}",{transactions}]"#))
}
