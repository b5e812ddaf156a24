//! A counter in Zig. Every name is a counter of its own, with its own store.

const std = @import("std");
const abi = @import("abi.zig");

const COUNT = "count";

/// What was counted so far; 0 if nothing was ever counted.
fn read() abi.Error!i64 {
    const stored = try abi.storage.get(COUNT) orelse return 0;
    return std.fmt.parseInt(i64, stored, 10) catch abi.fail("the stored count is not a number");
}

/// Adds to the counter and gives its new value.
///
/// Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no count
/// is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
fn add(amount: i64) abi.Error!i64 {
    const count = std.math.add(i64, try read(), amount) catch return abi.fail("the counter is full");
    try abi.storage.put(COUNT, digits(count));
    return count;
}

fn respond(path: []const u8) abi.Error!abi.Response {
    const is = struct {
        fn is(a: []const u8, b: []const u8) bool {
            return std.mem.eql(u8, a, b);
        }
    }.is;
    if (is(path, "/") or is(path, "/value")) return text(200, digits(try read()));
    if (is(path, "/increment")) return text(200, digits(try add(1)));
    if (is(path, "/decrement")) return text(200, digits(try add(-1)));
    return text(404, "Not found");
}

fn digits(number: i64) []const u8 {
    return std.fmt.allocPrint(abi.allocator, "{d}", .{number}) catch @panic("out of memory");
}

const headers = [_]abi.Header{.{ .name = abi.Bytes.of("content-type"), .value = abi.Bytes.of("text/plain") }};

fn text(status: u16, body: []const u8) abi.Response {
    return .{ .status = status, .headers = &headers, .headers_len = headers.len, .body = abi.Bytes.of(body) };
}

/// HTTP. A record comes as its fields, one after the other: the method, the scheme, the authority, the path, the query if
/// there is one, the headers, the body.
export fn @"dohost:object/handler@0.1.0#fetch"(
    _: [*]const u8,
    _: usize,
    _: [*]const u8,
    _: usize,
    _: [*]const u8,
    _: usize,
    path: [*]const u8,
    path_len: usize,
    _: u32,
    _: [*]const u8,
    _: usize,
    _: [*]const abi.Header,
    _: usize,
    _: [*]const u8,
    _: usize,
) *abi.Result(abi.Response) {
    return .from(respond(path[0..path_len]));
}

/// A method: adds 1, or what it is told.
export fn increment(is_some: u32, by: u32) *abi.Result(i64) {
    return .from(add(if (is_some != 0) by else 1));
}

/// A method.
export fn value() *abi.Result(i64) {
    return .from(read());
}
