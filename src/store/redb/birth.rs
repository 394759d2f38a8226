//! The file as the system sees it, before the library does.
//!
//! | the file | is |
//! |---|---|
//! | absent | to be created |
//! | empty, or a page of which the first bytes are zero and zeros after it | a creation that was interrupted: the library writes its mark last |
//! | the library's mark in front | a database |
//! | anything else | somebody else's, and left alone |

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read},
    path::Path,
};

use super::{RedbError, error::shown};

/// What every file of the library starts with.
const MARK: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// No interrupted creation is larger. What is larger is not looked through.
const LARGEST_UNBORN: u64 = 64 << 20;
/// The library's header is within the first page.
const PAGE: usize = 4096;

/// Whether the file at `path` is what creates no doubt.
///
/// # Errors
///
/// [`RedbError::Unfinished`] for an interrupted creation, [`RedbError::NotADatabase`] for a file
/// of another kind, [`RedbError::Io`] if it is absent or cannot be read.
pub(super) fn check(path: &Path) -> Result<(), RedbError> {
    let failed = |reason| RedbError::Io { path: path.into(), reason };
    let mut file = File::open(path).map_err(failed)?;
    // Also of a directory, which can be opened and not read.
    let head = head(&mut file).map_err(failed)?;
    if head == MARK {
        Ok(())
    } else if is_unborn(&mut file, &head).map_err(failed)? {
        Err(RedbError::Unfinished { path: path.into() })
    } else {
        Err(RedbError::NotADatabase { path: path.into(), head: shown(&head) })
    }
}

/// Creates the file, which must not exist.
pub(super) fn create(path: &Path) -> Result<File, RedbError> {
    let created = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    created.map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => RedbError::Exists { path: path.into() },
        _ => RedbError::Io { path: path.into(), reason },
    })
}

/// The file of an interrupted creation, emptied; `None` if there is a database in it.
pub(super) fn emptied(path: &Path) -> Result<Option<File>, RedbError> {
    let failed = |reason| RedbError::Io { path: path.into(), reason };
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    // Whoever creates it at this moment holds the lock. The library takes the same one again.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(RedbError::Locked { path: path.into() }),
        Err(TryLockError::Error(reason)) => return Err(failed(reason)),
    }
    let head = head(&mut file).map_err(failed)?;
    if !is_unborn(&mut file, &head).map_err(failed)? {
        return Ok(None);
    }
    file.set_len(0).map_err(failed)?;
    Ok(Some(file))
}

/// The first bytes, as many as the mark has if there are so many.
fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(MARK.len() as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether an interrupted creation left the file, whose `head` was read already.
fn is_unborn(file: &mut File, head: &[u8]) -> io::Result<bool> {
    let nothing = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if file.metadata()?.len() > LARGEST_UNBORN || !nothing(head) {
        return Ok(false);
    }
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(rest.get(PAGE - head.len()..).is_none_or(nothing))
}
