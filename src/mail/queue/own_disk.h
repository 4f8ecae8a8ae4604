/* mail/queue/own_disk.h - may one syncfs() stand for an fsync() of each file in the queue? */
#ifndef MAIL_QUEUE_OWN_DISK_H
#define MAIL_QUEUE_OWN_DISK_H

#include "core/base/slice.h"

/* Where the file system is the queue's alone, is one that does something in syncfs(), and the kernel tells what went wrong in it.
 * Reads /proc: before chroot. */
bool own_disk_flushes(const char *queue_directory);

/* MOUNTS is /proc/self/mountinfo: is FOLDER a mount point that shows all of a file system, not a part of it?  The last line for
 * it counts.  Pure.  Source: proc_pid_mountinfo(5). */
bool own_disk_is_mounted(slice mounts, slice folder);

#endif
