//! `observe::timeline`: a worker appends to its lane while somebody reads it, as at the end of a block
//! that another worker has not noticed yet.

use chorus::{
    observe::timeline::{Event, LANE_CAPACITY, Lane},
    sync::{Arc, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[Model {
    name: "a_reader_sees_whole_events_without_a_gap",
    threads: 3,
    bound: 3,
    weakenings: &["lane.push-release"],
    run: a_reader_sees_whole_events_without_a_gap,
}];

/// The event at a position: no word of it is what the memory held before.
fn event(at: usize) -> (u64, Event) {
    (10 + at as u64, Event::Committed(1 + at as u32, 20 + at as u64))
}

fn a_reader_sees_whole_events_without_a_gap() {
    const EVENTS: usize = 3;
    const { assert!(EVENTS <= LANE_CAPACITY) };
    let lane = Arc::new(Lane::default());
    let worker = thread::spawn({
        let lane = lane.clone();
        move || {
            for at in 0..EVENTS {
                let (time, event) = event(at);
                lane.push(time, event);
            }
        }
    });
    // Spawned last, since it only loads.
    let reader = thread::spawn({
        let lane = lane.clone();
        move || lane.events()
    });
    let expected = |count| (0..count).map(event).collect::<Vec<_>>();
    let seen = reader.join().unwrap();
    assert_eq!(seen, expected(seen.len()));
    worker.join().unwrap();
    assert_eq!(lane.events(), expected(EVENTS));
    assert_eq!(lane.dropped(), 0);
}
