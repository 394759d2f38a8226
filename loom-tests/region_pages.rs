//! `region::page` and `region::page_map`: what a snapshot holds never changes.
//!
//! That is so by ownership: a page and a node are written through the only `Arc` that reaches them, or
//! copied. Loom cannot see plain data, nor std's `Arc` count, so a page and a node carry a
//! `sync::Witness`. It fails the model on a read that is not ordered after the last write, which is
//! what publication has to provide, and on a write to what others hold, which the weakenings do. The
//! values are checked too: loom runs the code itself, so an `Arc` is let go of at its place in each
//! interleaving. It does not see that as a step, though. So a model in which it matters whether a
//! page is still held has an atomic beside it, without any ordering, that makes loom try both.

use chorus::{
    region::{
        page::{Page, page_mut},
        page_map::{PageMap, PageNumber},
    },
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_snapshot_holds_all_that_a_commit_wrote_or_nothing",
        threads: 3,
        bound: 3,
        weakenings: &["page.copy-shared", "page_map.copy-shared"],
        run: a_snapshot_holds_all_that_a_commit_wrote_or_nothing,
    },
    Model {
        name: "a_copy_on_write_mapping_and_a_reader_see_their_own_bytes",
        threads: 3,
        bound: 3,
        weakenings: &["page.copy-shared", "page_map.copy-shared"],
        run: a_copy_on_write_mapping_and_a_reader_see_their_own_bytes,
    },
];

type Table = PageMap<Arc<Page>>;

const PAGES: [PageNumber; 2] = [PageNumber(0), PageNumber(1)];

fn table() -> Table {
    PAGES.into_iter().map(|page| (page, Page::zeroed())).collect()
}

fn write(table: &mut Table, page: PageNumber, byte: u8) {
    page_mut(table.get_mut(page).unwrap())[0] = byte;
}

fn read(table: &Table) -> [u8; 2] {
    PAGES.map(|page| table.get(page).unwrap().bytes()[0])
}

/// One publishes a table twice, as the commit step does; another takes a snapshot meanwhile.
fn a_snapshot_holds_all_that_a_commit_wrote_or_nothing() {
    let published = Arc::new(Mutex::new(table()));
    let commit = thread::spawn({
        let published = published.clone();
        move || {
            for byte in [1, 2] {
                // Written apart from the published table, and put in its place as a whole.
                let mut next = published.lock().clone();
                PAGES.into_iter().for_each(|page| write(&mut next, page, byte));
                *published.lock() = next;
            }
        }
    });
    let reader = thread::spawn({
        let published = published.clone();
        move || {
            let snapshot = published.lock().clone();
            let [first, second] = read(&snapshot);
            assert_eq!(first, second, "half of a commit");
            thread::yield_now();
            assert_eq!(read(&snapshot), [first; 2], "a snapshot has changed");
        }
    });
    commit.join().unwrap();
    reader.join().unwrap();
    assert_eq!(read(&published.lock()), [2; 2]);
}

/// Two hold one snapshot. One writes through it; the other reads, and lets go of it.
fn a_copy_on_write_mapping_and_a_reader_see_their_own_bytes() {
    let snapshot = table();
    let let_go = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (snapshot, let_go) = (snapshot.clone(), let_go.clone());
        move || {
            assert_eq!(read(&snapshot), [0; 2]);
            thread::yield_now();
            assert_eq!(read(&snapshot), [0; 2], "a snapshot has changed");
            drop(snapshot);
            let_go.store(true, Ordering::Relaxed);
        }
    });
    let mapping = thread::spawn(move || {
        let mut own = snapshot;
        for byte in [1, 2] {
            // A write copies if the reader holds the page, and is in place if not.
            let _ = let_go.load(Ordering::Relaxed);
            write(&mut own, PAGES[0], byte);
            assert_eq!(read(&own), [byte, 0]);
        }
    });
    mapping.join().unwrap();
    reader.join().unwrap();
}
