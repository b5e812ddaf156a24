//! What wit-bindgen makes of the WIT: the functions of the host, as they are.
//!
//! One world holds everything that an object may import. What a guest does not call is left out when it is linked.

#![allow(missing_docs, clippy::all)]

wit_bindgen::generate!({
    inline: "
        package dohost:guest;

        world imports {
            import dohost:object/alarms@0.1.0;
            import dohost:object/storage@0.1.0;
            import dohost:object/transactions@0.1.0;
            import dohost:object/concurrency@0.1.0;
            import dohost:object/state@0.1.0;
            import dohost:object/namespace@0.1.0;
            import dohost:object/outgoing@0.1.0;
            import dohost:object/websockets@0.1.0;
            import wasi:cli/environment@0.3.0;
            import wasi:clocks/monotonic-clock@0.3.0;
            import wasi:clocks/system-clock@0.3.0;
            import wasi:http/types@0.3.0;
            import wasi:random/random@0.3.0;
            // Those of 0.2 print without waiting, also while the guest panics.
            import wasi:cli/stdout@0.2.0;
            import wasi:cli/stderr@0.2.0;
        }

        package wasi:cli@0.2.0 {
            interface stdout {
                use wasi:io/streams@0.2.0.{output-stream};
                get-stdout: func() -> output-stream;
            }

            interface stderr {
                use wasi:io/streams@0.2.0.{output-stream};
                get-stderr: func() -> output-stream;
            }
        }

        package wasi:io@0.2.0 {
            interface error {
                resource error;
            }

            interface streams {
                use error.{error};

                variant stream-error {
                    last-operation-failed(error),
                    closed,
                }

                resource output-stream {
                    blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                }
            }
        }
    ",
    path: "../../wit",
    world: "dohost:guest/imports",
    generate_all,
});
