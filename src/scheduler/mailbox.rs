//! temporary
use crate::sync::atomic::{AtomicBool, Ordering};
use parking_lot::Mutex;
pub struct Mailbox<T> { q: Mutex<Vec<T>>, has: AtomicBool }
impl<T> Mailbox<T> {
    pub fn new(_: usize) -> Self { Self { q: Mutex::new(Vec::new()), has: AtomicBool::new(false) } }
    pub fn has_mail(&self) -> bool { self.has.load(Ordering::SeqCst) }
    pub fn send(&self, t: T) -> Result<(), T> { let mut q = self.q.lock(); q.push(t); self.has.store(true, Ordering::SeqCst); Ok(()) }
    pub fn drain(&self, into: &mut Vec<T>) { let mut q = self.q.lock(); into.append(&mut q); self.has.store(false, Ordering::SeqCst); }
}
