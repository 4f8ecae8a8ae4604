/* A table of verdicts as a program for the kernel.  It answers most calls without running it: whether a number has the same
 * answer whatever its arguments are is found out when the program is loaded (Linux 5.11).  For older ones the program is a
 * binary tree. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/sandbox/inner.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#define MACHINE 0
#endif

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

/* Numbers from FIRST to the next segment's have one verdict. */
struct segment {
    unsigned first;
    enum verdict verdict;
};

struct compiler {
    const struct call_table *table;
    struct filter *out;
    struct segment segments[CALLS_MOST + 1];
    size_t segment_count;
};

bool filter_is_known(void)
{
    return MACHINE != 0;
}

static struct sock_filter *emit(struct filter *f, struct sock_filter instruction)
{
    BUG_IF(f->length == FILTER_MOST);
    f->code[f->length] = instruction;
    return &f->code[f->length++];
}

static void emit_return(struct filter *f, uint32_t answer)
{
    emit(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

static void emit_load(struct filter *f, size_t offset)
{
    emit(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The lower half: both kinds of machine are little-endian. */
static size_t argument_offset(unsigned index)
{
    return offsetof(struct seccomp_data, args) + 8 * (size_t)index;
}

/* Falls through when R says nothing. */
static void emit_rule(struct filter *f, const struct argument_rule *r)
{
    size_t n = r->arguments[1].mask != 0 ? 2 : 1;

    for (size_t i = 0; i < n; i++) {
        unsigned char past = (unsigned char)(3 * (n - 1 - i) + 1);

        emit_load(f, argument_offset(r->arguments[i].index));
        emit(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r->arguments[i].mask));
        emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->arguments[i].value, 0, past));
    }
    emit_return(f, SECCOMP_RET_ALLOW);
}

static void emit_check(struct compiler *c, int number)
{
    for (size_t i = 0; i < c->table->rule_count; i++)
        if (c->table->rules[i].number == number)
            emit_rule(c->out, &c->table->rules[i]);
    emit_return(c->out, SECCOMP_RET_ERRNO | EACCES);
}

static void emit_segment(struct compiler *c, const struct segment *s)
{
    switch (s->verdict) {
    case VERDICT_UNKNOWN: emit_return(c->out, SECCOMP_RET_ERRNO | ENOSYS); break;
    case VERDICT_ALLOW: emit_return(c->out, SECCOMP_RET_ALLOW); break;
    case VERDICT_CHECK: emit_check(c, (int)s->first); break;
    case VERDICT_REFUSE: emit_return(c->out, SECCOMP_RET_ERRNO | EPERM); break;
    case VERDICT_KILL: emit_return(c->out, SECCOMP_RET_KILL_PROCESS); break;
    }
}

/* Depth is the logarithm of N. */
static void emit_tree(struct compiler *c, const struct segment *s, size_t n)
{
    struct sock_filter *to_upper;
    size_t half = n / 2;
    unsigned from;

    if (n == 1) {
        emit_segment(c, s);
        return;
    }
    emit(c->out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, s[half].first, 0, 1));
    to_upper = emit(c->out, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0)); /* conditional jumps do not reach far */
    from = c->out->length;
    emit_tree(c, s, half);
    to_upper->k = c->out->length - from;
    emit_tree(c, s + half, n - half);
}

static void find_segments(struct compiler *c)
{
    for (unsigned i = 0; i < CALLS_MOST; i++) {
        enum verdict v = c->table->verdicts[i];

        if (i == 0 || v == VERDICT_CHECK || v != c->segments[c->segment_count - 1].verdict)
            c->segments[c->segment_count++] = (struct segment){i, v};
    }
    /* What comes later, and the numbers of x32. */
    c->segments[c->segment_count++] = (struct segment){CALLS_MOST, VERDICT_UNKNOWN};
}

void filter_compile(const struct call_table *t, struct filter *out)
{
    struct compiler *c = xcalloc(1, sizeof *c); /* too much for a stack */

    c->table = t;
    c->out = out;
    out->length = 0;
    find_segments(c);
    emit_load(out, offsetof(struct seccomp_data, arch));
    emit(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0));
    emit_return(out, SECCOMP_RET_KILL_PROCESS); /* calls of a 32-bit program */
    emit_load(out, offsetof(struct seccomp_data, nr));
    emit_tree(c, c->segments, c->segment_count);
    free(c);
}
