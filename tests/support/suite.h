/* suite.h - a test binary is one suite of one case: run_suite() is all its main() does. */
#ifndef TWS_TEST_SUITE_H
#define TWS_TEST_SUITE_H

#include <check.h>

#define COUNT_OF(a) ((int)(sizeof(a) / sizeof(a)[0]))

static inline int run_suite(const char *name, TCase *tc)
{
    Suite *s = suite_create(name);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}

#endif
