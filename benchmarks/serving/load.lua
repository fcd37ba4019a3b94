-- wrk script: POST the rows of a file (one JSON object a line) in turn.
-- wrk … -- ROWS KEY
local requests = {}
local at = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["X-API-Key"] = args[2] }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", "/predict", headers, line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
