//! temporary
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use parking_lot::{Condvar, Mutex};
pub struct Sleepers { asleep: AtomicU32, slots: Vec<(Mutex<bool>, Condvar)>, closed: AtomicBool }
impl Sleepers {
    pub fn new(n: usize) -> Self { Self { asleep: AtomicU32::new(0), slots: (0..n).map(|_| (Mutex::new(false), Condvar::new())).collect(), closed: AtomicBool::new(false) } }
    pub fn sleep(&self, me: usize, has_work: impl Fn() -> bool) {
        for _ in 0..200 { if has_work() { return } std::hint::spin_loop(); }
        *self.slots[me].0.lock() = true;
        self.asleep.fetch_add(1, Ordering::SeqCst);
        if has_work() || self.closed.load(Ordering::SeqCst) { self.asleep.fetch_sub(1, Ordering::SeqCst); *self.slots[me].0.lock() = false; return }
        let mut g = self.slots[me].0.lock();
        while *g && !self.closed.load(Ordering::SeqCst) { self.slots[me].1.wait(&mut g); }
        *g = false;
        drop(g);
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }
    pub fn notify(&self, who: usize) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) == 0 { return }
        let mut g = self.slots[who].0.lock();
        if *g { *g = false; self.slots[who].1.notify_one(); }
    }
    pub fn notify_one(&self) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) == 0 { return }
        for (m, c) in &self.slots { let mut g = m.lock(); if *g { *g = false; c.notify_one(); return } }
    }
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for (m, c) in &self.slots { let mut g = m.lock(); *g = false; c.notify_all(); }
    }
}
