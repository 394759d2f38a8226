//! Where requests run: on the embedder's runtime, or on one thread of the store's own.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use super::RpcError;
use crate::{
    store::flight::Alarm,
    sync::{Arc, thread},
};

/// A runtime, and the end of it if it is ours.
pub(super) struct Home {
    handle: Handle,
    /// Dropping it ends the thread. The thread is not joined, since it may be the one that drops.
    _end: Option<oneshot::Sender<()>>,
}

impl Home {
    /// The runtime given, or else a new one on a thread of its own.
    pub(super) fn new(handle: Option<Handle>) -> Result<Self, RpcError> {
        if let Some(handle) = handle {
            return Ok(Self { handle, _end: None });
        }
        let setup = |error: std::io::Error| RpcError::Setup { reason: error.to_string() };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(setup)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("chorus-rpc".into())
            .spawn(move || {
                // An error means that the sender is gone, which is what is waited for.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(setup)?;
        Ok(Self { handle, _end: Some(end) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Blocks the calling thread until the future, which hangs on no runtime, is ready.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => alarm.sleep(None),
        }
    }
}
