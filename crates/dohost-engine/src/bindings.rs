//! Rust bindings of the WIT package `dohost:object`, generated. Nothing else lives here.

#[expect(missing_docs, reason = "generated code; the documentation is in wit/object.wit")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "dohost:object/object",
        imports: {
            "dohost:object/namespace.[drop]stub": trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "dohost:object/namespace.stub": crate::imports::Stub,
        },
        additional_derives: [PartialEq],
    });
}

pub use generated::dohost::object::{namespace, outgoing, state, storage, types};
pub use generated::{Object, ObjectPre};
