//! The world in `wit/`, as the component model lays it out in memory: what a generator of bindings would write.
//!
//! Everything of one event is in one arena. The host allocates the arguments of an event there and the results of
//! imports, the program what it makes itself; after the reply has been read the arena is emptied. That is all there is to
//! freeing memory, as with the synchronous ABI one event ends before the next one begins.

const std = @import("std");

var arena = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);

/// Memory until the end of the event.
pub const allocator = arena.allocator();

/// `string` and `list<u8>`.
pub const Bytes = extern struct {
    ptr: [*]const u8,
    len: usize,

    pub fn of(slice: []const u8) Bytes {
        return .{ .ptr = slice.ptr, .len = slice.len };
    }

    pub fn get(self: Bytes) []const u8 {
        return self.ptr[0..self.len];
    }
};

pub const Header = extern struct { name: Bytes, value: Bytes };

pub const Response = extern struct {
    status: u16,
    headers: [*]const Header,
    headers_len: usize,
    body: Bytes,
};

/// What the program fails with: the text is in `failure`.
pub const Error = error{Exception};

/// What is wrong, in words; set together with `error.Exception`.
pub var failure: []const u8 = "";

pub fn fail(text: []const u8) Error {
    failure = text;
    return error.Exception;
}

/// `result<T, exception>`, which leaves as a pointer to it.
pub fn Result(T: type) type {
    return extern struct {
        tag: enum(u8) { ok, err },
        payload: extern union { ok: T, err: Bytes },

        pub fn from(value: Error!T) *@This() {
            const result = allocator.create(@This()) catch @panic("out of memory");
            result.* = if (value) |ok|
                .{ .tag = .ok, .payload = .{ .ok = ok } }
            else |_|
                .{ .tag = .err, .payload = .{ .err = Bytes.of(failure) } };
            return result;
        }
    };
}

/// `dohost:object/storage@0.1.0`.
pub const storage = struct {
    /// `invalid`, `too-large` or `not-allowed`, each with a text.
    const Refusal = extern struct { tag: u8, text: Bytes };
    const Value = extern struct { is_some: u8, bytes: Bytes };
    const GetResult = extern struct { is_error: u8, payload: extern union { ok: Value, err: Refusal } };
    const PutResult = extern struct { is_error: u8, err: Refusal };

    const imports = struct {
        extern "dohost:object/storage@0.1.0" fn get(key: [*]const u8, key_len: usize, result: *GetResult) void;
        extern "dohost:object/storage@0.1.0" fn put(
            key: [*]const u8,
            key_len: usize,
            value: [*]const u8,
            value_len: usize,
            result: *PutResult,
        ) void;
    };

    /// The value of a key.
    pub fn get(key: []const u8) Error!?[]const u8 {
        var result: GetResult = undefined;
        imports.get(key.ptr, key.len, &result);
        if (result.is_error != 0) return fail(result.payload.err.text.get());
        return if (result.payload.ok.is_some != 0) result.payload.ok.bytes.get() else null;
    }

    /// Sets the value of a key.
    pub fn put(key: []const u8, value: []const u8) Error!void {
        var result: PutResult = undefined;
        imports.put(key.ptr, key.len, value.ptr, value.len, &result);
        if (result.is_error != 0) return fail(result.err.text.get());
    }
};

/// How the host gets memory for what it hands over.
export fn cabi_realloc(old: [*]u8, old_len: usize, alignment: usize, len: usize) [*]u8 {
    if (len == 0) return @ptrFromInt(alignment);
    // All that is in the world needs 8 at most.
    const new = allocator.alignedAlloc(u8, .@"8", len) catch @panic("out of memory");
    @memcpy(new[0..@min(old_len, len)], old[0..@min(old_len, len)]);
    return new.ptr;
}

fn afterReply(_: *anyopaque) callconv(.c) void {
    _ = arena.reset(.{ .retain_with_limit = 64 << 10 });
}

comptime {
    for (.{ "dohost:object/handler@0.1.0#fetch", "increment", "value" }) |function| {
        @export(&afterReply, .{ .name = "cabi_post_" ++ function });
    }
}
