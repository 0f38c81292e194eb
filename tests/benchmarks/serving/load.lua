-- wrk's script: the bodies of a file take turns; the last line printed is the result as JSON.
local requests, at = {}, 0
local statuses = {}

function init(args)
  -- args: bodies file, then header names and values in turn
  for i = 2, #args, 2 do wrk.headers[args[i]] = args[i + 1] end
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"slowest":%d,"socket":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.connect + e.read + e.write, e.status, e.timeout))
end
