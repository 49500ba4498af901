"""gunicorn's options: `gunicorn -c studio/gunicorn_conf.py studio.wsgi`.

Threads wait for slow downloads at almost no cost, so there are many of them; studio.web.streaming keeps some free for
polls. The kernel copies files to sockets (sendfile), so that a download takes neither memory nor the interpreter.
"""

import gc
import os
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

from studio import settings  # the module, not Django's lazy object

bind = f"127.0.0.1:{settings.PORT}"
chdir = str(Path(__file__).resolve().parent.parent)
preload_app = True  # imports once for all processes
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
keepalive = 75
graceful_timeout = settings.WEB_GRACE
control_socket_disable = True


def on_starting(server: object) -> None:
    """No unsafe combination of settings is ever served, no page from a database without its tables; and what workers
    count outlives them."""
    from studio import checks, schema
    from studio.metrics import seats

    checks.refuse_unsafe()
    schema.refuse_older_or_exit()
    seats.occupy()
    keep_from_the_collector()


def keep_from_the_collector() -> None:
    """What is loaded before there are processes stays: nobody searches it for garbage again, for a quarter of a second
    in which a process answers nobody."""
    gc.collect()
    gc.freeze()
