//! How many connections and websockets there may be: each takes a file descriptor, and so do instances, the store and requests to
//! the network, which must not be refused because of those.

use dohost_ingress::HttpLimits;
use dohost_object::HostLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Plan;

/// The part of the file descriptors that is left to everything else, and how many these are at least.
const KEPT_SHARE: u64 = 8;
const KEPT_MIN: u64 = 64;

/// So many need no warning if nobody has asked for more.
const ENOUGH: usize = 1_000;

/// How many there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub connections: usize,
    pub websockets: usize,
}

/// As many as are wished for, or as the system allows; says so if these are fewer.
pub fn room_for(plan: &Plan) -> Room {
    let files_max = raise_limit();
    let wished = Room { connections: plan.max_connections as usize, websockets: plan.max_websockets as usize };
    let room = wished.within(files_max);
    let defaults = (HttpLimits::default().connections_max, HostLimits::default().websockets_max);
    let needed = wished.files_needed();
    for (what, max, wished, default) in [
        ("connections", room.connections, wished.connections, defaults.0),
        ("websockets", room.websockets, wished.websockets, defaults.1),
    ] {
        if max == wished {
            continue;
        }
        let text = format!(
            "there may be {max} {what}, not {wished}: the system allows {files_max} open files \
             (help: ulimit -Hn {needed}, LimitNOFILE={needed} in systemd, or --max-{what} {max})"
        );
        // Whoever has not asked for so many is not to be warned with each start.
        match wished == default && max > ENOUGH {
            true => tracing::debug!("{text}"),
            false => tracing::warn!("{text}"),
        }
    }
    room
}

/// The usual limit is for programs that have few files open. How many there may be.
fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

impl Room {
    /// One too many waits, or is refused to its object, rather than to whoever opens a file next. If there is not room for all, connections
    /// and websockets get half of it each.
    fn within(self, files_max: u64) -> Room {
        let left = files_max - (files_max / KEPT_SHARE).max(KEPT_MIN).min(files_max);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let connections = self.connections.min((left / 2).max(left.saturating_sub(self.websockets)));
        let websockets = self.websockets.min(left - connections);
        Room { connections: connections.max(1), websockets }
    }

    fn files_needed(self) -> u64 {
        let files = self.connections as u64 + self.websockets as u64;
        files + (files / (KEPT_SHARE - 1)).max(KEPT_MIN) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_websockets_leave_file_descriptors_to_others() {
        let all = Room { connections: 10_000, websockets: 100_000 };
        assert_eq!(all.within(1 << 20), all);
        assert_eq!(all.within(u64::MAX), all);
        assert_eq!(all.within(all.files_needed()), all, "what the advice asks for");
        assert_ne!(all.within(all.files_needed() - 10), all);
        assert_eq!(all.within(20_000), Room { connections: 8_750, websockets: 8_750 });
        assert_eq!(all.within(200), Room { connections: 68, websockets: 68 });
        assert_eq!(all.within(10), Room { connections: 1, websockets: 0 });
        let few = Room { connections: 10_000, websockets: 10 };
        assert_eq!(few.within(200), Room { connections: 126, websockets: 10 }, "what one leaves is for the other");
    }
}
