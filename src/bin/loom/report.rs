//! Running a list of models, a few at a time, and the table of what came of it.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use crate::{
    args::Args,
    child::{self, End, Ran},
};

/// What the models are run for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As shipped: all interleavings must hold.
    Prove,
    /// With one weakened place each: an interleaving must fail.
    Weaken,
}

/// One model to run.
pub(crate) struct Job {
    pub(crate) model: String,
    pub(crate) threads: usize,
    pub(crate) bound: usize,
    pub(crate) weakening: Option<String>,
}

impl Job {
    /// The first column.
    pub(crate) fn title(&self) -> String {
        match &self.weakening {
            Some(place) => format!("{} without {place}", self.model),
            None => self.model.clone(),
        }
    }
}

/// How many models ran, and how many came out as they should.
pub(crate) struct Summary {
    ran: usize,
    well: usize,
}

impl Summary {
    pub(crate) fn all_well(&self) -> bool {
        self.ran == self.well
    }

    /// The last line of the output.
    pub(crate) fn line(&self, mode: Mode) -> String {
        let Self { ran, well } = self;
        let other = ran - well;
        match mode {
            Mode::Prove => format!("{ran} models, {well} proved, {other} failed"),
            Mode::Weaken => format!("{ran} weakenings, {well} caught, {other} missed"),
        }
    }
}

/// Runs the jobs and prints a row for each, in their order, as soon as it is known.
pub(crate) fn run_all(binary: &Path, jobs: &[Job], mode: Mode, args: &Args) -> Summary {
    let width = jobs.iter().map(|job| job.title().len()).max().unwrap_or(0).max("model".len());
    println!("{:width$}  threads  bound  interleavings      time  verdict", "model");
    let next = AtomicUsize::new(0);
    let (done, finished) = mpsc::channel();
    let mut summary = Summary { ran: 0, well: 0 };
    thread::scope(|scope| {
        for _ in 0..args.jobs.min(jobs.len()) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
                    && let Some(job) = jobs.get(at)
                {
                    if done.send((at, child::run(binary, job, args.time_limit))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut early: Vec<Option<Ran>> = jobs.iter().map(|_| None).collect();
        let mut row = 0;
        for (at, ran) in finished {
            early[at] = Some(ran);
            while let Some(ran) = early.get_mut(row).and_then(Option::take) {
                summary.ran += 1;
                summary.well += usize::from(print_row(&jobs[row], &ran, width, mode));
                row += 1;
            }
        }
    });
    summary
}

/// Prints a row and returns whether the model came out as it should.
fn print_row(job: &Job, ran: &Ran, width: usize, mode: Mode) -> bool {
    let (well, verdict) = match (mode, &ran.end) {
        (Mode::Prove, End::Explored) => (true, "proved".to_owned()),
        (Mode::Prove, End::Failed(why)) => (false, format!("FAILED: {why}")),
        (Mode::Prove, End::TimeLimit) => (false, "FAILED: time limit".to_owned()),
        (Mode::Weaken, End::Failed(why)) => (true, format!("caught: {}", gist(why))),
        (Mode::Weaken, End::Explored) => (false, "MISSED: all interleavings hold".to_owned()),
        (Mode::Weaken, End::TimeLimit) => (false, "MISSED: time limit".to_owned()),
    };
    let Job { threads, bound, .. } = job;
    let (count, seconds) = (grouped(ran.interleavings), ran.took.as_secs_f64());
    let title = job.title();
    println!("{title:width$}  {threads:>7}  {bound:>5}  {count:>13}  {seconds:>6.2} s  {verdict}");
    well
}

/// A failure that was expected, short: the message without the place it came from and without
/// loom's list of threads.
fn gist(why: &str) -> String {
    let message = why.split_once(": ").map_or(why, |(_, message)| message);
    let message = message.split("; threads").next().unwrap_or(message);
    let mut gist: String = message.chars().take(70).collect();
    if gist.len() < message.len() {
        gist.push('…');
    }
    gist
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
