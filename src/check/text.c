/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the oracles: pieces that several findings share, reports that
 * come from elsewhere, and the headline under which a violation is printed.
 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "srcu/rcu.h"

void msg_begin(struct msg *m)
{
	*m = (struct msg){ 0 };
	m->f = open_memstream(&m->text, &m->len);
}

/* The text, malloced; NULL when there was no memory for it. */
static char *msg_text(struct msg *m)
{
	if (!m->f || fclose(m->f)) {
		free(m->text);
		return NULL;
	}
	return m->text;
}

void msg_addf(struct msg *m, const char *fmt, ...)
{
	va_list ap;

	if (!m->f)
		return;
	va_start(ap, fmt);
	vfprintf(m->f, fmt, ap);
	va_end(ap);
}

void msg_end(struct msg *m, struct world *w, const char *kind, struct task *t,
	     struct task *other)
{
	/* what was found is reported even when there is no memory to say it */
	world_violate(w, kind, msg_text(m), t, other);
}

const char *ss_name(const struct srcu *ss)
{
	if (!ss || !ss->obj)
		return "?";
	return srcu_is_rcu(ss) ? "RCU" : ss->obj->name;
}

const char *ss_arg(const struct srcu *ss)
{
	return ss && srcu_is_rcu(ss) ? "" : ss_name(ss);
}

const char *id_name(struct world *w, uint32_t task)
{
	struct task *t = task_by_id(w, task);

	return t ? task_name(t) : "?";
}

void msg_after_step(struct msg *m, struct world *w)
{
	if (world_steps(w))
		msg_addf(m, "after step %" PRIu64, world_steps(w));
	else
		msg_addf(m, "before the first step");
}

void msg_at_step(struct msg *m, struct world *w)
{
	msg_addf(m, " at step %" PRIu64, world_steps(w) + 1);
}

void msg_section(struct msg *m, const struct section *s)
{
	if (srcu_is_rcu(s->ss))
		msg_addf(m, "an RCU read section since step %" PRIu64, s->since);
	else
		msg_addf(m, "a read section of %s (index %d) since step %" PRIu64,
			 ss_name(s->ss), s->idx, s->since);
}

void msg_site(struct msg *m, const struct site *s)
{
	if (!s || !s->file)
		return;
	msg_addf(m, " (");
	if (s->prim && *s->prim)
		msg_addf(m, "%s, ", s->prim);
	if (!(s->flags & SITE_LUA) && s->func)
		msg_addf(m, "%s, ", s->func);
	msg_addf(m, "%s:%d)", site_file(s), s->line);
}

void msg_plain_site(struct msg *m, const struct site *s)
{
	struct site bare;

	if (!s)
		return;
	bare = *s;
	bare.prim = NULL;
	msg_site(m, &bare);
}

void lock_text(struct world *w, const struct site *s, const void *loc, char *buf, size_t n)
{
	const char *kind = s->flags & SITE_SPIN ? "spinlock " :
			   s->flags & SITE_WRITE || s->op == OP_LOCK_READ ||
			   s->op == OP_UNLOCK_READ ? "rwsem " :
			   s->op == OP_WQ || s->op == OP_WQ_WAIT ? "waitqueue " :
			   s->flags & SITE_MUTEX ? "mutex " :
			   s->op == OP_WAIT || s->op == OP_COMPLETE ? "completion " : "lock ";
	int len = snprintf(buf, n, "%s", kind);

	if (len < 0 || (size_t)len >= n)
		return;
	if (!location_name(w, loc, buf + len, n - (size_t)len, NULL))
		snprintf(buf + len, n - (size_t)len, "%s", s->expr ? s->expr : "?");
}

/* A full stop belongs between a text and what is said after it. */
static bool ends_sentence(const char *s, size_t n)
{
	return n && strchr(".!?", s[n - 1]);
}

/* Who and where: the second half of what others report. */
static void add_where(struct msg *m, struct world *w, struct task *t)
{
	const struct section *s = section_own(check_of(w), t, NULL, false);

	msg_addf(m, " This is %s on CPU %u, ", task_name(t), t->cpu);
	msg_after_step(m, w);
	if (t->ncalls)
		msg_addf(m, ", in %s()", t->calls[t->ncalls - 1].api->name);
	if (s) {
		msg_addf(m, ", inside ");
		msg_section(m, s);
	}
	msg_addf(m, ".");
}

void check_report(struct world *w, const char *kind, struct task *t, struct task *other,
		  const char *fmt, ...)
{
	struct msg m;
	char *text = NULL;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text || !check_of(w)) {
		world_violate(w, kind, text, t, other);
		return;
	}
	msg_begin(&m);
	/* a traceback comes last */
	n = strcspn(text, "\n");
	msg_addf(&m, "%.*s%s", (int)n, text, ends_sentence(text, n) ? "" : ".");
	if (t)
		add_where(&m, w, t);
	msg_addf(&m, "%s", text + n);
	free(text);
	msg_end(&m, w, kind, t, other);
}

/* What the kind means, where others made the message and it does not say so. */
static const char *rule_of(const char *kind, const char *text)
{
	if (!strcmp(kind, "warning"))
		return strncmp(text, "WARN_ON(", 8) || text[8] == ')' ?
			       "The kernel would print a stack trace here and go on." :
			       "The kernel would print a stack trace here and go on. Such a "
			       "warning means that SRCU is used against its rules, or that "
			       "the algorithm itself is broken.";
	if (!strcmp(kind, "error"))
		return "The thread ends here, with all that it holds.";
	return NULL;
}

char *violation_headline(struct world *w, const struct violation *v)
{
	const char *text = v->message ? v->message : "no memory was left to say more";
	/* what no thread did ends none either */
	const char *rule = v->task ? rule_of(v->kind, text) : NULL;
	struct msg m;

	(void)w;
	msg_begin(&m);
	msg_addf(&m, "%s", text);
	if (rule && !strchr(text, '\n'))
		msg_addf(&m, "%s %s", ends_sentence(text, strlen(text)) ? "" : ".", rule);
	return msg_text(&m);
}
