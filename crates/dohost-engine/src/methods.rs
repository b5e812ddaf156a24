//! The methods of a component: found once when it is loaded, called by what was found.

use std::sync::Arc;

use dohost_rpc::value::Count;
use dohost_rpc::{Interface, Method, Value};
use wasmtime::component::{Accessor, Component, ComponentExportIndex, Instance, Val};

use crate::event::{MethodCall, Output};
use crate::guest::GuestState;
use crate::imports::TaskId;
use crate::value::{from_val, to_val};

/// What a component offers beside the interfaces that the host knows.
#[derive(Default)]
pub(crate) struct Methods {
    pub interface: Arc<Interface>,
    /// One for each method of the interface.
    exports: Vec<ComponentExportIndex>,
}

impl Methods {
    /// Finds them; or which of them is not there. A component whose interface cannot be read has none.
    pub fn find(component: &Component, binary: &[u8]) -> Result<Methods, String> {
        let interface = Interface::read(binary).unwrap_or_else(|error| {
            tracing::warn!("{error}; it has no methods");
            Interface::default()
        });
        let export = |method: &Arc<Method>| {
            let Some(interface) = &method.interface else { return component.get_export_index(None, &method.function) };
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), &method.function)
        };
        let exports = interface.methods.iter();
        let exports =
            exports.map(|method| export(method).ok_or_else(|| format!("its method {} is hidden", method.name)));
        Ok(Methods { exports: exports.collect::<Result<_, _>>()?, interface: interface.into() })
    }

    /// The method that the caller means; or why there is none.
    fn get(&self, wanted: &Method) -> Result<(&Arc<Method>, &ComponentExportIndex), String> {
        let is_wanted =
            |method: &Arc<Method>| (&method.interface, &method.function) == (&wanted.interface, &wanted.function);
        match self.interface.methods.iter().position(is_wanted) {
            Some(at) if self.interface.methods[at].fits(wanted) => Ok((&self.interface.methods[at], &self.exports[at])),
            Some(at) => {
                Err(format!("the method is {} by now, the call was made for {wanted}", self.interface.methods[at]))
            }
            None => Err(format!("there is no method {} any more", wanted.name)),
        }
    }

    /// Calls a method. `started` is told the task before it runs.
    pub async fn call(
        &self,
        accessor: &Accessor<GuestState>,
        instance: Instance,
        call: MethodCall,
        started: impl FnOnce(TaskId),
    ) -> wasmtime::Result<Output> {
        let (method, export) = match self.get(&call.method) {
            Ok(found) => found,
            Err(reason) => return Ok(Output::NotOffered(reason)),
        };
        let types = method.params.iter().map(|(_, ty)| ty);
        let arguments: Vec<Val> = call.arguments.into_iter().zip(types).map(|(value, ty)| to_val(value, ty)).collect();
        let mut results = vec![Val::Bool(false); usize::from(method.result.is_some())];
        let function = accessor.with(|access| instance.get_func(access, export));
        let function = function.ok_or_else(|| wasmtime::format_err!("{} is not exported", method.name))?;
        let call = accessor.with(|access| function.start_call_concurrent(access, &arguments, &mut results))?;
        started(TaskId(call.task()));
        function.finish_call_concurrent(accessor, call).await?;
        Ok(output(results.pop(), method))
    }
}

fn output(result: Option<Val>, method: &Method) -> Output {
    let value: Option<Result<Value, _>> =
        result.zip(method.result.as_ref()).map(|(val, ty)| from_val(&val, ty, &Count::default()));
    match value.transpose() {
        Ok(value) => Output::Value(value),
        Err(error) => Output::TooLarge(format!("the result of {} has {error}", method.name)),
    }
}
