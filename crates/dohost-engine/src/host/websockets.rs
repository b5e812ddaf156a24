//! `dohost:object/websockets`.

use wasmtime::component::Accessor;

use super::{Host, answer_to, caller, trap};
use crate::bindings::types::Request;
use crate::bindings::websockets::{
    self, Accepted, AutoResponse, ConnectError, Connected, Description, Error, Message, Options,
};
use crate::guest::GuestState;
use crate::imports::WebSockets;

type Refusable<T> = wasmtime::Result<Result<T, Error>>;

impl websockets::Host for &mut GuestState {
    fn accept(&mut self, options: Options) -> Refusable<Accepted> {
        Ok(websockets(self)?.accept(options))
    }

    fn connect_client(&mut self, client: String, options: Options) -> Refusable<u64> {
        Ok(websockets(self)?.connect_client(&client, options))
    }

    fn set_options(&mut self, websocket: u64, options: Options) -> Refusable<()> {
        Ok(websockets(self)?.set_options(websocket, options))
    }

    fn close(&mut self, websocket: u64, code: Option<u16>, reason: String) -> Refusable<()> {
        Ok(websockets(self)?.close(websocket, code, reason))
    }

    fn sockets(&mut self, tag: Option<String>) -> wasmtime::Result<Vec<u64>> {
        Ok(websockets(self)?.sockets(tag.as_deref()))
    }

    fn describe(&mut self, websocket: u64) -> Refusable<Description> {
        Ok(websockets(self)?.describe(websocket))
    }

    fn attachment(&mut self, websocket: u64) -> Refusable<Option<Vec<u8>>> {
        Ok(websockets(self)?.attachment(websocket))
    }

    fn set_attachment(&mut self, websocket: u64, attachment: Option<Vec<u8>>) -> Refusable<()> {
        Ok(websockets(self)?.set_attachment(websocket, attachment))
    }

    fn set_auto_response(&mut self, auto_response: Option<AutoResponse>) -> Refusable<()> {
        Ok(websockets(self)?.set_auto_response(auto_response))
    }

    fn get_auto_response(&mut self) -> wasmtime::Result<Option<AutoResponse>> {
        Ok(websockets(self)?.auto_response())
    }

    fn set_event_timeout(&mut self, milliseconds: Option<u32>) -> Refusable<()> {
        Ok(websockets(self)?.set_event_timeout(milliseconds))
    }

    fn get_event_timeout(&mut self) -> wasmtime::Result<Option<u32>> {
        Ok(websockets(self)?.event_timeout())
    }
}

impl websockets::HostWithStore<GuestState> for Host {
    async fn send(accessor: &Accessor<GuestState, Self>, websocket: u64, message: Message) -> Refusable<()> {
        answer_to(accessor, |state, caller| Ok(websockets(state)?.send(caller, websocket, message))).await
    }

    async fn connect(
        accessor: &Accessor<GuestState, Self>,
        request: Request,
        options: Options,
    ) -> wasmtime::Result<Result<Connected, ConnectError>> {
        let connected = accessor.with(|mut access| {
            let caller = caller(&mut access);
            Ok::<_, wasmtime::Error>(websockets(access.get())?.connect(caller, request, options))
        });
        connected?.await.map_err(trap)
    }
}

fn websockets(state: &GuestState) -> wasmtime::Result<&dyn WebSockets> {
    Ok(super::inside(state, "websockets")?.websockets())
}
