-- wrk script: asks objects picked at random, or each once, and prints what came of it as one line of JSON.
-- Arguments: `random` or `once`, class, what is asked, how many objects there are, the number of the first, the seed of the
-- choice, and the bytes of a body; with a body it is a POST.

local ffi = require("ffi")
ffi.cdef "int kill(int, int); int getpid(void);"
local SIGINT = 2

local requests = {}
local class, what, objects, first, body
local is_once, asked = false, 0

local function request_for(index)
  local path = "/" .. class .. "/o" .. index .. "/" .. what
  return body and wrk.format("POST", path, {}, body) or wrk.format("GET", path)
end

-- Only where each is asked once: wrk takes more time for a script that sees answers.
local answered = 0
local function count_answer()
  answered = answered + 1
  if answered < objects then return end
  wrk.thread:stop()
  -- As if somebody had pressed Ctrl-C: wrk waits until its time is over otherwise, though its thread has stopped.
  ffi.C.kill(ffi.C.getpid(), SIGINT)
end

function init(args)
  is_once, class, what, objects, first = args[1] == "once", args[2], args[3], tonumber(args[4]), tonumber(args[5])
  math.randomseed(tonumber(args[6]))
  local bytes = tonumber(args[7])
  body = bytes > 0 and string.rep("0123456789abcdef", math.ceil(bytes / 16)):sub(1, bytes) or nil
  if is_once then
    response = count_answer
    return
  end
  for index = first, first + objects - 1 do
    table.insert(requests, request_for(index))
  end
end

function request()
  if not is_once then return requests[math.random(#requests)] end
  asked = asked + 1
  return request_for(first + (asked - 1) % objects)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "p999_ms": %f, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency:percentile(99.9) / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
