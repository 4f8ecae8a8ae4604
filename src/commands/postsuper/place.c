#include "commands/postsuper/place.h"

const struct place places[PLACE_COUNT] = {
    {S_INIT("defer"), PLACE_LOGS},        {S_INIT("bounce"), PLACE_LOGS},       {S_INIT("trace"), PLACE_LOGS},
    {S_INIT("maildrop"), PLACE_MESSAGES}, {S_INIT("incoming"), PLACE_MESSAGES}, {S_INIT("active"), PLACE_MESSAGES},
    {S_INIT("deferred"), PLACE_MESSAGES}, {S_INIT("hold"), PLACE_MESSAGES},     {S_INIT("flush"), PLACE_SITES},
};

bool places_ask(struct places_asked *a, slice name)
{
    for (size_t i = 0; i < PLACE_COUNT; i++)
        if (slice_eq(places[i].name, name)) {
            a->named = a->asked[i] = true;
            return true;
        }
    return false;
}

bool place_is_asked(const struct places_asked *a, const struct place *p)
{
    return !a->named || a->asked[p - places];
}
