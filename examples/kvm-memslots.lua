-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: when KVM installs new memory slots it sets their generation number twice,
-- before and after the grace period.  Why?  And why is slots_arch_lock dropped before
-- synchronize_srcu_expedited() while slots_lock is kept?
--
-- Shows: the swap as Linux 6.12 does it; with one generation, a vCPU that takes an
-- address for a device's for ever; with slots_arch_lock held, a deadlock.
--
--	srcush kvm-memslots.lua

local GFN = 16			-- the page that gets a slot
local IN_PROGRESS = 1 << 63	-- KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS

local function say(format, ...)
  print((format:format(...)))
end

local function title(text, mark)
  say("\n%s\n%s", text, string.rep(mark or "-", #text))
end

-- The lines of a long text, none wider than the page.
local function wrapped(text)
  local line = " "
  for word in text:gmatch("%S+") do
    if #line + #word > 78 then
      print(line)
      line = " "
    end
    line = line .. " " .. word
  end
  print(line)
end

-- ------------------------------------------------------------- the swap

-- The two sets of a VM's slots: the one that `memslots` leads to, and the other.
-- A set holds its slots in trees in the kernel, and one slot here.
local function kvm_get_inactive_memslots(vm)
  local active = rcu_dereference_protected(vm.memslots, lockdep_is_held(vm.kvm.slots_lock))
  return active == vm.sets[1] and vm.sets[2] or vm.sets[1], active
end

local function kvm_swap_active_memslots(vm)
  local slots, active = kvm_get_inactive_memslots(vm)
  -- the kernel's accesses to the generation are plain ones
  local gen = READ_ONCE(active'generation')

  WARN_ON(gen & IN_PROGRESS ~= 0)
  WRITE_ONCE(slots'generation', vm.variant == "one generation" and gen + 1 or gen | IN_PROGRESS)
  -- no swap while an invalidation is under way: it would end in other slots than
  -- it began in
  spin_lock(vm.mn_invalidate_lock)
  while vm.mn_active_invalidate_count:get() > 0 do
    spin_unlock(vm.mn_invalidate_lock)
    cond_wait(function() return vm.mn_active_invalidate_count:get() == 0 end)
    spin_lock(vm.mn_invalidate_lock)
  end
  rcu_assign_pointer(vm.memslots, slots)
  spin_unlock(vm.mn_invalidate_lock)
  -- taken in kvm_set_memslot()
  if vm.variant ~= "slots_arch_lock kept" then mutex_unlock(vm.slots_arch_lock) end
  synchronize_srcu_expedited(vm.kvm.srcu)
  if vm.variant == "slots_arch_lock kept" then mutex_unlock(vm.slots_arch_lock) end
  if vm.variant ~= "one generation" then
    WRITE_ONCE(slots'generation', gen + 1)
  end
end

-- kvm_create_memslot(): into the inactive set, the swap, and into the set that is
-- inactive then.
local function kvm_set_memslot(vm, slot)
  mutex_lock(vm.kvm.slots_lock)
  mutex_lock(vm.slots_arch_lock)
  kvm_get_inactive_memslots(vm).slot = slot
  kvm_swap_active_memslots(vm)
  kvm_get_inactive_memslots(vm).slot = slot
  mutex_unlock(vm.kvm.slots_lock)
end

-- ------------------------------------------------------------- the vCPU

local function gfn_to_memslot(slots, gfn)
  local slot = slots.slot
  return slot and slot.base_gfn == gfn and slot or nil
end

-- A page fault: an address without a slot is a device's.  That is remembered with the
-- generation of the slots, unless these are in flux.
local function page_fault(vm)
  local slots = srcu_dereference(vm.memslots, vm.kvm.srcu)
  if gfn_to_memslot(slots, GFN) then return "memory" end
  local now = srcu_dereference(vm.memslots, vm.kvm.srcu)
  local gen = READ_ONCE(now'generation')
  if gen & IN_PROGRESS == 0 then
    vm.mmio.gfn, vm.mmio.gen = GFN, gen
  end
  return "device"
end

-- The next access: what is remembered counts as long as the generation is the same.
local function check_mmio_cache(vm)
  local slots = srcu_dereference(vm.memslots, vm.kvm.srcu)
  return vm.mmio.gfn == GFN and vm.mmio.gen == READ_ONCE(slots'generation')
end

local function scenario(variant)
  world()
  cpus(2)
  local vm = {kvm = kvm.create_vm("kvm"), variant = variant, sets = {},
              slots_arch_lock = mutex("kvm.slots_arch_lock"),
              mn_invalidate_lock = spinlock("kvm.mn_invalidate_lock"),
              mn_active_invalidate_count = var("kvm.mn_active_invalidate_count"),
              mmio = kmalloc("vcpu.mmio", {gfn = 0, gen = 0}), set = var("set")}
  -- static: in the kernel they are part of the VM
  for i = 1, 2 do
    vm.sets[i] = kmalloc("memslots" .. i, {generation = 0, slot = null}, {static = true})
  end
  vm.memslots = ptr("kvm.memslots", vm.sets[1])
  local slot = kmalloc("slot", {base_gfn = GFN})
  local vcpu = vm.kvm.vcpus[0]
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    if variant == "slots_arch_lock kept" then
      -- as mmu_first_shadow_root_alloc() does
      mutex_lock(vm.slots_arch_lock)
      mutex_unlock(vm.slots_arch_lock)
    end
    page_fault(vm)
    vcpu_enter_guest(vcpu, function()
      cond_wait(function() return READ_ONCE(vm.set) == 1 end)
    end)
    assert(not check_mmio_cache(vm), "page 16 has a slot, and the vCPU takes it for a device's")
    kvm_vcpu_srcu_read_unlock(vcpu)
  end, {cpu = 0})
  thread("user", function()
    kvm_set_memslot(vm, slot)
    WRITE_ONCE(vm.set, 1)
  end, {cpu = 1})
  return vm
end

-- Stops the vCPU between its look-up and its look at the generation.
local function vcpu_has_looked_up()
  run_until("vcpu", function()
    local last = trace(1)[1]
    return last and last.object == "memslots1.slot"
  end)
end

print [[
New memory slots
================
  kvm_swap_active_memslots()             a vCPU's page fault, in its section
  -------------------------------------  --------------------------------------
  gen = active->generation               slots = srcu_dereference(memslots)
  slots->generation = gen | IN_PROGRESS  no slot for the page: a device's
  rcu_assign_pointer(memslots, slots)    gen = memslots->generation
  mutex_unlock(&kvm->slots_arch_lock)    not IN_PROGRESS: remember both
  synchronize_srcu_expedited(srcu)
  slots->generation = gen + 1            next time: remembered with this gen?]]

for i, variant in ipairs {"as in Linux 6.12", "one generation"} do
  title(i == 1 and "1. As in Linux 6.12" or "2. The new generation at once")
  local vm = scenario(variant)
  vcpu_has_looked_up()
  run_until("user", function() return pending("user").call == "synchronize_srcu_expedited" end)
  local gen = READ_ONCE(vm.sets[2]'generation')
  say("The vCPU has looked the page up in the old slots; the new ones are published,")
  say("with generation %d%s.  It goes on:\n", gen & ~IN_PROGRESS, gen < 0 and " and in progress" or "")
  local violation = run().violations[1]
  if violation then
    wrapped(violation.message)
  else
    say("  The vCPU remembers %s; the generation is %d now.",
        vm.mmio.gfn == 0 and "nothing" or "the page", READ_ONCE(vm.sets[2]'generation'))
  end
end

title("3. slots_arch_lock over the grace period")
do
  local vm = scenario("slots_arch_lock kept")
  run_until("vcpu", function() return pending("vcpu").object == "kvm.slots_arch_lock" end)
  finish("user")
  wrapped(run().violations[1].message)
end

title("Verdict", "=")

local RUNS = 100

local function violations(variant)
  local kinds, n = {}, 0
  for seed = 1, RUNS do
    scenario(variant)
    local violation = run{policy = "random", seed = seed}.violations[1]
    if violation then
      n = n + 1
      kinds[violation.kind] = true
    end
  end
  return n, next(kinds) or "-"
end

say("%d schedules at random:\n", RUNS)
say("  %-20s  %10s  %s", "variant", "violations", "kind")
say("  %s  %s  %s", ("-"):rep(20), ("-"):rep(10), ("-"):rep(9))
for _, variant in ipairs {"as in Linux 6.12", "one generation", "slots_arch_lock kept"} do
  say("  %-20s  %10d  %s", variant, violations(variant))
end
print [[

A vCPU may look into the old slots until the grace period is over, and reads the
generation of the slots that are published by then.  The new number must not be
seen by anybody who may still have looked into the old ones: so it is given out
after the grace period, and until then the slots say that they are in flux.

slots_lock may be held over the grace period, because nobody takes it in a
section of kvm->srcu.  vCPUs do take slots_arch_lock there; that is why it is
dropped.]]
