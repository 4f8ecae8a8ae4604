#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/map.h"

/* A small linear congruential generator: the same numbers on each run. */
static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

enum { NODES = 150 };

static void heap_gives_the_smallest(void **state)
{
    struct heap_node nodes[NODES] = {0};
    struct heap heap;
    struct heap_node *first;
    unsigned seed = 1;
    int64_t last = -1;
    size_t count = 0;

    (void)state;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    for (int i = 0; i < 5000; i++) {
        struct heap_node *node = &nodes[next_number(&seed) % NODES];

        if (next_number(&seed) % 3 == 0)
            heap_remove(&heap, node);
        else
            heap_put(&heap, node, (int64_t)(next_number(&seed) % 1000));
    }
    for (size_t i = 0; i < NODES; i++)
        count += heap_has(&nodes[i]);
    assert_int_equal(count, heap.count);
    for (; (first = heap_first(&heap)) != NULL; count--) {
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&heap, first);
        assert_false(heap_has(first));
    }
    assert_int_equal(count, 0);
    heap_done(&heap);
}

static void map_against_an_array(void **state)
{
    struct map map;
    char present[1000] = {0};
    unsigned seed = 2;
    size_t count = 0;

    (void)state;
    map_init(&map);
    assert_null(map_get(&map, S("x")));
    assert_null(map_take(&map, S("x")));
    for (int i = 0; i < 20000; i++) {
        unsigned n = next_number(&seed) % 1000;
        slice key = slice_of(&n, sizeof n);

        assert_ptr_equal(map_get(&map, key), present[n] ? &present[n] : NULL);
        if (next_number(&seed) % 2 == 0) {
            assert_ptr_equal(map_set(&map, key, &present[n]), present[n] ? &present[n] : NULL);
            count += !present[n];
            present[n] = 1;
        } else {
            assert_ptr_equal(map_take(&map, key), present[n] ? &present[n] : NULL);
            count -= (size_t)present[n];
            present[n] = 0;
        }
        assert_int_equal(map.count, count);
    }
    map_done(&map, NULL);
}

static void map_keeps_order(void **state)
{
    struct map map;
    int one = 1, two = 2, three = 3, sum = 0;

    (void)state;
    map_init(&map);
    assert_null(map_set(&map, S(""), &one));
    assert_null(map_set(&map, S("b"), &two));
    assert_null(map_set(&map, S("a"), &three));
    MAP_EACH(e, &map) {
        sum = sum * 10 + *(int *)e->value;
        if (e->value == &two)
            (void)map_take(&map, map_key(e));
    }
    assert_int_equal(sum, 123);
    assert_int_equal(map.count, 2);
    map_done(&map, NULL);
}

struct member {
    struct list link;
    int number;
};

static void lists(void **state)
{
    struct list head;
    struct member members[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    int sum = 0;

    (void)state;
    list_init(&head);
    assert_null(LIST_FIRST(&head, struct member, link));
    list_remove(&members[0].link);
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &members[i].link);
    list_push_front(&head, &members[3].link);
    LIST_EACH(link, &head) {
        sum = sum * 10 + LIST_ENTRY(link, struct member, link)->number;
        list_remove(link);
        assert_false(list_linked(link));
    }
    assert_int_equal(sum, 4123);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_gives_the_smallest),
        cmocka_unit_test(map_against_an_array),
        cmocka_unit_test(map_keeps_order),
        cmocka_unit_test(lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
