-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Commands, and files to give them, for tests:
--
--	local sh = require "sh"
--	local text, status = sh.run("ls " .. sh.quoted(path))
--	local tmp <close> = sh.directory "name"	-- gone at the end of the block
--	tmp:write("a.lua", "return 1\n")		-- its path

local M = {}

-- A word for sh, whatever is in it.
function M.quoted(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- What a command prints, and its exit status.
function M.run(command)
  local p = assert(io.popen(command))
  local text = p:read "a"
  local ok, _, status = p:close()
  return text, ok and 0 or status
end

local directory = {}
directory.__index = directory

-- Writes a file, whose path may have directories that are not there yet.
function directory:write(name, text)
  local path = self.path .. "/" .. name
  local dir = path:match "^(.*)/"
  if dir ~= self.path then M.run("mkdir -p " .. M.quoted(dir)) end
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
  return path
end

function directory:__close()
  os.execute("rm -rf " .. M.quoted(self.path))
end
directory.__gc = directory.__close

-- A new one, empty; for a local <close>, or to be kept until the test ends.
function M.directory(name)
  local text, status = M.run(("mktemp -d \"${TMPDIR:-/tmp}/srcush-%s.XXXXXX\""):format(name))
  assert(status == 0, "no directory for temporary files")
  return setmetatable({path = (text:gsub("\n$", ""))}, directory)
end

return M
