use chorus::region::{
    operation::{Fault, Operation},
    world::Interrupt,
};

use crate::region_run::{Run, open, read, write};

/// A region of the world with two pages.
fn state() -> (Run, chorus::region::Handle) {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 8192]);
    run.next();
    run.world.asked = 0;
    (run, handle)
}

#[test]
fn what_waits_goes_on_where_it_stopped_and_comes_to_the_same() {
    let program = |waits: usize| {
        let (mut run, handle) = state();
        let mut gas = Vec::new();
        for operation in [
            open(1, "a"),
            crate::region_run::map(handle, 0, 0, 0),
            read(1, 4000, 200),
            write(1, 4000, 0),
            crate::region_run::copy(1, 0, 4000, 200),
            Operation::Info { handle },
        ] {
            run.world.interrupt(Interrupt::Wait, waits);
            let done = run.ask(operation).unwrap();
            gas.push((done.gas, done.output, done.bytes));
        }
        let waited = run.waits;
        let effects = run.next();
        (waited, gas, effects.usage, format!("{:?}", run.world.content()))
    };
    let (none, expected) = (program(0), program(3));
    assert_eq!(none.0, 0);
    assert!(expected.0 >= 6);
    assert_eq!((none.1, none.2, none.3), (expected.1, expected.2, expected.3));
}

#[test]
fn a_question_that_was_answered_is_not_asked_again() {
    let (mut run, handle) = state();
    let mapping = run.map(handle, 0);
    assert_eq!(run.world.asked, 1);
    run.read(mapping, 0, 10);
    run.read(mapping, 20, 10);
    run.open(1, "a");
    run.write(mapping, 0, &[1]);
    assert_eq!(run.world.asked, 2);
    // Not even after a wait: of two pages the second is answered later.
    let (mut run, handle) = state();
    let mapping = run.map(handle, 0);
    run.world.interrupts.extend([None, Some(Interrupt::Wait)]);
    run.read(mapping, 0, 8192);
    assert_eq!((run.world.asked, run.waits), (1 + 3, 1));
}

#[test]
fn a_world_that_stops_stops_the_operation_and_nothing_has_changed() {
    let (mut run, handle) = state();
    run.world.interrupt(Interrupt::Stop, 1);
    assert_eq!(run.ask(Operation::Info { handle }), Err(Fault::Stop));
    assert_eq!(run.price(Operation::Info { handle }), 50 + 2600);
    let mapping = run.map(handle, 0);
    run.world.interrupt(Interrupt::Stop, 1);
    assert_eq!(run.ask(read(mapping, 0, 8192)), Err(Fault::Stop));
    assert_eq!(run.price(read(mapping, 0, 1)), 50 + 3 + 2100);
}

#[test]
fn a_transactions_own_regions_ask_the_world_nothing() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    let block = run.alloc(1, 0);
    for handle in [handle, block] {
        let mapping = run.map(handle, 0);
        run.write(mapping, 0, &[1]);
    }
    run.open(1, "a");
    run.destroy_all(&[(1, handle), (2, block)]);
    assert_eq!(run.world.asked, 0);
    let effects = run.next();
    assert!(effects.meta_seen.is_empty() && effects.pages_seen.is_empty());
}

impl Run {
    fn destroy_all(&mut self, mapped: &[(u64, chorus::region::Handle)]) {
        for (mapping, handle) in mapped {
            self.unmap(*mapping);
            self.destroy(*handle);
        }
    }
}
