/* core/run/annotate.h - what ASan, TSan and valgrind want to be told about stacks; nothing in ordinary builds. */
#ifndef CORE_RUN_ANNOTATE_H
#define CORE_RUN_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

/* What a tool knows of one stack. */
struct annotation {
#if defined(UNDER_ASAN)
    void *fake_stack;
    const void *low;
    size_t bytes;
#elif defined(UNDER_TSAN)
    void *fiber;
#else
    unsigned valgrind_id;
#endif
};

#if defined(UNDER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

static inline void annotate_stack(struct annotation *a, const char *low, size_t bytes)
{
    *a = (struct annotation){.low = low, .bytes = bytes};
    __asan_unpoison_memory_region(low, bytes);
}

/* A mapping whose pointers count as references. */
static inline void annotate_mapped(const void *low, size_t bytes)
{
    __lsan_register_root_region(low, bytes);
}

static inline void annotate_unmapped(const void *low, size_t bytes)
{
    __lsan_unregister_root_region(low, bytes);
    __asan_unpoison_memory_region(low, bytes);
}

static inline void annotate_stack_gone(struct annotation *a, const char *low, size_t bytes)
{
    (void)a;
    (void)low;
    (void)bytes;
}

/* Called right before a switch; LAST: FROM never runs again. */
static inline void annotate_leave(struct annotation *from, struct annotation *to, bool last)
{
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->low, to->bytes);
}

/* Called right after a switch to HERE; FROM is where it came from (its bounds are learnt). */
static inline void annotate_arrive(struct annotation *here, struct annotation *from)
{
    __sanitizer_finish_switch_fiber(here->fake_stack, &from->low, &from->bytes);
}

static inline void annotate_leak(const void *p)
{
    __lsan_ignore_object(p);
}

#elif defined(UNDER_TSAN)
#include <sanitizer/tsan_interface.h>

static inline void annotate_stack(struct annotation *a, const char *low, size_t bytes)
{
    (void)low;
    (void)bytes;
    a->fiber = __tsan_create_fiber(0);
}

static inline void annotate_mapped(const void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}

static inline void annotate_unmapped(const void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}

static inline void annotate_stack_gone(struct annotation *a, const char *low, size_t bytes)
{
    (void)low;
    (void)bytes;
    __tsan_destroy_fiber(a->fiber);
}

static inline void annotate_leave(struct annotation *from, struct annotation *to, bool last)
{
    (void)last;
    if (from->fiber == NULL)
        from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
}

static inline void annotate_arrive(struct annotation *here, struct annotation *from)
{
    (void)here;
    (void)from;
}

static inline void annotate_leak(const void *p)
{
    (void)p;
}

#else
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

static inline void annotate_stack(struct annotation *a, const char *low, size_t bytes)
{
#ifdef VALGRIND_STACK_REGISTER
    a->valgrind_id = VALGRIND_STACK_REGISTER(low, low + bytes);
#else
    (void)a;
    (void)low;
    (void)bytes;
#endif
}

static inline void annotate_mapped(const void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}

static inline void annotate_unmapped(const void *low, size_t bytes)
{
    (void)low;
    (void)bytes;
}

/* From here on the memory is ordinary, and read as it is. */
static inline void annotate_stack_gone(struct annotation *a, const char *low, size_t bytes)
{
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(a->valgrind_id);
    (void)VALGRIND_MAKE_MEM_DEFINED(low, bytes);
#else
    (void)a;
    (void)low;
    (void)bytes;
#endif
}

static inline void annotate_leave(struct annotation *from, struct annotation *to, bool last)
{
    (void)from;
    (void)to;
    (void)last;
}

static inline void annotate_arrive(struct annotation *here, struct annotation *from)
{
    (void)here;
    (void)from;
}

static inline void annotate_leak(const void *p)
{
    (void)p;
}
#endif

#endif
