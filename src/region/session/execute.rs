//! Operations on regions as a whole, decided already.

use std::collections::BTreeSet;

use super::{
    super::{
        handle::{Handle, Kind, RegionId},
        meta::Live,
        operation::Output,
        page_map::PageMap,
        rights::MapOptions,
    },
    Session,
    frame::{Frame, Mapping, Snapshot},
    journal::Undo,
    local::{Local, Name, RegionNumber},
    plan::{Life, Map, Place, Plan, Step},
};
use crate::pool::Class;

impl Session {
    /// Carries out a plan. For reads, writes and code there are [`Session::read`],
    /// [`Session::write`] and [`Session::code`], which move the bytes; here they move none.
    pub fn execute(&mut self, plan: Plan) -> Output {
        self.begin(&plan);
        match plan.step {
            Step::Alloc { class, live } => Output::Handle(Some(self.alloc(class, *live))),
            Step::Create { life, live } => Output::Handle(Some(self.create(*life, *live))),
            Step::Open { handle } => Output::Handle(handle),
            Step::Map(map) => Output::Mapping(self.map(*map)),
            Step::Unmap { place } => {
                self.unmap(place);
                Output::Done
            }
            Step::Publish { place } => {
                self.publish(place);
                Output::Done
            }
            Step::Copy { place, ends, grow } => {
                let (destination, source) = *ends;
                self.copy(place, destination, source, plan.bytes, grow);
                Output::Done
            }
            Step::Grow { region, size } => {
                self.grow(region, size);
                Output::Done
            }
            Step::Grant { region, address, permissions } => {
                if let Some(live) = &mut self.regions[region].live {
                    let before = live.granted(address);
                    live.grant(address, permissions);
                    self.enter(Undo::Grant { region, address, before });
                }
                Output::Done
            }
            Step::Destroy { region } => {
                self.destroy(region);
                Output::Done
            }
            Step::Info { size, permissions } => {
                Output::Info { size, permissions: permissions.bits() }
            }
            Step::Read { .. } | Step::Write { .. } | Step::Code { .. } => Output::Bytes(0),
        }
    }

    /// What every operation that comes about does first.
    #[inline]
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.usage.record(plan.kind, &Ok::<(), ()>(()));
        self.usage.gas += plan.gas;
        if let Some(id) = &plan.warm {
            self.warm_up(**id);
        }
        if plan.words > 0 {
            self.enter(Undo::Memory { words: self.words });
            self.words += plan.words;
        }
    }

    fn warm_up(&mut self, id: RegionId) {
        if self.warm.insert(id) {
            self.enter(Undo::Warm(id));
        }
    }

    fn add(&mut self, local: Local) -> RegionNumber {
        self.created += u32::from(local.class.is_none());
        self.regions.push(local);
        self.regions.len() - 1
    }

    /// Adds a region of the transaction's own.
    fn add_own(&mut self, id: RegionId, live: Live, class: Option<Class>) -> Handle {
        self.ordinal += 1;
        let handle = id.at(self.ordinal);
        let local = Local { class, ..Local::new(handle, Kind::Transaction, live) };
        let region = self.add(local);
        self.handles.insert(handle, region);
        self.enter(Undo::Created { region, handle: Some(handle) });
        self.warm_up(id);
        handle
    }

    fn alloc(&mut self, class: Class, live: Live) -> Handle {
        let before = self.blocks.set(class, self.blocks.count(class) + 1);
        self.enter(Undo::Block { class, before });
        let id = RegionId::of(Kind::Transaction, live.birth.owner, None);
        self.add_own(id, live, Some(class))
    }

    fn create(&mut self, life: Life, live: Live) -> Handle {
        match life {
            Life::Transaction { id } => {
                let handle = self.add_own(id, live, None);
                let before = self.own_names.insert(id, handle);
                self.enter(Undo::OwnName { id, before });
                handle
            }
            Life::Persistent { id, generation } => {
                let handle = id.at(generation);
                let region = self.add(Local::new(handle, Kind::Persistent, live));
                self.enter(Undo::Created { region, handle: None });
                if let Some(name) = self.names.get_mut(&id) {
                    let undo =
                        Undo::Name { id, generation: name.generation, current: name.current };
                    name.generation = generation;
                    name.current = Some(region);
                    self.enter(undo);
                }
                handle
            }
        }
    }

    fn map(&mut self, map: Map) -> u64 {
        let Map { frame, region, options, rights, start, len } = map;
        let local = &mut self.regions[region];
        local.mappings += 1;
        let snapshot = options.contains(MapOptions::COPY_ON_WRITE).then(|| {
            let (pages, size) = (local.pages.clone(), local.size());
            Box::new(Snapshot {
                pages,
                size,
                private: PageMap::new(),
                unpublished: BTreeSet::new(),
            })
        });
        let Frame { mappings, windows, .. } = &mut self.frames[frame];
        let mapping = Mapping { region, options, rights, start, len, snapshot, live: true };
        windows.insert(mapping.window(), mappings.len());
        mappings.push(mapping);
        let ordinal = mappings.len() as u64;
        self.enter(Undo::Mapped { frame });
        ordinal
    }

    fn unmap(&mut self, place: Place) {
        let Place { frame, at } = place;
        let Frame { mappings, windows, .. } = &mut self.frames[frame];
        let mapping = &mut mappings[at];
        mapping.live = false;
        windows.remove(&mapping.window());
        self.regions[mapping.region].mappings -= 1;
        if self.marks.is_empty() {
            // Nothing can bring the mapping back, so its private pages need not stay.
            mapping.snapshot = None;
        }
        self.enter(Undo::Unmapped { frame, at });
    }

    pub(super) fn grow(&mut self, region: RegionNumber, size: u64) {
        if let Some(live) = &mut self.regions[region].live {
            let before = std::mem::replace(&mut live.size, size);
            self.enter(Undo::Size { region, before });
        }
    }

    fn destroy(&mut self, region: RegionNumber) {
        let local = &mut self.regions[region];
        let (handle, class) = (local.handle, local.class);
        let Some(live) = local.live.take() else { return };
        self.enter(Undo::Destroyed { region, live: Box::new(live) });
        if let Some(class) = class {
            let before = self.blocks.set(class, self.blocks.count(class).saturating_sub(1));
            self.enter(Undo::Block { class, before });
        }
        let id = handle.id();
        if let Some(name) = self.names.get_mut(&id).filter(|name| name.current == Some(region)) {
            let Name { generation, current, .. } = *name;
            name.current = None;
            self.enter(Undo::Name { id, generation, current });
        }
    }
}
