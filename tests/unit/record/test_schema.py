from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import app.record.schema
from app.record.ledger import Ledger
from app.record.schema import HEAD
from app.record.tables import METADATA


def test_the_steps_lead_to_the_tables_that_the_code_names(tmp_path):
    ledger = Ledger.open(tmp_path)
    with ledger.transaction() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    ledger.close()

    assert differences == []


def test_the_newest_step_is_the_head():
    config = Config()
    config.set_main_option("script_location", app.record.schema.__path__[0])

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
