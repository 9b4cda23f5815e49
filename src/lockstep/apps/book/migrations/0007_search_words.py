"""The words that a company's book is searched by, so that a mistyped one can be taken for a word there is.

Kept by triggers, so that no way of writing forgets it. There is no unique constraint on purpose: a save must
never wait for an import that is adding the same word; the little that is doubled so does no harm.
"""

import django.db.models.deletion
from django.db import migrations, models

FUNCTIONS = r"""
CREATE FUNCTION lockstep_typo_keys(company bigint, word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT array_agg(DISTINCT company || ':' || key)
    FROM (SELECT left(word, 5) UNION SELECT left(word, 7)) AS p(part),
        LATERAL (SELECT part UNION SELECT left(part, place - 1) || substr(part, place + 1)
            FROM generate_series(1, char_length(part)) AS place) AS k(key));
COMMENT ON FUNCTION lockstep_typo_keys(bigint, text) IS
    'The beginning of a word, and the same with each letter left out: what a mistyped word shares with it.';

CREATE FUNCTION lockstep_search_query(value text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT string_agg('(' || alternatives || ')', ' & ') FROM (
    SELECT (SELECT string_agg('(' || lockstep_word_query(one)::text || ')', ' | ')
        FROM unnest(string_to_array(word, '|')) AS one) AS alternatives
    FROM unnest(string_to_array(value, ' ')) AS word) AS words)::tsquery;
COMMENT ON FUNCTION lockstep_search_query(text) IS
    'As lockstep_word_query; “kestrel|kestler” is either of the two.';
"""

DROP_FUNCTIONS = """
DROP FUNCTION lockstep_search_query(text);
DROP FUNCTION lockstep_typo_keys(bigint, text);
"""

# Words with digits are numbers, codes and the like: nothing that is spelled.
_LEARN = r"""
    INSERT INTO book_searchword (company_id, word)
        SELECT DISTINCT n.company_id, w.word FROM {source}, unnest(tsvector_to_array(n.search)) AS w(word)
        WHERE char_length(w.word) BETWEEN 3 AND 24 AND w.word !~ '[0-9]' {changed}
            AND NOT EXISTS (SELECT FROM book_searchword s
                WHERE s.company_id = n.company_id AND s.word = w.word);
"""

KEYS = r"""
ALTER TABLE book_searchword ADD COLUMN keys text[]
    GENERATED ALWAYS AS (lockstep_typo_keys(company_id, word)) STORED;
CREATE INDEX book_searchword_keys ON book_searchword USING gin (keys);
"""

TRIGGERS = "\n".join(
    rf"""
CREATE FUNCTION lockstep_learn_words_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {learn}
    RETURN NULL;
END $$;
"""
    + "\n".join(
        rf"""
CREATE TRIGGER learn_words_{event} AFTER {event} ON {table} REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION lockstep_learn_words_{event}();
"""
        for table in ("book_client", "book_contact")
    )
    for event, tables, learn in (
        ("insert", "NEW TABLE AS new_rows", _LEARN.format(source="new_rows n", changed="")),
        (
            "update",
            "OLD TABLE AS old_rows NEW TABLE AS new_rows",
            _LEARN.format(
                source="(SELECT n.* FROM new_rows n JOIN old_rows o USING (id)"
                " WHERE n.search IS DISTINCT FROM o.search) n",
                changed="",
            ),
        ),
    )
)

DROP_TRIGGERS = "\n".join(
    f"DROP TRIGGER learn_words_{event} ON {table};"
    for event in ("insert", "update")
    for table in ("book_client", "book_contact")
) + "".join(f"DROP FUNCTION lockstep_learn_words_{event}();" for event in ("insert", "update"))

FILL = "\n".join(_LEARN.format(source=f"{table} n", changed="") for table in ("book_client", "book_contact"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("book", "0006_twins")]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("word", models.TextField(db_collation="C")),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.company",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["company", "word"], name="book_searchword_word")],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, DROP_TRIGGERS),
    ]
