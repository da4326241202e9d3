-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's examples T*, see t/lib/catalogue.lua.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local catalogue = require "catalogue"
local ok, wrong, sampled, by_pct = catalogue.ok, catalogue.wrong, catalogue.sampled, catalogue.by_pct

catalogue.check("T", {
  T1 = {
    buggy = wrong("double-free", 3),
    claim = ok(),
    inside = ok(),
    exchange = ok(),
    sync_only = wrong("double-free", 3),
  },
  T2 = {
    claim = ok(),
    unserialised = wrong("assertion", 5),
    own_index = ok(),
    tree_claim = sampled(5000),
  },
  T3 = {
    once_both = ok(), once_both_big = ok(),
    once_no_gp = ok(), once_no_gp_big = ok(),
    once_no_cb = ok(), once_no_cb_big = ok(),
    once_neither = ok(), once_neither_big = ok(),
    again_both = ok(), again_both_big = ok(),
    again_no_gp = wrong("data-race", 5), again_no_gp_big = wrong("data-race", 5),
    again_no_cb = ok(), again_no_cb_big = ok(),
    again_neither = wrong("data-race", 5), again_neither_big = wrong("data-race", 5),
    early = wrong({"warning", "data-race", "grace-period"}, 14,
                  {also = "grace-period", opts = by_pct(4000, true)}),
    lost = wrong("stall", 20, {opts = by_pct(4000)}),
    lost_small = sampled(2000),
    lost_both = sampled(2000),
    lost_once = sampled(2000),
    idle = ok(),
    by_caller = wrong("assertion", 20, {opts = by_pct(4000)}),
    by_pass = wrong("assertion", 20, {opts = by_pct(4000)}),
  },
  T4 = {
    model1 = ok(), model2 = ok(), model2_less = wrong("assertion", 2),
    model3 = sampled(2000), model3_less = wrong("assertion", 6), model4 = sampled(2000),
    model_mutex2 = ok(), model_mutex3 = ok(), model_mutex4 = sampled(2000),
    tree1 = ok(), tree1_normal = ok(), tree2_less = wrong("assertion", 9),
    tree2 = sampled(300), tree3 = sampled(300), tree4 = sampled(300),
    tree2_normal = sampled(300), tree3_normal = sampled(300), tree4_normal = sampled(300),
    tree_mutex2 = ok(), tree_mutex3 = sampled(300), tree_mutex4 = sampled(300),
    scans = ok(), scans_less = wrong("assertion", 8),
    scans_normal = ok(), scans_normal2 = ok(),
  },
  T5 = {
    claim = ok(),
    no_mutex = wrong("assertion", 3),
    one_pass = ok(),
    one_no_mutex = ok(),
  },
})

require("tap").done()
