-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- libsrcu as others use it: what it exports, whether its headers suit other people's
-- compilers and flags, C++ among them, and programs that link to it, shared and static.

local tap = require("tap")
local top = os.getenv("top_srcdir") or "."
package.path = top .. "/t/lib/?.lua;" .. package.path
local sh = require "sh"

local build = os.getenv("abs_top_builddir") or "."
local sanitized = (os.getenv("SRCUSH_SANITIZERS") or "") ~= ""
local shared, static = build .. "/.libs/libsrcu.so", build .. "/.libs/libsrcu.a"
local have_shared = io.open(shared) ~= nil	-- not with configure --disable-shared
local have_static = io.open(static) ~= nil
local include = "-I" .. sh.quoted(top .. "/src/libsrcu/include")
local tmp = sh.directory "lib"

local function have(command)
	local _, status = sh.run("command -v " .. command .. " >/dev/null 2>&1")
	return status == 0
end

-- --- symbols ---

local function symbols(options, file, name)
	local n, bad = 0, {}
	for symbol in sh.run(("nm -g --defined-only %s %s"):format(options, sh.quoted(file)))
			:gmatch "[%x]+ [A-Z] ([^\n]+)" do
		n = n + 1
		if not symbol:find "^srcu_" and not symbol:find "^SRCU_" then bad[#bad + 1] = symbol end
	end
	tap.ok(n > 15, name .. " has symbols")
	tap.is(table.concat(bad, " "), "", "each symbol of " .. name .. " begins with srcu_")
end

if sanitized then
	tap.skip("a sanitizer adds its own", 4)
elseif have "nm" then
	if have_shared then symbols("-D", shared, "libsrcu.so") else tap.skip("not built", 2) end
	if have_static then symbols("", static, "libsrcu.a") else tap.skip("not built", 2) end
else
	tap.skip("no nm", 4)
end

-- --- headers ---

local uses = [[
#include <%s>
SRCU_DEFINE(at_file_scope);
static struct srcu_domain zeroed = SRCU_DOMAIN_INIT;
int f(struct srcu_domain *d, struct srcu_head *h, srcu_callback_t cb);
int f(struct srcu_domain *d, struct srcu_head *h, srcu_callback_t cb)
{
	struct srcu_ctr *c = srcu_read_lock_fast(&zeroed);
	int idx = srcu_read_lock(d), down = srcu_down_read(d);
	srcu_up_read(d, down);
	srcu_read_unlock(d, idx);
	srcu_read_unlock_fast(&zeroed, c);
	srcu_smp_mb_after_read_unlock();
	srcu_synchronize(d);
	return srcu_call(d, h, cb) + srcu_barrier(&at_file_scope);
}
]]
local both = tmp:write("both.h", uses:format "srcu/srcu.h")
local names = tmp:write("names.h", uses:format "srcu/kernel-names.h")

for _, c in ipairs {
	{ "cc", "-std=c11 -pedantic -O2 -x c", names }, { "cc", "-std=gnu11 -x c", both },
	{ "cc", "-DSRCU_DEBUG -x c", names }, { "cc", "-DSRCU_NO_INLINE -fPIC -x c", both },
	{ "clang", "-std=c11 -O2 -x c", names },
	{ "g++", "-std=c++11 -O2 -x c++", names }, { "g++", "-std=c++20 -DSRCU_DEBUG -x c++", both },
	{ "clang++", "-std=c++17 -x c++", both },
} do
	local what = c[1] .. " " .. c[2] .. ": " .. c[3]:match "[^/]*$"
	if have(c[1]) then
		local text, status = sh.run(("%s -Wall -Wextra -Werror -pthread %s %s -c -o %s/x.o %s 2>&1")
			:format(c[1], include, c[2], tmp.path, c[3]))
		tap.ok(status == 0, what)
		if status ~= 0 then tap.diag(text) end
	else
		tap.skip("no " .. c[1])
	end
end

-- --- programs ---

-- One thread until a callback is posted, two from then on.
tmp:write("program.h", [[
#include <srcu/srcu.h>
#include <cstdio>
#include <dirent.h>

struct foo { srcu_head head; int value; };
static SRCU_DEFINE(domain);
static foo *current = new foo { {}, 1 };

static int threads()
{
	DIR *dir = opendir("/proc/self/task");
	int n = -2;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void release(srcu_head *head)
{
	delete reinterpret_cast<foo *>(head);
	std::puts("released");
}

int main()
{
	foo *old = current;
	int idx = srcu_read_lock(&domain);

	std::printf("value %d\n", __atomic_load_n(&current, __ATOMIC_CONSUME)->value);
	srcu_read_unlock(&domain, idx);
	srcu_synchronize(&domain);
	std::printf("threads %d\n", threads());
	__atomic_store_n(&current, new foo { {}, 2 }, __ATOMIC_RELEASE);
	if (srcu_call(&domain, &old->head, release) || srcu_barrier(&domain))
		return 1;
	std::printf("threads %d\n", threads());
	delete current;
	return srcu_cleanup(&domain);
}
]])

local function link_and_run(how, flags, built)
	if not built then return tap.skip("not built") end
	if not have "g++" then return tap.skip("no g++") end
	local text, status = sh.run(([[g++ -Wall -Wextra -Werror -O1 -g -pthread %s -x c++ %s/program.h \
		-x none %s -o %s/program 2>&1 && LD_LIBRARY_PATH=%s/.libs %s/program 2>&1]])
		:format(include, tmp.path, flags, tmp.path, sh.quoted(build), tmp.path))
	tap.is(text .. status, "value 1\nthreads 1\nreleased\nthreads 2\n0", how)
end

if sanitized then
	tap.skip("the library is sanitized", 2)
else
	link_and_run("a C++ program, shared", ("-L%s/.libs -lsrcu"):format(sh.quoted(build)), have_shared)
	link_and_run("a C++ program, static", sh.quoted(static), have_static)
end

-- --- unloading ---

-- What the kernel finds of a thread's last restartable sequence must not go with the code that
-- had it: the thread would be killed when it is preempted next.
tmp:write("plugin.c", [[
#include <srcu/srcu.h>
static SRCU_DEFINE(d);
void use(void);
void use(void)
{
	for (int i = 0; i < 3; i++)
		srcu_read_unlock_fast(&d, srcu_read_lock_fast(&d));
	srcu_synchronize(&d);
	(void)srcu_cleanup(&d);
}
]])
tmp:write("loader.c", [[
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
int main(int argc, char **argv)
{
	struct timespec t = { 0, 1000000 };
	for (int i = 1; i < argc; i++) {
		void *h = dlopen(argv[i], RTLD_NOW);
		void (*use)(void) = h ? (void (*)(void))dlsym(h, "use") : 0;
		if (!use)
			return puts(dlerror()), 1;
		use();
		dlclose(h);
		if (dlopen(argv[i], RTLD_NOW | RTLD_NOLOAD))
			return puts("still there"), 1;
		nanosleep(&t, 0);
		nanosleep(&t, 0);
	}
	puts("alive");
	return 0;
}
]])

local function unload(how, flags)
	local text, status = sh.run(([[cd %s && gcc -Wall -Wextra -Werror -O2 -pthread %s -fPIC -shared %s plugin.c \
		-o plugin.so -L%s/.libs -lsrcu 2>&1 && gcc loader.c -o loader -ldl 2>&1 && \
		LD_LIBRARY_PATH=%s/.libs ./loader ./plugin.so ./plugin.so 2>&1]]):format(tmp.path,
		"-I" .. sh.quoted(os.getenv("abs_top_srcdir") or top) .. "/src/libsrcu/include", flags,
		sh.quoted(build), sh.quoted(build)))
	tap.is(text .. status, "alive\n0", how)
end

if sanitized or not have_shared or not have "gcc" then
	tap.skip("no shared library to load and unload", 2)
else
	unload("code with fast readers is unloaded", "")
	unload("the same with the library's readers", "-DSRCU_NO_INLINE")
end

-- --- ThreadSanitizer in the program alone ---

-- The race that a grace period prevents: without it ThreadSanitizer has to find it.
local race = tmp:write("race.c", [[
#include <pthread.h>
#include <stdlib.h>
#include <srcu/srcu.h>
static SRCU_DEFINE(d);
static int *p;
static unsigned long stop;
struct old { struct srcu_head head; int *p; };
static void *reads(void *sum)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		int idx = srcu_read_lock(&d);
		*(unsigned long *)sum += (unsigned long)*__atomic_load_n(&p, __ATOMIC_ACQUIRE);
		srcu_read_unlock(&d, idx);
	}
	return 0;
}
static void dispose(struct srcu_head *head)
{
	struct old *o = (struct old *)head;
	*o->p = 0;
	free(o->p);
	free(o);
}
int main(void)
{
	pthread_t t;
	unsigned long sum = 0;
	p = calloc(1, sizeof(*p));
	pthread_create(&t, 0, reads, &sum);
	for (int i = 0; i < 300; i++) {
		struct old *o = calloc(1, sizeof(*o));
		o->p = p;
		__atomic_store_n(&p, (int *)calloc(1, sizeof(*p)), __ATOMIC_RELEASE);
		if (i & 1) {
			srcu_call(&d, &o->head, dispose);
		} else {
#ifndef NO_GRACE_PERIOD
			srcu_synchronize(&d);
#endif
			dispose(&o->head);
		}
	}
	srcu_barrier(&d);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(t, 0);
	free(p);
	return srcu_cleanup(&d);
}
]])

local function tsan(flags)
	return sh.run(([[gcc -Wall -O1 -g -fsanitize=thread -pthread %s %s %s -L%s/.libs -lsrcu \
		-o %s/race 2>&1 && LD_LIBRARY_PATH=%s/.libs %s/race 2>&1]]):format(flags, include, race,
		sh.quoted(build), tmp.path, sh.quoted(build), tmp.path))
end

local _, works = sh.run(("echo 'int main(void){return 0;}' | gcc -fsanitize=thread -x c - -o %s/t 2>&1 && %s/t")
	:format(tmp.path, tmp.path))
if sanitized or works ~= 0 or not have_shared then
	tap.skip("no ThreadSanitizer for the program alone", 2)
else
	local text, status = tsan ""
	tap.is(text .. status, "0", "ThreadSanitizer sees what a grace period orders")
	text, status = tsan "-DNO_GRACE_PERIOD"
	tap.ok(status ~= 0 and text:find "data race", "and what happens without one")
end

-- --- pkg-config ---

local pc = io.open(build .. "/libsrcu.pc"):read "a"
tap.like(pc, "\nLibs: %-L%${libdir} %-lsrcu\n", "libsrcu.pc")
tap.unlike(pc, "@", "nothing in it is left to be filled in")

tap.done()
