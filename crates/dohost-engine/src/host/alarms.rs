//! `dohost:object/alarms`.

use wasmtime::component::Accessor;

use super::{Host, answer};
use crate::bindings::alarms::{self, Alarm, Cron, Error};
use crate::guest::GuestState;
use crate::imports::Inside;

type Refusable<T> = wasmtime::Result<Result<T, Error>>;

impl alarms::Host for &mut GuestState {}

impl alarms::HostWithStore<GuestState> for Host {
    async fn set(accessor: &Accessor<GuestState, Self>, name: String, scheduled_time: i64) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.set_alarm(name, scheduled_time, true))).await
    }

    async fn set_cron(accessor: &Accessor<GuestState, Self>, name: String, schedule: Cron) -> Refusable<i64> {
        answer(accessor, |state| Ok(inside(state)?.set_cron(name, schedule))).await
    }

    async fn get(accessor: &Accessor<GuestState, Self>, name: String) -> Refusable<Option<i64>> {
        answer(accessor, |state| Ok(inside(state)?.get_alarm(name))).await
    }

    async fn list(accessor: &Accessor<GuestState, Self>) -> Refusable<Vec<Alarm>> {
        answer(accessor, |state| Ok(inside(state)?.list_alarms())).await
    }

    async fn delete(accessor: &Accessor<GuestState, Self>, name: String) -> Refusable<bool> {
        answer(accessor, |state| Ok(inside(state)?.delete_alarm(name, true))).await
    }

    async fn set_unconfirmed(
        accessor: &Accessor<GuestState, Self>,
        name: String,
        scheduled_time: i64,
    ) -> Refusable<()> {
        answer(accessor, |state| Ok(inside(state)?.set_alarm(name, scheduled_time, false))).await
    }

    async fn delete_unconfirmed(accessor: &Accessor<GuestState, Self>, name: String) -> Refusable<bool> {
        answer(accessor, |state| Ok(inside(state)?.delete_alarm(name, false))).await
    }
}

fn inside(state: &GuestState) -> wasmtime::Result<&dyn Inside> {
    super::inside(state, "alarms")
}
