//! Interfaces through which a guest calls methods of other objects with their types: the host makes them up from what the
//! component imports.
//!
//! A function takes a stub and the parameters of the method, and gives its result or why the call failed. Whether the
//! method of the object is as the caller thinks is looked at when it is called: the object's code may change.

use std::sync::Arc;

use dohost_rpc::value::Count;
use dohost_rpc::{Client, Method, Value};
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, Linker, Resource, Val};

use super::{caller, trap};
use crate::bindings::namespace::CallError;
use crate::guest::GuestState;
use crate::imports::Stub;
use crate::value::{from_val, to_val};

pub(crate) fn add_to_linker(linker: &mut Linker<GuestState>, clients: &[Client]) -> wasmtime::Result<()> {
    for client in clients {
        let mut instance = linker.instance(&client.interface)?;
        for method in &client.methods {
            let called = method.clone();
            instance.func_new_concurrent(&method.function, move |accessor, _, params, results| {
                let method = called.clone();
                Box::pin(async move {
                    results[0] = call(accessor, method, params).await?;
                    Ok(())
                })
            })?;
        }
    }
    Ok(())
}

async fn call(accessor: &Accessor<GuestState>, method: Arc<Method>, params: &[Val]) -> wasmtime::Result<Val> {
    let Some((Val::Resource(stub), params)) = params.split_first() else {
        wasmtime::bail!("a function that calls a method takes a stub first");
    };
    let stub: Resource<Stub> = accessor.with(|mut access| stub.try_into_resource(access.as_context_mut()))?;
    let count = Count::default();
    let types = method.params.iter().map(|(_, ty)| ty);
    let arguments: Result<Vec<Value>, _> =
        params.iter().zip(types).map(|(val, ty)| from_val(val, ty, &count)).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => {
            let message = format!("the arguments of {} have {error}", method.name);
            let error = CallError { message, remote: false, retryable: false, overloaded: false };
            return Ok(Val::Result(Err(Some(Box::new(of_error(error))))));
        }
    };
    let reply = accessor.with(|mut access| {
        let caller = caller(&mut access);
        wasmtime::error::Ok(access.get().table.get(&stub)?.0.call_typed(caller, &method, arguments))
    })?;
    Ok(Val::Result(match reply.await.map_err(trap)? {
        Ok(value) => Ok(value.zip(method.result.as_ref()).map(|(value, ty)| Box::new(to_val(value, ty)))),
        Err(error) => Err(Some(Box::new(of_error(error)))),
    }))
}

fn of_error(error: CallError) -> Val {
    let CallError { message, remote, retryable, overloaded } = error;
    Val::Record(vec![
        ("message".into(), Val::String(message)),
        ("remote".into(), Val::Bool(remote)),
        ("retryable".into(), Val::Bool(retryable)),
        ("overloaded".into(), Val::Bool(overloaded)),
    ])
}
