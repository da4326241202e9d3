-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What exploring each scenario of examples/bugs says, see catalogue.lua: under sc, and of
-- the rows about memory ordering (M.models) under each model.

local catalogue = require "catalogue"
local ok, wrong, sampled, by_pct = catalogue.ok, catalogue.wrong, catalogue.sampled, catalogue.by_pct

local M = {}

M.K = {
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
}

M.S = {
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
}

M.T = {
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
    reader_both = ok(), reader_no_gp = ok(), reader_no_cb = ok(), reader_neither = ok(),
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
    plain_again = ok(), plain_again_big = ok(),
    plain_early = sampled(300), plain_lost = sampled(300), plain_lost_small = sampled(300),
    plain_by_caller = sampled(300), plain_by_pass = sampled(300),
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
}

local none = {sc = ok(), tso = ok(), weak = ok()}
local function weak_only(items)
  return {sc = ok(), tso = ok(), weak = wrong("assertion", items)}
end
local function short(items) return wrong({"assertion", "grace-period"}, items) end

M.models = {
  S4 = {
    buggy = {sc = ok(), tso = short(9), weak = short(9)},
    no_c_writes = {sc = ok(), tso = ok(), weak = short(9)},
    no_c_reads = {sc = ok(), tso = ok(), weak = wrong("grace-period", 9)},
    no_a = {sc = ok(), tso = ok(), weak = wrong("grace-period", 20)},
    no_a_one = none,
    fixed = none,
  },
  S5 = {buggy = weak_only(9), fixed = none, acquire = none},
  S6 = {claim = none, fixed = none, buggy = weak_only(9)},
  S7 = {
    buggy = {sc = ok(), weak = wrong("grace-period", 20)},	-- tso: ok, in a minute
    fixed = {sc = ok(), weak = ok()},
    wide = none,
  },
  S9 = {claim = none, with = none},
  S15 = {
    early = {sc = wrong("assertion", 9), tso = wrong("assertion", 9), weak = wrong("assertion", 9)},
    buggy = weak_only(9),
    fixed = none,
  },
  S24 = {buggy = weak_only(9), fixed = none, claim = none},
  K11 = {waits = none, buggy = weak_only(9), fixed = none},
}

return M
