"""Where joblib computes what a study asks for: in processes of this computer, or on a Dask cluster."""

import contextlib

import joblib


@contextlib.contextmanager
def on(address):
    """Let joblib use the workers of the scheduler at this address, ``tcp://host:8786``; None: those it has itself.

    A cell travels to a worker as it is, and its row comes back: when a worker dies, what it had not handed over is
    measured again on another one. The workers need the course, installed from its lock file.
    """
    if address is None:
        yield
        return
    from dask.distributed import Client  # only a cluster needs it: pip install -e .[cluster]

    with Client(address) as client, joblib.parallel_config(backend="dask"):
        print(f"{sum(client.ncores().values())} cores; to watch them: {client.dashboard_link}", flush=True)
        yield
