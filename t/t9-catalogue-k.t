-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's examples K*, see t/lib/catalogue.lua.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local catalogue = require "catalogue"

local expected = require "expected"
catalogue.check("K", expected.K, expected.models)

require("tap").done()
