/* core/run/page.h - buffers that tasks borrow: pages of 4096 bytes, which really go back to the system when given back, unlike
 * free()d ones, and large ones for the moments in which much comes at once.
 *
 * Taken and given back within the loop; a few of each are kept warm.  Uninitialised.  Never fails (memory aborts). */
#ifndef CORE_RUN_PAGE_H
#define CORE_RUN_PAGE_H

#include <stdbool.h>

enum { PAGE_BYTES = 4096 };

void *page_take(void);
/* Harmless on NULL. */
void page_give(void *page);

enum { BULK_BYTES = 64 * 1024 };

void *bulk_take(void);
/* Harmless on NULL. */
void bulk_give(void *bulk);
/* Are so many out that what can do with less should? */
bool bulk_is_short(void);

#endif
