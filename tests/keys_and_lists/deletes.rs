//! What deletes take away, and how they count it.

use super::{Case, check_all};

const CASES: &[Case] = &[
    Case {
        says: "a deleted key is gone at once",
        stored: "a=1,b=2",
        steps: &[
            ("delete?key=a", "true"),
            ("get?key=a", "none"),
            ("get-many?keys=a,b", "b=2"),
            ("list?start=a", "b=2"),
            ("get?key=a", "none"),
        ],
    },
    Case {
        says: "a delete says true once",
        stored: "a=1,b=2",
        steps: &[("delete?key=a", "true"), ("delete?key=a", "false"), ("delete-many?keys=a,b", "1")],
    },
    Case {
        says: "a delete of a missing key says false and leaves it missing",
        stored: "b=2",
        steps: &[("delete?key=a", "false"), ("get?key=a", "none"), ("delete?key=a", "false"), ("get?key=b", "2")],
    },
    Case {
        says: "a put after a delete counts as there",
        stored: "a=1",
        steps: &[
            ("delete?key=a", "true"),
            ("put?key=a&value=2", "ok"),
            ("get?key=a", "2"),
            ("delete?key=a", "true"),
            ("get?key=a", "none"),
            ("delete?key=a", "false"),
        ],
    },
    Case {
        says: "a delete of a key that was never stored but just put says true",
        stored: "",
        steps: &[
            ("put?key=a&value=1", "ok"),
            ("delete?key=a", "true"),
            ("get?key=a", "none"),
            ("delete?key=a", "false"),
        ],
    },
    Case {
        says: "delete many counts in view of every write before it",
        stored: "a=1,b=2,c=3",
        steps: &[
            ("put?key=d&value=4", "ok"),
            ("delete?key=b", "true"),
            ("delete-many?keys=a,b,c,d,e", "3"),
            ("delete-many?keys=a,b,c,d,e", "0"),
            ("get-many?keys=a,b,c,d,e", ""),
        ],
    },
    Case {
        says: "delete many counts a key once however often it is named",
        stored: "a=1,b=2",
        steps: &[("delete-many?keys=a,b,a,a", "2"), ("put?key=a&value=1", "ok"), ("delete-many?keys=a,a", "1")],
    },
    Case {
        says: "deletes in many calls each count their own keys",
        stored: "a=1,b=2,e=5,f=6",
        steps: &[
            ("delete-many?keys=a,b,c", "2"),
            ("delete?key=d", "false"),
            ("delete-many?keys=e,f", "2"),
            ("put?key=e&value=7", "ok"),
            ("list?start=a", "e=7"),
        ],
    },
    Case {
        says: "delete all hides everything that came before it",
        stored: "a=1,corge=2",
        steps: &[
            ("get-many?keys=corge,qux", "corge=2"),
            ("put?key=foo&value=3", "ok"),
            ("delete-many?keys=bar,baz,grault", "0"),
            ("put?key=baz&value=4", "ok"),
            ("delete-all", "ok"),
            ("get-many?keys=a,bar,baz,corge,foo,grault,qux,z", ""),
            ("get?key=", "none"),
            ("list", ""),
            ("list?reverse=true", ""),
        ],
    },
    Case {
        says: "writes after delete all stay",
        stored: "a=1,b=2,c=3",
        steps: &[
            ("put?key=d&value=4", "ok"),
            ("delete-all", "ok"),
            ("put-many?entries=b=5,e=6", "ok"),
            ("get-many?keys=a,b,c,d,e", "b=5 e=6"),
            ("list", "b=5 e=6"),
            ("list?reverse=true&limit=1", "e=6"),
        ],
    },
    Case {
        says: "of two delete alls only what comes after the second stays",
        stored: "a=1",
        steps: &[
            ("put?key=b&value=2", "ok"),
            ("delete-all", "ok"),
            ("put-many?entries=c=3,d=4", "ok"),
            ("list", "c=3 d=4"),
            ("delete-all", "ok"),
            ("put?key=e&value=5", "ok"),
            ("list", "e=5"),
            ("get-many?keys=a,b,c,d,e", "e=5"),
        ],
    },
    Case {
        says: "deletes after delete all count only what was written after it",
        stored: "a=1,b=2",
        steps: &[
            ("delete-all", "ok"),
            ("delete?key=a", "false"),
            ("put?key=c&value=3", "ok"),
            ("delete-many?keys=a,b,c", "1"),
            ("list", ""),
        ],
    },
    Case {
        says: "delete all takes a write with it that has only just been made",
        stored: "",
        steps: &[("put-many?entries=a=1,b=2", "ok"), ("delete-all", "ok"), ("list", ""), ("delete?key=a", "false")],
    },
    Case {
        says: "delete all of an empty object is fine",
        stored: "",
        steps: &[("delete-all", "ok"), ("list", ""), ("put?key=a&value=1", "ok"), ("list", "a=1")],
    },
];

#[test]
fn deletes_take_away_what_is_there_and_count_it() {
    check_all(CASES);
}
