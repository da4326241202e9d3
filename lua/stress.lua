-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What the vocabulary means in a stress run, where threads are OS threads, and what is
-- checked there.  rounds() fills a table of functions, which are called in the place of
-- those of the same name (src/binding/lua_stress.c); `core` is what only C can do.  All
-- Lua runs under the baton, so what is written here is atomic between two calls of core.

local setmetatable, getmetatable, rawget = setmetatable, getmetatable, rawget
local type, tostring, pairs, ipairs, next = type, tostring, pairs, ipairs, next
local error, pcall, xpcall = error, pcall, xpcall
local table, math, debug = table, math, debug
local null_value, explore = null, explore

local M = {}

-- How a message about something that there is no native counterpart of ends.
M.UNAVAILABLE = " is not available on real threads"

local STALL = 20	-- seconds without any progress
local ONCE, ACQUIRE, RELEASE, FULL = 0, 1, 2, 3	-- enum stress_order
local ADD, AND, OR, XOR, XCHG = 0, 1, 2, 3, 4	-- enum stress_op
local TAG, TAG_MASK = 0x5eed << 48, 0xffff << 48 -- a location that holds an object

-- Where a primitive was called: "FILE:LINE: ", of the script.
local function where()
	for level = 2, 40 do
		local i = debug.getinfo(level, "Sl")
		if not i then
			return ""
		elseif i.currentline > 0 and i.source:sub(1, 6) ~= "=(lua/" then
			return ("%s:%d: "):format(i.short_src, i.currentline)
		end
	end
	return ""
end

-- The functions of one run.  `run` counts what is reported.
local function vocabulary(core, ops, run)
	local W			-- the world of the round
	local is_given_up = core.is_given_up

	local function bad(fmt, ...)
		error(where() .. fmt:format(...), 0)
	end

	-- Ends the run, as something is not there.
	local function unavailable(what)
		run.unavailable = run.unavailable or where() .. "stress: " .. what .. M.UNAVAILABLE
		error(run.unavailable, 0)
	end
	function ops.missing(name)
		unavailable(name)
	end

	local function me(name)
		local t = W.threads[core.self() or false]
		return t or bad("%s: no current thread", name)
	end
	local function progress()
		W.progress = W.progress + 1
	end

	-- The first one ends the round.
	local function violation(kind, thread, fmt, ...)
		if not W.violation then
			W.violation = { kind = kind, message = fmt:format(...), thread = thread and thread.name, round = run.rounds + 1 }
			core.abort()
		end
	end
	local function found(kind, fmt, ...)
		local t = W.threads[core.self() or false]
		violation(kind, t, "%s" .. fmt, where(), ...)
		if t then
			core.give_up()
		end
		error(W.violation.message, 0)
	end

	-- ------------------------------------------------------------ objects

	local handle = {
		__tostring = function(o) return ('%s "%s"'):format(rawget(o, "kind"), rawget(o, "name")) end,
	}
	handle.__index = handle
	local function object(kind, name, t)
		if type(name) ~= "string" or not name:find("^[%w_.:/@#-]+$") then
			bad("bad argument #1 to '%s' (a name of letters, digits and _.:/@#- expected)", kind)
		end
		t = t or {}
		t.kind, t.name = kind, name
		return setmetatable(t, handle)
	end
	local function check(o, kind, arg)
		if type(o) ~= "table" or getmetatable(o) ~= handle or o.kind ~= kind then
			bad("bad argument #%d (%s expected, got %s)", arg or 1, kind, type(o) == "table" and tostring(o) or type(o))
		end
		return o
	end

	-- heap objects: the handle is empty, so that its fields are o.f
	local data = setmetatable({}, { __mode = "k" })
	local heap = {}

	local function is_null(v)
		return v == nil or v == null_value
	end
	local function encode(v, what)
		if is_null(v) then
			return 0
		elseif math.type(v) == "integer" then
			return v
		elseif data[v] then
			data[v].placed = true
			return TAG | data[v].id
		elseif type(v) == "table" and getmetatable(v) == handle then
			W.ids[v] = W.ids[v] or #W.objects + 1
			W.objects[W.ids[v]] = v
			return TAG | W.ids[v]
		end
		bad("%s: an integer, an object or nil expected, got %s", what, type(v))
	end
	local function decode(v, pointers)
		if v & TAG_MASK == TAG then
			local o = W.objects[v & ~TAG_MASK]
			if o then
				return o
			end
		end
		if pointers and v == 0 then
			return nil
		end
		return v
	end
	local function alive(o, what)
		local d = data[o]
		if d.freed then
			found("use-after-free", '%s of "%s", which %s freed', what, d.name, d.freed)
		end
		return d
	end

	-- {cell=, pointers=, object=} of a var, a ptr or a field's location
	local function location(v, arg)
		if type(v) == "table" then
			local c = rawget(v, "cell")
			if c then
				if v.object then
					alive(v.object, "access")
				end
				return v
			end
		end
		bad("bad argument #%d (a var, a ptr or a field's location expected, got %s)", arg or 1, tostring(v))
	end
	local function counter(v, arg)
		local l = location(v, arg)
		return l.pointers and bad("bad argument #%d (an integer is needed, and this holds pointers)", arg or 1) or l
	end
	-- after the access: it may have been freed meanwhile, and then nobody can say what was read
	local function done(l)
		progress()
		if l.object then
			alive(l.object, "access")
		end
	end
	local function read(l, order)
		local v
		if core.self() and not W.pure then
			v = core.load(l.cell, order)
			done(l)
		else
			v = core.peek(l.cell)
		end
		return decode(v, l.pointers)
	end
	local function write(l, v, order)
		core.store(l.cell, encode(v, "value"), order)
		done(l)
	end

	function ops.var(name, v)
		return object("var", name, { cell = core.cell(v or 0) })
	end
	function ops.ptr(name, o)
		local p = object("ptr", name, { cell = core.cell(encode(o, "ptr")), pointers = true })
		W.roots[#W.roots + 1] = p
		return p
	end
	function handle:get()
		return read(location(self), ONCE)
	end
	function handle:set(v)
		write(location(self), v, ONCE)
	end

	local function field(o, f)
		local d = data[o]
		local l = d.fields[f]
		return l or bad('%s has no field "%s"', tostring(o), tostring(f))
	end
	function heap.__index(o, f)
		local l = field(o, f)
		if l.array then
			return setmetatable({}, {
				__index = function(_, i) return read(location(l[i] or bad("%s.%s has no element %s", tostring(o), f, tostring(i))), ONCE) end,
				__newindex = function(_, i, v) write(location(l[i] or bad("%s.%s has no element %s", tostring(o), f, tostring(i))), v, ONCE) end,
				__len = function() return l.array end,
			})
		end
		return read(location(l), ONCE)
	end
	function heap.__newindex(o, f, v)
		write(location(field(o, f)), v, ONCE)
	end
	function heap.__call(o, f)
		return field(o, f)
	end
	function heap.__tostring(o)
		return ('object "%s"'):format(data[o].name)
	end

	function ops.array(n, v)
		return { stress_array = n, value = v }
	end
	local function make_field(o, v)
		local pointers = is_null(v) or data[v] ~= nil
		return { cell = core.cell(encode(v, "field")), pointers = pointers, object = o }
	end
	function ops.kmalloc(name, fields, opts)
		object("object", name)
		local o, d = {}, { name = name, fields = {}, static = opts and opts.static, placed = core.self() ~= nil }
		if opts and opts.may_fail and core.self() and core.random(8) == 1 then
			return nil
		end
		d.id = #W.objects + 1
		W.objects[d.id] = o
		data[o] = d
		for f, v in pairs(fields or {}) do
			if type(v) == "table" and v.stress_array then
				local a = { array = v.stress_array }
				for i = 0, v.stress_array - 1 do
					a[i] = make_field(o, v.value == nil and 0 or v.value)
				end
				d.fields[f] = a
			else
				d.fields[f] = make_field(o, v)
			end
		end
		return setmetatable(o, heap)
	end
	local function free(o, what)
		if is_null(o) then
			return
		end
		local d = data[o]
		if not d then
			found("invalid-free", "%s of %s, which is no heap object", what, tostring(o))
		elseif d.static then
			found("invalid-free", '%s of "%s", which is static', what, d.name)
		elseif d.freed then
			found("double-free", '%s of "%s", which %s freed already', what, d.name, d.freed)
		end
		local t = W.threads[core.self() or false]
		d.freed = t and t.name or "the scenario"
		progress()
		if t then
			core.delay()
		end
	end
	function ops.kfree(o)
		free(o, "kfree()")
	end

	-- ghost state is Lua's own, and the baton makes each access atomic
	function ops.ghost(name, v)
		return object("ghost", name, { value = v })
	end

	-- ------------------------------------------------------------ accesses

	local function loads(order)
		return function(l) return read(location(l), order) end
	end
	local function stores(order)
		return function(l, v) write(location(l), v, order) end
	end
	for _, n in ipairs { "READ_ONCE", "atomic_read", "rcu_access_pointer", "rcu_dereference_raw" } do
		ops[n] = loads(ONCE)
	end
	for _, n in ipairs { "smp_load_acquire", "atomic_read_acquire", "srcu_dereference", "srcu_dereference_check",
		"rcu_dereference", "rcu_dereference_check", "rcu_dereference_protected" } do
		ops[n] = loads(ACQUIRE)
	end
	ops.WRITE_ONCE, ops.atomic_set = stores(ONCE), stores(ONCE)
	for _, n in ipairs { "smp_store_release", "atomic_set_release", "rcu_assign_pointer" } do
		ops[n] = stores(RELEASE)
	end
	function ops.smp_store_mb(l, v)
		write(location(l), v, ONCE)
		core.fence(0)
	end
	for n, f in pairs { smp_mb = 0, smp_rmb = 1, smp_wmb = 2, smp_mb__before_atomic = 0, smp_mb__after_atomic = 0,
		smp_mb__after_spinlock = 0, smp_mb__after_unlock_lock = 0, smp_mb__after_srcu_read_unlock = 0 } do
		ops[n] = function()
			me(n)
			core.fence(f)
		end
	end

	local orders = { [""] = FULL, _relaxed = ONCE, _acquire = ACQUIRE, _release = RELEASE }
	for suffix, order in pairs(orders) do
		local function exchange(l, v)
			l = location(l)
			local old = core.rmw(l.cell, XCHG, encode(v, "value"), order)
			done(l)
			return decode(old, l.pointers)
		end
		local function compare(l, old, new)
			l = location(l)
			local seen = core.cmpxchg(l.cell, encode(old, "old"), encode(new, "new"), order)
			done(l)
			return decode(seen, l.pointers)
		end
		ops["xchg" .. suffix], ops["atomic_xchg" .. suffix] = exchange, exchange
		ops["cmpxchg" .. suffix], ops["atomic_cmpxchg" .. suffix] = compare, compare
		local function rmw(name, op, fixed, change, result)
			ops[name] = function(a, b)
				local l = counter(fixed and a or b, fixed and 1 or 2)
				local i = fixed or change(a)
				local old = core.rmw(l.cell, op, i, name:find("_return") and order
					or name:find("fetch") and order or name:find("test") and FULL or order == FULL and ONCE or order)
				done(l)
				return result and result(old, i)
			end
		end
		local same, minus = function(i) return i end, function(i) return -i end
		local function new(old, i) return old + i end
		local function is_zero(old, i) return old + i == 0 end
		rmw("atomic_inc_return" .. suffix, ADD, 1, nil, new)
		rmw("atomic_dec_return" .. suffix, ADD, -1, nil, new)
		rmw("atomic_add_return" .. suffix, ADD, nil, same, new)
		rmw("atomic_sub_return" .. suffix, ADD, nil, minus, new)
		rmw("atomic_fetch_inc" .. suffix, ADD, 1, nil, same)
		rmw("atomic_fetch_dec" .. suffix, ADD, -1, nil, same)
		rmw("atomic_fetch_add" .. suffix, ADD, nil, same, same)
		rmw("atomic_fetch_sub" .. suffix, ADD, nil, minus, same)
		rmw("atomic_fetch_and" .. suffix, AND, nil, same, same)
		rmw("atomic_fetch_or" .. suffix, OR, nil, same, same)
		rmw("atomic_fetch_xor" .. suffix, XOR, nil, same, same)
		if suffix == "" then
			rmw("atomic_inc", ADD, 1)
			rmw("atomic_dec", ADD, -1)
			rmw("atomic_add", ADD, nil, same)
			rmw("atomic_sub", ADD, nil, minus)
			rmw("atomic_and", AND, nil, same)
			rmw("atomic_or", OR, nil, same)
			rmw("atomic_xor", XOR, nil, same)
			rmw("atomic_andnot", AND, nil, function(i) return ~i end)
			rmw("atomic_inc_and_test", ADD, 1, nil, is_zero)
			rmw("atomic_dec_and_test", ADD, -1, nil, is_zero)
			rmw("atomic_sub_and_test", ADD, nil, minus, is_zero)
			rmw("atomic_add_negative", ADD, nil, same, function(old, i) return old + i < 0 end)
		end
	end
	function ops.atomic_add_unless(l, i, unless)
		l = counter(l)
		local old = core.load(l.cell, ONCE)
		while old ~= unless do
			local seen = core.cmpxchg(l.cell, old, old + i, FULL)
			if seen == old then
				break
			end
			old = seen
		end
		done(l)
		return old ~= unless
	end
	function ops.atomic_inc_not_zero(l)
		return ops.atomic_add_unless(l, 1, 0)
	end
	ops.rcu_replace_pointer = function(p, o) return ops.xchg(p, o) end

	-- ------------------------------------------------------------ waiting

	-- Until ready() holds, which changes only by what threads do: each of that is progress.
	local function wait(why, ready)
		local t = me(why)
		local tries = 0
		core.delay()
		while not ready() do
			t.waits, t.seen = why, W.progress
			core.pause(tries)
			tries = tries + 1
		end
		t.waits = nil
		progress()
	end
	local function sleeps(what)
		local t = me(what)
		if t.atomic > 0 then
			found("sleep-in-atomic", "%s() where nobody may sleep", what)
		end
		return t
	end

	-- Locks: fields of their handles, which the baton makes atomic.
	local function lock(o, t)
		if o.holder == t then
			found("self-deadlock", '%s is taken by who has it', tostring(o))
		end
		wait("waits for " .. tostring(o), function() return not o.holder end)
		o.holder = t
	end
	local function try(o, t)
		local free = not o.holder
		core.delay()
		free = not o.holder
		if free then
			o.holder = t
		end
		progress()
		return free
	end
	local function unlock(o, t)
		if o.holder ~= t then
			found("unbalanced-unlock", "%s is given back by %s, who does not have it", tostring(o), t.name)
		end
		o.holder = nil
		progress()
		core.delay()
	end
	function ops.mutex(name) return object("mutex", name) end
	function ops.mutex_lock(m) lock(check(m, "mutex"), sleeps("mutex_lock")) end
	function ops.mutex_trylock(m) return try(check(m, "mutex"), me("mutex_trylock")) end
	function ops.mutex_unlock(m) unlock(check(m, "mutex"), me("mutex_unlock")) end
	function ops.mutex_is_locked(m) return check(m, "mutex").holder ~= nil end
	function ops.lockdep_is_held(o) return o.holder ~= nil and o.holder == me("lockdep_is_held") end
	function ops.lockdep_assert_held(o)
		if not ops.lockdep_is_held(o) then
			found("warning", "%s is not held", tostring(o))
		end
	end
	function ops.spinlock(name) return object("spinlock", name) end
	local function spin_lock(l)
		local t = me("spin_lock")
		lock(check(l, "spinlock"), t)
		t.atomic = t.atomic + 1
	end
	local function spin_unlock(l)
		local t = me("spin_unlock")
		unlock(check(l, "spinlock"), t)
		t.atomic = t.atomic - 1
	end
	for _, suffix in ipairs { "", "_irqsave", "_irq", "_bh" } do
		ops["spin_lock" .. suffix] = function(l)
			spin_lock(l)
			return suffix == "_irqsave" and 0 or nil
		end
	end
	for _, suffix in ipairs { "", "_irqrestore", "_irq", "_bh" } do
		ops["spin_unlock" .. suffix] = spin_unlock
	end
	function ops.spin_trylock(l)
		local t = me("spin_trylock")
		local ok = try(check(l, "spinlock"), t)
		t.atomic = t.atomic + (ok and 1 or 0)
		return ok
	end
	for _, what in ipairs { "preempt", "local_bh", "local_irq" } do
		ops[what .. "_disable"] = function()
			local t = me(what .. "_disable")
			t.atomic = t.atomic + 1
		end
		ops[what .. "_enable"] = function()
			local t = me(what .. "_enable")
			t.atomic = t.atomic - 1
			if t.atomic < 0 then
				found("unbalanced-unlock", "%s_enable() without %s_disable()", what, what)
			end
		end
	end

	function ops.completion(name) return object("completion", name, { n = 0 }) end
	function ops.complete(c)
		check(c, "completion").n = c.n + 1
		progress()
		core.delay()
	end
	function ops.wait_for_completion(c)
		check(c, "completion")
		sleeps("wait_for_completion")
		wait("waits for " .. tostring(c), function() return c.n > 0 end)
		c.n = c.n - 1
	end

	function ops.rwsem(name) return object("rwsem", name, { readers = {}, count = 0 }) end
	function ops.down_read(s)
		local t = sleeps("down_read")
		if check(s, "rwsem").holder == t then
			found("self-deadlock", "%s is taken by who has it", tostring(s))
		end
		wait("waits for " .. tostring(s), function() return not s.holder and not s.writer end)
		s.readers[t] = (s.readers[t] or 0) + 1
		s.count = s.count + 1
	end
	function ops.up_read(s)
		local t = me("up_read")
		if not check(s, "rwsem").readers[t] then
			found("unbalanced-unlock", "%s is given back by %s, who does not have it", tostring(s), t.name)
		end
		s.readers[t] = s.readers[t] > 1 and s.readers[t] - 1 or nil
		s.count = s.count - 1
		progress()
		core.delay()
	end
	function ops.down_write(s)
		local t = sleeps("down_write")
		if check(s, "rwsem").holder == t or s.readers[t] then
			found("self-deadlock", "%s is taken by who has it", tostring(s))
		end
		-- a writer that waits keeps new readers out
		wait("waits for " .. tostring(s), function()
			s.writer = s.writer or t
			return not s.holder and s.count == 0 and s.writer == t
		end)
		s.holder, s.writer = t, nil
	end
	function ops.up_write(s)
		unlock(check(s, "rwsem"), me("up_write"))
	end

	function ops.waitqueue(name) return object("waitqueue", name, { on = {} }) end
	function ops.prepare_to_wait(q)
		check(q, "waitqueue").on[me("prepare_to_wait")] = "asleep"
		progress()
		core.delay()
	end
	function ops.schedule_wait(q)
		local t = sleeps("schedule_wait")
		wait("waits on " .. tostring(check(q, "waitqueue")), function() return q.on[t] ~= "asleep" end)
	end
	function ops.finish_wait(q)
		check(q, "waitqueue").on[me("finish_wait")] = nil
		progress()
	end
	function ops.wake_up(q)
		for t in pairs(check(q, "waitqueue").on) do
			q.on[t] = "awake"
		end
		progress()
		core.delay()
	end
	function ops.waitqueue_active(q)
		core.delay()
		return next(check(q, "waitqueue").on) ~= nil
	end
	function ops.cond_wait(fn)
		wait("waits in cond_wait()", function()
			W.pure = true
			local ok, v = pcall(fn)
			W.pure = false
			return ok and v or not ok and error(v, 0)
		end)
	end

	-- ------------------------------------------------------------ threads

	local function start(t)
		t.index = core.spawn(function()
			local function body()
				core.delay()
				t.fn(table.unpack(t.args or {}))
			end
			local ok, why = xpcall(body, function(e)
				return is_given_up(e) and e or debug.traceback(tostring(e), 2)
			end)
			if not ok and not is_given_up(why) and not run.unavailable then
				violation("error", t, "%s", why:match("^[^\n]*"))
			end
			t.waits = nil
			progress()
		end)
		W.threads[t.index] = t
		W.running = W.running + 1
	end
	function ops.thread(name, fn, opts)
		if type(fn) == "table" then
			fn, opts = nil, fn
		end
		if type(fn) ~= "function" then
			unavailable("a thread without a body")
		end
		local t = object("thread", name, { fn = fn, atomic = 0, sections = {} })
		W.all[#W.all + 1] = t
		if core.self() then
			start(t)
		end
		return t
	end
	function ops.cpus(n)
		return n or 4
	end
	function ops.migrate() me("migrate"); core.delay() end
	ops["yield"] = function() me("yield"); core.delay() end
	function ops.choose(n)
		me("choose")
		return core.random(n)
	end
	function ops.assume(cond)
		me("assume")
		if not cond then
			W.blocked = true
			core.abort()
			core.give_up()
		end
	end
	ops["assert"] = function(...)
		local cond, message = ...
		if cond then
			return ...
		elseif core.self() and not W.pure then
			found("assertion", "assert() failed: %s", message == nil and "assertion failed!" or tostring(message))
		end
		error(message == nil and "assertion failed!" or message, type(message) == "string" and 0 or 1)
	end
	function ops.WARN_ON(cond)
		if cond then
			found("warning", "WARN_ON() was hit")
		end
		return cond and true or false
	end
	function ops.BUG_ON(cond)
		if cond then
			found("assertion", "BUG_ON() was hit")
		end
	end
	ops["invariant"] = function(name, fn) W.invariants[#W.invariants + 1] = { name = name, fn = fn } end
	ops["finally"] = function(fn) W.finally[#W.finally + 1] = fn end
	function ops.outcome(fn) W.outcome = fn end

	-- Work items have a thread of their own for each time that they run.
	function ops.work(name, fn) return object("work", name, { fn = fn, queued = 0, done = 0 }) end
	function ops.queue_work(w)
		if check(w, "work").pending then
			return false
		end
		w.pending = true
		w.queued = w.queued + 1
		local t = object("thread", "kworker/" .. w.name, { atomic = 0, sections = {} })
		local turn = w.queued
		function t.fn()
			wait("waits for its turn", function() return w.done == turn - 1 end)
			w.pending = false
			w.fn(w)
			w.done = turn
		end
		W.all[#W.all + 1] = t
		if core.self() then
			start(t)
		end
		progress()
		return true
	end
	function ops.flush_work(w)
		sleeps("flush_work")
		local turn = check(w, "work").queued
		wait("waits for " .. tostring(w), function() return w.done >= turn end)
	end

	-- ------------------------------------------------------------ SRCU

	-- libsrcu has one SRCU, of which the fast readers are a part
	local flavors = { tree = true, fast = true, tiny = true, ideal = true }
	local options = { flavor = true, size = true, fanout = true, fanout_leaf = true, static = true,
		exp_holdoff = true, small_contention_lim = true, counter_bits = true, seq_bits = true }
	local function domain(name, fast)
		local ss = object("srcu", name, { d = core.domain(), fast = fast, open = {}, pending = 0 })
		W.domains[#W.domains + 1] = ss
		return ss
	end
	ops["srcu.new"] = function(name, opts)
		local flavor = opts and opts.flavor or "tree"
		for o in pairs(opts or {}) do
			if not options[o] then
				unavailable(("srcu.new's option '%s'"):format(tostring(o)))
			end
		end
		if not flavors[flavor] then
			unavailable(("the flavor '%s'"):format(tostring(flavor)))
		end
		return domain(name, flavor == "fast")
	end
	local function check_domain(ss)
		check(ss, "srcu")
		if ss.cleaned then
			found("use-after-free", "%s was cleaned up", tostring(ss))
		end
		return ss
	end

	-- A section is written down when it has begun, and crossed out before it ends: what is
	-- on the list is open for certain.
	local function section(ss, t)
		local raw = core.lock(ss.d, ss.fast)
		W.clock = W.clock + 1
		local s = { raw = raw, thread = t, since = W.clock }
		ss.open[s] = true
		progress()
		if W.over then
			core.give_up()
		end
		return s
	end
	local function leave(ss, s, other)
		ss.open[s] = nil
		core.unlock(ss.d, s.raw, ss.fast, other)
		progress()
	end
	-- What a script gets is a number, as in the kernel: the bank, or that of the section.
	local function read_lock(ss)
		local t = me("srcu_read_lock")
		local s = section(check_domain(ss), t)
		s.idx = ss.fast and 0 or s.raw & 1
		return s.idx
	end
	-- the last section of that index: of this thread, or of whoever
	local function find(ss, t, idx)
		local best
		for s in pairs(ss.open) do
			if (not t or s.thread == t) and s.idx == idx and (not best or s.since > best.since) then
				best = s
			end
		end
		return best
	end
	local function read_unlock(ss, idx)
		local t = me("srcu_read_unlock")
		check_domain(ss)
		if math.type(idx) ~= "integer" then
			bad("srcu_read_unlock: an index expected, got %s", tostring(idx))
		end
		local s = find(ss, t, idx)
		if not s then
			found("unbalanced-unlock", "%s has no section of %s with the index %d", t.name, tostring(ss), idx)
		end
		leave(ss, s, false)
	end
	for _, suffix in ipairs { "", "_nmisafe" } do
		ops["srcu_read_lock" .. suffix], ops["srcu_read_unlock" .. suffix] = read_lock, read_unlock
	end
	function ops.srcu_down_read(ss)
		local s = section(check_domain(ss), me("srcu_down_read"))
		s.handed, s.idx = true, ss.fast and 0 or s.raw & 1
		return s.idx
	end
	function ops.srcu_up_read(ss, idx)
		local t = me("srcu_up_read")
		local s = find(check_domain(ss), nil, idx)
		if not s then
			found("unbalanced-unlock", "there is no section of %s with the index %s", tostring(ss), tostring(idx))
		end
		leave(ss, s, true)
	end
	function ops.srcu_read_lock_held(ss)
		local t = me("srcu_read_lock_held")
		for s in pairs(check_domain(ss).open) do
			if s.thread == t then
				return true
			end
		end
		return false
	end

	local function own_section(ss, t)
		for s in pairs(ss.open) do
			if s.thread == t and not s.handed then
				return s
			end
		end
	end
	-- An open section that is older than `since`.
	local function older(ss, since)
		for s in pairs(ss.open) do
			if s.since <= since then
				return s
			end
		end
	end
	local function judge(ss, since, what)
		local s = older(ss, since)
		if s and not W.over then
			found("grace-period", "%s of %s ended, and a section of %s that began before it is still open", what,
				tostring(ss), s.thread.name)
		end
	end
	-- fn() waits for a grace period of ss, or for what follows one.
	local function for_grace_period(ss, what, fn)
		local t = sleeps(what)
		check_domain(ss)
		if own_section(ss, t) then
			found("self-deadlock", "%s() of %s in a section of its own", what, tostring(ss))
		end
		t.waits, t.seen, t.on, t.since = "waits in " .. what .. "() of " .. tostring(ss), W.progress, ss, W.clock
		fn()
		t.waits, t.on = nil, nil
		progress()
	end
	local function synchronize(ss, what, expedited)
		local since = W.clock
		for_grace_period(ss, what, function() core.synchronize(ss.d, expedited) end)
		judge(ss, since, what .. "()")
	end
	ops.synchronize_srcu = function(ss) synchronize(ss, "synchronize_srcu", false) end
	ops.synchronize_srcu_expedited = function(ss) synchronize(ss, "synchronize_srcu_expedited", true) end

	function ops.rcu_head(name) return object("rcu_head", name) end
	local function post(ss, what, head, fn)
		me(what)
		check_domain(ss)
		if fn == nil then
			head, fn = nil, head
		end
		if type(fn) ~= "function" then
			bad("bad argument to '%s' (function expected, got %s)", what, type(fn))
		end
		if head then
			if head.posted then
				found("double-free", "%s is posted a second time", tostring(head))
			end
			head.posted = true
		end
		local since, t = W.clock, { name = "callback/" .. ss.name, atomic = 1, sections = {} }
		ss.pending = ss.pending + 1
		core.call(ss.d, function()
			W.threads[0] = t
			if head then
				head.posted = false
			end
			local ok, why = xpcall(function()
				if not W.over then
					judge(ss, since, "the grace period before a callback")
					fn(head)
				end
			end, function(e) return is_given_up(e) and e or tostring(e) end)
			if not ok and not is_given_up(why) and not run.unavailable then
				violation("error", t, "%s", why)
			end
			ss.pending = ss.pending - 1
			progress()
		end)
		progress()
	end
	function ops.call_srcu(ss, head, fn) post(ss, "call_srcu", head, fn) end
	local function barrier(ss, what)
		for_grace_period(ss, what, function() core.barrier(ss.d) end)
	end
	function ops.srcu_barrier(ss) barrier(ss, "srcu_barrier") end

	-- A cookie stands for the time at which it was got, for the oracle.
	local function cookie(ss, start)
		local since = W.clock
		me("get_state_synchronize_srcu")
		local c = core.get_state(check_domain(ss).d, start)
		ss.cookies = ss.cookies or {}
		ss.cookies[c] = math.min(ss.cookies[c] or since, since)
		progress()
		return c
	end
	function ops.get_state_synchronize_srcu(ss) return cookie(ss, false) end
	function ops.start_poll_synchronize_srcu(ss) return cookie(ss, true) end
	function ops.poll_state_synchronize_srcu(ss, c)
		me("poll_state_synchronize_srcu")
		local over = core.poll(check_domain(ss).d, c)
		if over and ss.cookies and ss.cookies[c] then
			judge(ss, ss.cookies[c], "a polled grace period")
		end
		return over
	end
	function ops.init_srcu_struct(ss)
		if check(ss, "srcu").cleaned then
			core.init(ss.d)
			ss.cleaned = nil
		end
		return 0
	end
	function ops.cleanup_srcu_struct(ss)
		sleeps("cleanup_srcu_struct")
		check_domain(ss)
		if not core.cleanup(ss.d) then
			found("warning", "cleanup_srcu_struct() of %s, which is in use", tostring(ss))
		end
		ss.cleaned = true
		progress()
	end

	-- Plain RCU is a domain of its own, whose sections may not sleep.
	local function rcu()
		W.rcu = W.rcu or domain("rcu", false)
		return W.rcu
	end
	function ops.rcu_read_lock()
		local t = me("rcu_read_lock")
		local s = section(rcu(), t)
		s.idx = 0
		t.atomic = t.atomic + 1
	end
	function ops.rcu_read_unlock()
		local t = me("rcu_read_unlock")
		local s = find(rcu(), t, 0)
		if not s then
			found("unbalanced-unlock", "rcu_read_unlock() without rcu_read_lock()")
		end
		t.atomic = t.atomic - 1
		leave(rcu(), s, false)
	end
	function ops.rcu_read_lock_held() return ops.srcu_read_lock_held(rcu()) end
	function ops.synchronize_rcu() synchronize(rcu(), "synchronize_rcu", false) end
	function ops.call_rcu(head, fn) post(rcu(), "call_rcu", head, fn) end
	function ops.rcu_barrier() barrier(rcu(), "rcu_barrier") end
	function ops.kfree_rcu(o)
		if not is_null(o) then
			post(rcu(), "kfree_rcu", function() free(o, "kfree_rcu()") end)
		end
	end

	-- ------------------------------------------------------------ rounds

	local function new_world()
		W = { threads = {}, all = {}, objects = {}, ids = {}, roots = {}, domains = {}, invariants = {}, finally = {},
			running = 0, progress = 0, clock = 0 }
	end

	local function ended(t)
		return t.index and core.ended(t.index)
	end

	-- Nobody who is left can move any more: why, or nil.
	-- `quiet`: the seconds in which nothing has happened.
	local function deadlock(quiet)
		local who, any = {}, false
		for _, t in ipairs(W.all) do
			if t.index and not ended(t) then
				if not t.waits or not t.on and t.seen ~= W.progress then
					return nil
				end
				-- a grace period may wait for a section that is younger than it, too
				if t.on and not older(t.on, t.since) and (quiet < 2 or not next(t.on.open)) then
					return nil
				end
				who[#who + 1] = t.name .. " " .. t.waits
			end
		end
		-- a callback that can still come, or one that runs, moves the rest perhaps
		for _, ss in ipairs(W.domains) do
			if ss.pending > 0 and next(ss.open) == nil then
				return nil
			end
		end
		return #who > 0 and table.concat(who, "; ") or nil
	end

	local function unfinished()
		for _, t in ipairs(W.all) do
			if t.index and not ended(t) then
				return true
			end
		end
		return false
	end

	-- Sections of who will not end them any more: what waits for them can end.
	local function end_sections(all)
		for _, ss in ipairs(W.domains) do
			local list = {}
			for s in pairs(ss.open) do
				if all or ended(s.thread) or s.thread.waits then
					list[#list + 1] = s
				end
			end
			for _, s in ipairs(list) do
				if ss.open[s] then
					leave(ss, s, true)
				end
			end
		end
	end

	-- Looks after the threads until all have come to their end.
	local function supervise()
		local last, since = -1, core.clock()
		while unfinished() do
			core.wait()
			local now = core.clock()
			if W.progress ~= last then
				last, since = W.progress, now
			end
			if core.interrupted() and not run.interrupted then
				run.interrupted = true
				core.abort()
			end
			if not W.over and (W.violation or W.blocked or run.interrupted or run.unavailable) then
				W.over = true
				core.abort()
			end
			if W.over then
				end_sections(false)
			else
				local why = deadlock(now - since)
				if why then
					violation("deadlock", nil, "nobody can go on: %s", why)
				elseif now - since > STALL then
					violation("stall", nil, "nothing has happened for %d seconds", STALL)
				end
			end
		end
	end

	-- What the scenario made and never put anywhere is a global of its own.
	local function judge_leaks()
		local seen, at = {}, {}
		local function see(l)
			local o = decode(core.peek(l.cell), true)
			if type(o) == "table" and data[o] and not seen[o] then
				seen[o] = true
				at[#at + 1] = o
			end
		end
		local function each(fields)
			for _, l in pairs(fields) do
				if l.array then
					for i = 0, l.array - 1 do
						see(l[i])
					end
				else
					see(l)
				end
			end
		end
		for _, p in ipairs(W.roots) do
			see(p)
		end
		for _, o in ipairs(W.objects) do
			local d = data[o]
			if d and not d.freed then
				each(d.fields)
			end
		end
		for _, o in ipairs(W.objects) do
			local d = data[o]
			if d and d.placed and not d.freed and not d.static and not seen[o] then
				return violation("leak", nil, '"%s" is not freed, and nothing points to it', d.name)
			end
		end
	end
	local function judge_claims()
		for _, c in ipairs(W.invariants) do
			local ok, v = pcall(c.fn)
			if not ok or not v then
				violation("invariant", nil, 'the invariant "%s" does not hold at the end%s', c.name, ok and "" or ": " .. tostring(v))
			end
		end
		for _, fn in ipairs(W.finally) do
			local ok, why = pcall(fn)
			if not ok then
				violation("assertion", nil, "finally: %s", tostring(why))
			end
		end
		if W.outcome then
			local v = W.outcome()
			if type(v) == "table" then
				local list = {}
				for k, x in pairs(v) do
					list[#list + 1] = tostring(k) .. "=" .. tostring(x)
				end
				table.sort(list)
				v = table.concat(list, " ")
			end
			run.outcomes[tostring(v)] = (run.outcomes[tostring(v)] or 0) + 1
		end
	end

	local function settle()
		local held = not W.over and W.domains
		for _, ss in ipairs(held or {}) do
			local s = next(ss.open)
			if s then
				violation("unbalanced-unlock", s.thread, "%s has ended, and its section of %s has not", s.thread.name, tostring(ss))
			end
		end
		W.over = W.over or W.violation ~= nil
		end_sections(true)
		for _, ss in ipairs(W.domains) do
			if not ss.cleaned then
				core.barrier(ss.d)
			end
		end
	end

	-- One round; raises what the scenario itself raises.
	return function(scenario, n)
		new_world()
		core.round(n)
		local ok, why = xpcall(scenario, function(e)
			return type(e) == "string" and debug.traceback(e, 2) or e
		end)
		if ok then
			local list = table.move(W.all, 1, #W.all, 1, {})
			ok = #list > 0
			why = "stress: the scenario makes no threads"
			for _, t in ipairs(list) do
				start(t)
			end
		end
		supervise()
		settle()
		core.reap()
		if not ok then
			W.over = true
		elseif not W.over and not W.violation then
			judge_leaks()
			judge_claims()
		end
		for _, ss in ipairs(W.domains) do
			core.free(ss.d)
		end
		if not ok and not run.unavailable then
			error(why, 0)
		end
		return W.violation, W.blocked
	end
end

-- Called by stress() while the vocabulary is this file's.
function M.rounds(core, scenario, opts, ops)
	local run = { rounds = 0, blocked = 0, violations = {}, outcomes = {}, seed = opts.seed or 1, verdict = "ok" }
	local seconds = opts.seconds or opts.time or 5
	if type(seconds) ~= "number" or not (seconds > 0) then
		error("stress: seconds is a number above 0", 0)
	end
	local round = vocabulary(core, ops, run)
	local begun = core.clock()
	repeat
		local v, blocked = round(scenario, run.rounds + 1)
		run.rounds = run.rounds + 1
		run.blocked = run.blocked + (blocked and 1 or 0)
		if v then
			run.verdict = "violation"
			run.violations[1] = v
		end
		run.seconds = core.clock() - begun
	until v or run.interrupted or run.unavailable or run.seconds >= seconds
	run.executions = run.rounds
	if run.interrupted and run.verdict == "ok" then
		run.verdict = "incomplete"
		run.bound = "interrupted"
	end
	return run
end

-- And afterwards: looks for a schedule of what was found, under explore().
function M.finish(run, scenario, opts)
	local v, time = run.violations[1], opts.reproduce or 2
	if run.unavailable then
		error(run.unavailable, 0)
	end
	if v and time > 0 and not run.interrupted then
		local ok, r = pcall(explore, scenario, { time = time, title = opts.title })
		local x = ok and r.violations[1]
		if x then
			v.schedule, v.explored, v.step = x.schedule, x.kind, x.step
		end
	end
	return run
end

-- What a report says, for people.
function M.text(run, title)
	local v = run.violations[1]
	local rounds = ("%d round%s"):format(run.rounds, run.rounds == 1 and "" or "s")
	if v then
		return ("%s: violation: %s in round %d, with seed %d"):format(title, v.kind, v.round, run.seed)
	elseif run.verdict == "incomplete" then
		return ("%s: interrupted after %s: nothing was seen"):format(title, rounds)
	end
	return ("%s: ok: nothing was seen in %s, which is no proof"):format(title, rounds)
end

return M
