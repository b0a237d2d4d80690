-- Sends prepared bodies, each thread its own: wrk ... -s load.lua URL -- FILE CONTENT-TYPE once|again
-- A line of FILE.<thread> is a body: JSON as it is, anything else in hexadecimal. Once: none is sent twice, and what
-- would come after the last is an empty body, which every server refuses, so that the run is seen to be wrong.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(arguments)
  local function plain(line)
    if line:sub(1, 1) == "{" then return line end
    return (line:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
  end
  local headers = { ["Content-Type"] = arguments[2] }
  requests, at, once = {}, 0, arguments[3] == "once"
  for line in io.lines(arguments[1] .. "." .. number) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, plain(line))
  end
  requests.none = wrk.format("POST", nil, headers, "")
end

function request()
  at = at + 1
  if at > #requests and not once then at = 1 end
  return requests[at] or requests.none
end
