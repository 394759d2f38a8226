//! `scheduler::waiters`, with the phases and the entry: a reader that meets an estimate is woken
//! or reads the value, whether its writer publishes, is aborted, or turns out not to write there.

use chorus::{
    scheduler::{Finish, Phase, Suspend, Waiters, Wake},
    state::{Entry, Read, TxIndex},
    sync::{Arc, thread},
};

use crate::{
    models::Model,
    scheduler_phase::Post,
    state_entry::{Number, Set},
};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "whoever_waits_on_an_estimate_is_woken_or_reads_the_value",
        threads: 3,
        bound: 3,
        weakenings: &["waiters.recheck", "phase.suspend-flags"],
        run: whoever_waits_on_an_estimate_is_woken_or_reads_the_value,
    },
    Model {
        name: "a_writer_that_is_aborted_again_wakes_its_readers_in_the_end",
        threads: 2,
        bound: 4,
        weakenings: &["waiters.recheck", "entry.publish-tells"],
        run: a_writer_that_is_aborted_again_wakes_its_readers_in_the_end,
    },
    Model {
        name: "an_estimate_that_nobody_fulfils_wakes_its_readers",
        threads: 2,
        bound: 4,
        weakenings: &["waiters.recheck"],
        run: an_estimate_that_nobody_fulfils_wakes_its_readers,
    },
];

const WRITER: TxIndex = TxIndex(0);

struct Context {
    phase: Phase,
    post: Post,
}

/// A location, its one writer and the readers above it.
struct Scene {
    entry: Entry<Number>,
    writer: Phase,
    waiters: Waiters,
    readers: Vec<Context>,
}

impl Scene {
    /// The first incarnation of the writer was aborted and left an estimate.
    fn new(readers: u32) -> Arc<Self> {
        let context = |_| Context { phase: Phase::default(), post: Post::default() };
        let scene = Self {
            entry: Entry::default(),
            writer: Phase::default(),
            waiters: Waiters::default(),
            readers: (0..readers).map(context).collect(),
        };
        scene.entry.fill(10);
        scene.write(Some(11));
        scene.abort();
        Arc::new(scene)
    }

    /// An incarnation of the writer, from its start to the wake-ups. Returns who is told.
    fn write(&self, value: Option<u32>) -> Vec<TxIndex> {
        let mut told = Vec::new();
        assert!(self.writer.start().is_some());
        match value {
            Some(value) => self.entry.publish(WRITER, Set(value), &mut told),
            None => self.entry.withdraw(WRITER, &mut told),
        }
        assert_eq!(self.writer.finish(), Finish::Executed);
        for reader in self.waiters.drain() {
            let reader = &self.readers[reader.get() - 1];
            if reader.phase.wake() == Wake::Deliver {
                reader.post.send();
            }
        }
        told
    }

    fn abort(&self) {
        self.entry.retract(WRITER);
        assert!(self.writer.abort());
    }

    /// A reader, from its start to the value.
    fn read(&self, tx: TxIndex) -> u32 {
        let Context { phase, post } = &self.readers[tx.get() - 1];
        assert!(phase.start().is_some());
        loop {
            match self.entry.read(tx) {
                Read::Value(value) => {
                    let _ = phase.finish();
                    return value;
                }
                Read::Blocked(writer) => {
                    assert_eq!(writer, WRITER);
                    if !self.waiters.register(&self.writer, tx) {
                        // Published by now, or about to be aborted again.
                        thread::yield_now();
                    } else if phase.suspend() == Suspend::Parked {
                        post.receive();
                        assert!(phase.resume());
                    }
                }
                Read::Unknown => panic!("the location was filled"),
            }
        }
    }
}

fn whoever_waits_on_an_estimate_is_woken_or_reads_the_value() {
    let scene = Scene::new(2);
    let readers = [1, 2].map(|tx| {
        let scene = scene.clone();
        thread::spawn(move || assert_eq!(scene.read(TxIndex(tx)), 12))
    });
    assert!(scene.write(Some(12)).is_empty(), "nobody reads past an estimate");
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(scene.readers.iter().all(|reader| reader.post.is_empty()), "one message for each wait");
}

fn a_writer_that_is_aborted_again_wakes_its_readers_in_the_end() {
    const READER: TxIndex = TxIndex(1);
    let scene = Scene::new(1);
    let reader = thread::spawn({
        let scene = scene.clone();
        move || scene.read(READER)
    });
    scene.write(Some(12));
    scene.abort();
    let told = scene.write(Some(13));
    match reader.join().unwrap() {
        12 => assert_eq!(told, [READER], "its value was aborted"),
        13 => assert!(told.is_empty()),
        other => panic!("read {other}"),
    }
    assert!(scene.readers[0].post.is_empty());
}

fn an_estimate_that_nobody_fulfils_wakes_its_readers() {
    const READER: TxIndex = TxIndex(1);
    let scene = Scene::new(1);
    let reader = thread::spawn({
        let scene = scene.clone();
        move || assert_eq!(scene.read(READER), 10)
    });
    assert!(scene.write(None).is_empty());
    reader.join().unwrap();
    assert!(scene.readers[0].post.is_empty());
}
