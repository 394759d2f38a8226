//! All files of a folder, on all cores.

use std::{
    collections::hash_map::DefaultHasher,
    fmt,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::executor::Executor;

/// Which cases run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Selection {
    /// All of them.
    All,
    /// One in eight, chosen by this seed.
    #[allow(dead_code, reason = "for executors that run at several thread counts")]
    Eighth(u64),
}

impl Selection {
    /// Whether a case of this name runs.
    pub(crate) fn takes(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Eighth(seed) => {
                let mut hasher = DefaultHasher::new();
                (seed, name).hash(&mut hasher);
                hasher.finish().is_multiple_of(8)
            }
        }
    }
}

/// What came of the cases.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Cases that ran.
    pub(crate) ran: usize,
    /// Cases that did not, with the reason.
    pub(crate) skipped: Vec<(String, &'static str)>,
    /// Cases that ran and failed, with the reason.
    pub(crate) failures: Vec<String>,
}

impl Report {
    /// Counts a case.
    pub(crate) fn record(&mut self, name: &str, result: Result<(), String>) {
        self.ran += 1;
        if let Err(reason) = result {
            self.failures.push(format!("{name}: {reason}"));
        }
    }

    fn merge(&mut self, other: Self) {
        self.ran += other.ran;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (skipped, failed) = (self.skipped.len(), self.failures.len());
        write!(f, "{} cases ran, {skipped} skipped, {failed} failed", self.ran)?;
        for (name, reason) in &self.skipped {
            write!(f, "\n  skipped {name}: {reason}")?;
        }
        for failure in self.failures.iter().take(40) {
            let end = failure.char_indices().nth(600).map_or(failure.len(), |(end, _)| end);
            write!(f, "\n  FAILED {}", &failure[..end])?;
        }
        Ok(())
    }
}

/// Runs the cases of one file.
pub(crate) type FileRunner = fn(&[u8], &str, &dyn Executor, Selection, &mut Report);

/// Runs every JSON file below a folder. Two threads share the list of files, biggest first, so
/// that none is left alone with a big one at the end.
pub(crate) fn sweep(
    folder: &Path,
    executor: &dyn Executor,
    selection: Selection,
    runner: FileRunner,
) -> Report {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort_by_key(|(size, path)| (std::cmp::Reverse(*size), path.clone()));
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Report::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut report = Report::default();
                while let Some((_, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
                    match std::fs::read(path) {
                        Ok(bytes) => runner(&bytes, &name, executor, selection, &mut report),
                        Err(error) => report.record(&name, Err(error.to_string())),
                    }
                }
                total.lock().unwrap().merge(report);
            });
        }
    });
    let mut report = total.into_inner().unwrap();
    report.skipped.sort();
    report.failures.sort();
    report
}

fn collect(folder: &Path, files: &mut Vec<(u64, PathBuf)>) {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push((entry.metadata().map_or(0, |metadata| metadata.len()), path));
        }
    }
}
