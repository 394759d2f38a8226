//! The file that a timeline goes to.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chorus::observe::timeline::Timeline;
use clap::ValueEnum;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Trace JSON, for <https://ui.perfetto.dev> and chrome://tracing
    Perfetto,
    /// A page for any browser, complete in itself
    Html,
}

/// Why a timeline cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// Nothing says what to write.
    #[error("--out {}: a name in .json or .html says what is written; for another, give --format perfetto or html", path.display())]
    UnknownFormat {
        /// Where to.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// An open file with its format.
pub(super) struct Target {
    path: PathBuf,
    file: File,
    format: Format,
    /// It was not there before, and nothing has been written to it.
    is_fresh: bool,
}

impl Target {
    /// Opens the file before anything runs. What is in it stays there until there is something to
    /// replace it.
    pub(super) fn open(path: &Path, format: Option<Format>) -> Result<Self, TargetError> {
        let by_name = || match path.extension()?.to_str()? {
            "json" => Some(Format::Perfetto),
            "html" | "htm" => Some(Format::Html),
            _ => None,
        };
        let unknown = || TargetError::UnknownFormat { path: path.to_owned() };
        let format = format.or_else(by_name).ok_or_else(unknown)?;
        let made = File::options().write(true).create_new(true).open(path);
        let is_fresh = made.is_ok();
        let file = made.or_else(|_| File::options().write(true).open(path));
        let file = file.map_err(|error| TargetError::Write { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), file, format, is_fresh })
    }

    /// Replaces what was there.
    pub(super) fn write(&mut self, timeline: &Timeline, title: &str) -> Result<(), TargetError> {
        let text = match self.format {
            Format::Perfetto => timeline.to_chrome(title),
            Format::Html => timeline.to_html(title),
        };
        self.is_fresh = false;
        self.replace(&text).map_err(|error| TargetError::Write { path: self.path.clone(), error })
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        // A pipe or a device has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        (&self.file).write_all(text.as_bytes())
    }

    /// What to do with it.
    pub(super) fn hint(&self) -> String {
        let with = match self.format {
            Format::Perfetto => "https://ui.perfetto.dev",
            Format::Html => "any browser",
        };
        format!("Open {} with {with}.", self.path.display())
    }
}

impl Drop for Target {
    /// Nothing came of it: the file goes again.
    fn drop(&mut self) {
        if self.is_fresh {
            let _ = fs::remove_file(&self.path);
        }
    }
}
