//! Methods that are known only when the guest runs: `dohost:object/dynamic`, of which the host only hands the values on.
//!
//! The types are written by hand, so that the export stays optional.

use wasmtime::component::{
    Accessor, Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Lower, TypedFunc,
};

use crate::component::{exported_function, one_line};
use crate::config::Engine;
use crate::event::{DynamicCall, DynamicValues, Output};
use crate::guest::GuestState;
use crate::imports::TaskId;

/// The interface that a guest exports.
const DYNAMIC: &str = dohost_rpc::dynamic::INTERFACE;

/// Bytes that the result of a method may have.
const RESULT_BYTES_MAX: usize = 32 << 20;

/// `call` of the interface.
pub(crate) type CallFunc = TypedFunc<(String, Values), (Result<Values, Error>,)>;

/// Values on their way.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Values {
    #[component(name = "json")]
    Json(String),
    #[component(name = "cloned")]
    Cloned(Vec<u8>),
}

/// Why there is no result.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Error {
    #[component(name = "no-such-method")]
    NoSuchMethod,
    #[component(name = "invalid-arguments")]
    InvalidArguments(String),
    #[component(name = "exception")]
    Exception(String),
}

/// The function of a component, if it has it, compared with ours.
pub(crate) fn find(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<GuestState>,
) -> Result<Option<ComponentExportIndex>, String> {
    let Some((_, interface)) = component.get_export(None, DYNAMIC) else { return Ok(None) };
    let call = exported_function(engine, component, DYNAMIC, "call")?;
    call.typecheck::<(String, Values), (Result<Values, Error>,)>(&pre.instance_type())
        .map_err(|error| format!("call of {DYNAMIC}: {}", one_line(&error)))?;
    Ok(component.get_export_index(Some(&interface), "call"))
}

/// Calls a method. `started` is told the task before it runs.
pub(crate) async fn call(
    accessor: &Accessor<GuestState>,
    function: CallFunc,
    call: DynamicCall,
    started: impl FnOnce(TaskId),
) -> wasmtime::Result<Result<Output, String>> {
    let DynamicCall { method, arguments } = call;
    let arguments = match arguments {
        DynamicValues::Json(text) => Values::Json(text),
        DynamicValues::Cloned(bytes) => Values::Cloned(bytes),
    };
    let is_json = matches!(arguments, Values::Json(_));
    let called = (method.clone(), arguments);
    let task = accessor.with(|access| function.start_call_concurrent(access, called))?;
    started(TaskId(task.task()));
    let (result,) = function.finish_call_concurrent(accessor, task).await?;
    Ok(match result {
        Ok(Values::Json(text)) if is_json => sized(text.len(), &method, DynamicValues::Json(text)),
        Ok(Values::Cloned(bytes)) if !is_json => sized(bytes.len(), &method, DynamicValues::Cloned(bytes)),
        Ok(_) => Err(format!("the result of {method} came in another form than its arguments")),
        Err(Error::NoSuchMethod) => Ok(Output::NotOffered(format!("the object has no method {method:?}"))),
        Err(Error::InvalidArguments(text)) => Ok(Output::InvalidArguments(text)),
        Err(Error::Exception(exception)) => Err(exception),
    })
}

fn sized(bytes: usize, method: &str, values: DynamicValues) -> Result<Output, String> {
    Ok(match bytes <= RESULT_BYTES_MAX {
        true => Output::Dynamic(values),
        false => Output::TooLarge(format!("the result of {method} has {bytes} bytes, the most is {RESULT_BYTES_MAX}")),
    })
}
