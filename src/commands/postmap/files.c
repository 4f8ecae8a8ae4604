#include "commands/postmap/files.h"

#include "core/base/base64.h"
#include "core/base/cut.h"
#include "core/base/file.h"

bool files_read(slice names, struct buf *out, struct err *err)
{
    slice name;

    for (bool first = true; cut_word(&names, ", \t\r\n", &name); first = false) {
        AUTO_BUF struct buf path = BUF_INIT(4096);

        if (!buf_add(&path, name) || (!first && !buf_add_char(out, '\n')))
            return err_set(err, ERR_LIMIT, "%.*s: too large", S_ARG(slice_head(name, 200)));
        if (!file_read_path(buf_text(&path), out, err))
            return false;
    }
    return true;
}

static void replace(struct buf *value, const struct buf *with)
{
    buf_clear(value);
    (void)buf_add(value, buf_slice(with));
}

bool files_encode(struct buf *value, struct err *err)
{
    AUTO_BUF struct buf content = BUF_INIT(value->max), encoded = BUF_INIT(value->max);

    if (!files_read(buf_slice(value), &content, err))
        return false;
    if (!base64_encode(buf_slice(&content), &encoded))
        return err_set(err, ERR_LIMIT, "%.200s: too large", buf_text(value));
    replace(value, &encoded);
    return true;
}

bool files_decode(struct buf *value, struct err *err)
{
    AUTO_BUF struct buf decoded = BUF_INIT(value->max);

    if (!base64_decode(buf_slice(value), &decoded))
        return err_set(err, ERR_SYNTAX, "malformed BASE64 value: %.200s", buf_text(value));
    replace(value, &decoded);
    return true;
}
