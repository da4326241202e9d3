-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's examples S*, see t/lib/catalogue.lua.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local catalogue = require "catalogue"
local ok, wrong, sampled = catalogue.ok, catalogue.wrong, catalogue.sampled

catalogue.check("S", {
  S1 = {
    buggy = wrong("assertion", 5),
    fixed = ok(),
    no_scan1 = ok(),
    no_scan2 = wrong("assertion", 3),
    no_flip = wrong("assertion", 3),
    both_banks = ok(),
    tree_buggy = wrong("grace-period", 11),
    tree_fixed = ok(),
    tree_no_scan1 = ok(),
    tree_no_scan2 = wrong("grace-period", 7),
    tree_no_flip = wrong("grace-period", 7),
    tree_both_banks = ok(),
  },
  S2 = {
    buggy = wrong("assertion", 6),
    fixed = ok(),
    alone = ok(),
    tree_buggy = wrong("grace-period", 10),
  },
  S8 = {
    buggy = wrong("assertion", 4),
    fixed = ok(),
    claim = ok(),
    claim_twice = ok(),
    tree_buggy = wrong("grace-period", 7),
  },
  S11 = {
    buggy = wrong("stall", 4),
    fixed = ok(),
    tree_buggy = wrong("warning", 6, {also = "stall",
                                      opts = {strategy = "pct", depth = 5, seed = 1}}),
    tree_fixed = sampled(5000),
  },
  S21 = {
    buggy = wrong("rcu-usage", 2),
    fixed = ok(),
    apart = ok(),
    damage = wrong("assertion", 4),
  },
  S22 = {
    buggy = wrong("unbalanced-unlock", 5),
    fixed = ok(),
    wrong_index = wrong("unbalanced-unlock", 1),
    no_lock = wrong("unbalanced-unlock", 0),
    other_task = wrong("unbalanced-unlock", 2),
    handed_over = ok(),
    overlap = ok(),
    misnested = ok(),
  },
  S23 = {
    buggy = wrong("self-deadlock", 1),
    fixed = ok(),
    cycle = wrong("lock-order", 2, {all = {"deadlock"}}),
    ordered = ok(),
    cleanup_reader = wrong("warning", 2),
    cleanup_waited = ok(),
    cleanup_callback = wrong("warning", 3),
    cleanup_barrier = ok(),
  },
})

require("tap").done()
