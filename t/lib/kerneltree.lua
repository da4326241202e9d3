-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Kernel trees for tests:
--
--	local kt = require "kerneltree"
--	local dir, why = kt.dir "6.12"		-- nil: a reason to skip
--	local copy = kt.copy("6.12", {		-- a private one, with edits
--	  {file = "kernel/rcu/srcutree.c", fn = "srcu_flip",
--	   from = "smp_mb(); /* E */", to = ""},
--	})
--
-- See kerneltree.sh for where they come from.

local M = {}

local HERE = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

local sh = require "sh"
local quoted = sh.quoted

local dirs = {}

-- The directory of that version, or nil and why there is none.
function M.dir(version)
  if not dirs[version] then
    local text, status = sh.run(("sh %skerneltree.sh %s"):format(quoted(HERE), quoted(version)))
    text = text:gsub("\n$", "")
    dirs[version] = status == 0 and {text} or {nil, text}
  end
  return dirs[version][1], dirs[version][2]
end

-- The versions that there are: kt.each(function(version, dir) ... end).  For the others,
-- missing(version, why).
M.versions = {"6.1", "6.12"}
function M.each(fn, missing)
  for _, version in ipairs(M.versions) do
    local dir, why = M.dir(version)
    if dir then fn(version, dir) else missing(version, why) end
  end
end

-- ------------------------------------------------------------------ copies

-- All of them are in one directory, which goes when the test ends.
local temporary
local count = 0

local function new_directory()
  temporary = temporary or sh.directory "trees"
  count = count + 1
  return ("%s/%d"):format(temporary.path, count)
end

local function contents(path)
  local f = assert(io.open(path))
  local text = f:read "a"
  f:close()
  return text
end

-- Where the function's definition begins and ends: its braces are in the first column.
local function function_at(text, name, complain)
  for at in text:gmatch "()[^\n]*\n" do
    if text:find("^[%w_][^\n;]-%f[%w_]" .. name .. "%(", at) then
      local brace, stop = text:find("\n{\n", at, true), text:find(";", at, true)
      if brace and brace < stop then
        return at, text:find("\n}\n", brace, true) + 2
      end
    end
  end
  complain("is not there")
end

local function escaped(text)
  return (text:gsub("%p", "%%%0"))
end

local function edited(text, e)
  local function complain(what)
    error(("%s%s %s"):format(e.file, e.fn and ", " .. e.fn .. "()" or "", what), 0)
  end
  local first, last = 1, #text
  if e.fn then first, last = function_at(text, e.fn, complain) end
  local part, count = text:sub(first, last):gsub(e.pattern or escaped(e.from),
                                                 e.pattern and e.to or e.to:gsub("%%", "%%%%"))
  local want = e.times or 1
  if count ~= want then
    complain(("has '%s' %d times, not %d"):format(e.pattern or e.from, count, want))
  end
  return text:sub(1, first - 1) .. part .. text:sub(last + 1)
end

-- A copy of that version, which must be there, with edits, made one after the other:
--
--	file	e.g. "kernel/rcu/srcutree.c"
--	fn	only in this function
--	from	what to replace, exactly as it stands, or
--	pattern	a Lua pattern
--	to	by what; after a pattern, %1 is what was captured
--	times	it must be there so often; once, unless told
function M.copy(version, edits)
  local dir = assert(M.dir(version))
  local copy = new_directory()
  local _, status = sh.run(("mkdir -p %s && cd %s && tar -c Makefile include/linux/*rcu*.h kernel/rcu | tar -x -C %s")
                            :format(quoted(copy), quoted(dir), quoted(copy)))
  assert(status == 0, "the tree cannot be copied")
  for _, e in ipairs(edits or {}) do
    local path = copy .. "/" .. e.file
    local text = edited(contents(path), e)
    local f = assert(io.open(path, "w"))
    f:write(text)
    f:close()
  end
  return copy
end

return M
