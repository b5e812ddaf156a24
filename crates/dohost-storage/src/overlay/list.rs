//! Lists over the overlay, and over overlay and store together.
//!
//! When the overlay does not know everything, the caller reads the range from the store page by page and lays the
//! overlay over each page:
//!
//! ```text
//! let mut listing = Listing::new(range);
//! loop {
//!     let page = store.list(object, listing.ask())?;
//!     match overlay.merge_list(listing, page) {
//!         ListStep::Done(entries) => break entries,
//!         ListStep::More(next) => listing = next,
//!     }
//! }
//! ```
//!
//! A page says everything the store has between where the listing stood and the page's last key; the overlay's
//! entries in that stretch, and only those, are merged in. So deletions that eat into a page cost another page, never
//! an entry.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::{Answer, Overlay, State};
use crate::range::{KeyRange, after};
use crate::read::{Content, Page};

/// Entries asked of the store at first, where a limit asks for fewer: a few deletions then cost no second read.
const ASK_LEN_MIN: u64 = 16;

/// A list that is being read, see the module.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What is still to be read; its limit is what is asked of the store.
    rest: KeyRange,
    /// Entries that may still be added.
    wanted: u64,
    found: Vec<(Arc<str>, Bytes)>,
}

/// What [`Overlay::merge_list`] came to.
#[derive(Clone, Debug)]
pub enum ListStep {
    /// The answer, in the order that was asked for.
    Done(Vec<(Arc<str>, Bytes)>),
    /// The store has to be asked again.
    More(Listing),
}

impl Listing {
    /// A listing that stands at the beginning of `range`.
    pub fn new(mut range: KeyRange) -> Listing {
        let wanted = range.limit.unwrap_or(u64::MAX);
        range.limit = range.limit.map(|limit| limit.max(ASK_LEN_MIN));
        Listing { rest: range, wanted, found: Vec::new() }
    }

    /// The range to ask the store for.
    pub fn ask(&self) -> &KeyRange {
        &self.rest
    }

    fn add(&mut self, key: &Arc<str>, value: &Bytes) {
        self.found.push((key.clone(), value.clone()));
        self.wanted -= 1;
    }
}

impl Overlay {
    /// The entries of `range`, if everything is known here.
    pub fn list(&self, range: &KeyRange) -> Answer<Vec<(Arc<str>, Bytes)>> {
        if !self.knows_all {
            return Answer::Ask;
        }
        let mut listing = Listing::new(range.clone());
        self.add_own(&mut listing, &range.start, range.end.as_deref());
        Answer::Known(listing.found)
    }

    /// A copy of what is known here of a range, for a list that must not see what is written while it is read.
    pub fn within(&self, range: &KeyRange) -> Overlay {
        let mut copy = Overlay::new(Content::Partial);
        for (key, entry) in self.entries.range::<[u8], _>(bounds(&range.start, range.end.as_deref())) {
            copy.insert(key.clone(), entry.value.clone(), State::Clean);
        }
        copy
    }

    /// Lays this overlay over a page that the store gave for [`Listing::ask`].
    pub fn merge_list(&self, mut listing: Listing, page: Page) -> ListStep {
        let stretch = Stretch::of(&listing.rest, &page);
        if self.knows_all {
            // A delete-all came while the store was read: the page is out of date, and not needed.
            let KeyRange { start, end, .. } = listing.rest.clone();
            self.add_own(&mut listing, &start, end.as_deref());
            return ListStep::Done(listing.found);
        }
        self.add_merged(&mut listing, &stretch, &page);
        if listing.wanted == 0 || !page.more {
            return ListStep::Done(listing.found);
        }
        if listing.rest.reverse {
            listing.rest.end = Some(stretch.start);
        } else {
            listing.rest.start = stretch.end.expect("a page with more to come has a last key");
        }
        listing.rest.limit = listing.rest.limit.map(|limit| limit.saturating_mul(2));
        ListStep::More(listing)
    }

    /// Adds the entries of this overlay alone.
    fn add_own(&self, listing: &mut Listing, start: &[u8], end: Option<&[u8]>) {
        let mut own = self.entries.range::<[u8], _>(bounds(start, end));
        while listing.wanted > 0 {
            let next = if listing.rest.reverse { own.next_back() } else { own.next() };
            let Some((key, entry)) = next else { return };
            if let Some(value) = &entry.value {
                listing.add(&key.0, value);
            }
        }
    }

    /// Adds the entries of the page and of this overlay's part of the same stretch; of two with one key, ours.
    fn add_merged(&self, listing: &mut Listing, stretch: &Stretch, page: &Page) {
        let reverse = listing.rest.reverse;
        let own = self.entries.range::<[u8], _>(bounds(&stretch.start, stretch.end.as_deref()));
        let mut own: Box<dyn Iterator<Item = _>> = if reverse { Box::new(own.rev()) } else { Box::new(own) };
        let mut own_next = own.next();
        let mut stored = page.entries.iter().peekable();
        while listing.wanted > 0 {
            let ours_first = match (own_next, stored.peek()) {
                (None, None) => return,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((name, _)), Some((key, _))) => {
                    let order = name.0.as_bytes().cmp(key.as_bytes());
                    let order = if reverse { order.reverse() } else { order };
                    if order.is_eq() {
                        stored.next();
                    }
                    order.is_le()
                }
            };
            if ours_first {
                let (name, entry) = own_next.expect("it comes first");
                if let Some(value) = &entry.value {
                    listing.add(&name.0, value);
                }
                own_next = own.next();
            } else if let Some((key, value)) = stored.next() {
                listing.add(key, value);
            }
        }
    }
}

/// The part of a range that a page covers.
struct Stretch {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
}

impl Stretch {
    fn of(range: &KeyRange, page: &Page) -> Stretch {
        let last = page.entries.last().filter(|_| page.more).map(|(key, _)| key.as_bytes());
        match last {
            None => Stretch { start: range.start.clone(), end: range.end.clone() },
            Some(last) if range.reverse => Stretch { start: last.to_vec(), end: range.end.clone() },
            Some(last) => Stretch { start: range.start.clone(), end: Some(after(last)) },
        }
    }
}

fn bounds<'a>(start: &'a [u8], end: Option<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded))
}
