"""Search and sort keys: accent-folded word prefixes and index-friendly order for a million contacts."""

import django.db.models.deletion
from django.db import migrations, models

import lockstep.apps.book.models

# PostgreSQL's own text search parsers treat e-mail addresses and hyphens as wholes, so the words are cut
# here. No extension is needed (the embedded PostgreSQL has neither unaccent nor pg_trgm). The functions
# know nothing but pg_catalog and each other (by qualified name), so a restore with an empty search path works.
FUNCTIONS = r"""
CREATE FUNCTION lockstep_fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = char_length(value) THEN lower(value)
    ELSE replace(replace(replace(
        translate(
            lower(regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g')),
            'łøđðħıŀŋ', 'loddhiln'),
        'æ', 'ae'), 'œ', 'oe'), 'ß', 'ss')
    END;
COMMENT ON FUNCTION lockstep_fold(text) IS 'Lower case without accents: what search and sorting compare.';

-- A lexeme holds 2046 bytes at most: 500 characters can't pass that.
CREATE FUNCTION lockstep_words(value text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(string_to_array(btrim(regexp_replace(
    translate(left(lockstep_fold(value), 500), '''’‘`´', ''),
    '[\s!-/:-@\[-`{-~\u00a0\u2000-\u206f\u3000\ufeff]+', ' ', 'g')), ' '));
COMMENT ON FUNCTION lockstep_words(text) IS 'The distinct folded words of a text.';

CREATE FUNCTION lockstep_word_query(value text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT string_agg('''' || word || ''':*', ' & ')
    FROM unnest(tsvector_to_array(lockstep_words(value))) AS word)::tsquery;
COMMENT ON FUNCTION lockstep_word_query(text) IS 'Matches what has, for each word, a word that begins with it; null without words.';

CREATE FUNCTION lockstep_digits(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value = '' THEN '' ELSE regexp_replace(value, '[^0-9]', '', 'g') END;

-- Phone numbers are found as written, and as bare digits with and without what stands before the last ten.
CREATE FUNCTION lockstep_contact_words(first_name text, last_name text, email text, phone text, cell text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lockstep_words(first_name || ' ' || last_name || ' ' || email || ' ' || phone || ' ' || cell || ' '
    || lockstep_digits(phone) || ' ' || right(lockstep_digits(phone), 10) || ' '
    || lockstep_digits(cell) || ' ' || right(lockstep_digits(cell), 10));

CREATE FUNCTION lockstep_client_words(name text, account_number text, phone text, website text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lockstep_words(name || ' ' || account_number || ' ' || phone || ' ' || lockstep_digits(phone) || ' '
    || right(lockstep_digits(phone), 10) || ' ' || website);

CREATE FUNCTION lockstep_contact_key(first_name text, last_name text, email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(lockstep_fold(coalesce(nullif(btrim(last_name || ' ' || first_name), ''), email)), 200);

CREATE FUNCTION lockstep_client_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(lockstep_fold(name), 200);
"""

DROP_FUNCTIONS = """
DROP FUNCTION lockstep_client_key(text);
DROP FUNCTION lockstep_contact_key(text, text, text);
DROP FUNCTION lockstep_client_words(text, text, text, text);
DROP FUNCTION lockstep_contact_words(text, text, text, text, text);
DROP FUNCTION lockstep_digits(text);
DROP FUNCTION lockstep_word_query(text);
DROP FUNCTION lockstep_words(text);
DROP FUNCTION lockstep_fold(text);
"""

# Outside Django's models on purpose: the column is only ever compared in SQL, never fetched.
SEARCH_COLUMNS = """
ALTER TABLE book_contact ADD COLUMN search tsvector GENERATED ALWAYS AS
    (lockstep_contact_words(first_name, last_name, email, phone, cell)) STORED;
ALTER TABLE book_client ADD COLUMN search tsvector GENERATED ALWAYS AS
    (lockstep_client_words(name, account_number, phone, website)) STORED;
CREATE INDEX book_contact_search ON book_contact USING gin (search);
CREATE INDEX book_client_search ON book_client USING gin (search);
"""

DROP_SEARCH_COLUMNS = """
ALTER TABLE book_client DROP COLUMN search;
ALTER TABLE book_contact DROP COLUMN search;
"""


class Migration(migrations.Migration):
    dependencies = [("book", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.RemoveIndex(
            model_name="client",
            name="book_client_rep_id_19e20d_idx",
        ),
        migrations.RemoveIndex(
            model_name="client",
            name="book_client_company_0cd1cf_idx",
        ),
        migrations.RemoveIndex(
            model_name="contact",
            name="book_contac_company_7aa62b_idx",
        ),
        migrations.AddField(
            model_name="client",
            name="name_key",
            field=models.GeneratedField(
                db_persist=True,
                expression=lockstep.apps.book.models.ClientKey(models.F("name")),
                output_field=models.TextField(db_collation="C"),
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="name_key",
            field=models.GeneratedField(
                db_persist=True,
                expression=lockstep.apps.book.models.ContactKey(
                    models.F("first_name"), models.F("last_name"), models.F("email")
                ),
                output_field=models.TextField(db_collation="C"),
            ),
        ),
        migrations.AlterField(
            model_name="client",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clients",
                to="accounts.company",
            ),
        ),
        migrations.AlterField(
            model_name="client",
            name="industry",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="book.listvalue",
            ),
        ),
        migrations.AlterField(
            model_name="client",
            name="status",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="book.listvalue",
            ),
        ),
        migrations.AlterField(
            model_name="contact",
            name="client",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contacts",
                to="book.client",
            ),
        ),
        migrations.AlterField(
            model_name="contact",
            name="company",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="contacts",
                to="accounts.company",
            ),
        ),
        migrations.AlterField(
            model_name="contact",
            name="department",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="book.listvalue",
            ),
        ),
        migrations.AddIndex(
            model_name="client",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["company", "name_key", "id"],
                name="book_client_by_name",
            ),
        ),
        migrations.AddIndex(
            model_name="client",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["company", "-updated_at", "-id"],
                name="book_client_by_change",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["company", "name_key", "id"],
                name="book_contact_by_name",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["company", "-updated_at", "-id"],
                name="book_contact_by_change",
            ),
        ),
        migrations.RunSQL(SEARCH_COLUMNS, DROP_SEARCH_COLUMNS),
    ]
