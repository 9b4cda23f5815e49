"""Keys by which the same client entered twice is found: its name without its form of company, and its site."""

from django.db import migrations

# The functions know nothing but pg_catalog and each other, as those of migration 0002.
FUNCTIONS = r"""
CREATE FUNCTION lockstep_name_stem(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(replace(btrim(regexp_replace(
    ' ' || regexp_replace(
        translate(lockstep_fold(value), '''’‘`´.', ''),
        '[\s!-/:-@\[-`{-~\u00a0\u2000-\u206f\u3000\ufeff]+', '  ', 'g') || ' ',
    ' (the|and|inc|incorporated|llc|llp|ltd|limited|corp|corporation|co|company|plc|gmbh|ag|kg|sa|sas|sarl|srl|spa|bv|nv|oy|ab|as|aps|pty) ',
    ' ', 'g')), ' ', ''), 200);
COMMENT ON FUNCTION lockstep_name_stem(text) IS 'A company name without case, accents, punctuation and form of company.';

CREATE FUNCTION lockstep_site(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value = '' THEN '' ELSE left(coalesce(substring(lower(btrim(value))
    FROM '^(?:[a-z]+://)?(?:www\.)?([^/?#:\s]+\.[^/?#:\s]+)'), ''), 200) END;
COMMENT ON FUNCTION lockstep_site(text) IS 'The domain of a web address, without www.';
"""

DROP_FUNCTIONS = """
DROP FUNCTION lockstep_site(text);
DROP FUNCTION lockstep_name_stem(text);
"""

# Outside Django's models on purpose, as `search`: only ever compared in SQL.
COLUMNS = """
ALTER TABLE book_client ADD COLUMN name_stem text GENERATED ALWAYS AS (lockstep_name_stem(name)) STORED;
ALTER TABLE book_client ADD COLUMN site text GENERATED ALWAYS AS (lockstep_site(website)) STORED;
CREATE INDEX book_client_stem ON book_client (company_id, name_stem, id)
    WHERE deleted_at IS NULL AND name_stem <> '';
CREATE INDEX book_client_site ON book_client (company_id, site, id) WHERE deleted_at IS NULL AND site <> '';
"""

DROP_COLUMNS = """
ALTER TABLE book_client DROP COLUMN site;
ALTER TABLE book_client DROP COLUMN name_stem;
"""


class Migration(migrations.Migration):
    dependencies = [("book", "0005_bulk_changes"), ("book", "0005_tallies")]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.RunSQL(COLUMNS, DROP_COLUMNS),
    ]
