/* core/base/account.h - what the C library does not say of users and groups that it has not found.  Blocks. */
#ifndef CORE_BASE_ACCOUNT_H
#define CORE_BASE_ACCOUNT_H

/* getpwnam_r() and its like say "no such user" also when "/etc/passwd" could not be opened and another source, which has
 * few users, was asked instead.  Whoever acts on "no such user" asks this: 0 when FILE ("/etc/passwd", "/etc/group") can be
 * opened or does not exist, else errno. */
int account_file_trouble(const char *file);

#endif
