-- wrk script: increments counters picked at random, and prints what came of it as one line of JSON.
-- Arguments: how many counters there are, the seed of the choice.

local requests = {}

function init(args)
  for index = 0, tonumber(args[1]) - 1 do
    table.insert(requests, wrk.format("GET", "/counter/o" .. index .. "/increment"))
  end
  math.randomseed(tonumber(args[2]))
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
