//! Rust bindings of the WIT package `dohost:object`, generated. Nothing else lives here.

#[expect(missing_docs, reason = "generated code; the documentation is in wit/object.wit")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "dohost:object/object",
        imports: {
            "dohost:object/concurrency.[drop]critical-section": trappable,
            "dohost:object/namespace.[drop]stub": trappable,
            "dohost:object/transactions.[drop]transaction": trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "dohost:object/concurrency.critical-section": crate::imports::OpenSection,
            "dohost:object/namespace.stub": crate::imports::Stub,
            "dohost:object/transactions.transaction": crate::imports::OpenTransaction,
        },
        additional_derives: [PartialEq],
    });
}

pub use generated::dohost::object::{
    alarms, concurrency, namespace, outgoing, state, storage, transactions, types, websockets,
};
pub use generated::{Object, ObjectIndices};
