"""Run records: written whole or not at all, found by content, refused when damaged; and the statistics over them."""

from .runs import (
    PACKAGES as PACKAGES,
)
from .runs import (
    RECORD_FIELDS as RECORD_FIELDS,
)
from .runs import (
    SCHEMA as SCHEMA,
)
from .runs import (
    Published as Published,
)
from .runs import (
    Run as Run,
)
from .runs import (
    config_hash as config_hash,
)
from .runs import (
    load_checkpoint as load_checkpoint,
)
from .runs import (
    load_measurements as load_measurements,
)
from .runs import (
    load_published as load_published,
)
from .runs import (
    load_run as load_run,
)
from .runs import (
    provenance as provenance,
)
from .runs import (
    publish as publish,
)
from .runs import (
    row as row,
)
from .runs import (
    run_keys as run_keys,
)
from .runs import (
    save_checkpoint as save_checkpoint,
)
from .runs import (
    save_measurements as save_measurements,
)
from .runs import (
    save_run as save_run,
)
