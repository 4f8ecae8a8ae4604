/* commands/postconf/master.h - master.cf in postconf's columns. */
#ifndef COMMANDS_POSTCONF_MASTER_H
#define COMMANDS_POSTCONF_MASTER_H

/* Prints the rows that PATTERNS name ("smtp/inet", "smtp"; none: all).  Ends the process when master.cf cannot be read. */
void master_show(const char *directory, char **patterns);

#endif
