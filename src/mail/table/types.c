#include "mail/table/inner.h"

const struct table_type *const table_types[] = {
    &table_hash,   &table_texthash, &table_lmdb,   &table_btree, &table_inline, &table_static,   &table_unix,    &table_proxy,
    &table_regexp, &table_pcre,     &table_cidr,   &table_fail,  &table_pipemap, &table_unionmap, &table_randmap, NULL,
};
