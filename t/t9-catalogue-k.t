-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's examples K*, see t/lib/catalogue.lua.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local catalogue = require "catalogue"
local ok, wrong, sampled = catalogue.ok, catalogue.wrong, catalogue.sampled

catalogue.check("K", {
  K1 = {
    buggy = wrong("double-free", 3),
    lost = wrong({"leak", "double-free"}, 4, {all = {"leak", "double-free"}}),
    half = wrong("assertion", 2),
    race = wrong("data-race", 2),
    fixed = ok(),
    fixed_writers = ok(),
  },
  K2 = {
    claim = ok {outcomes = {
      "the lock was had after the swap, when the old filter was in use no more",
      "the lock was had after the swap, while the old filter was in use",
      "the lock was had before the swap",
    }},
    inside = ok {outcomes = {
      "the lock was had after the swap, when the old filter was in use no more",
      "the lock was had before the swap",
    }},
    vm_none = wrong("use-after-free", 4),
    vm_outside = sampled(3000),
    vm_inside = sampled(3000),
  },
  K5 = {
    buggy = wrong("lock-order", 2, {all = {"deadlock"}}),
    fixed = ok(),
    own_lock = ok(),
    vm_buggy = wrong("lock-order", 2),
    vm_fixed = ok(),
  },
  K7 = {
    buggy = wrong("use-after-free", 4),
    waited = wrong("use-after-free", 3),
    other_domain = wrong("use-after-free", 3),
    fixed = ok(),
    callback = ok(),
    by_srcu = ok(),
  },
  K8 = {
    buggy = wrong("unbalanced-unlock", 5),
    hidden = ok(),
    fixed = ok(),
    wrappers = wrong("warning", 1),
  },
  K10 = {
    buggy = wrong("use-after-free", 3),
    fixed = ok(),
    under_lock = ok(),
    error_path = wrong("use-after-free", 4),
    error_fixed = ok(),
  },
})

require("tap").done()
