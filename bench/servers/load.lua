-- What wrk sends, and what it tells us. Argument: a file with one Cookie header per line.
-- Requests are made before the load begins; then they go out in turns.

local requests, turn = {}, 0

function init(arguments)
   for cookie in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("GET", nil, { ["Cookie"] = cookie })
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency)
   local errors = summary.errors
   local figures = {
      summary.requests, summary.duration, -- µs
      latency:percentile(50), latency:percentile(99), -- µs
      errors.connect, errors.read, errors.write, errors.timeout, errors.status,
   }
   io.write("figures " .. table.concat(figures, " ") .. "\n")
end
