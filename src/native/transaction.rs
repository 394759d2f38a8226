//! A transaction: an async closure, and what is known of it beforehand.

use std::{future::Future, pin::Pin};

use super::{Key, Value, View};
use crate::{
    region::{Address, sidecar::Sidecar},
    sync::Arc,
};

/// A started closure. It stays on the worker that started it, so it need not be `Send`.
pub(crate) type Running<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

type Body<K, V, T, E> = dyn Fn(View<K, V>) -> Running<T, E> + Send + Sync;

/// One transaction of a block. Clones share the closure.
pub struct Transaction<K, V, T, E> {
    body: Arc<Body<K, V, T, E>>,
    write_hints: Arc<[K]>,
    actor: Address,
    sidecars: Arc<[Arc<Sidecar>]>,
}

impl<K, V, T, E> Clone for Transaction<K, V, T, E> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            write_hints: self.write_hints.clone(),
            actor: self.actor,
            sidecars: self.sidecars.clone(),
        }
    }
}

impl<K, V, T, E> std::fmt::Debug for Transaction<K, V, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hints = self.write_hints.len();
        f.debug_struct("Transaction").field("write_hints", &hints).finish_non_exhaustive()
    }
}

impl<K: Key, V: Value, T: 'static, E: 'static> Transaction<K, V, T, E> {
    /// A transaction that runs `body`. An `Err` takes back everything it wrote.
    ///
    /// The closure may run several times, until a run has seen exactly what the transactions before
    /// it left; only that run counts. So it must be a function of what it reads through its
    /// [`View`], and its other effects must bear repetition. It may await anything else that wakes
    /// its waker, such as a channel or a timer, but not what another transaction of the block does.
    ///
    /// A run that turns out to be in vain is dropped at its next await. A loop that neither awaits
    /// nor ends cannot be stopped, and keeps its worker and the block for ever.
    pub fn new<F>(body: F) -> Self
    where
        F: AsyncFn(View<K, V>) -> Result<T, E> + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        Self {
            body: Arc::new(move |view| {
                let body = body.clone();
                Box::pin(async move { body(view).await })
            }),
            write_hints: Arc::new([]),
            actor: Address::default(),
            sidecars: Arc::new([]),
        }
    }

    /// Names locations that the transaction will probably write: later ones that read them wait for
    /// it instead of running on the old value and again. A wrong hint costs time, nothing else.
    #[must_use]
    pub fn with_write_hints(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.write_hints = keys.into_iter().collect();
        self
    }

    /// Whose address the transaction acts with on regions of shared memory: what it creates belongs
    /// to it. Without one it is the address of zeros.
    #[must_use]
    pub fn acting_as(mut self, actor: Address) -> Self {
        self.actor = actor;
        self
    }

    /// Attaches read-only data, which the transaction maps by its handle
    /// ([`SharedMemory::attach`](crate::engine::SharedMemory::attach)).
    #[must_use]
    pub fn with_sidecars(mut self, sidecars: impl IntoIterator<Item = Arc<Sidecar>>) -> Self {
        self.sidecars = sidecars.into_iter().collect();
        self
    }

    pub(crate) fn actor(&self) -> Address {
        self.actor
    }

    pub(crate) fn sidecars(&self) -> &Arc<[Arc<Sidecar>]> {
        &self.sidecars
    }

    pub(crate) fn write_hints(&self) -> &[K] {
        &self.write_hints
    }

    /// Starts the closure. Nothing of it runs before the first poll.
    pub(crate) fn start(&self, view: View<K, V>) -> Running<T, E> {
        (self.body)(view)
    }
}
