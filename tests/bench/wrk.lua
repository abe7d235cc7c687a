-- The last line of wrk's output: tests.bench.load.Load as JSON.
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "errors": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

-- With a word of its own for this run (after "--"): no head of a request comes twice.
init = function(args)
  if not args[1] then return end
  local count = 0
  local before = string.format("GET %s HTTP/1.1\r\nHost: %s:%s\r\nX-Request-Id: %s",
    wrk.path, wrk.host, wrk.port, args[1])
  request = function()
    count = count + 1
    return string.format("%s%010d\r\n\r\n", before, count)
  end
end
