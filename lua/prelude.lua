-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What every script and the shell find defined beyond the functions in C.  It
-- runs at each start, so it only says where things are.

function help(...)
	return require("help").show(...)
end

function apropos(...)
	return require("help").apropos(...)
end
