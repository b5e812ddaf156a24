//! What objects may use: every limit with its default and what happens when it is hit.

use std::time::Duration;

use dohost_engine::GuestLimits;

/// Limits of all objects of the host together.
#[derive(Clone, Debug)]
pub struct HostLimits {
    /// Objects resident at once, over all executors. Over it, those idle the longest go first; if none is idle, events for
    /// objects that are not resident are refused as overloaded.
    pub residents_max: usize,
    /// How long an object without events stays resident.
    pub idle_timeout: Duration,
    /// How long a commit may take. Over it, objects with writes in it are reset and their callers told that they are
    /// overloaded.
    pub commit_time_max: Duration,
    /// Alarms that are under way at once, over all objects: those that are due beyond that wait.
    pub alarms_max: usize,
    /// Websockets of all objects. One more is refused.
    pub websockets_max: usize,
    /// Bytes of large messages that are coming in on websockets, over all objects. Over it, they are read when others are
    /// done; one that waits too long closes its websocket with code 1013.
    pub websocket_incoming_bytes_max: usize,
    /// Bytes of messages that wait to be taken by clients, over all objects. Over it, a websocket on which some wait already
    /// is closed with code 1013.
    pub websocket_outgoing_bytes_max: usize,
    /// How long an object may take to finish its events before it moves to new code. Over it, it is reset.
    pub drain_time_max: Duration,
}

impl Default for HostLimits {
    fn default() -> HostLimits {
        HostLimits {
            residents_max: 10_000,
            idle_timeout: Duration::from_secs(10),
            commit_time_max: Duration::from_secs(30),
            alarms_max: 256,
            websockets_max: 100_000,
            websocket_incoming_bytes_max: 512 << 20,
            websocket_outgoing_bytes_max: 512 << 20,
            drain_time_max: Duration::from_secs(30),
        }
    }
}

/// Limits of each object of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What its guest may use of the machine.
    pub guest: GuestLimits,
    /// How long one event may take, from its start to its reply; as long may work go on after the last reply. Over it, the
    /// object is reset.
    pub event_time_max: Duration,
    /// How long the handler of an alarm may take. Over it, the object is reset, and the alarm has failed.
    pub alarm_time_max: Duration,
    /// Alarms that an object may have. One more is refused.
    pub alarms_max: usize,
    /// Ticks of a schedule that are made up for one by one. Older ones are left out.
    pub alarm_catch_up_max: usize,
    /// Websockets that an object may have. One more is refused.
    pub websockets_max: usize,
    /// Bytes of a message on a websocket. Over it, what comes closes the websocket with code 1009, what is sent is refused.
    pub websocket_message_bytes_max: usize,
    /// Bytes of messages that wait to be taken by a client: over a sixteenth of it, the guest waits; over it, the websocket is
    /// closed with code 1013.
    pub websocket_buffer_bytes_max: usize,
    /// How long a streamed body waits for a reader that takes nothing. Over it, it is cut off, and the guest finds it closed.
    pub stream_idle_max: Duration,
    /// Bytes that the body of a request from outside may have. Over it, the request is refused.
    pub body_bytes_max: usize,
    /// Events that run or wait. Over it, new ones are refused as overloaded.
    pub events_max: usize,
    /// Bytes of the requests of those events that wait. Over it, new ones are refused as overloaded.
    pub event_bytes_max: usize,
    /// Calls under way, to other objects and to the network. Over it, calls fail as overloaded.
    pub calls_max: usize,
    /// Bytes of the requests of those calls. Over it, calls fail as overloaded.
    pub call_bytes_max: usize,
    /// Objects that call each other in a row, the one that was called first included. A call beyond fails.
    pub call_depth_max: u32,
    /// Bytes of keys and values in the store of the object. Over it, writes are refused.
    pub storage_bytes_max: u64,
    /// Content up to this size is held in memory whole while an object is resident, so that its reads never wait.
    pub whole_content_bytes_max: usize,
    /// What the read cache may hold.
    pub cache_bytes_max: usize,
    /// Bytes that one turn may write, or one transaction. Over it, writes are refused.
    pub turn_writes_bytes_max: usize,
    /// Bytes of the entries that one `list` may return: a larger answer is refused.
    pub list_bytes_max: usize,
    /// How long a critical section, a transaction or a construction may take. Over it, the object is reset and its callers
    /// are told that it is overloaded.
    pub section_time_max: Duration,
    /// Critical sections and transactions that may lie inside each other. One more is refused.
    pub section_depth_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            guest: GuestLimits::default(),
            event_time_max: Duration::from_secs(15 * 60),
            alarm_time_max: Duration::from_secs(15 * 60),
            alarms_max: 1_000,
            alarm_catch_up_max: 1_000,
            websockets_max: 32_768,
            websocket_message_bytes_max: 32 << 20,
            websocket_buffer_bytes_max: 16 << 20,
            stream_idle_max: Duration::from_secs(60),
            body_bytes_max: 16 << 20,
            events_max: 1_024,
            event_bytes_max: 64 << 20,
            calls_max: 1_024,
            call_bytes_max: 64 << 20,
            call_depth_max: 32,
            storage_bytes_max: 10 << 30,
            whole_content_bytes_max: 64 << 10,
            cache_bytes_max: 1 << 20,
            turn_writes_bytes_max: 16 << 20,
            list_bytes_max: 32 << 20,
            section_time_max: Duration::from_secs(30),
            section_depth_max: 64,
        }
    }
}
