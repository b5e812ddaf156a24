//! Lists in ascending order.

use super::{Case, check_all};

/// Stored for most of the lists.
const WORDS: &str = "bar=1,baz=2,corge=3,foo=4,qux=5";

const CASES: &[Case] = &[
    Case {
        says: "a list gives its range with the start and without the end",
        stored: WORDS,
        steps: &[
            ("list?start=bar&end=qux", "bar=1 baz=2 corge=3 foo=4"),
            ("list?start=bar&end=qux", "bar=1 baz=2 corge=3 foo=4"),
            ("get?key=bar", "1"),
            ("get?key=bara", "none"),
            ("get?key=qux", "5"),
        ],
    },
    Case {
        says: "a list without bounds gives everything",
        stored: WORDS,
        steps: &[
            ("list", "bar=1 baz=2 corge=3 foo=4 qux=5"),
            ("put?key=zzz&value=6", "ok"),
            ("delete?key=bar", "true"),
            ("list", "baz=2 corge=3 foo=4 qux=5 zzz=6"),
        ],
    },
    Case {
        says: "a list ends at its limit and a later one may go further",
        stored: WORDS,
        steps: &[
            ("list?start=bar&end=qux&limit=2", "bar=1 baz=2"),
            ("list?start=bar&end=qux&limit=3", "bar=1 baz=2 corge=3"),
            ("list?start=bar&end=qux&limit=4", "bar=1 baz=2 corge=3 foo=4"),
            ("list?start=bar&end=qux&limit=5", "bar=1 baz=2 corge=3 foo=4"),
            ("list?start=bar&limit=1000000", "bar=1 baz=2 corge=3 foo=4 qux=5"),
        ],
    },
    Case {
        says: "keys that are deleted do not count against a limit",
        stored: "bar=1,bar1=x,bar3=y,foo=4,qux=5",
        steps: &[
            ("delete-many?keys=bar1,bar2,bar3,bar4", "2"),
            ("put?key=baz&value=2", "ok"),
            ("list?start=bar&end=qux&limit=3", "bar=1 baz=2 foo=4"),
            ("list?start=bar&end=qux&limit=4", "bar=1 baz=2 foo=4"),
            ("list?start=bar&limit=4", "bar=1 baz=2 foo=4 qux=5"),
        ],
    },
    Case {
        says: "a list may begin and end with keys that are not there",
        stored: "baz=2,foo=4",
        steps: &[
            ("list?start=bar&end=qux", "baz=2 foo=4"),
            ("get-many?keys=bar,bara,baz,baza,foo,fooa", "baz=2 foo=4"),
            ("list?start=baza&end=fon", ""),
            ("list?start-after=bar&end=foo", "baz=2"),
        ],
    },
    Case {
        says: "lists of ranges that lie apart know nothing of one another",
        stored: "a=1,b=2,c=3,d=4,w=5,y=6,z=7",
        steps: &[
            ("list?start=a&end=c", "a=1 b=2"),
            ("list?start=x&end=z", "y=6"),
            ("list?start=a&end=c", "a=1 b=2"),
            ("get-many?keys=c,d,w", "c=3 d=4 w=5"),
            ("list?start=a", "a=1 b=2 c=3 d=4 w=5 y=6 z=7"),
        ],
    },
    Case {
        says: "a list lays writes and deletes over what is stored",
        stored: "ccc=1,eee=2",
        steps: &[
            ("get?key=bbb", "none"),
            ("get?key=ccc", "1"),
            ("put?key=ddd&value=3", "ok"),
            ("delete?key=eee", "true"),
            ("list?start=aaa&end=fff", "ccc=1 ddd=3"),
            ("put-many?entries=bbb=4,ccc=5,eee=6", "ok"),
            ("list?start=aaa&end=fff", "bbb=4 ccc=5 ddd=3 eee=6"),
        ],
    },
    // What is read from the store looks like what was just written, but is older.
    Case {
        says: "a write back to what is stored is a write all the same",
        stored: "bbb=1,ccc=2",
        steps: &[
            ("put?key=bbb&value=9", "ok"),
            ("delete?key=ccc", "true"),
            ("put?key=bbb&value=1", "ok"),
            ("list?start=aaa&end=fff", "bbb=1"),
            ("put?key=ccc&value=2", "ok"),
            ("list?start=aaa&end=fff", "bbb=1 ccc=2"),
            ("delete-many?keys=bbb,ccc", "2"),
            ("list?start=aaa&end=fff", ""),
        ],
    },
    Case {
        says: "a list may begin with a key that was just read",
        stored: WORDS,
        steps: &[("get?key=baz", "2"), ("list?start=baz&end=qux", "baz=2 corge=3 foo=4")],
    },
    Case {
        says: "a list may begin with a key that was just written",
        stored: WORDS,
        steps: &[
            ("put?key=bazaar&value=6", "ok"),
            ("list?start=bazaar&end=qux", "bazaar=6 corge=3 foo=4"),
            ("list?start-after=bazaar&end=qux", "corge=3 foo=4"),
            ("list?start=bar&end=bazaar", "bar=1 baz=2"),
        ],
    },
    Case {
        says: "lists that follow one another meet where no key is",
        stored: "baz=2,foo=4",
        steps: &[
            ("list?start=bar&end=corge", "baz=2"),
            ("list?start=corge&end=qux", "foo=4"),
            ("list?start=bar&end=qux", "baz=2 foo=4"),
            ("get?key=corge", "none"),
        ],
    },
    Case {
        says: "lists that follow one another meet at a key that only the second has",
        stored: WORDS,
        steps: &[
            ("list?start=bar&end=corge", "bar=1 baz=2"),
            ("list?start=corge&end=qux", "corge=3 foo=4"),
            ("list?start-after=corge&end=qux", "foo=4"),
            ("list?start=bar&end=qux", "bar=1 baz=2 corge=3 foo=4"),
        ],
    },
    Case {
        says: "a list may begin in a range that is known to be empty",
        stored: "foo=4",
        steps: &[
            ("list?start=bar&end=corge", ""),
            ("list?start=baz&end=qux", "foo=4"),
            ("list?start=bar&end=qux", "foo=4"),
        ],
    },
    Case {
        says: "a list may end in a range that is known to be empty",
        stored: "baz=2",
        steps: &[
            ("list?start=corge&end=qux", ""),
            ("list?start=bar&end=foo", "baz=2"),
            ("list?start=bar&end=qux", "baz=2"),
        ],
    },
    Case {
        says: "a write into a range that was listed as empty is listed",
        stored: "",
        steps: &[
            ("list?start=bar&end=qux", ""),
            ("put?key=foo&value=1", "ok"),
            ("list?start=bar&end=qux", "foo=1"),
            ("get?key=foo", "1"),
        ],
    },
    Case {
        says: "what was put behind the limit is not listed",
        stored: "bar=1,baz=2,foo=4",
        steps: &[
            ("put-many?entries=corge=3,grault=5", "ok"),
            ("list?start=bar&end=qux&limit=3", "bar=1 baz=2 corge=3"),
            ("list?start=bar&end=qux&limit=4", "bar=1 baz=2 corge=3 foo=4"),
            ("list?start=bar&end=qux&limit=5", "bar=1 baz=2 corge=3 foo=4 grault=5"),
        ],
    },
    Case {
        says: "a put at the end of a listed range belongs to the next",
        stored: "corge=3,foo=4",
        steps: &[
            ("list?start=corge&end=qux", "corge=3 foo=4"),
            ("put?key=qux&value=5", "ok"),
            ("list?start=corge&end=qux", "corge=3 foo=4"),
            ("list?start=corge&end=xyzzy&limit=3", "corge=3 foo=4 qux=5"),
        ],
    },
    Case {
        says: "a delete at the end of a listed range is no end for the next",
        stored: "corge=3,foo=4,qux=5,waldo=6",
        steps: &[
            ("list?start=corge&end=qux", "corge=3 foo=4"),
            ("delete?key=qux", "true"),
            ("list?start=corge&end=xyzzy&limit=4", "corge=3 foo=4 waldo=6"),
            ("list?start=corge&end=xyzzy&limit=3", "corge=3 foo=4 waldo=6"),
        ],
    },
    Case {
        says: "a delete at the end of an empty range leaves it empty",
        stored: "qux=5",
        steps: &[
            ("list?start=corge&end=qux", ""),
            ("delete?key=qux", "true"),
            ("list?start=corge&end=xyzzy&limit=4", ""),
            ("get?key=qux", "none"),
        ],
    },
    Case {
        says: "the last key that the store gives for a list may be deleted",
        stored: "bar=1,corge=3",
        steps: &[
            ("delete?key=corge", "true"),
            ("list?start=bar&end=qux", "bar=1"),
            ("list?start=bar&end=qux&limit=2", "bar=1"),
            ("list?start=bar&end=qux", "bar=1"),
        ],
    },
    // A list with a limit asks the store for more than it needs, but not for so many.
    Case {
        says: "a list finds its first key behind many deleted ones",
        stored: "z1=1,z2=2",
        steps: &[
            ("put-many?count=128&value=x", "ok"),
            ("sync", "ok"),
            ("delete-many?count=128", "128"),
            ("list?start=a&limit=1", "z1=1"),
            ("list?start=a&limit=2", "z1=1 z2=2"),
            ("list?prefix=key-&limit=1", ""),
        ],
    },
    Case {
        says: "a get after a list that found nothing finds what lies right behind its end",
        stored: "qux=5",
        steps: &[
            ("list?start=bar&end=qux&limit=4", ""),
            ("get?key=qux", "5"),
            ("get?key=bar", "none"),
            ("list?start=bar&end=quxa&limit=4", "qux=5"),
        ],
    },
    Case {
        says: "a prefix takes in written keys and leaves out deleted ones",
        stored: "b=1,ba=2,bb=3,c=4",
        steps: &[
            ("put-many?entries=b0=5,bz=6,az=7", "ok"),
            ("delete?key=ba", "true"),
            ("list?prefix=b", "b=1 b0=5 bb=3 bz=6"),
            ("list?prefix=b&start-after=b0&limit=1", "bb=3"),
            ("list?prefix=b&end=bb", "b=1 b0=5"),
        ],
    },
];

#[test]
fn a_list_sees_every_write_before_it() {
    check_all(CASES);
}
