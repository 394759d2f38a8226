//! `sync::twin::place`: the stand-in for arc-swap's place keeps what arc-swap documents.
//!
//! A check of an axiom's twin, as `sync_twin_channel` is. That it promises no more shows in
//! `registry_table`, whose weakenings would pass on a place that orders other locations.

use chorus::sync::{
    Arc, ArcSwap,
    atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[Model {
    name: "a_load_sees_what_preceded_its_store_and_never_goes_back",
    threads: 2,
    bound: 4,
    weakenings: &["place.acquire", "place.release"],
    run: a_load_sees_what_preceded_its_store_and_never_goes_back,
}];

fn a_load_sees_what_preceded_its_store_and_never_goes_back() {
    let place = Arc::new(ArcSwap::new(Arc::new(0)));
    let written = Arc::new(AtomicU32::new(0));
    let reader = thread::spawn({
        let (place, written) = (place.clone(), written.clone());
        move || {
            let first = *place.load();
            assert!(written.load(Relaxed) >= first);
            let second = *place.load_full();
            assert!(second >= first && written.load(Relaxed) >= second);
        }
    });
    for value in 1..=2 {
        written.store(value, Relaxed);
        place.store(Arc::new(value));
    }
    assert_eq!(*place.load(), 2);
    reader.join().unwrap();
}
