#include "mail/syntax/date.h"

#include <stdio.h>
#include <time.h>

void mail_date_print(int64_t seconds, char to[MAIL_DATE_MOST])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t)seconds;
    struct tm tm;
    long minutes;

    if (localtime_r(&when, &tm) == NULL) {
        when = 0;
        (void)gmtime_r(&when, &tm);
    }
    minutes = tm.tm_gmtoff / 60;
    (void)snprintf(to, MAIL_DATE_MOST, "%s, %2d %s %d %02d:%02d:%02d %c%02d%02d (%.16s)", days[tm.tm_wday % 7], tm.tm_mday,
                   months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, minutes < 0 ? '-' : '+',
                   (int)(labs(minutes) / 60), (int)(labs(minutes) % 60), tm.tm_zone);
}
