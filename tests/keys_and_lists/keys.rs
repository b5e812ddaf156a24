//! Single keys, and many of them in one call.

use super::{Case, check_all};

const CASES: &[Case] = &[
    Case {
        says: "a stored key is found and a missing one is not",
        stored: "a=1,c=3",
        steps: &[("get?key=a", "1"), ("get?key=b", "none"), ("get?key=a", "1"), ("get?key=b", "none")],
    },
    Case {
        says: "a put is read back at once",
        stored: "",
        steps: &[("put?key=a&value=1", "ok"), ("get?key=a", "1"), ("put?key=a&value=2", "ok"), ("get?key=a", "2")],
    },
    Case {
        says: "a put replaces what was stored whether it was read or not",
        stored: "a=1,b=2",
        steps: &[
            ("get?key=a", "1"),
            ("put-many?entries=a=3,b=4", "ok"),
            ("get?key=a", "3"),
            ("get?key=b", "4"),
            ("get-many?keys=a,b", "a=3 b=4"),
        ],
    },
    Case {
        says: "a put of the value that is there changes nothing",
        stored: "a=1",
        steps: &[("put?key=a&value=1", "ok"), ("get?key=a", "1"), ("list?start=a", "a=1"), ("delete?key=a", "true")],
    },
    Case {
        says: "an empty value is a value",
        stored: "a=1,b=",
        steps: &[
            ("get?key=b", ""),
            ("put?key=a&value=", "ok"),
            ("get?key=a", ""),
            ("get-many?keys=a,b,c", "a= b="),
            ("list?start=a", "a= b="),
            ("delete-many?keys=a,b,c", "2"),
        ],
    },
    Case {
        says: "get many leaves out what is missing wherever it stands",
        stored: "bar=1,foo=2",
        steps: &[
            // Missing, present, missing, present, missing.
            ("get-many?keys=a,bar,baz,foo,qux", "bar=1 foo=2"),
            ("get-many?keys=qux,foo,baz,bar,a", "bar=1 foo=2"),
            ("get-many?keys=a,baz,qux", ""),
            ("get?key=qux", "none"),
        ],
    },
    Case {
        says: "get many mixes stored written and deleted keys",
        stored: "a=1,b=2,c=3,d=4",
        steps: &[
            ("put?key=b&value=5", "ok"),
            ("delete?key=c", "true"),
            ("put?key=e&value=6", "ok"),
            ("get-many?keys=e,d,c,b,a,f", "a=1 b=5 d=4 e=6"),
        ],
    },
    Case {
        says: "put many replaces some keys and adds others",
        stored: "a=1,c=3",
        steps: &[
            ("put-many?entries=d=4,c=5,b=2", "ok"),
            ("get-many?keys=a,b,c,d", "a=1 b=2 c=5 d=4"),
            ("get?key=c", "5"),
        ],
    },
    // Writes of one key that meet in one commit, in every order.
    Case {
        says: "the last of many writes of a key is the one that stays",
        stored: "foo=1,bar=2",
        steps: &[
            ("get-many?keys=foo,bar,baz,qux", "bar=2 foo=1"),
            ("put-many?entries=bar=3,qux=4,corge=5", "ok"),
            ("put?key=corge&value=6", "ok"),
            ("delete-many?keys=bar,grault", "1"),
            ("delete?key=foo", "true"),
            ("delete-many?keys=garply,waldo,fred", "0"),
            ("put?key=waldo&value=7", "ok"),
            ("get-many?keys=foo,bar,baz,qux,corge,grault,garply,waldo,fred", "corge=6 qux=4 waldo=7"),
            ("list?start=a", "corge=6 qux=4 waldo=7"),
        ],
    },
    Case {
        says: "calls of 128 keys follow one another",
        stored: "",
        steps: &[
            ("put-many?count=128&value=1", "ok"),
            ("list?start=key-0125&prefix=key-", "key-0125=1 key-0126=1 key-0127=1"),
            ("put-many?count=128&value=2", "ok"),
            ("list?start=key-0125&prefix=key-", "key-0125=2 key-0126=2 key-0127=2"),
            ("delete-many?count=128", "128"),
            ("list?start=key-0125&prefix=key-", ""),
            ("delete-many?count=128", "0"),
            ("put?key=key-0126&value=3", "ok"),
            ("list?start=key-0125&prefix=key-", "key-0126=3"),
        ],
    },
    // What is refused is no write: later reads do not see it, and other writes of the same turn stay.
    Case {
        says: "a refused write leaves everything as it was",
        stored: "a=1",
        steps: &[
            ("put?key=b&value=2", "ok"),
            ("put-many?count=129&value=3", "invalid: 129 keys in one call, the most is 128"),
            ("delete-many?count=129", "invalid: 129 keys in one call, the most is 128"),
            ("list?start=a", "a=1 b=2"),
            ("get?key=key-0000", "none"),
        ],
    },
];

#[test]
fn a_key_has_what_was_written_to_it_last() {
    check_all(CASES);
}
