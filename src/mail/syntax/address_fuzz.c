/* Any bytes as an internal address, as an external one, and as an SMTP path. */
#include "core/base/bug.h"
#include "mail/syntax/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice in = slice_of(data, size), line = in, local, domain, base, extension;
    AUTO_BUF struct buf external = BUF_INIT(1U << 22), internal = BUF_INIT(1U << 22), path = BUF_INIT(4096);
    struct smtp_path_options loose = {.allow_empty = true}, strict = {.strict = true};

    BUG_IF(!address_quote(in, &external) || !address_unquote(buf_slice(&external), &internal));
    BUG_IF(!slice_eq(buf_slice(&internal), in));

    address_split(in, &local, &domain);
    BUG_IF(local.p != in.p || local.n > in.n || (domain.n > 0 && domain.p + domain.n != in.p + in.n));
    address_split_extension(local, S("+-"), &base, &extension);
    BUG_IF(base.p != local.p || base.n + extension.n > local.n);
    (void)hostname_valid(in);

    if (cut_smtp_path(&line, &loose, &path))
        BUG_IF(line.p < in.p || line.p + line.n != in.p + in.n);
    else
        BUG_IF(line.p != in.p || line.n != in.n || path.n > 0);
    buf_clear(&path);
    line = in;
    (void)cut_smtp_path(&line, &strict, &path);
    return 0;
}
