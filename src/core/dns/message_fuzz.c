/* Any packet is read without harm, and what is found is bounded. */
#include "core/dns/message.h"

#include "core/base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};
    slice packet = slice_of(data, size);

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        AUTO_ARENA struct arena arena = ARENA_INIT(1000000);
        struct dns_answer answer = {0};
        struct err err;
        size_t count = 0;

        if (dns_message_read(packet, S("a.example"), types[i], &arena, &answer, &err) != DNS_FOUND)
            continue;
        for (const struct dns_record *r = answer.records; r != NULL; r = r->next, count++) {
            BUG_IF(r->type != types[i]);
            BUG_IF(r->type != DNS_TXT && r->text.n > 255);
        }
        BUG_IF(count == 0 || count > 1000);
    }
    return 0;
}
