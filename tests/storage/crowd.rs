//! A context that waits for the store costs nothing but memory, and little of that.

use std::{
    collections::HashSet,
    process::Command,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use chorus::{
    evm::{Block, StateStore, workload::Workload},
    store::{MemoryStore, Query, Read},
};

use crate::{
    executor,
    patience::in_time,
    stores::{at_once, said, slow},
    world::{OWN_SLOT, call, calls, expected, generated, parallel},
};

const CROWD: u64 = 1_000;
/// What a context in flight may take, in bytes.
const MOST: u64 = 64 * 1024;

fn crowd(count: u64) -> (Arc<Block>, Arc<MemoryStore>) {
    calls(OWN_SLOT, &[], (0..count).map(|i| call(i, &[])))
}

#[test]
fn one_worker_holds_a_thousand_contexts_that_wait_for_the_store() {
    in_time(|| {
        // The last one is answered while it asks.
        let count = CROWD + 1;
        let (block, world) = crowd(count);
        let expected = expected(&block, &*world);
        let owed: Mutex<(Vec<Read>, HashSet<Query>)> = Mutex::default();
        // Each context waits for a slot of its own. None gets it before all have asked.
        let store = slow(move |reads| {
            let mut due = Vec::new();
            {
                let mut owed = owed.lock().unwrap();
                for read in reads {
                    if matches!(read.query(), Query::Slot(..)) {
                        assert!(owed.1.insert(read.query()), "{} twice", read.query());
                        owed.0.push(read);
                    } else {
                        due.push(read);
                    }
                }
                if owed.1.len() == count as usize {
                    due.append(&mut owed.0);
                }
            }
            for read in due {
                let result = said(&world, read.query());
                read.answer(result);
            }
        });
        let engine = parallel(1).window(1_024).reads_in_flight(1_024).build().unwrap();
        let actual = engine.execute(&block, &store);
        assert_eq!(executor::difference(&expected, &actual), None);
        let statistics = actual.unwrap().statistics;
        assert_eq!(statistics.threads, 1);
        assert!(statistics.most_suspended >= CROWD, "{}", statistics.most_suspended);
        assert_eq!(statistics.incarnations, count);
    });
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Bytes of this process in memory, at most so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Answers when nobody has asked for a while, everybody at once; on a busy machine a worker may be off its core for
/// 50 ms, and what it then finds answered takes 3 KiB more for each. What it says then is how much memory
/// there is by that time, and how many reads were owed.
fn in_generations(
    world: Arc<MemoryStore>,
    said_so: mpsc::Sender<(u64, usize)>,
) -> Arc<dyn StateStore> {
    let (sender, reads) = mpsc::channel::<Vec<Read>>();
    thread::spawn(move || {
        let mut held = Vec::new();
        loop {
            match reads.recv_timeout(Duration::from_millis(200)) {
                Ok(more) => held.extend(more),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = said_so.send((resident(), held.len()));
                    for read in held.drain(..) {
                        let result = said(&world, read.query());
                        read.answer(result);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    slow(move |reads| sender.send(reads).unwrap())
}

/// Says what a thousand contexts in flight take more than one at a time does, at the worst moment and
/// divided by their number.
fn measure(name: &str, (block, world): (Arc<Block>, Arc<MemoryStore>)) {
    let before = resident();
    let alone = parallel(1).window(1).build().unwrap();
    let _outcome = alone.execute(&block, &at_once(&world)).unwrap();
    let (base, (sender, generations)) = (peak(), mpsc::channel());
    let store = in_generations(world, sender);
    let engine = parallel(1).window(1_024).reads_in_flight(1 << 20).build().unwrap();
    let statistics = engine.execute(&block, &store).unwrap().statistics;
    assert!(statistics.most_suspended >= CROWD, "{name}: {}", statistics.most_suspended);
    drop(store);
    let all: Vec<_> = generations.try_iter().collect();
    let most = all.iter().map(|(bytes, _)| bytes.saturating_sub(base)).max().unwrap() / CROWD;
    // Against what the process had before the block, its versions and outcomes included.
    let all = most + (base - before) / CROWD;
    println!("\nmeasured {most} {all}");
}

/// Started by the test below in a process of its own, where nothing else takes memory.
#[test]
#[ignore = "a_context_in_flight_takes_no_more_than_64_kib runs it, in a process of its own"]
fn child_that_measures() {
    match std::env::var("CHORUS_MEASURE").as_deref() {
        Ok("calls") => measure("calls", crowd(CROWD)),
        Ok("swaps") => {
            let swaps = Workload::Amm { transactions: 0, pools: 0 };
            measure("swaps", generated(swaps, CROWD as usize));
        }
        _ => {}
    }
}

#[test]
fn a_context_in_flight_takes_no_more_than_64_kib() {
    for name in ["calls", "swaps"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "crowd::child_that_measures", "--nocapture"]);
        let output = child.env("CHORUS_MEASURE", name).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("measured "));
        let line = line.unwrap_or_else(|| panic!("{output:?}"));
        let numbers = line.split(' ').map(|number| number.parse::<u64>().unwrap());
        let [bytes, all] = numbers.collect::<Vec<_>>()[..] else { panic!("{line}") };
        let kib = |bytes: u64| bytes as f64 / 1024.0;
        println!("{name}: {:.1} KiB per context in flight,", kib(bytes));
        println!("    {:.1} with what the block takes however few are in flight", kib(all));
        assert!(bytes <= MOST, "{name}: {bytes} bytes");
    }
}
