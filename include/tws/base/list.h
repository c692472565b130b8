/*
 * list.h - one intrusive circular list.
 *
 * A node is linked or points at itself; unlinking twice is harmless, inserting a linked node
 * asserts. A node field is named after the list it can be on, one field per list, so membership
 * can be the state and no flag can disagree. The iterator may unlink the current element only.
 */
#ifndef TWS_BASE_LIST_H
#define TWS_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct tws_node {
    struct tws_node *next, *prev;
};

/* A list is a node that belongs to no element. */
static inline void tws_list_init(struct tws_node *n)
{
    n->next = n->prev = n;
}

static inline bool tws_list_linked(const struct tws_node *n)
{
    return n->next != n;
}

static inline bool tws_list_empty(const struct tws_node *list)
{
    return list->next == list;
}

static inline void tws_list_insert_before(struct tws_node *at, struct tws_node *n)
{
    assert(!tws_list_linked(n));
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

static inline void tws_list_push_back(struct tws_node *list, struct tws_node *n)
{
    tws_list_insert_before(list, n);
}

static inline void tws_list_push_front(struct tws_node *list, struct tws_node *n)
{
    tws_list_insert_before(list->next, n);
}

static inline void tws_list_unlink(struct tws_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    tws_list_init(n);
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void tws_list_append_all(struct tws_node *to, struct tws_node *from)
{
    if (tws_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tws_list_init(from);
}

#define TWS_CONTAINER(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))
#define TWS_LIST_FIRST(list, type, field)                                                          \
    (tws_list_empty(list) ? NULL : TWS_CONTAINER((list)->next, type, field))
/* Walks the list; `it` and `tmp_` are struct tws_node *; the body may unlink `it`. */
#define TWS_LIST_EACH(it, tmp_, list)                                                              \
    for ((it) = (list)->next, (tmp_) = (it)->next; (it) != (list);                                 \
         (it) = (tmp_), (tmp_) = (it)->next)

#endif
