/* tools/cmocka-lite/cmocka.h - as much of cmocka as core/run's tests use, for machines whose cmocka is not installed. */
#ifndef CMOCKA_LITE_H
#define CMOCKA_LITE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define fail_msg(...)                                                                                                  \
    do {                                                                                                               \
        (void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                          \
        (void)fprintf(stderr, __VA_ARGS__);                                                                            \
        (void)fputc('\n', stderr);                                                                                     \
        exit(1);                                                                                                       \
    } while (0)
#define assert_true(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s", #condition);                                                                                \
    } while (0)
#define assert_false(condition) assert_true(!(condition))
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define cmocka_unit_test(f) {#f, f}

static inline int cmocka_lite_run(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;

        tests[i].run(&state);
        (void)printf("ok %s\n", tests[i].name);
    }
    return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown) cmocka_lite_run((tests), sizeof(tests) / sizeof((tests)[0]))

#endif
