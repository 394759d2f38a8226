//! The registry actor's behaviour.

use crate::{
    observe::{Gauge, RegionMetrics},
    region::{
        change::{RegionChange, RegionChanges},
        error::CreateError,
        handle::{Address, Handle, Kind, Name, RegionId},
        meta::{Birth, Live, Meta},
        regions::{ApplyError, Record, Reform, Regions},
        rights::{Permissions, RegionOptions},
        tier::Tiers,
        versions::BlockRegions,
    },
    registry::{Behaviour, Lease, Limbo, Publisher, ReplySender},
    state::{EntryId, Read, TxIndex},
    sync::Arc,
};

/// Destroyed regions that may wait for their leases to end. Beyond that they are dropped from the
/// registry's sight at once: their pages live as long as somebody holds them.
const LIMBO: usize = 65_536;

/// What a context learns of an id.
pub(crate) struct Looked {
    pub(crate) entry: EntryId,
    /// The metadata, or the transaction that will write it.
    pub(crate) meta: Read<Meta>,
    pub(crate) lease: Option<Lease>,
}

/// A region that the host wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) owner: Address,
    pub(crate) name: Name,
    pub(crate) size: u64,
    pub(crate) ceiling: Permissions,
    pub(crate) options: RegionOptions,
}

/// What the registry is told and asked.
pub(crate) enum Message {
    /// A context looks up metadata.
    Look { block: Arc<BlockRegions>, tx: TxIndex, id: RegionId, reply: ReplySender<Looked> },
    /// A block's changes become the table.
    Commit { changes: Box<RegionChanges>, reply: ReplySender<Result<(), ApplyError>> },
    /// The host creates a region between blocks.
    Create { wanted: Wanted, block: u64, reply: ReplySender<Result<Handle, CreateError>> },
    /// The host destroys a region between blocks; `false`: there is none.
    Destroy { handle: Handle, block: u64, reply: ReplySender<bool> },
    /// The collector takes destroyed regions that nobody can reach, having looked at that many.
    Sweep { budget: usize, reply: ReplySender<Taken> },
    /// The collector has pages in other forms.
    Reform { handle: Handle, forms: Vec<Reform>, reply: ReplySender<Reformed> },
    /// The host has seen that a region was changed; `false`: there is none.
    ClearDirty { handle: Handle, reply: ReplySender<bool> },
    /// How things stand.
    Stats { reply: ReplySender<Stats> },
    /// What no message should ever do.
    #[cfg(test)]
    Panic,
}

/// Destroyed regions that are the collector's now.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The regions.
    pub(crate) records: Vec<Arc<Record>>,
    /// How many were looked at.
    pub(crate) looked: usize,
    /// How many are left.
    pub(crate) waiting: usize,
}

/// The forms of all pages before and after some of them were changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reformed {
    pub(crate) before: Tiers,
    pub(crate) after: Tiers,
}

/// How the registry stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Regions that exist.
    pub regions: u64,
    /// Bytes of their pages, in whatever form.
    pub page_bytes: u64,
    /// The forms of their pages.
    pub tiers: Tiers,
    /// Destroyed regions that the collector has not taken: somebody may reach them.
    pub waiting: u64,
    /// Bytes of the pages of those.
    pub waiting_bytes: u64,
    /// Messages handled.
    pub requests: u64,
}

/// The one writer of the table.
pub(crate) struct Registry {
    table: Publisher<Regions>,
    current: Regions,
    limbo: Limbo<Arc<Record>>,
    metrics: Arc<RegionMetrics>,
    requests: u64,
}

impl Registry {
    pub(crate) fn new(metrics: Arc<RegionMetrics>) -> Self {
        let current = Regions::new();
        let table = Publisher::new(current.clone());
        let limbo = Limbo::new(LIMBO);
        Self { table, current, limbo, metrics, requests: 0 }
    }

    pub(crate) fn table(&self) -> crate::registry::Published<Regions> {
        self.table.published()
    }

    /// Puts another table in place of the current one.
    fn publish(&mut self, next: Regions, changed: impl Iterator<Item = RegionId>) {
        let mut waiting = 0;
        for id in changed {
            // A region that is gone, or has given its place to a successor.
            if let Some(old) = self.current.record(id)
                && old.meta().live.is_some()
                && next.find(id.at(old.meta().generation)).is_none()
            {
                // A full limbo lets go of it, which is safe: whoever reaches it keeps it.
                if self.limbo.push(old.clone(), old.leases.clone()).is_ok() {
                    waiting += old.pages().tiers().resident_bytes();
                }
            }
        }
        let (before, after) = (self.current.tiers(), next.tiers());
        let metrics = &self.metrics;
        shift(metrics.page_bytes(), before.resident_bytes(), after.resident_bytes() + waiting);
        shift(metrics.compressed_pages(), before.packed, after.packed);
        shift(metrics.spilled_pages(), before.spilled, after.spilled);
        self.current = next.clone();
        self.table.publish(next);
    }

    fn commit(&mut self, changes: &RegionChanges) -> Result<(), ApplyError> {
        let next = self.current.apply(changes)?;
        self.publish(next, changes.regions.iter().map(|change| change.id));
        self.metrics.absorb(0, &changes.usage);
        Ok(())
    }

    fn create(&mut self, wanted: Wanted, block: u64) -> Result<Handle, CreateError> {
        let Wanted { owner, name, size, ceiling, options } = wanted;
        let id = RegionId::of(Kind::Persistent, owner, Some(name));
        let Meta { generation, live } = self.current.meta(id);
        if live.is_some() {
            return Err(CreateError::RegionExists { handle: id.at(generation) });
        }
        let birth = Arc::new(Birth { owner, name: Some(name), ceiling, options });
        let live = Some(Live { birth, size, grants: Default::default() });
        let after = Meta { generation: generation + 1, live };
        self.change(RegionChange { id, after, pages: Vec::new() }, block);
        Ok(id.at(generation + 1))
    }

    fn destroy(&mut self, handle: Handle, block: u64) -> bool {
        let found = self.current.find(handle).is_some();
        if found {
            let after = Meta { generation: handle.generation(), live: None };
            self.change(RegionChange { id: handle.id(), after, pages: Vec::new() }, block);
        }
        found
    }

    fn change(&mut self, change: RegionChange, block: u64) {
        let mut next = self.current.clone();
        next.change(&change, block);
        self.publish(next, std::iter::once(change.id));
    }

    /// Gives away destroyed regions that nobody holds a lease of, nor a table with them in it.
    fn sweep(&mut self, budget: usize) -> Taken {
        let mut records = Vec::new();
        // Whoever has the only count of it alone can hand out another.
        let reached = |record: &Arc<Record>| Arc::strong_count(record) > 1;
        let swept = self.limbo.sweep_unless(budget, reached, |record| records.push(record));
        let looked = records.len() + swept.leased;
        Taken { records, looked, waiting: swept.waiting }
    }

    fn reform(&mut self, handle: Handle, forms: Vec<Reform>) -> Reformed {
        let before = self.current.tiers();
        let mut next = self.current.clone();
        if next.replace(handle, forms) > 0 {
            self.publish(next, std::iter::empty());
        }
        Reformed { before, after: self.current.tiers() }
    }

    fn clear_dirty(&mut self, handle: Handle) -> bool {
        let mut next = self.current.clone();
        let found = next.clear_dirty(handle);
        if found {
            self.publish(next, std::iter::empty());
        }
        found
    }

    fn stats(&self) -> Stats {
        Stats {
            regions: self.current.live().count() as u64,
            page_bytes: self.current.page_bytes(),
            tiers: self.current.tiers(),
            waiting: self.limbo.len() as u64,
            waiting_bytes: self.limbo.iter().map(|record| record.page_bytes()).sum(),
            requests: self.requests,
        }
    }
}

impl Behaviour for Registry {
    type Message = Message;

    fn handle(&mut self, message: Message) {
        self.requests += 1;
        self.metrics.registry_requests(0, 1);
        match message {
            Message::Look { block, tx, id, reply } => {
                if reply.is_cancelled() {
                    return;
                }
                let (entry, meta) = block.meta(tx, id);
                reply.send(Looked { entry, meta, lease: block.lease(id) });
            }
            // Whoever has stopped waiting does not need the answer.
            Message::Commit { changes, reply } => {
                reply.send(self.commit(&changes));
            }
            Message::Create { wanted, block, reply } => {
                reply.send(self.create(wanted, block));
            }
            Message::Destroy { handle, block, reply } => {
                reply.send(self.destroy(handle, block));
            }
            Message::Sweep { budget, reply } => {
                reply.send(self.sweep(budget));
            }
            Message::Reform { handle, forms, reply } => {
                reply.send(self.reform(handle, forms));
            }
            Message::ClearDirty { handle, reply } => {
                reply.send(self.clear_dirty(handle));
            }
            Message::Stats { reply } => {
                reply.send(self.stats());
            }
            #[cfg(test)]
            Message::Panic => panic!("told to"),
        }
    }
}

fn shift(gauge: &Gauge, before: u64, after: u64) {
    if after >= before {
        gauge.add(after - before);
    } else {
        gauge.sub(before - after);
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::{
        engine::{Path, SharedMemory, shared::HostError},
        native::{BlockError, Engine, SharedError, Transaction},
        region::config::SharedMemoryConfig,
        registry::{CallError, Polled},
    };

    type Tx = Transaction<u8, u64, bool, SharedError>;

    fn look(at: u64) -> Tx {
        Tx::new(async move |view| {
            let name = Name::new("any").expect("a name");
            Ok(view.regions().open(Address::from_number(at), name).await?.is_some())
        })
    }

    fn memory() -> Arc<SharedMemory> {
        let mut config = SharedMemoryConfig::production();
        config.host.registry_mailbox = 4;
        SharedMemory::new(config).expect("a configuration")
    }

    fn engine(memory: &Arc<SharedMemory>, threads: usize) -> Engine<u8, u64, bool, SharedError> {
        let engine = Engine::builder().threads(threads).path(Path::Parallel);
        engine.shared_memory(memory.clone()).build().expect("an engine")
    }

    fn execute(
        engine: &Engine<u8, u64, bool, SharedError>,
        block: &[Tx],
    ) -> Result<Vec<Result<bool, SharedError>>, BlockError> {
        engine.execute(block, std::collections::HashMap::new()).map(|outcome| outcome.results)
    }

    #[test]
    fn a_registry_that_dies_ends_the_block_with_an_error_and_the_engine_lives_on() {
        for threads in [1, 2, 4] {
            let memory = memory();
            let engine = engine(&memory, threads);
            let mut block: Vec<Tx> = (0..100).map(look).collect();
            assert_eq!(execute(&engine, &block).ok(), Some(vec![Ok(false); 100]));

            let host = memory.clone();
            block[50] = Tx::new(async move |_| {
                let _ = host.registry().try_send_reserved(Message::Panic);
                Ok(true)
            });
            let ended = execute(&engine, &block);
            // If it was the last to run, nobody was left to ask.
            if let Err(error) = &ended {
                assert!(matches!(error, BlockError::SharedMemory { .. }), "{error}");
                assert!(error.to_string().contains("registry"), "{error}");
            }
            while memory.registry().poll(1) != Polled::Dead {
                let _ = memory.registry().try_send(Message::Panic);
            }
            let ended = execute(&engine, &[look(1), look(2)]);
            assert!(matches!(ended, Err(BlockError::SharedMemory { index: 0, .. })), "{ended:?}");

            // The host hears of it; what needs no registry goes on.
            assert!(matches!(memory.stats(), Err(HostError::Registry(CallError::Stopped(_)))));
            assert!(memory.list().is_empty());
            memory.disable();
            let off = Err(SharedError::Off);
            assert_eq!(execute(&engine, &[look(1)]).ok(), Some(vec![off]));
        }
    }
}
