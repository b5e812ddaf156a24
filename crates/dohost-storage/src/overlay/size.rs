//! How large the object will be once everything it wrote is durable, for a limit on its size.
//!
//! The store knows the size as of the last durable commit ([`ObjectSize`]). What is staged or in flight comes on top:
//! each write changes the size by the difference to the value before it, and that value is known here or counts as
//! nothing. So the sum is never too low, and exact if every old value was known.
//!
//! Invariant: a commit counts once, here or in the size of the store, although the store knows of it before
//! [`Overlay::durable_up_to`] is called: the size says up to which commit it is.

use super::{Answer, Overlay};
use crate::size::ObjectSize;

/// What some writes make of the size, at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// They begin with a deletion of everything.
    clear: bool,
    pub(super) bytes: i64,
}

impl Growth {
    pub(super) fn after_clear() -> Growth {
        Growth { clear: true, bytes: 0 }
    }

    fn on_top_of(self, bytes: i64) -> i64 {
        let base = if self.clear { 0 } else { bytes };
        base.saturating_add(self.bytes)
    }
}

impl Overlay {
    /// The length of the value of `key`, `Known(None)` if it is known to have none. Unlike [`Overlay::get`] this is no
    /// use that keeps the entry in memory.
    pub fn known_len(&self, key: &str) -> Answer<Option<usize>> {
        match self.entries.get(key.as_bytes()) {
            Some(entry) => Answer::Known(entry.value.as_ref().map(|value| value.len())),
            None if self.knows_all => Answer::Known(None),
            None => Answer::Ask,
        }
    }

    /// By how many bytes of key and value a put of `value_len` bytes, or with `None` a deletion, makes the object
    /// larger. If the present value is not known here it counts as none, so the object grows by no more than this.
    pub fn growth_max(&self, key: &str, value_len: Option<usize>) -> i64 {
        let bytes = |len: Option<usize>| len.map_or(0, |len| (key.len() + len) as i64);
        match self.known_len(key) {
            Answer::Known(old_len) => bytes(value_len) - bytes(old_len),
            Answer::Ask => bytes(value_len),
        }
    }

    /// Notes that what is staged replaces so many bytes that were not known when it was written.
    pub fn replaces(&mut self, bytes: usize) {
        self.staged_growth.bytes -= bytes as i64;
    }

    /// Bytes of keys and values that the object has once everything staged and in flight is durable; no more than
    /// this, and exactly this if the old value of every write was known. `size` is the one of this life.
    pub fn size_max(&self, size: &ObjectSize) -> u64 {
        let durable = size.durable();
        let open = self.in_flight.iter().filter(|batch| batch.commit.is_none_or(|commit| commit > durable.through));
        let growths = open.map(|batch| batch.growth).chain([self.staged_growth]);
        let bytes = i64::try_from(durable.bytes).unwrap_or(i64::MAX);
        growths.fold(bytes, |bytes, growth| growth.on_top_of(bytes)).try_into().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::numbers::CommitNumber;
    use crate::read::Content;
    use crate::size::Size;

    /// What the committer does with a size.
    fn commit(size: &ObjectSize, bytes: u64, through: u64) {
        size.write(Size { bytes, through: CommitNumber(through), has_row: false });
        size.commit();
    }

    #[test]
    fn a_write_counts_by_its_difference_to_what_is_known() {
        let mut overlay = Overlay::new(Content::Whole(vec![("old".into(), Bytes::from("12345"))]));
        let size = ObjectSize::new(8, false);
        assert_eq!(overlay.known_len("old"), Answer::Known(Some(5)));
        assert_eq!(overlay.known_len("new"), Answer::Known(None));
        assert_eq!([overlay.growth_max("old", Some(7)), overlay.growth_max("old", None)], [2, -8]);
        assert_eq!([overlay.growth_max("new", Some(1)), overlay.growth_max("new", None)], [4, 0]);
        overlay.put("new", Bytes::from("1"));
        overlay.put("new", Bytes::from("123"));
        overlay.delete("old");
        assert_eq!(overlay.size_max(&size), 6);
    }

    #[test]
    fn an_old_value_that_is_not_known_counts_as_none() {
        let mut overlay = Overlay::new(Content::Partial);
        let size = ObjectSize::new(100, false);
        assert_eq!(overlay.known_len("k"), Answer::Ask);
        overlay.put("k", Bytes::from("12"));
        overlay.delete("gone");
        assert_eq!(overlay.size_max(&size), 103);
    }

    #[test]
    fn a_commit_counts_once_whoever_hears_of_it_first() {
        let mut overlay = Overlay::new(Content::Whole(vec![("k".into(), Bytes::from("1234"))]));
        let size = ObjectSize::new(5, false);
        overlay.delete("k");
        overlay.take_staged();
        overlay.submitted(CommitNumber(7));
        overlay.put("other", Bytes::from("1"));
        assert_eq!(overlay.size_max(&size), 6);
        commit(&size, 0, 7);
        assert_eq!(overlay.size_max(&size), 6, "the store knows already");
        overlay.durable_up_to(CommitNumber(7));
        assert_eq!(overlay.size_max(&size), 6);
    }

    #[test]
    fn a_deletion_of_everything_leaves_what_was_written_after_it() {
        let mut overlay = Overlay::new(Content::Partial);
        let size = ObjectSize::new(1_000, false);
        overlay.put("k", Bytes::from("1"));
        overlay.delete_all();
        overlay.put("k", Bytes::from("123"));
        assert_eq!(overlay.size_max(&size), 4);
        overlay.take_staged();
        overlay.submitted(CommitNumber(1));
        overlay.put("k", Bytes::new());
        assert_eq!(overlay.size_max(&size), 1);
    }

    #[test]
    fn what_is_undone_does_not_count() {
        let mut overlay = Overlay::new(Content::Partial);
        let size = ObjectSize::new(10, false);
        overlay.put("k", Bytes::from("1"));
        overlay.begin();
        overlay.put("k", Bytes::from("123456"));
        assert_eq!(overlay.size_max(&size), 17);
        overlay.undo();
        assert_eq!(overlay.size_max(&size), 12);
    }
}
