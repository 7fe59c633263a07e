-- Shows files of "udsgrpc tap --write" in Wireshark and tshark. Copy it to the folder of personal Lua plugins (Help,
-- About Wireshark, Folders), or say: wireshark -X lua_script:udsgrpc.lua calls.pcapng
--
-- Each packet is a message udsgrpc.inspect.v1.Call in protobuf's binary encoding, with link type
-- LINKTYPE_USER0 (147).

local udsgrpc = Proto("udsgrpc", "Call on a Unix domain socket")

local transports = { [1] = "direct", [2] = "http2", [3] = "ring" }
local codes = {
	[0] = "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
	"PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
	"Internal", "Unavailable", "DataLoss", "Unauthenticated",
}

local f = udsgrpc.fields
f.time = ProtoField.absolute_time("udsgrpc.time", "Began")
f.duration = ProtoField.relative_time("udsgrpc.duration", "Duration")
f.method = ProtoField.string("udsgrpc.method", "Method")
f.transport = ProtoField.uint32("udsgrpc.transport", "Transport", base.DEC, transports)
f.uid = ProtoField.uint32("udsgrpc.uid", "Client's uid")
f.pid = ProtoField.uint64("udsgrpc.pid", "Client's pid")
f.program = ProtoField.string("udsgrpc.program", "Client's program")
f.requests = ProtoField.uint64("udsgrpc.requests", "Requests")
f.request_bytes = ProtoField.uint64("udsgrpc.request_bytes", "Bytes of requests")
f.responses = ProtoField.uint64("udsgrpc.responses", "Responses")
f.response_bytes = ProtoField.uint64("udsgrpc.response_bytes", "Bytes of responses")
f.code = ProtoField.uint32("udsgrpc.code", "Status", base.DEC, codes)
f.status_message = ProtoField.string("udsgrpc.status_message", "Status message")
f.header = ProtoField.string("udsgrpc.header", "Header")
f.request = ProtoField.string("udsgrpc.request", "Request")
f.response = ProtoField.string("udsgrpc.response", "Response")
f.left_out = ProtoField.uint64("udsgrpc.left_out", "Messages left out")

local malformed = ProtoExpert.new("udsgrpc.malformed", "Not a call", expert.group.MALFORMED, expert.severity.ERROR)
udsgrpc.experts = { malformed }

-- varint reads a number at offset, and returns it with the offset after it; nil if there is none.
local function varint(tvb, offset)
	local value = UInt64(0)
	for n = 0, 9 do
		if offset >= tvb:len() then return nil end
		local byte = tvb(offset, 1):uint()
		offset = offset + 1
		value = value:bor(UInt64(byte % 128):lshift(7 * n))
		if byte < 128 then return value, offset end
	end
	return nil
end

-- fields calls on(number, value, range) for each field: value is a UInt64, or nil for a field of bytes, which
-- are the range. It returns false if the bytes are no message.
local function fields(tvb, on)
	local offset = 0
	while offset < tvb:len() do
		local start = offset
		local key, value
		key, offset = varint(tvb, offset)
		if not key then return false end
		local wire = key:tonumber() % 8
		local number = (key:tonumber() - wire) / 8
		if wire == 0 then
			value, offset = varint(tvb, offset)
			if not value then return false end
			on(number, value, tvb(start, offset - start))
		elseif wire == 2 then
			local length
			length, offset = varint(tvb, offset)
			if not length or length:tonumber() > tvb:len() - offset then return false end
			length = length:tonumber()
			on(number, nil, length > 0 and tvb(offset, length) or nil)
			offset = offset + length
		elseif wire == 1 or wire == 5 then
			offset = offset + (wire == 1 and 8 or 4)
			if offset > tvb:len() then return false end
		else
			return false
		end
	end
	return true
end

local function text(range) return range and range:string(ENC_UTF_8) or "" end

-- numbers returns the numbers in a message, by field.
local function numbers(range)
	local found = {}
	if range then
		fields(range:tvb(), function(number, value) if value then found[number] = value end end)
	end
	return found
end

local function time(range)
	local n = numbers(range)
	return NSTime.new(n[1] and n[1]:tonumber() or 0, n[2] and n[2]:tonumber() or 0)
end

local function header(tree, range)
	local parts = { "", "" }
	fields(range:tvb(), function(number, _, part) parts[number] = text(part) end)
	tree:add(f.header, range, parts[1] .. ": " .. parts[2])
end

local function message(tree, range)
	local response, json = false, ""
	fields(range:tvb(), function(number, value, part)
		if number == 1 and value then response = true elseif number == 2 then json = text(part) end
	end)
	tree:add(response and f.response or f.request, range, json)
end

local function contents(tree, range)
	fields(range:tvb(), function(number, value, part)
		if number == 1 and part then tree:add(f.status_message, part, text(part))
		elseif number == 2 and part then header(tree, part)
		elseif number == 3 and part then message(tree, part)
		elseif number == 4 and value then tree:add(f.left_out, part, value) end
	end)
end

function udsgrpc.dissector(tvb, pinfo, tree)
	local root = tree:add(udsgrpc, tvb())
	local call = { method = "?", program = "", code = 0, transport = 0, requests = 0, responses = 0 }
	local plain = {
		[6] = f.requests, [7] = f.request_bytes, [8] = f.responses, [9] = f.response_bytes,
	}
	local well = fields(tvb, function(number, value, range)
		if number == 1 then root:add(f.time, range or tvb(0, 0), time(range))
		elseif number == 2 then
			call.duration = time(range)
			root:add(f.duration, range or tvb(0, 0), call.duration)
		elseif number == 3 then
			call.method = text(range)
			root:add(f.method, range or tvb(0, 0), call.method)
		elseif number == 4 and value then
			call.transport = value:tonumber()
			root:add(f.transport, range, call.transport)
		elseif number == 5 and range then
			fields(range:tvb(), function(inner, who, part)
				if inner == 1 and who then root:add(f.uid, part, who:tonumber())
				elseif inner == 2 and who then
					call.pid = who
					root:add(f.pid, part, who)
				elseif inner == 3 then
					call.program = text(part)
					root:add(f.program, part, call.program)
				end
			end)
		elseif plain[number] and value then root:add(plain[number], range, value)
		elseif number == 10 and value then call.code = value:tonumber()
		elseif number == 11 and range then contents(root, range) end
	end)
	-- OK is 0, which is not in the message.
	root:add(f.code, call.code)
	if not well then root:add_proto_expert_info(malformed) end
	pinfo.cols.protocol = "gRPC/UDS"
	pinfo.cols.src = call.program .. (call.pid and "(" .. tostring(call.pid) .. ")" or "")
	pinfo.cols.dst = "server"
	pinfo.cols.info = call.method .. "  " .. (codes[call.code] or tostring(call.code)) ..
		"  " .. (transports[call.transport] or "-") .. (call.duration and "  " .. tostring(call.duration) .. " s" or "")
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, udsgrpc)
