//! Lists in descending order: `start` and `end` are what they are, and the limit counts from the end.

use super::{Case, check_all};

const WORDS: &str = "bar=1,baz=2,corge=3,foo=4,qux=5";

const CASES: &[Case] = &[
    Case {
        says: "a reverse list gives the same range the other way round",
        stored: WORDS,
        steps: &[
            ("list?start=bar&end=qux&reverse=true", "foo=4 corge=3 baz=2 bar=1"),
            ("list?start-after=bar&end=qux&reverse=true", "foo=4 corge=3 baz=2"),
            ("list?start=bar&reverse=true", "qux=5 foo=4 corge=3 baz=2 bar=1"),
            ("list?prefix=ba&reverse=true", "baz=2 bar=1"),
        ],
    },
    Case {
        says: "the limit of a reverse list counts from the end",
        stored: WORDS,
        steps: &[
            ("list?start=bar&end=qux&limit=1&reverse=true", "foo=4"),
            ("list?start=bar&end=qux&limit=3&reverse=true", "foo=4 corge=3 baz=2"),
            ("list?start=bar&end=qux&limit=5&reverse=true", "foo=4 corge=3 baz=2 bar=1"),
        ],
    },
    Case {
        says: "keys that are deleted do not count against the limit of a reverse list",
        stored: "bar=1,corge1=x,corge3=y,foo=4",
        steps: &[
            ("delete-many?keys=corge1,corge2,corge3,corge4", "2"),
            ("put?key=baz&value=2", "ok"),
            ("list?start=bar&end=qux&limit=2&reverse=true", "foo=4 baz=2"),
            ("list?start=bar&end=qux&limit=3&reverse=true", "foo=4 baz=2 bar=1"),
            ("list?start=bar&end=qux&limit=4&reverse=true", "foo=4 baz=2 bar=1"),
        ],
    },
    Case {
        says: "a reverse list may begin and end with keys that are not there",
        stored: "baz=2,foo=4",
        steps: &[
            ("list?start=bar&end=qux&reverse=true", "foo=4 baz=2"),
            ("list?start=baza&end=fon&reverse=true", ""),
            ("list?start=baz&end=baza&reverse=true", "baz=2"),
        ],
    },
    Case {
        says: "a reverse list lays writes and deletes over what is stored",
        stored: "ccc=1,eee=2",
        steps: &[
            ("get?key=bbb", "none"),
            ("put?key=ddd&value=3", "ok"),
            ("delete?key=eee", "true"),
            ("list?start=aaa&end=fff&reverse=true", "ddd=3 ccc=1"),
            ("put-many?entries=bbb=4,ccc=5,eee=6", "ok"),
            ("list?start=aaa&end=fff&reverse=true", "eee=6 ddd=3 ccc=5 bbb=4"),
        ],
    },
    Case {
        says: "a write back to what is stored is a write for a reverse list too",
        stored: "bbb=1,ccc=2",
        steps: &[
            ("delete?key=bbb", "true"),
            ("put?key=ccc&value=9", "ok"),
            ("put-many?entries=bbb=1,ccc=2", "ok"),
            ("list?start=aaa&end=fff&reverse=true", "ccc=2 bbb=1"),
            ("delete?key=ccc", "true"),
            ("list?start=aaa&end=fff&reverse=true", "bbb=1"),
        ],
    },
    Case {
        says: "a reverse list may end at a key that was just read or written",
        stored: WORDS,
        steps: &[
            ("get?key=baz", "2"),
            ("list?start=baz&end=qux&reverse=true", "foo=4 corge=3 baz=2"),
            ("put?key=bazaar&value=6", "ok"),
            ("list?start=bazaar&end=qux&reverse=true", "foo=4 corge=3 bazaar=6"),
            ("list?start=bar&end=bazaar&reverse=true", "baz=2 bar=1"),
        ],
    },
    Case {
        says: "reverse lists that follow one another meet where no key is",
        stored: "baz=2,foo=4",
        steps: &[
            ("list?start=corge&end=qux&reverse=true", "foo=4"),
            ("list?start=bar&end=corge&reverse=true", "baz=2"),
            ("list?start=bar&end=qux&reverse=true", "foo=4 baz=2"),
        ],
    },
    Case {
        says: "reverse lists that follow one another meet at a key that only one has",
        stored: WORDS,
        steps: &[
            ("list?start=corge&end=qux&reverse=true", "foo=4 corge=3"),
            ("list?start=bar&end=corge&reverse=true", "baz=2 bar=1"),
            ("list?start=bar&end=qux&reverse=true", "foo=4 corge=3 baz=2 bar=1"),
        ],
    },
    Case {
        says: "a reverse list may begin or end in a range that is known to be empty",
        stored: "foo=4",
        steps: &[
            ("list?start=bar&end=corge&reverse=true", ""),
            ("list?start=baz&end=qux&reverse=true", "foo=4"),
            ("list?start=fop&end=qux&reverse=true", ""),
            ("list?start=bar&end=quux&reverse=true", "foo=4"),
        ],
    },
    Case {
        says: "what was put before the limit is reached from the end is listed and the rest is not",
        stored: "bar=1,baz=2,foo=4",
        steps: &[
            ("put-many?entries=corge=3,bam=5", "ok"),
            ("list?start=bar&end=qux&limit=3&reverse=true", "foo=4 corge=3 baz=2"),
            ("list?start=bam&end=qux&limit=4&reverse=true", "foo=4 corge=3 baz=2 bar=1"),
            ("list?start=bam&end=qux&limit=5&reverse=true", "foo=4 corge=3 baz=2 bar=1 bam=5"),
        ],
    },
    Case {
        says: "writes at the end of a range are outside of a reverse list",
        stored: "corge=3,foo=4",
        steps: &[
            ("list?start=corge&end=qux&reverse=true", "foo=4 corge=3"),
            ("put?key=qux&value=5", "ok"),
            ("list?start=corge&end=qux&reverse=true", "foo=4 corge=3"),
            ("list?start=corge&end=xyzzy&limit=3&reverse=true", "qux=5 foo=4 corge=3"),
            ("delete?key=qux", "true"),
            ("list?start=corge&end=xyzzy&limit=2&reverse=true", "foo=4 corge=3"),
        ],
    },
    Case {
        says: "the first key that the store gives for a reverse list may be deleted",
        stored: "bar=1,corge=3",
        steps: &[
            ("delete?key=corge", "true"),
            ("list?start=bar&end=qux&reverse=true", "bar=1"),
            ("list?start=bar&end=qux&limit=1&reverse=true", "bar=1"),
        ],
    },
    Case {
        says: "a reverse list finds its first key before many deleted ones",
        stored: "a1=1,a2=2",
        steps: &[
            ("put-many?count=128&value=x", "ok"),
            ("sync", "ok"),
            ("delete-many?count=128", "128"),
            ("list?start=a&limit=1&reverse=true", "a2=2"),
            ("list?start=a&limit=2&reverse=true", "a2=2 a1=1"),
        ],
    },
];

#[test]
fn a_reverse_list_sees_every_write_before_it() {
    check_all(CASES);
}
