import gc, pytest


@pytest.fixture(autouse=True)
def _gc():
    yield
    gc.collect()
