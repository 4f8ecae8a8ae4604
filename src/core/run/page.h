/* core/run/page.h - buffers of 4096 bytes that really go back to the system when given back, unlike free()d ones.
 *
 * Taken and given back within the loop; a few are kept warm.  Uninitialised.  Never fails (memory aborts). */
#ifndef CORE_RUN_PAGE_H
#define CORE_RUN_PAGE_H

enum { PAGE_BYTES = 4096 };

void *page_take(void);
/* Harmless on NULL. */
void page_give(void *page);

#endif
