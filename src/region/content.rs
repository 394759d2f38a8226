//! A page of a persistent region as a versioned location, with its words as the grain.
//!
//! A change carries the writer's whole page and the mask of the words it wrote. Over the page that
//! the writer started from, its page simply takes the place; over any other, the masked words are
//! merged. So transactions that write different words of a present page leave both writes, and
//! neither is an observation of the other. Observations are the page that was seen, with the mask of
//! the words that mattered: comparing costs nothing while it is the same page.
//!
//! Presence is a part of its own: every write observes it, since it decides gas. A page is present
//! from its first write on, zeros included.

use super::{
    handle::RegionId,
    mask::WordMask,
    page::{Page, merge_words, words_equal},
    page_map::PageNumber,
};
use crate::{
    state::Cell,
    sync::{Arc, weakened},
};

/// Names a page of one generation of a persistent region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// The region.
    pub region: RegionId,
    /// Its generation: a region that was destroyed and created again starts with no page.
    pub generation: u64,
    /// The page.
    pub page: PageNumber,
}

/// What a transaction wrote to a page.
#[derive(Clone, Debug)]
pub struct PageChange {
    /// What the page was when the transaction first touched it.
    pub base: Option<Arc<Page>>,
    /// What it became.
    pub page: Arc<Page>,
    /// The words it wrote.
    pub written: WordMask,
}

/// What an incarnation saw of a page.
#[derive(Clone, Debug)]
pub struct PageSeen {
    /// The page, if it was present.
    pub page: Option<Arc<Page>>,
    /// Whether its presence mattered.
    pub presence: bool,
    /// The words that mattered.
    pub words: WordMask,
}

/// Pages of persistent regions.
#[derive(Debug)]
pub enum PageCell {}

fn same(a: &Option<Arc<Page>>, b: &Option<Arc<Page>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

impl Cell for PageCell {
    type Key = PageKey;
    type Value = Option<Arc<Page>>;
    type Change = PageChange;
    type Seen = PageSeen;

    fn apply(value: &mut Option<Arc<Page>>, change: &PageChange) {
        if same(value, &change.base) || weakened("content.merge-words") {
            *value = Some(change.page.clone());
        } else {
            merge_words(value.get_or_insert_with(Page::zeroed), &change.page, change.written);
        }
    }

    fn holds(value: &Option<Arc<Page>>, seen: &PageSeen) -> bool {
        if same(value, &seen.page) {
            return true;
        }
        if seen.presence && value.is_some() != seen.page.is_some() {
            return false;
        }
        match (value, &seen.page) {
            (Some(now), then) => {
                let whole = weakened("content.compare-words");
                let words = if whole { WordMask::FULL } else { seen.words };
                words_equal(now, then.as_deref(), words)
            }
            (None, Some(then)) => words_equal(then, None, seen.words),
            (None, None) => true,
        }
    }
}
