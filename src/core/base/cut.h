/* core/base/cut.h - pieces parsers are built from: each takes something off the front of a slice.
 *
 * On success the slice has moved past what was taken and the result is set; on failure (false) both are as they were.
 * Pure: no allocation, no globals; results point into the input. */
#ifndef CORE_BASE_CUT_H
#define CORE_BASE_CUT_H

#include "core/base/slice.h"

bool cut_char(slice *s, char c);
bool cut_prefix(slice *s, slice prefix);
bool cut_prefix_case(slice *s, slice prefix);

/* Takes blanks (space, tab); always succeeds, returns how many. */
size_t cut_blanks(slice *s);

/* Takes MIN to MAX decimal digits as a number that must fit *OUT. */
bool cut_uint(slice *s, int min, int max, unsigned *out);
/* Takes all digits there are; false when none, or above INT64_MAX. */
bool cut_u63(slice *s, int64_t *out);

/* Takes everything before the first SEPARATOR, and the separator itself; without one, false. */
bool cut_until(slice *s, char separator, slice *out);
/* The same, but without a separator it takes everything; false only when *S is empty. */
bool cut_field(slice *s, char separator, slice *out);
/* The next word between any of SEPARATORS; runs of them count as one.  False when none is left. */
bool cut_word(slice *s, const char *separators, slice *out);
/* Is WORD, in whatever case, among the words of LIST, which commas and white space part? */
bool words_have(slice list, slice word);
/* Takes the longest front part all of whose bytes satisfy IS; false when empty. */
bool cut_while(slice *s, bool (*is)(char c), slice *out);

/* The whole slice as a decimal number, with an optional minus; false for anything else or out of range. */
bool slice_to_i64(slice s, int64_t *out);
bool slice_to_int(slice s, int *out);
/* The other way round, many times cheaper than printf.  The result lies in ROOM. */
enum { I64_TEXT = 20 };
slice slice_of_i64(int64_t value, char room[I64_TEXT]);
slice slice_of_u64(uint64_t value, char room[I64_TEXT]);

#endif
