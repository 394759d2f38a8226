//! Runs a program on a session and on the model, and compares what both say after every step.

use std::collections::BTreeSet;

use chorus::region::{
    handle::Handle,
    operation::{Call, Fault, Operation, Output},
    world::Interrupt,
};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::{
    model::Model,
    region_program::{Choices, Program, Purse, Step, sidecar},
    region_run::{PLENTY, Run, read, word},
    region_world::MapWorld,
};

type Checked = Result<(), TestCaseError>;

struct Both {
    run: Run,
    model: Model,
    handles: Vec<Handle>,
}

pub(crate) fn run(program: &Program) -> Checked {
    let config = program.config();
    let mut world = MapWorld::default();
    let attached = world.attach(&sidecar());
    let model = Model::new(config.clone());
    let mut both = Both { run: Run::new(config, world), model, handles: vec![attached] };
    for steps in &program.transactions {
        both.model.attach(&sidecar());
        let waits = program.waits.iter().map(|wait| wait.then_some(Interrupt::Wait));
        both.run.world.interrupts = waits.collect();
        for raw in steps {
            let mappings = |frame: usize| both.model.mappings(frame);
            let depth = both.model.depth();
            let handles = &both.handles;
            let step = raw.step(&Choices { handles, mappings: &mappings, depth });
            both.step(step)?;
            if program.peek {
                both.peek()?;
            }
        }
        both.peek()?;
        while both.model.checkpoints() > 0 {
            both.step(Step::Commit)?;
        }
        both.run.world.interrupts.clear();
        both.run.next();
        both.model.finish();
        let (expected, found) = (both.model.content(), both.run.world.content());
        prop_assert_eq!(expected.0, found.0);
        let pages = |of: &std::collections::BTreeMap<_, _>| of.keys().copied().collect::<Vec<_>>();
        prop_assert_eq!(pages(&expected.1), pages(&found.1));
        for (key, page) in expected.1 {
            prop_assert!(found.1[&key] == page, "{key:?}: {:?}", differing(&page, &found.1[&key]));
        }
    }
    Ok(())
}

/// Where bytes differ, rather than all of them.
fn differing(a: &[u8], b: &[u8]) -> Vec<(usize, u8, u8)> {
    let pairs = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
    pairs.map(|(at, (a, b))| (at, *a, *b)).take(8).collect()
}

impl Both {
    fn step(&mut self, step: Step) -> Checked {
        match step {
            Step::Operation { mut call, purse, operation, data } => {
                let price = || match self.model.clone().ask(&call, &operation, &data) {
                    Ok(done) => done.gas,
                    Err(Fault::Static { gas } | Fault::Failed { gas, .. }) => gas,
                    Err(_) => PLENTY,
                };
                call.gas = match purse {
                    Purse::Plenty => PLENTY,
                    Purse::Exact => price(),
                    Purse::OneLess => price() - 1,
                    Purse::Only(gas) => gas,
                };
                self.ask(&call, &operation, &data)?;
            }
            Step::Checkpoint { frame } => {
                self.run.session.checkpoint(frame);
                self.model.checkpoint(frame);
            }
            Step::Commit => {
                self.run.session.commit();
                self.model.commit();
            }
            Step::Revert => {
                self.run.session.revert();
                self.model.revert();
            }
        }
        prop_assert_eq!(self.run.session.depth(), self.model.depth());
        prop_assert_eq!(self.run.session.checkpoints(), self.model.checkpoints());
        Ok(())
    }

    fn ask(&mut self, call: &Call, operation: &Operation, data: &[u8]) -> Checked {
        let expected = self.model.ask(call, operation, data);
        let found = self.run.ask_as(*call, operation, data);
        let told = || format!("{operation:?} by {call:?}");
        match (&expected, &found) {
            (Ok(a), Ok(b)) => {
                prop_assert_eq!((a.gas, &a.output), (b.gas, &b.output), "{}", told());
                let place = differing(&a.bytes, &b.bytes);
                prop_assert!(a.bytes == b.bytes, "{}: {place:?}", told());
            }
            _ => prop_assert_eq!(&expected, &found, "{}", told()),
        }
        if let Ok(Output::Handle(Some(handle))) = found.map(|done| done.output)
            && !self.handles.contains(&handle)
        {
            self.handles.push(handle);
        }
        Ok(())
    }

    /// Compares all that can be seen: it is looked at in a checkpoint that is reverted.
    fn peek(&mut self) -> Checked {
        let depth = self.model.depth();
        self.step(Step::Checkpoint { frame: false })?;
        for frame in BTreeSet::from([depth.saturating_sub(1), depth]) {
            for (mapping, size) in self.model.mappings(frame) {
                let call = Call { frame, ..self.run.call_in(frame) };
                self.ask(&call, &read(mapping, 0, size), &[])?;
            }
        }
        for handle in self.handles.clone() {
            let call = self.run.call_in(depth);
            self.ask(&call, &Operation::Info { handle }, &[])?;
            // In use or not, and by how many mappings. It is never done.
            let destroy = Operation::Destroy { handle };
            let expected = self.model.clone().ask(&call, &destroy, &[]).map(|done| done.gas);
            let analysed = loop {
                match self.run.session.analyse(&mut self.run.world, &call, &destroy) {
                    Err(Fault::Wait) => {}
                    other => break other.map(|plan| plan.gas),
                }
            };
            prop_assert_eq!(expected, analysed, "{:?}", destroy);
        }
        let call = self.run.call_in(depth);
        let alloc = Operation::Alloc { size: word(1_u64), class: word(0_u64) };
        self.ask(&call, &alloc, &[])?;
        self.step(Step::Revert)
    }
}
