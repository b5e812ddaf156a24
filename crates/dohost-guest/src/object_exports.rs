//! What makes a component an object: the handler and the construction.

use crate::class;

#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package dohost:guest;

            world exports {
                export dohost:object/handler@0.1.0;
                export dohost:object/construction@0.1.0;
            }
        ",
        path: "../../wit",
        world: "dohost:guest/exports",
        with: { "dohost:object/types@0.1.0": crate::bindings::dohost::object::types },
    });
    export!(Exports);
    use super::Exports;
}

use bindings::exports::dohost::object::{construction, handler};

struct Exports;

impl construction::Guest for Exports {
    async fn construct() -> Result<(), construction::Exception> {
        let object = class::construct().map_err(|error| error.to_string())?;
        object.construct().await.map_err(|error| error.to_string())
    }
}

impl handler::Guest for Exports {
    async fn fetch(request: handler::Request) -> Result<handler::Response, handler::Exception> {
        // It was constructed before its first event.
        let object = class::construct().map_err(|error| error.to_string())?;
        match object.fetch(request.into()).await {
            Ok(response) => Ok(response.into_wire()),
            Err(error) => Err(error.to_string()),
        }
    }
}
