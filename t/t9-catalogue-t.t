-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's examples T*, see t/lib/catalogue.lua.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local catalogue = require "catalogue"

local expected = require "expected"
catalogue.check("T", expected.T, expected.models)

require("tap").done()
