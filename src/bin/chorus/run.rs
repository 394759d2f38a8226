//! `chorus run`: load, measure, check and show block after block.

use std::io::{self, Write};

use chorus::{
    engine::SharedMemory,
    evm::{BlockError, EngineError, input::InputError},
    observe::Usage,
    region::config::ConfigError,
};

use crate::{
    arguments::Run,
    executor::{self, Baseline, Parallel, Work},
    inputs::{self, Source},
    measure::{Measurement, measure},
    metrics::{Destination, MetricsError, Totals},
    progress::Progress,
    remarks,
    report::Report,
    stores::{StoreTrouble, Stores},
    table::Table,
};

/// What became of the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything that could be checked matched.
    Matched,
    /// Something did not.
    Mismatched,
}

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The block cannot be executed, which both engines say alike.
    #[error("{block}: {error}{hash}")]
    Block {
        /// The block's file.
        block: String,
        /// What both said.
        error: Box<BlockError>,
        /// The transaction's hash, if the input has one.
        hash: String,
    },
    /// The engine cannot be set up as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The preset of shared memory cannot be used.
    #[error("shared memory: {0}")]
    SharedMemory(#[from] ConfigError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreTrouble),
    /// The metrics cannot be written.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Runs everything the arguments ask for.
pub(crate) fn run(arguments: &Run) -> Result<Verdict, RunError> {
    let chain = inputs::chain(arguments)?;
    let sources = inputs::sources(arguments)?;
    let generated = sources.iter().any(Source::is_generated);
    let stores =
        Stores::new(&arguments.store, sources.len(), generated, &arguments.manners, &chain)?;
    // Blocks start without a region, and what they do to regions is compared and dropped: they need
    // not follow each other.
    let memory = SharedMemory::new(arguments.shared_memory.into())?;
    let mut baseline = Baseline::new(arguments, &memory);
    let mut engine = Parallel::new(arguments, &memory)?;
    let mut usage = Usage::default();
    let metrics = arguments.metrics.as_deref().map(Destination::open).transpose()?;
    let mut totals = Totals::new(arguments.threads());
    let mut table = Table::default();
    let progress = Progress::new(sources.len() as u64 * u64::from(arguments.repeat));
    let mut verdict = Verdict::Matched;
    for source in &sources {
        progress.show(&source.name());
        let work = source.load(&chain)?.over(&stores)?;
        let repeat = arguments.repeat;
        let measurement = measure(&work, &mut baseline, &mut engine, repeat, || progress.tick());
        let report = examine(&measurement, source, &work, arguments.threads())?;
        let complaints = remarks::complaints(&measurement, report.as_ref(), &work);
        if !complaints.is_empty() {
            verdict = Verdict::Mismatched;
        }
        if let Some(regions) = measurement.answer().and_then(|outcome| outcome.regions.as_ref()) {
            usage += regions.usage;
        }
        let name = source.name();
        for line in remarks::left_out(&measurement, &work).iter().chain(&complaints) {
            progress.aside(|| eprintln!("chorus: {name}: {line}"));
        }
        if let Some(report) = &report {
            totals.count(report);
        }
        match report {
            Some(report) if arguments.json => {
                let line = serde_json::to_string(&report).map_err(io::Error::from)?;
                progress.aside(|| writeln!(io::stdout(), "{line}"))?;
            }
            Some(report) => table.push(report),
            None => {}
        }
    }
    drop(progress);
    if !arguments.json {
        table.print(&mut io::stdout().lock())?;
    }
    if let Some(metrics) = metrics {
        // Nothing was committed to shared memory; what the blocks did in it, each once, is in their
        // outcomes.
        let mut regions = memory.metrics();
        regions.usage = usage;
        metrics.write(&totals, &regions)?;
    }
    Ok(verdict)
}

/// The report of a block that has an outcome; an error for one that neither engine could execute.
fn examine(
    measurement: &Measurement,
    source: &Source,
    work: &Work,
    threads: usize,
) -> Result<Option<Report>, RunError> {
    let refused = match (&measurement.sequential, &measurement.difference) {
        // Not the input's fault, though it happened to both: a mismatch.
        (Err(BlockError::Panic { .. } | BlockError::Cancelled { .. }), _) => None,
        (Err(error), None) => Some(error),
        _ => None,
    };
    if let Some(error) = refused {
        let hash = match error {
            BlockError::Invalid { index, .. } | BlockError::Store { index, .. } => {
                remarks::hash_of(*index, work)
            }
            _ => String::new(),
        };
        let block = source.name();
        return Err(RunError::Block { block, error: Box::new(error.clone()), hash });
    }
    let limit = executor::limit(work, threads);
    Ok(measurement
        .answer()
        .map(|outcome| Report::new(&work.block, outcome, measurement, threads, limit)))
}
