//! What a seed decides before anything runs: how many objects and clients there are, how narrow the limits, how slow the
//! disk, how often something goes wrong.
//!
//! Each seed draws from short lists of extremes, so that the corners are met often: reads that never wait and reads that
//! always do, objects that sleep after a moment and objects that stay.

use std::time::Duration;

use dohost_object::{HostLimits, Limits};

use crate::random::Random;

/// See the module.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Objects of the class `probe`.
    pub probes: u64,
    /// Objects of the class `counter`.
    pub counters: u64,
    /// Clients of each object.
    pub clients_per_object: u64,
    /// Operations of each client.
    pub operations_per_client: u64,
    /// Clients pause for up to so long between operations.
    pub think_ms_max: u64,
    /// A read of the store takes up to so long.
    pub read_ms_max: u64,
    /// A commit begins and ends after up to so long.
    pub commit_ms_max: u64,
    /// Bytes that values are filled up with.
    pub filler_bytes: usize,
    /// How often the host is restarted, at most: all operations may be done before.
    pub restarts: u64,
    /// One commit in so many stalls for seconds.
    pub stalls_one_in: u64,
    /// One commit in so many finds the disk full.
    pub full_one_in: u64,
    /// One commit in so many has its fsync fail.
    pub sync_fails_one_in: u64,
    /// At one commit in so many the power goes.
    pub crash_one_in: u64,
    /// One operation in so many is given up by its client before long.
    pub impatient_one_in: u64,
    /// One operation in so many traps.
    pub traps_one_in: u64,
    /// New code comes after up to so long, again and again; never if 0.
    pub deploy_ms_max: u64,
    /// Bytes of the log before a checkpoint is made of it.
    pub log_bytes_max: u64,
    /// Whether objects of the class `probe` take strict turns.
    pub is_serial: bool,
    /// What all objects may use together.
    pub host_limits: HostLimits,
    /// What each object may use.
    pub limits: Limits,
}

impl Plan {
    /// Once in so many times is never.
    pub const NEVER: u64 = u64::MAX;

    /// Draws a plan.
    pub fn draw(random: &mut Random) -> Plan {
        let never = Plan::NEVER;
        Plan {
            probes: random.between(1, 3),
            counters: random.below(2),
            clients_per_object: random.pick(&[1, 2, 4, 8, 8]),
            operations_per_client: random.pick(&[5, 15, 30, 50]),
            think_ms_max: random.pick(&[1, 10, 100, 1_000]),
            read_ms_max: random.pick(&[0, 2, 20]),
            commit_ms_max: random.pick(&[1, 5, 30]),
            filler_bytes: random.pick(&[0, 0, 50, 2_000]),
            restarts: random.between(0, 8),
            stalls_one_in: random.pick(&[never, 10, 50]),
            full_one_in: random.pick(&[never, never, 10, 40]),
            sync_fails_one_in: random.pick(&[never, never, 30]),
            crash_one_in: random.pick(&[4, 12, 40]),
            impatient_one_in: random.pick(&[never, 5, 20]),
            traps_one_in: random.pick(&[never, 10, 40]),
            deploy_ms_max: random.pick(&[0, 0, 20, 200, 2_000]),
            log_bytes_max: random.pick(&[2_000, 20_000, 16 << 20]),
            is_serial: random.one_in(4),
            host_limits: HostLimits {
                residents_max: random.pick(&[1, 2, 100]) as usize,
                idle_timeout: Duration::from_millis(random.pick(&[20, 200, 10_000])),
                commit_time_max: Duration::from_millis(random.pick(&[1_000, 30_000])),
                ..HostLimits::default()
            },
            limits: Limits {
                events_max: random.pick(&[4, 1_024]) as usize,
                whole_content_bytes_max: random.pick(&[0, 100, 64 << 10]) as usize,
                cache_bytes_max: random.pick(&[0, 200, 1 << 20]) as usize,
                ..Limits::default()
            },
        }
    }
}
