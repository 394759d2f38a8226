//! What a transaction's session asks of the world outside of it.

use super::{
    content::PageKey,
    handle::{Handle, RegionId},
    meta::Meta,
    page::Page,
    sidecar::Sidecar,
};
use crate::{pool::Pools, registry::Lease, state::EntryId, sync::Arc};

/// Why the world gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// It will: the context is woken, and asks again.
    Wait,
    /// It will not: the incarnation has to stop, and the world knows why.
    Stop,
}

/// A value with the versioned location that it comes from, where there is one.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The location, for the read set.
    pub entry: Option<EntryId>,
    /// What it holds for this transaction.
    pub value: T,
}

/// The effects of all transactions before this one, as far as regions go.
pub trait World {
    /// The metadata behind an id. Answered by the registry in a parallel run. What keeps the region
    /// alive while it is mapped comes with it.
    ///
    /// # Errors
    ///
    /// [`Interrupt`].
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt>;

    /// A page of a persistent region, `None` if it is not present.
    ///
    /// # Errors
    ///
    /// [`Interrupt`].
    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt>;

    /// A sidecar of the transaction or its block.
    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>>;

    /// The host's pools, in which the transaction's pool blocks are reserved. Nothing that a
    /// contract could see depends on them.
    fn pools(&self) -> Option<&Arc<Pools>> {
        None
    }
}
