//! Calls of one event that overlap: a guest need not wait for a call before it makes the next. Each call counts from when
//! it was made, also if it has to wait for the store.

use super::{Case, check_all};

const CASES: &[Case] = &[
    Case {
        says: "a read gives what was there when it was begun",
        stored: "a=1,b=2",
        steps: &[
            ("begin get?key=a", ""),
            ("begin get?key=c", ""),
            ("put-many?entries=a=3,c=4", "ok"),
            ("end", "1"),
            ("end", "none"),
            ("get-many?keys=a,c", "a=3 c=4"),
        ],
    },
    Case {
        says: "get many gives what was there when it was begun",
        stored: "bar=1,baz=2,foo=3",
        steps: &[
            ("begin get-many?keys=foo,bar,baz", ""),
            ("put?key=foo&value=4", "ok"),
            ("begin delete?key=bar", ""),
            ("begin get-many?keys=foo,bar,baz", ""),
            ("put?key=bar&value=5", "ok"),
            ("end", "bar=1 baz=2 foo=3"),
            ("end", "true"),
            ("end", "baz=2 foo=4"),
            ("get-many?keys=foo,bar,baz", "bar=5 baz=2 foo=4"),
        ],
    },
    Case {
        says: "a list gives what was there when it was begun",
        stored: "bar=1,corge=2,foo=3,garply=4",
        steps: &[
            ("begin list?start=bar&end=qux", ""),
            ("put-many?entries=foo=5,grault=6", "ok"),
            ("delete?key=garply", "true"),
            ("end", "bar=1 corge=2 foo=3 garply=4"),
            ("list?start=bar&end=qux", "bar=1 corge=2 foo=5 grault=6"),
        ],
    },
    Case {
        says: "a delete takes no later put with it",
        stored: "a=1",
        steps: &[
            ("begin delete?key=a", ""),
            ("begin delete-many?keys=b,c", ""),
            ("put-many?entries=a=2,b=3", "ok"),
            ("end", "true"),
            ("end", "0"),
            ("get-many?keys=a,b,c", "a=2 b=3"),
            ("list?start=a", "a=2 b=3"),
        ],
    },
    Case {
        says: "of two deletes at once only the first finds the key",
        stored: "a=1",
        steps: &[("begin delete?key=a", ""), ("begin delete?key=a", ""), ("end", "true"), ("end", "false")],
    },
    Case {
        says: "a delete all takes no part in reads that were begun before it",
        stored: "a=1,b=2",
        steps: &[
            ("begin get?key=a", ""),
            ("begin list?start=a", ""),
            ("begin delete?key=b", ""),
            ("delete-all", "ok"),
            ("put?key=c&value=3", "ok"),
            ("end", "1"),
            ("end", "a=1 b=2"),
            ("end", "true"),
            ("list", "c=3"),
        ],
    },
    Case {
        says: "the answer of a read hides no write that was made while it waited",
        stored: "a=1,b=2",
        steps: &[
            ("begin get-many?keys=a,b,c", ""),
            ("put?key=a&value=3", "ok"),
            ("delete?key=b", "true"),
            ("put?key=c&value=4", "ok"),
            ("end", "a=1 b=2"),
            ("get?key=a", "3"),
            ("get?key=b", "none"),
            ("get?key=c", "4"),
            ("list?start=a", "a=3 c=4"),
        ],
    },
    Case {
        says: "reads that are begun together all get their answers",
        stored: "a=1,b=2",
        steps: &[
            ("begin get?key=a", ""),
            ("begin get-many?keys=b,a", ""),
            ("begin list?start=a&reverse=true", ""),
            ("begin get?key=a", ""),
            ("begin get?key=missing", ""),
            ("end", "1"),
            ("end", "a=1 b=2"),
            ("end", "b=2 a=1"),
            ("end", "1"),
            ("end", "none"),
        ],
    },
    Case {
        says: "a read that is given up leaves no trace",
        stored: "a=1,b=2",
        steps: &[
            ("drop get?key=a", ""),
            ("drop list?start=a", ""),
            ("drop get-many?keys=a,b,c", ""),
            ("put?key=a&value=3", "ok"),
            ("get-many?keys=a,b,c", "a=3 b=2"),
            ("list?start=a", "a=3 b=2"),
        ],
    },
    // Whether its answer is wanted or not, a delete deletes.
    Case {
        says: "a delete whose answer is given up still deletes",
        stored: "bar=1,baz=2,foo=3,qux=4",
        steps: &[
            ("drop delete?key=foo", ""),
            ("drop delete-many?keys=bar,baz", ""),
            ("drop delete?key=qux", ""),
            ("put?key=qux&value=5", "ok"),
            ("get-many?keys=bar,baz,foo,qux", "qux=5"),
            ("list?start=a", "qux=5"),
        ],
    },
];

#[test]
fn calls_that_overlap_count_from_when_they_were_made() {
    check_all(CASES);
}
