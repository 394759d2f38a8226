//! Pages in a file: where cold pages go when memory is short.
//!
//! ```text
//!  file   [ page | page | page | page | ...          appended by one writer, never changed
//!           ▲             ▲
//!        Spilled       Spilled                       count the file's bytes that are in use
//!
//!  page   length of the rest (4, little-endian) ‖ method (1) ‖ keccak256 of the page (32) ‖ the bytes
//! ```
//!
//! It is no database: what it holds belongs to this process, and is of no use after it. So the file
//! loses its name where the system allows that while it is open, and nothing is left behind however
//! the process ends. It ends when nobody has a page of it any more.
//!
//! A file is only appended to. When more than half of it is of no use, the writer begins another, and
//! the collector moves what is left in the old one.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{super::rights::Compression, stored::Damage};
use crate::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes before those of a page.
const HEADER: usize = 4 + 1 + 32;
/// A file of fewer bytes is not worn, whatever is in it.
const WORTH_MOVING: u64 = 1 << 20;

/// Pages cannot be moved out of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spilling pages to {path}: {reason}")]
pub struct SpillError {
    /// The file, or the directory that it should be in.
    pub path: String,
    /// What the system says.
    pub reason: String,
}

impl SpillError {
    fn new(path: &Path, reason: &io::Error) -> Self {
        Self { path: path.display().to_string(), reason: reason.to_string() }
    }
}

#[derive(Debug)]
struct SpillFile {
    file: File,
    path: PathBuf,
    /// Bytes of the pages that somebody has.
    used: AtomicU64,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // Gone already, where an open file can lose its name.
        let _ = fs::remove_file(&self.path);
    }
}

/// A page in a file.
#[derive(Debug)]
pub struct Spilled {
    file: Arc<SpillFile>,
    offset: u64,
    len: u32,
    method: Compression,
}

/// The one who appends.
#[derive(Debug)]
pub struct Spill {
    directory: PathBuf,
    current: Option<(Arc<SpillFile>, u64)>,
    files: u64,
}

impl Spill {
    /// Spills into files in that directory, from the first page on.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, current: None, files: 0 }
    }

    /// Appends a page, in the bytes that `method` made of it.
    ///
    /// # Errors
    ///
    /// [`SpillError`] if the system refuses.
    pub fn push(
        &mut self,
        sum: &[u8; 32],
        method: Compression,
        bytes: &[u8],
    ) -> Result<Spilled, SpillError> {
        let (file, end) = match self.current.take() {
            Some(current) => current,
            None => (self.create()?, 0),
        };
        let written = write_at(&file.file, &frame(sum, method, bytes), end);
        if let Err(error) = written {
            let error = SpillError::new(&file.path, &error);
            // Where the next one begins is still known: a page that is half written is written over.
            self.current = Some((file, end));
            return Err(error);
        }
        let spilled = Spilled { file: file.clone(), offset: end, len: bytes.len() as u32, method };
        file.used.fetch_add(spilled.bytes(), Ordering::Relaxed);
        self.current = Some((file, end + spilled.bytes()));
        Ok(spilled)
    }

    /// Copies a page of an older file to the current one.
    ///
    /// # Errors
    ///
    /// [`SpillError`] if the system refuses; the inner error if the page is not what it was.
    pub fn copy(
        &mut self,
        spilled: &Spilled,
        sum: &[u8; 32],
    ) -> Result<Result<Spilled, Damage>, SpillError> {
        match spilled.read(sum) {
            Ok(bytes) => self.push(sum, spilled.method, &bytes).map(Ok),
            Err(damage) => Ok(Err(damage)),
        }
    }

    /// Begins another file if more than half of the current one is of no use.
    pub fn renew(&mut self) {
        let worn = |(file, end): &mut (Arc<SpillFile>, u64)| {
            *end > WORTH_MOVING && *end / 2 > file.used.load(Ordering::Relaxed)
        };
        self.current.take_if(worn);
    }

    /// Whether a page is in a file that is to end.
    #[must_use]
    pub fn is_old(&self, spilled: &Spilled) -> bool {
        !self.current.as_ref().is_some_and(|(file, _)| Arc::ptr_eq(file, &spilled.file))
    }

    fn create(&mut self) -> Result<Arc<SpillFile>, SpillError> {
        loop {
            let name = format!("chorus-{}-{}.pages", std::process::id(), self.files);
            self.files += 1;
            let path = self.directory.join(name);
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let _ = fs::remove_file(&path);
                    return Ok(Arc::new(SpillFile { file, path, used: AtomicU64::new(0) }));
                }
                // Another engine of this process has it, or one that died left it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SpillError::new(&path, &error)),
            }
        }
    }
}

fn frame(sum: &[u8; 32], method: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + bytes.len());
    frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    frame.push(method as u8);
    frame.extend_from_slice(sum);
    frame.extend_from_slice(bytes);
    frame
}

impl Spilled {
    pub(super) fn method(&self) -> Compression {
        self.method
    }

    /// Bytes of the file that it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        HEADER as u64 + u64::from(self.len)
    }

    /// The bytes that the method made of the page with the hash `sum`.
    pub(super) fn read(&self, sum: &[u8; 32]) -> Result<Vec<u8>, Damage> {
        let mut frame = vec![0; HEADER + self.len as usize];
        let path = || self.file.path.display().to_string();
        read_at(&self.file.file, &mut frame, self.offset).map_err(|error| Damage::Read {
            path: path(),
            offset: self.offset,
            len: self.bytes(),
            reason: error.to_string(),
        })?;
        let bytes = frame.split_off(HEADER);
        if frame != self::frame(sum, self.method, &bytes)[..HEADER] {
            return Err(Damage::Header { path: path(), offset: self.offset });
        }
        Ok(bytes)
    }

    /// Turns a bit of it over, in the file.
    pub(super) fn damage(&self) -> io::Result<()> {
        let last = self.offset + self.bytes() - 1;
        let mut byte = [0];
        read_at(&self.file.file, &mut byte, last)?;
        write_at(&self.file.file, &[byte[0] ^ 1], last)
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        // Relaxed: it decides only when a new file is begun.
        self.file.used.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Without reads at a position, threads would move each other's place in the file: no spill there.
#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back_from_the_file_and_the_file_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(directory.path().to_owned());
        let pages: Vec<_> = (0..3_u8)
            .map(|n| spill.push(&[n; 32], Compression::None, &vec![n; 4096]).unwrap())
            .collect();
        for (n, page) in pages.iter().enumerate() {
            assert_eq!(page.read(&[n as u8; 32]).unwrap(), vec![n as u8; 4096]);
            assert!(matches!(page.read(&[9; 32]), Err(Damage::Header { .. })));
        }
        if cfg!(unix) {
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        }
        pages[1].damage().unwrap();
        assert_ne!(pages[1].read(&[1; 32]).unwrap(), vec![1; 4096]);
    }

    #[test]
    fn a_file_of_which_half_is_unused_is_left_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(directory.path().to_owned());
        let push = |spill: &mut Spill| spill.push(&[1; 32], Compression::None, &[1; 4096]).unwrap();
        let mut pages: Vec<_> = (0..300).map(|_| push(&mut spill)).collect();
        spill.renew();
        assert!(!spill.is_old(&pages[0]));
        pages.truncate(149);
        spill.renew();
        let next = push(&mut spill);
        assert!(spill.is_old(&pages[0]) && !spill.is_old(&next));
        assert_eq!(pages[148].read(&[1; 32]).unwrap(), vec![1; 4096]);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let mut spill = Spill::new("/nowhere/at/all".into());
        let error = spill.push(&[0; 32], Compression::None, &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
