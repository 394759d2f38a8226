//! A block directory on its way: written under another name, and renamed when it is whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chorus::{
    evm::{
        Block, ChainSpec,
        input::{self, InputError},
    },
    store::MemoryStore,
};

use super::FetchError;

/// A directory that is not there yet under its name. Dropped before it is finished it is removed; a
/// process that is killed leaves it under the other name, and the next one begins it anew.
pub(super) struct Draft {
    pub(super) number: u64,
    path: PathBuf,
    place: PathBuf,
    finished: bool,
}

impl Draft {
    /// A new directory for the block; `None` if there is a whole one.
    pub(super) fn begin(out: &Path, number: u64) -> Result<Option<Self>, FetchError> {
        let place = out.join(number.to_string());
        if is_whole(&place) {
            return Ok(None);
        }
        if place.exists() {
            return Err(FetchError::Occupied { path: place });
        }
        let path = out.join(format!(".{number}.partial"));
        let draft = Self { number, path, place, finished: false };
        match fs::remove_dir_all(&draft.path) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
                return Err(draft.error(reason));
            }
            _ => {}
        }
        fs::create_dir_all(&draft.path).map_err(|reason| draft.error(reason))?;
        Ok(Some(draft))
    }

    /// Writes a file, in place of one of that name.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), FetchError> {
        let path = self.path.join(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(text.as_bytes())?;
            // Under its final name the directory is taken to be whole, also after a power cut.
            file.sync_all()
        };
        write().map_err(|reason| FetchError::Write { path: path.clone(), reason })
    }

    /// Reads the directory back.
    pub(super) fn load(&self, chain: &ChainSpec) -> Result<(Block, MemoryStore), InputError> {
        input::load_block(&self.path, chain)
    }

    /// Gives the directory its name.
    pub(super) fn finish(mut self) -> Result<(), FetchError> {
        fs::rename(&self.path, &self.place).map_err(|reason| self.error(reason))?;
        self.finished = true;
        Ok(())
    }

    fn error(&self, reason: io::Error) -> FetchError {
        FetchError::Write { path: self.path.clone(), reason }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // What is left over is removed by the next attempt.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn is_whole(directory: &Path) -> bool {
    ["block.json", "prestate.json"].iter().all(|name| directory.join(name).is_file())
}
