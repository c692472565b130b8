/*
 * test_documents.c - what the repository says of the options is what the table says: the manual
 * page, and the README's table. tests/support/renew_documents.py renews them.
 */
#include "app_support.h"

#include "tws/app/reference.h"

#define ROOT TWS_TEST_DATA "/../.."

/* NULL: there is no such file. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 19);

    if (f == NULL) {
        free(text);
        return NULL;
    }
    ck_assert_uint_lt(fread(text, 1, (1 << 19) - 1, f), (1 << 19) - 1);
    fclose(f);
    return text;
}

static const struct {
    const char *path, *begin, *end;
    void (*print)(FILE *out);
} documents[] = {
    {ROOT "/docs/man/tws.yaml.5", ".\\\" options begin\n", ".\\\" options end\n",
     tws_reference_man},
    {ROOT "/README.md", "<!-- options begin -->\n", "<!-- options end -->\n",
     tws_reference_markdown},
};

START_TEST(the_document_agrees_with_the_table)
{
    char *text = slurp(documents[_i].path), *made = NULL, *from = NULL, *to = NULL;
    size_t n = 0;
    FILE *f = NULL;

    /* A package of the sources alone may lack the README, never the manual. */
    ck_assert_msg(text != NULL || _i > 0, "%s", documents[_i].path);
    if (text == NULL)
        return;
    f = open_memstream(&made, &n);

    documents[_i].print(f);
    fclose(f);
    from = strstr(text, documents[_i].begin);
    ck_assert_msg(from != NULL, "%s has no %s", documents[_i].path, documents[_i].begin);
    from += strlen(documents[_i].begin);
    to = strstr(from, documents[_i].end);
    ck_assert_ptr_nonnull(to);
    *to = '\0';
    /* Not both texts in the message: they are longer than Check's pipe takes. */
    ck_assert_msg(strcmp(from, made) == 0, "%s: run tests/support/renew_documents.py",
                  documents[_i].path);
    free(made);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("documents");

    LOOP(tc, the_document_agrees_with_the_table, documents);
    return run_suite("app/documents", tc);
}
