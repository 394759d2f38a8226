//! Calls of the database library, whose panics are errors.
//!
//! The library checks what it reads in most places and asserts it in some. A damaged file must not
//! take the process down, so nothing calls the library but through here.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::RedbError;

/// Runs `call`. What the library leaves behind when it panics is its own concern: it poisons its
/// locks and refuses to write, and a transaction that was being written is not committed.
pub(super) fn guarded<T>(
    path: &Path,
    doing: &'static str,
    call: impl FnOnce() -> Result<T, RedbError>,
) -> Result<T, RedbError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(panic) => {
            let message = message(&*panic);
            // What was thrown may itself panic when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
            Err(RedbError::Panicked { path: path.to_path_buf(), doing, message })
        }
    }
}

/// Drops something of the library's, whose drop writes and so may panic.
pub(super) fn dropped<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_string()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_string()
    }
}
